/** Reads the source tree for tests of the house rules. Works from the sources and from the compiled tree. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Node, parse } from 'acorn';
import { full } from 'acorn-walk';

const EXTENSION = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
/** Root of the tree that this file was loaded from: the checkout, or `dist`. */
export const LOADED_ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** The checkout, where the TypeScript sources and everything that is not compiled lie. */
export const CHECKOUT = EXTENSION === '.ts' ? LOADED_ROOT : resolve(LOADED_ROOT, '..');

export interface SourceImport {
  /** Path from the root, `/` between parts. */
  file: string;
  target: string;
  isTypeOnly: boolean;
}

export function listFiles(root: string, folders: readonly string[], extension: string): string[] {
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith(extension) && !entry.name.endsWith('.d.ts'))
      .map((entry) => relative(root, join(entry.parentPath, entry.name)).split('\\').join('/')),
  );
}

export function readSource(file: string): string {
  return readFileSync(join(CHECKOUT, file), 'utf8');
}

const IMPORT = /^\s*(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'|\bimport\('([^']+)'\)/gm;

/** Relative and package imports of one TypeScript file; a clause of only `type` names counts as type-only. */
export function importsOf(file: string): SourceImport[] {
  const text = readSource(file);
  return [...text.matchAll(IMPORT)].map((match) => {
    const specifier = (match[2] ?? match[3])!;
    const target = specifier.startsWith('.')
      ? join(dirname(file), specifier).split('\\').join('/')
      : specifier;
    const names = /\{([^}]*)\}/
      .exec(match[0])?.[1]
      ?.split(',')
      .map((name) => name.trim())
      .filter(Boolean);
    const isOnlyTypes =
      names !== undefined && names.length > 0 && names.every((name) => name.startsWith('type '));
    return { file, target, isTypeOnly: match[1] !== undefined || isOnlyTypes };
  });
}

/** One cycle of the graph as a path, or undefined. */
export function findCycle(edges: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (node: string): string[] | undefined => {
    if (path.includes(node)) return [...path.slice(path.indexOf(node)), node];
    if (done.has(node)) return undefined;
    path.push(node);
    for (const next of edges.get(node) ?? []) {
      const cycle = visit(next);
      if (cycle !== undefined) return cycle;
    }
    path.pop();
    done.add(node);
    return undefined;
  };
  for (const node of edges.keys()) {
    const cycle = visit(node);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

export interface FunctionLength {
  file: string;
  line: number;
  lines: number;
}

const FUNCTION_TYPES = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression']);

/** Lengths of all functions in one compiled file; the compiler keeps the lines of statements. */
export function functionLengths(compiledFile: string): FunctionLength[] {
  const source = readFileSync(compiledFile, 'utf8');
  const tree = parse(source, { ecmaVersion: 'latest', sourceType: 'module', locations: true });
  const lengths: FunctionLength[] = [];
  full(tree, (node: Node) => {
    if (!FUNCTION_TYPES.has(node.type) || node.loc == null) return;
    const { start, end } = node.loc;
    lengths.push({ file: compiledFile, line: start.line, lines: end.line - start.line + 1 });
  });
  return lengths;
}
