/** Policy `dynamic` of this engine: as many traces of each kind as a common goal allows, fewer of what is frequent. */
import type { Counter, Gauge, Logger } from '../../../component/settings.ts';
import { boolean, count, duration, number, stringList } from '../../../config/field-kinds.ts';
import { type CheckIssue, defineShape } from '../../../config/schema.ts';
import { EmaRates, type EmaSettings } from './dynamic-ema.ts';
import { FIELD_WORDS, FieldGatherer, ROOT_PREFIX } from './dynamic-fields.ts';
import { mix32, ValueTexts } from './dynamic-values.ts';
import { type Policy, type TraceFacts, type Vote, voteOf } from './policy.ts';
import type { PolicyCompiler } from './policy-compiler.ts';
import type { PolicyType } from './policy-type.ts';

export interface DynamicBlock extends Omit<EmaSettings, 'ageOutValue'> {
  fieldList: string[];
  /** undefined: the weight. */
  ageOutValue: number | undefined;
  usesTraceLength: boolean;
}

const FIELDS_MAX = 16;
const KEYS_MAX = 20_000;
const REPORTED_KEYS = 10;
/** Other than those of the hashes that choose traces elsewhere, so that the choices are independent. */
const ID_SALT = 0x5bd1e995;

export const dynamicPolicy: PolicyType<'dynamic', DynamicBlock> = {
  type: 'dynamic',
  doc: 'A policy of this engine: 1 of `goal_sample_rate` spans over all, by keys that the values of fields form. Each key is sampled by its own rate, which follows its traffic; rare keys are kept whole.',
  isNestable: true,
  block: defineShape<DynamicBlock>(
    {
      fieldList: stringList('field_list', {
        required: true,
        doc: 'Attributes of spans or, where a span has none of that name, of their resource; `name`, `span.kind` and `status_code` are those of the span; with `root.` in front only the root span counts.',
      }),
      goalSampleRate: count('goal_sample_rate', {
        default: 10,
        min: 1,
        doc: 'One of so many spans is to be kept.',
      }),
      adjustmentIntervalMs: duration('adjustment_interval', {
        default: '15s',
        min: 1,
        doc: 'How often rates are calculated.',
      }),
      weight: number('weight', {
        default: 0.5,
        doc: 'Share of the last interval in the averages, over 0 and at most 1, which is no average any more.',
      }),
      ageOutValue: number('age_out_value', {
        doc: 'A key with a lower average is forgotten; without it the weight.',
      }),
      burstMultiple: number('burst_multiple', {
        default: 2,
        doc: 'So many times the average number of spans calculates rates before the interval is over; negative: never.',
      }),
      burstDetectionDelay: count('burst_detection_delay', {
        default: 3,
        doc: 'Intervals at the beginning without that.',
      }),
      maxKeys: count('max_keys', {
        default: 500,
        min: 1,
        max: KEYS_MAX,
        doc: 'Keys that are counted in an interval; traces with others are kept.',
      }),
      usesTraceLength: boolean('use_trace_length', {
        default: false,
        doc: 'The number of spans is part of the key.',
      }),
    },
    checkDynamic,
  ),
  needsWholeTrace: () => true,
  compile: (block, compiler) => new DynamicPolicy(block, compiler),
};

function checkDynamic({ fieldList, weight, ageOutValue = 1 }: DynamicBlock): CheckIssue[] {
  const issues: CheckIssue[] = [];
  if (fieldList.length === 0) issues.push({ key: 'field_list', message: 'must not be empty' });
  if (fieldList.length > FIELDS_MAX)
    issues.push({ key: 'field_list', message: `must have at most ${FIELDS_MAX} fields` });
  fieldList.forEach((field, index) => {
    if (field !== '' && field !== ROOT_PREFIX) return;
    issues.push({ key: `field_list.${index}`, message: 'must name a field' });
  });
  if (!(weight > 0 && weight <= 1)) issues.push({ key: 'weight', message: 'must be over 0 and at most 1' });
  if (!(ageOutValue > 0)) issues.push({ key: 'age_out_value', message: 'must be positive' });
  return issues;
}

/** Fields in order, those of the root behind the others; each once. */
function orderedFields(fieldList: readonly string[]): string[] {
  const isRoot = (field: string) => Number(field.startsWith(ROOT_PREFIX));
  return [...new Set(fieldList)].sort((a, b) => isRoot(a) - isRoot(b) || (a < b ? -1 : 1));
}

/** Policies with the same fields have one gatherer, so they have its texts in common as well. */
const TEXTS = new WeakMap<PolicyCompiler, Map<string, ValueTexts>>();

function textsOf(compiler: PolicyCompiler, identity: string, max: number): ValueTexts {
  const known = TEXTS.get(compiler) ?? new Map<string, ValueTexts>();
  TEXTS.set(compiler, known);
  const texts = known.get(identity) ?? new ValueTexts(max);
  known.set(identity, texts);
  return texts;
}

class DynamicPolicy implements Policy {
  readonly #ema: EmaRates;
  readonly #fields: readonly string[];
  readonly #texts: ValueTexts;
  /** What keys look like, for reports; those with an average and the new ones of an interval. */
  readonly #descriptions = new Map<number, string>();
  readonly #descriptionsMax: number;
  readonly #firstWord: number;
  readonly #countWord: number;
  readonly #usesTraceLength: boolean;
  readonly #logger: Logger;
  readonly #keys: Gauge;
  readonly #overflowed: Counter;

  constructor(block: DynamicBlock, compiler: PolicyCompiler) {
    const { fieldList, ageOutValue, usesTraceLength, ...settings } = block;
    this.#ema = new EmaRates({ ...settings, ageOutValue: ageOutValue ?? settings.weight });
    this.#fields = orderedFields(fieldList);
    this.#descriptionsMax = settings.maxKeys * 2;
    this.#usesTraceLength = usesTraceLength;
    const identity = `dynamic ${settings.maxKeys} ${JSON.stringify(this.#fields)}`;
    this.#texts = textsOf(compiler, identity, settings.maxKeys * 2);
    this.#firstWord = compiler.gather(identity, this.#fields.length * FIELD_WORDS, () => {
      return new FieldGatherer(this.#fields, this.#texts);
    });
    this.#countWord = compiler.spanCountWord();
    const { id, logger, meter } = compiler.settings;
    this.#logger = logger;
    this.#keys = meter.gauge('millrace_dynamic_sampler_keys', { processor: id });
    this.#overflowed = meter.counter('millrace_dynamic_sampler_overflowed_traces', { processor: id });
  }

  vote({ ids, idAt, words, at, nowMs }: TraceFacts): Vote {
    if (this.#ema.isDue(nowMs)) this.#adjust(nowMs);
    const spanCount = words[at + this.#countWord]!;
    const key = this.#keyOf(words, at, spanCount);
    if (!this.#descriptions.has(key) && this.#descriptions.size < this.#descriptionsMax) {
      this.#descriptions.set(key, this.#describe(words, at, spanCount));
    }
    const rate = this.#ema.rateOf(key, spanCount);
    return voteOf(rate <= 1 || hashId(ids, idAt) < 2 ** 32 / rate);
  }

  /** 53 bits of two hashes over the words of the fields. */
  #keyOf(words: Uint32Array, at: number, spanCount: number): number {
    let high = ID_SALT;
    let low = 0;
    const start = at + this.#firstWord;
    const end = start + this.#fields.length * FIELD_WORDS;
    for (let word = start; word < end; word++) {
      high = mix32(high ^ words[word]!);
      low = mix32(Math.imul(low, 31) + words[word]!);
    }
    if (this.#usesTraceLength) low = mix32(low ^ spanCount);
    return (high & 0x1f_ffff) * 2 ** 32 + low;
  }

  #describe(words: Uint32Array, at: number, spanCount: number): string {
    const parts = this.#fields.map((_, field) => {
      const word = at + this.#firstWord + field * FIELD_WORDS;
      const highest = words[word]!;
      const lowest = ~words[word + 1]! >>> 0;
      if (highest === 0) return '';
      const texts = new Set([this.#texts.textOf(lowest), this.#texts.textOf(highest)]);
      return [...texts].sort().join('•');
    });
    if (this.#usesTraceLength) parts.push(String(spanCount));
    return parts.join(',');
  }

  #adjust(nowMs: number): void {
    this.#overflowed.add(this.#ema.overflowedTraces);
    this.#ema.adjust(nowMs);
    this.#keys.set(this.#ema.keyCount);
    for (const key of this.#descriptions.keys()) if (!this.#ema.has(key)) this.#descriptions.delete(key);
    const rates = this.#ema.highest(REPORTED_KEYS).map(([key, rate]) => {
      return `${this.#descriptions.get(key) ?? '?'}: 1/${rate}`;
    });
    this.#logger.debug('sample rates by key', { fields: this.#fields, keys: this.#ema.keyCount, rates });
  }
}

/** Of a trace id alone, the same everywhere: which traces of a key are kept depends on nothing else but the rate. */
function hashId(ids: Uint32Array, idAt: number): number {
  let hash = ID_SALT;
  for (let word = idAt; word < idAt + 4; word++) hash = mix32(hash ^ ids[word]!);
  return hash;
}
