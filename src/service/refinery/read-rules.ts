/** Text of a rules file to samplers with their places; every mistake with line and column. */
import {
  type ConfigNode,
  locate,
  type MapEntry,
  type Position,
  plainValue,
  type SourceIssue,
} from '../../config/config-node.ts';
import { parseYaml } from '../../config/yaml-text.ts';
import { type TopSampler, topSamplerSchema } from './rules-schema.ts';

type Path = readonly (string | number)[];

export interface NamedSampler {
  /** Environment or classic dataset, `__default__` for the rest. */
  name: string;
  sampler: TopSampler;
  /** Place of a path below the sampler. */
  at(path: Path): Position;
}

export interface RulesFile {
  /** In the order of the file. */
  samplers: NamedSampler[];
  issues: SourceIssue[];
}

const VERSION = 2;
const DEFAULT_NAME = '__default__';

/** @param file name that places carry. */
export function readRules(file: string, text: string): RulesFile {
  const { root, issues } = parseYaml(file, text);
  if (root?.kind !== 'map' && file.endsWith('.toml')) {
    const message = 'rules in TOML are not read: write them as YAML';
    return { samplers: [], issues: [{ file, line: 1, column: 1, path: '', message }] };
  }
  if (issues.length > 0) return { samplers: [], issues };
  const found: RulesFile = { samplers: [], issues: [] };
  if (root?.kind !== 'map') {
    const at = root?.at ?? { file, line: 1, column: 1 };
    found.issues.push({ ...at, path: '', message: 'expected a map with RulesVersion and Samplers' });
    return found;
  }
  for (const [key, { keyAt }] of root.entries) {
    if (key === 'RulesVersion' || key === 'Samplers') continue;
    found.issues.push({ ...keyAt, path: '', message: `unknown key "${key}"` });
  }
  checkVersion(root, root.entries.get('RulesVersion'), found);
  readSamplers(root, root.entries.get('Samplers'), found);
  return found;
}

function checkVersion(root: ConfigNode, entry: MapEntry | undefined, { issues }: RulesFile): void {
  const version = entry?.node.kind === 'scalar' ? entry.node.value : undefined;
  if (version === VERSION) return;
  const message =
    entry === undefined
      ? 'needs "RulesVersion: 2"; files of Refinery 1 have to be converted by its own tool first'
      : 'must be 2';
  issues.push({ ...(entry?.node.at ?? root.at), path: entry === undefined ? '' : 'RulesVersion', message });
}

function readSamplers(root: ConfigNode, entry: MapEntry | undefined, found: RulesFile): void {
  if (entry === undefined) {
    found.issues.push({ ...root.at, path: '', message: 'needs "Samplers"' });
    return;
  }
  if (entry.node.kind !== 'map') {
    found.issues.push({ ...entry.keyAt, path: 'Samplers', message: 'expected a map of samplers' });
    return;
  }
  if (!entry.node.entries.has(DEFAULT_NAME)) {
    found.issues.push({ ...entry.keyAt, path: 'Samplers', message: `needs "${DEFAULT_NAME}"` });
  }
  for (const [name, { node, keyAt }] of entry.node.entries) {
    const at = (path: Path, key?: string) =>
      path.length === 0 && key === undefined ? keyAt : locate(node, path, key);
    const { value, issues } = topSamplerSchema.parse(plainValue(node));
    for (const issue of issues) {
      const path = ['Samplers', name, ...issue.path].join('::');
      found.issues.push({ ...at(issue.path, issue.key), path, message: issue.message });
    }
    if (value !== undefined) found.samplers.push({ name, sampler: value, at });
  }
}
