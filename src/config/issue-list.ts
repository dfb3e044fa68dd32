import type { ConfigIssue } from '../component/config-schema.ts';
import { type ConfigNode, locate, type SourceIssue } from './config-node.ts';

type Path = readonly (string | number)[];

/** Collects what is wrong with one configuration and finds the place of every path in its file. */
export class IssueList {
  readonly issues: SourceIssue[] = [];
  readonly warnings: SourceIssue[];
  readonly #root: ConfigNode;

  /** @param warnings earlier ones, e.g. of expansion; continued. */
  constructor(root: ConfigNode, warnings: readonly SourceIssue[]) {
    this.#root = root;
    this.warnings = [...warnings];
  }

  /** @param placePath where to point, when that is below what the message is about. */
  add(path: Path, message: string, placePath: Path = path): void {
    this.issues.push({ ...locate(this.#root, placePath), path: path.join('::'), message });
  }

  /** An issue about a key that the message names itself. */
  addKey(path: Path, key: string, message: string): void {
    this.issues.push({ ...locate(this.#root, path, key), path: path.join('::'), message });
  }

  warn(path: Path, message: string): void {
    this.warnings.push({ ...locate(this.#root, path), path: path.join('::'), message });
  }

  /** Takes over what a table found below `path`. */
  addParsed(path: Path, parsed: { issues: readonly ConfigIssue[]; warnings?: readonly ConfigIssue[] }): void {
    const placed = (issue: ConfigIssue): SourceIssue => {
      const whole = [...path, ...issue.path];
      return { ...locate(this.#root, whole, issue.key), path: whole.join('::'), message: issue.message };
    };
    this.issues.push(...parsed.issues.map(placed));
    this.warnings.push(...(parsed.warnings ?? []).map(placed));
  }
}

/** In the order of the sources and of the lines in each; files that only references name come last. */
export function sortedIssues(issues: readonly SourceIssue[], files: readonly string[] = []): SourceIssue[] {
  const rank = new Map<string, number>();
  for (const file of [...files, ...issues.map((issue) => issue.file)]) {
    if (!rank.has(file)) rank.set(file, rank.size);
  }
  return issues.toSorted(
    (a, b) => rank.get(a.file)! - rank.get(b.file)! || a.line - b.line || a.column - b.column,
  );
}
