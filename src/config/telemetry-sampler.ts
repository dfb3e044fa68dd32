/** `service::telemetry::traces::sampler`: a map with the name of a sampler, which may hold others. */
import type { SamplerPlan } from './telemetry-plan.ts';

export interface ReadSampler {
  sampler: SamplerPlan;
  problems: string[];
}

const ON: SamplerPlan = { kind: 'always_on' };
const OFF: SamplerPlan = { kind: 'always_off' };
const DEPTH_MAX = 4;
const PARENT_KEYS = ['root', 'remote_parent_sampled', 'remote_parent_not_sampled'];
/** Parents of the engine's own spans are either remote or decided already. */
const LOCAL_KEYS = ['local_parent_sampled', 'local_parent_not_sampled'];

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function ownValue(map: unknown, key: string): unknown {
  return isMap(map) && Object.hasOwn(map, key) ? map[key] : undefined;
}

function readParent(body: unknown, depth: number, problems: string[]): SamplerPlan {
  for (const key of Object.keys(body ?? {})) {
    if (LOCAL_KEYS.includes(key)) problems.push(`parent_based::${key} is not supported yet`);
    else if (!PARENT_KEYS.includes(key)) problems.push(`parent_based has an unknown key "${key}"`);
  }
  const read = (key: string, absent: SamplerPlan) => {
    const value = ownValue(body, key);
    return value === undefined ? absent : readOne(value, depth + 1, problems);
  };
  return {
    kind: 'parent',
    root: read('root', ON),
    ifSampled: read('remote_parent_sampled', ON),
    ifNotSampled: read('remote_parent_not_sampled', OFF),
  };
}

function readOne(value: unknown, depth: number, problems: string[]): SamplerPlan {
  const entries = isMap(value) ? Object.entries(value) : [];
  if (entries.length !== 1 || depth > DEPTH_MAX) {
    problems.push(
      'expected a map with one sampler: always_on, always_off, trace_id_ratio_based, parent_based',
    );
    return ON;
  }
  const [name, body] = entries[0]!;
  switch (name) {
    case 'always_on':
      return ON;
    case 'always_off':
      return OFF;
    case 'parent_based':
      return readParent(body, depth, problems);
    case 'trace_id_ratio_based': {
      const ratio = ownValue(body, 'ratio') ?? 1;
      if (typeof ratio === 'number' && ratio >= 0 && ratio <= 1) return { kind: 'ratio', ratio };
      problems.push('trace_id_ratio_based::ratio must be a number from 0 to 1');
      return ON;
    }
    default:
      problems.push(`sampler "${name}" is not supported yet`);
      return ON;
  }
}

/** @param value the YAML value; absent means every trace, and what a parent says. */
export function readSampler(value: unknown): ReadSampler {
  const problems: string[] = [];
  const sampler =
    value === undefined || value === null ? readParent({}, 0, problems) : readOne(value, 0, problems);
  return { sampler, problems };
}
