/** From `--config` and `--set` values to one tree of expanded values with their places. */
import { type ConfigNode, NESTING_MAX, type SourceIssue } from './config-node.ts';
import { expandTree } from './expand.ts';
import { describeValue } from './expanded-text.ts';
import { applyGates } from './gates.ts';
import { mergeNodes, nestKeys, nodeAt } from './merge.ts';
import { type Environment, readSource, type SourceText } from './source-text.ts';
import { parseYaml } from './yaml-text.ts';

export interface ConfigSources {
  /** Paths, or URIs `file:PATH`, `env:NAME`, `yaml:TEXT`; later ones win. */
  configs: readonly string[];
  /** `key.below=value`, the value in YAML; they win over all of `configs`, later ones over earlier ones. */
  sets?: readonly string[];
  /** Ids of feature gates that are on. */
  gates?: readonly string[];
  /** Told of each file that a reference `${file:PATH}` named and that could be read. */
  onFileRead?: (path: string) => void;
}

export interface LoadedConfig {
  /** Undefined when nothing can be checked; with issues it holds null where they are. */
  root: ConfigNode | undefined;
  issues: SourceIssue[];
  warnings: SourceIssue[];
  /** Names of the sources that issues carry, in their order. */
  files: readonly string[];
}

/** Reads files synchronously. */
export function loadConfig(sources: ConfigSources, environment: Environment): LoadedConfig {
  const texts = sources.configs.map((source) => readSource(source, environment));
  const named = texts.map((text, index): SourceText => {
    // Several texts on the command line must be told apart.
    return text.file === 'yaml:' && texts.length > 1 ? { ...text, file: `yaml:#${index + 1}` } : text;
  });
  return loadTexts(named, sources, environment);
}

/** @param file name that issues carry. */
export function parseConfig(file: string, text: string, environment: Environment): LoadedConfig {
  return loadTexts([{ file, text }], {}, environment);
}

function loadTexts(
  texts: readonly SourceText[],
  { sets = [], gates = [], onFileRead }: Omit<ConfigSources, 'configs'>,
  environment: Environment,
): LoadedConfig {
  const files = [...texts.map(({ file }) => file), ...sets.map((set) => readSet(set).file)];
  const issues: SourceIssue[] = [];
  const roots: ConfigNode[] = [];
  let isReadable = true;
  for (const text of texts) {
    const parsed =
      'error' in text
        ? { root: undefined, issues: [wholeIssue(text.file, text.error)] }
        : parseYaml(text.file, text.text);
    issues.push(...parsed.issues);
    if (parsed.root !== undefined) roots.push(nestKeys(parsed.root, issues));
    else if (parsed.issues.length > 0) isReadable = false;
  }
  for (const set of sets) {
    const parsed = parseSet(set);
    issues.push(...parsed.issues);
    if (parsed.root !== undefined) roots.push(parsed.root);
  }
  const merged = mergeAll(roots, issues);
  const loaded = { issues, warnings: [] as SourceIssue[], files };
  if (!isReadable) return { ...loaded, root: undefined };
  if (merged === undefined || (merged.kind === 'scalar' && merged.value === null)) {
    if (issues.length === 0) issues.push(wholeIssue(texts[0]?.file ?? '', 'empty configuration file'));
    return { ...loaded, root: undefined };
  }
  const expanded = expandTree(merged, environment, issues, loaded.warnings, onFileRead);
  return { ...loaded, root: expanded && applyGates(expanded, gates) };
}

/** One source may be anything, e.g. a reference; several must be maps, or nothing. */
function mergeAll(roots: readonly ConfigNode[], issues: SourceIssue[]): ConfigNode | undefined {
  const [only, ...others] = roots;
  if (others.length === 0) return only;
  const maps = roots.filter((root) => {
    if (root.kind === 'map') return true;
    const value = root.kind === 'list' ? [] : root.value;
    const message = `expected a map of sections, got ${describeValue(value)}`;
    if (value !== null) issues.push({ ...root.at, path: '', message });
    return false;
  });
  return maps.length === 0 ? only : maps.reduce(mergeNodes);
}

/** The value may be a secret, so issues carry the key only. */
function readSet(set: string): { file: string; key: string; text: string | undefined } {
  const equals = set.indexOf('=');
  const key = equals < 0 ? set : set.slice(0, equals);
  return { file: `--set ${key}`, key, text: equals < 0 ? undefined : set.slice(equals + 1) };
}

function parseSet(set: string): { root: ConfigNode | undefined; issues: SourceIssue[] } {
  const { file, key, text } = readSet(set);
  const refuse = (message: string) => ({ root: undefined, issues: [wholeIssue(file, message)] });
  if (text === undefined) return refuse('missing equal sign: write --set key.below=value');
  const path = key.split(/\.|::/);
  if (path.includes('')) return refuse('empty key: write --set key.below=value');
  if (path.length > NESTING_MAX) return refuse(`more than ${NESTING_MAX} levels of keys`);
  const at = { file, line: 1, column: 1 };
  const { root, issues } = parseYaml(file, text);
  const placed = issues.map((issue) => ({
    ...issue,
    path: [...path, issue.path].filter((part) => part !== '').join('::'),
  }));
  return { root: nodeAt(path, root ?? { kind: 'scalar', value: null, at }, at), issues: placed };
}

function wholeIssue(file: string, message: string): SourceIssue {
  return { file, line: 1, column: 1, path: '', message };
}
