/**
 * The Collector's feature gates, as far as this engine has them: a gate sets a key of every component of a type, where
 * the configuration does not say anything else.
 */
import { didYouMean } from '../stdx/nearest.ts';
import type { ConfigNode, MapEntry } from './config-node.ts';

const TAIL_SAMPLING = 'processor.tailsamplingprocessor.';

export interface FeatureGate {
  id: string;
  /** Whether what it is for happens without a flag. */
  isOn: boolean;
  stage: 'Alpha' | 'Stable';
  description: string;
  section: string;
  type: string;
  /** Undefined where what the gate is for is always on here. */
  key: string | undefined;
}

const TAIL_SAMPLING_PLACE = { section: 'processors', type: 'tail_sampling' };

export const FEATURE_GATES: readonly FeatureGate[] = [
  {
    id: `${TAIL_SAMPLING}metricstatcountbytessampled`,
    isOn: false,
    stage: 'Alpha',
    description: 'count_bytes_sampled of every tail_sampling: bytes by policy and decision, beside traces',
    ...TAIL_SAMPLING_PLACE,
    key: 'count_bytes_sampled',
  },
  {
    id: `${TAIL_SAMPLING}metricstatcountspanssampled`,
    isOn: true,
    stage: 'Stable',
    description: 'spans by policy and decision, beside traces; always counted here',
    ...TAIL_SAMPLING_PLACE,
    key: undefined,
  },
];
/** Gates of the Collector 0.158 whose names are right, and that do nothing here. */
const ABSENT: readonly string[] = [
  'defaultOTTLErrorModeIgnore',
  'recordpolicy',
  'tailstorageextension',
  'usetracestate',
].map((name) => TAIL_SAMPLING + name);

export interface ReadGates {
  /** Ids of the gates that are on. */
  gates: readonly string[];
  warnings: string[];
  /** One sentence for each name that cannot be right. */
  errors: string[];
}

/**
 * Reads `--feature-gates` values: ids with commas between them, each with `+`, `-` or nothing in front; the last word
 * about a gate counts. Gates of other parts of the Collector are accepted with a warning, so that its command lines can
 * be used as they are.
 */
export function readGates(values: readonly string[]): ReadGates {
  const on = new Set<string>();
  const read = { warnings: [] as string[], errors: [] as string[] };
  const words = values.flatMap((value) => value.split(',')).map((word) => word.trim());
  for (const word of words.filter((each) => each !== '')) {
    const isOff = word.startsWith('-');
    const id = word.replace(/^[+-]/, '');
    const gate = FEATURE_GATES.find((each) => each.id === id);
    if (gate?.key !== undefined) {
      if (isOff) on.delete(id);
      else on.add(id);
    } else if (gate !== undefined) {
      if (isOff)
        read.warnings.push(`--feature-gates=${word} has no effect: what it is for is always on here`);
    } else if (id.toLowerCase().startsWith(TAIL_SAMPLING) && !ABSENT.includes(id)) {
      read.errors.push(strangeGate(id));
    } else {
      read.warnings.push(`--feature-gates=${word} has no effect: this engine does not have that gate`);
    }
  }
  return { gates: [...on], ...read };
}

/** What there is to say about an id that is none of `FEATURE_GATES`. */
export function strangeGate(id: string): string {
  if (ABSENT.includes(id)) return `feature gate "${id}" of the Collector is not supported yet`;
  return `no such feature gate "${id}"${didYouMean(id, [...FEATURE_GATES.map((each) => each.id), ...ABSENT])}`;
}

/** Sets what gates stand for. @param ids of gates that are on. */
export function applyGates(root: ConfigNode, ids: readonly string[]): ConfigNode {
  return FEATURE_GATES.filter(({ id }) => ids.includes(id)).reduce(applyGate, root);
}

function applyGate(root: ConfigNode, { section, type, key }: FeatureGate): ConfigNode {
  const components = root.kind === 'map' ? root.entries.get(section) : undefined;
  if (root.kind !== 'map' || components?.node.kind !== 'map' || key === undefined) return root;
  const entries = new Map<string, MapEntry>();
  for (const [id, entry] of components.node.entries) {
    const isMeant = id.split('/')[0]!.trim() === type;
    entries.set(id, isMeant ? { ...entry, node: withKey(entry, key) } : entry);
  }
  const node: ConfigNode = { ...components.node, entries };
  return { ...root, entries: new Map([...root.entries, [section, { ...components, node }]]) };
}

function withKey({ keyAt, node }: MapEntry, key: string): ConfigNode {
  if (node.kind !== 'map' || node.entries.has(key)) return node;
  const added: MapEntry = { keyAt, node: { kind: 'scalar', value: true, at: keyAt } };
  return { ...node, entries: new Map([...node.entries, [key, added]]) };
}
