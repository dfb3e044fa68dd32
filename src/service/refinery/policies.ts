/** One sampler of the rules file as policies of `tail_sampling`, and what is not the same. */
import { bracketed, notPolicy, ottlPolicy, type PolicyYaml, translateCondition } from './conditions.ts';
import { keyFieldProblem } from './fields.ts';
import type { KeyedRule, SamplerChoice, SamplingRule, TopSampler } from './rules-schema.ts';

type Path = readonly (string | number)[];

export interface Note {
  /** Below the sampler. */
  path: Path;
  /** `differs`: something else stands for it. `missing`: nothing does. */
  kind: 'differs' | 'missing';
  message: string;
}

export interface NamedPolicy {
  /** Lines of a comment in front of it. */
  comments: string[];
  policy: { name: string } & PolicyYaml;
  path: Path;
}

export interface ConvertedSampler {
  policies: NamedPolicy[];
  notes: Note[];
}

/** Limits of the policy `dynamic`. */
const KEYS_MAX = 20_000;
const FIELDS_MAX = 16;

const KEEP: PolicyYaml = { type: 'always_sample' };

/** A rule in the making: what its traces meet, and what becomes of them. */
interface Meaning {
  name: string;
  path: Path;
  matches: PolicyYaml[];
  outcome: 'keep' | 'drop' | PolicyYaml;
}

export function convertSampler(sampler: TopSampler): ConvertedSampler {
  const notes: Note[] = [];
  if (sampler.RulesBasedSampler !== undefined) {
    const { rules = [], checksNestedFields } = sampler.RulesBasedSampler;
    if (checksNestedFields) {
      const message =
        'attributes that are JSON are not looked into: conditions and keys see attributes by their names';
      notes.push({ path: ['RulesBasedSampler', 'CheckNestedFields'], kind: 'missing', message });
    }
    return { policies: firstMatch(meaningsOf(rules, notes)), notes };
  }
  const [type] = Object.entries(sampler).find(([, value]) => value !== undefined)!;
  const policy = samplerPolicy(sampler, [], notes);
  return { policies: [{ comments: [], policy: { name: type, ...policy }, path: [type] }], notes };
}

function meaningsOf(rules: readonly SamplingRule[], notes: Note[]): Meaning[] {
  const meanings: Meaning[] = [];
  const names = new Set<string>();
  for (const [index, rule] of rules.entries()) {
    const path = ['RulesBasedSampler', 'Rules', index];
    if (meanings.some(({ matches }) => matches.length === 0)) {
      const message = 'is left out: an earlier rule without conditions matches everything';
      notes.push({ path, kind: 'missing', message });
      continue;
    }
    const matches = matchesOf(rule, path, notes);
    if (matches === undefined) continue;
    const name = uniqueName(rule.name === '' ? `rule ${index + 1}` : rule.name, names);
    meanings.push({ name, path, matches, outcome: outcomeOf(rule, path, notes) });
  }
  return meanings;
}

function uniqueName(wanted: string, names: Set<string>): string {
  let name = wanted;
  for (let number = 2; names.has(name); number++) name = `${wanted} (${number})`;
  names.add(name);
  return name;
}

/** @returns policies that all have to sample; undefined when a condition has no equivalent. */
function matchesOf(rule: SamplingRule, path: Path, notes: Note[]): PolicyYaml[] | undefined {
  const matches: PolicyYaml[] = [];
  const ofOneSpan: string[] = [];
  let isComplete = true;
  for (const [index, condition] of (rule.conditions ?? []).entries()) {
    const translation = translateCondition(condition);
    if (translation.kind === 'none') {
      const message = `${translation.reason}; the rule is left out, its traces go on to the rules behind it`;
      notes.push({ path: [...path, 'Conditions', index], kind: 'missing', message });
      isComplete = false;
    } else if (translation.kind === 'trace') matches.push(translation.policy);
    else if (rule.scope === 'span' && !translation.isOfRoot) ofOneSpan.push(translation.text);
    else matches.push(translation.plain ?? ottlPolicy(translation.text));
  }
  if (ofOneSpan.length > 0) matches.push(ottlPolicy(ofOneSpan.map(bracketed).join(' and ')));
  return isComplete ? matches : undefined;
}

function outcomeOf(rule: SamplingRule, path: Path, notes: Note[]): Meaning['outcome'] {
  if (rule.sampler !== undefined) {
    const policy = samplerPolicy(rule.sampler, [...path, 'Sampler'], notes);
    return policy.type === 'always_sample' ? 'keep' : policy;
  }
  if (rule.drops || (rule.sampleRate !== undefined && rule.sampleRate <= 0)) return 'drop';
  if (rule.sampleRate === undefined || rule.sampleRate === 1) return 'keep';
  return probabilistic(rule.sampleRate);
}

/**
 * Policies are asked in turn until one samples, and every `drop` before all others. So that the first matching rule decides
 * alone, a rule excludes those before it whose traces may still be without a decision, and a drop those that keep too.
 */
function firstMatch(meanings: readonly Meaning[]): NamedPolicy[] {
  const policies: NamedPolicy[] = [];
  let isOpen = true;
  for (const [index, { name, path, matches, outcome }] of meanings.entries()) {
    const earlier = meanings.slice(0, index);
    const isDrop = outcome === 'drop';
    const excluded = earlier.filter(
      (other) => other.outcome !== 'drop' && (isDrop || other.outcome !== 'keep'),
    );
    const steps = [...excluded.map((other) => noneOf(other.matches)), ...matches];
    const comments = excluded.length === 0 ? [] : [`Not what an earlier rule matches: ${namesOf(excluded)}.`];
    if (isDrop) {
      const drop = { drop_sub_policy: steps.length === 0 ? [KEEP] : steps };
      policies.push({ comments, policy: { name, type: 'drop', drop }, path });
    } else {
      const sampled = outcome === 'keep' ? steps : [...steps, outcome];
      policies.push({ comments, policy: { name, ...allOf(sampled) }, path });
    }
    if (matches.length === 0) isOpen = false;
  }
  if (!isOpen) return policies;
  const undecided = meanings.filter(({ outcome }) => outcome !== 'keep' && outcome !== 'drop');
  const comments = ['What no rule matches is kept.'];
  const rest = allOf(undecided.map(({ matches }) => noneOf(matches)));
  const names = new Set(meanings.map(({ name }) => name));
  return [
    ...policies,
    { comments, policy: { name: uniqueName('no rule matches', names), ...rest }, path: [] },
  ];
}

function namesOf(meanings: readonly Meaning[]): string {
  return meanings.map(({ name }) => JSON.stringify(name)).join(', ');
}

function allOf(policies: readonly PolicyYaml[]): PolicyYaml {
  if (policies.length === 0) return KEEP;
  return policies.length === 1 ? policies[0]! : { type: 'and', and: { and_sub_policy: policies } };
}

function noneOf(matches: readonly PolicyYaml[]): PolicyYaml {
  return notPolicy(allOf(matches));
}

/** @param path of what holds the sampler's name. */
function samplerPolicy(choice: SamplerChoice, path: Path, notes: Note[]): PolicyYaml {
  const { DeterministicSampler, DynamicSampler, EMADynamicSampler } = choice;
  if (DeterministicSampler !== undefined) return probabilistic(DeterministicSampler.sampleRate);
  if (DynamicSampler !== undefined) {
    const at = [...path, 'DynamicSampler'];
    const message =
      'becomes "dynamic" with weight 1, which keeps its rates where this one forgets them: over an interval without traffic';
    notes.push({ path: at, kind: 'differs', message });
    const { sampleRate, clearFrequencyMs } = DynamicSampler;
    return dynamic(at, notes, DynamicSampler, {
      goal_sample_rate: sampleRate,
      adjustment_interval: durationText(clearFrequencyMs),
      weight: 1,
      burst_multiple: -1,
    });
  }
  if (EMADynamicSampler !== undefined) {
    const { goalSampleRate, adjustmentIntervalMs, weight, ageOutValue, ...burst } = EMADynamicSampler;
    return dynamic([...path, 'EMADynamicSampler'], notes, EMADynamicSampler, {
      goal_sample_rate: goalSampleRate,
      adjustment_interval: durationText(adjustmentIntervalMs),
      weight,
      ...(ageOutValue === undefined ? {} : { age_out_value: ageOutValue }),
      burst_multiple: burst.burstMultiple,
      burst_detection_delay: burst.burstDetectionDelay,
    });
  }
  const [type, throughput] = Object.entries(choice).find(([, value]) => value !== undefined)!;
  const { goalThroughputPerSec } = throughput as { goalThroughputPerSec: number };
  const message = `a volume as the goal has no equivalent: becomes "rate_limiting", which keeps ${goalThroughputPerSec} spans a second of all keys together, the first ones`;
  notes.push({ path: [...path, type], kind: 'differs', message });
  return { type: 'rate_limiting', rate_limiting: { spans_per_second: goalThroughputPerSec } };
}

function probabilistic(rate: number): PolicyYaml {
  return rate === 1 ? KEEP : { type: 'probabilistic', probabilistic: { sampling_percentage: 100 / rate } };
}

function dynamic(path: Path, notes: Note[], keys: KeyedRule, settings: Record<string, unknown>): PolicyYaml {
  const { fieldList, maxKeys, usesTraceLength } = keys;
  for (const [index, field] of fieldList.entries()) {
    const problem = keyFieldProblem(field);
    if (problem === undefined) continue;
    notes.push({
      path: [...path, 'FieldList', index],
      kind: 'differs',
      message: `the field "${field}" ${problem}`,
    });
  }
  if (fieldList.length > FIELDS_MAX) {
    const message = `only the first ${FIELDS_MAX} fields make the key`;
    notes.push({ path: [...path, 'FieldList'], kind: 'differs', message });
  }
  if (maxKeys === 0 || maxKeys > KEYS_MAX) {
    notes.push({
      path: [...path, 'MaxKeys'],
      kind: 'differs',
      message: `at most ${KEYS_MAX} keys are counted`,
    });
  }
  return {
    type: 'dynamic',
    dynamic: {
      field_list: fieldList.slice(0, FIELDS_MAX),
      ...settings,
      max_keys: maxKeys === 0 ? KEYS_MAX : Math.min(maxKeys, KEYS_MAX),
      ...(usesTraceLength ? { use_trace_length: true } : {}),
    },
  };
}

function durationText(durationMs: number): string {
  return durationMs % 1000 === 0 ? `${durationMs / 1000}s` : `${durationMs}ms`;
}
