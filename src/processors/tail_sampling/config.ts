import {
  boolean,
  byteCount,
  count,
  duration,
  ignored,
  integer,
  oneOf,
  section,
  sections,
  squash,
  string,
} from '../../config/field-kinds.ts';
import {
  type CheckIssue,
  defineConfig,
  defineShape,
  mapShape,
  type TableSchema,
} from '../../config/schema.ts';
import { needsWholeTrace, type PolicyConfig, topPolicyShape } from './policies/policy-types.ts';

export type { PolicyConfig };

export interface TailSamplingConfig {
  /** From the first span of a trace to its decision. */
  decisionWaitMs: number;
  /** From its root span to its decision, when that is earlier; 0: off. */
  decisionWaitAfterRootMs: number;
  numTraces: number;
  expectedNewTracesPerSec: number;
  /** Decisions that are remembered after their traces are gone; 0: none. */
  sampledCacheSize: number;
  nonSampledCacheSize: number;
  samplesOnFirstMatch: boolean;
  dropsPendingOnShutdown: boolean;
  blocksOnOverflow: boolean;
  /** 0: no bound. */
  maximumTraceSizeBytes: number;
  samplingStrategy: 'trace-complete' | 'span-ingest';
  /** Each policy counts the bytes of the traces that it votes on. */
  countsBytes: boolean;
  /** `invert_match` has votes of its own, which override those of other policies. */
  usesOldInversion: boolean;
  /** At least one, each with another name. */
  policies: PolicyConfig[];
}

interface TailSamplingKeys
  extends Omit<
    TailSamplingConfig,
    'sampledCacheSize' | 'nonSampledCacheSize' | 'usesOldInversion' | 'policies'
  > {
  decisionCache: { sampledCacheSize: number; nonSampledCacheSize: number };
  invertMatchMode: 'flip' | 'veto';
  policies: PolicyConfig[] | undefined;
}

const decisionCacheShape = defineShape<TailSamplingKeys['decisionCache']>({
  sampledCacheSize: count('sampled_cache_size', { default: 0, doc: 'Trace ids of sampled traces.' }),
  nonSampledCacheSize: count('non_sampled_cache_size', { default: 0, doc: 'Trace ids of the others.' }),
});

const keysShape = defineShape<TailSamplingKeys>(
  {
    policies: sections('policies', topPolicyShape, { doc: 'What is sampled: one or more policies.' }),
    decisionWaitMs: duration('decision_wait', {
      default: '30s',
      doc: 'Time from the first span of a trace to its decision.',
    }),
    decisionWaitAfterRootMs: duration('decision_wait_after_root_received', {
      default: '0s',
      doc: 'Time from the root span of a trace to its decision, when that is earlier; 0: off.',
    }),
    numTraces: count('num_traces', {
      default: 50_000,
      min: 1,
      doc: 'Undecided traces at a time. One more means that the oldest is decided early, or `block_on_overflow`.',
    }),
    expectedNewTracesPerSec: count('expected_new_traces_per_sec', {
      default: 0,
      doc: 'New traces a second, for the first size of tables.',
    }),
    decisionCache: section('decision_cache', decisionCacheShape, {
      doc: 'Decisions that are remembered for spans that come late; sizes should be well above `num_traces`.',
    }),
    samplesOnFirstMatch: boolean('sample_on_first_match', {
      default: false,
      doc: 'Ask no further policy once one samples. `drop` policies are always asked first.',
    }),
    dropsPendingOnShutdown: boolean('drop_pending_traces_on_shutdown', {
      default: false,
      doc: 'Discard undecided traces at shutdown.',
    }),
    blocksOnOverflow: boolean('block_on_overflow', {
      default: false,
      doc: 'With `num_traces` undecided traces, refuse requests with new ones, to be sent again, instead of deciding the oldest early.',
    }),
    maximumTraceSizeBytes: byteCount('maximum_trace_size_bytes', {
      default: 0,
      doc: 'A trace with more bytes of encoded spans is dropped without asking the policies; 0: no bound.',
    }),
    samplingStrategy: oneOf('sampling_strategy', {
      values: ['trace-complete', 'span-ingest'],
      default: 'trace-complete',
      doc: 'Decide once a trace is complete, or as soon as the spans so far suffice to sample or drop it.',
    }),
    countsBytes: boolean('count_bytes_sampled', {
      default: false,
      doc: 'Count the bytes of the traces that each policy votes on, a key of this engine; the gate `processor.tailsamplingprocessor.metricstatcountbytessampled` sets it. Costs four bytes of memory a trace.',
    }),
    invertMatchMode: oneOf('invert_match_mode', {
      values: ['flip', 'veto'],
      default: 'flip',
      doc: 'What `invert_match` means, a key of this engine. `flip`: it turns the answer of its policy around. `veto`: the rules of the Collector before 0.143, in which a match overrides every policy that samples. A policy `drop` is the better veto.',
    }),
  },
  checkConfig,
  [
    ignored(
      string('tail_storage', { doc: 'Id of an extension.' }),
      'undecided spans are always kept on disk, in the storage of the pipeline',
    ),
    ignored(
      integer('num_shards', { default: 1, min: 1, max: 256, doc: 'Parallel loops.' }),
      'the spans of a trace meet in one place whatever the number of workers',
    ),
  ],
);

function checkConfig({ policies = [], samplingStrategy, invertMatchMode }: TailSamplingKeys): CheckIssue[] {
  const issues: CheckIssue[] = [];
  if (invertMatchMode === 'veto' && samplingStrategy === 'span-ingest') {
    const message = '"veto" needs whole traces, which sampling_strategy "span-ingest" does not wait for';
    issues.push({ key: 'invert_match_mode', message });
  }
  if (policies.length === 0) issues.push({ key: 'policies', message: 'needs at least one policy' });
  for (const [index, policy] of policies.entries()) {
    const key = `policies.${index}`;
    const { name } = policy;
    if (name === '') issues.push({ key: `${key}.name`, message: 'must not be empty' });
    else if (policies.findIndex((other) => other.name === name) < index) {
      issues.push({ key: `${key}.name`, message: `"${name}" is the name of an earlier policy` });
    }
    if (samplingStrategy !== 'span-ingest' || !needsWholeTrace(policy)) continue;
    const message = 'needs whole traces, which sampling_strategy "span-ingest" does not wait for';
    issues.push({ key, message });
  }
  return issues;
}

const configShape = mapShape(keysShape, (keys): TailSamplingConfig => {
  const { decisionCache, invertMatchMode, policies = [], ...others } = keys;
  return { ...others, ...decisionCache, policies, usesOldInversion: invertMatchMode === 'veto' };
});

const wholeSchema = defineConfig<{ config: TailSamplingConfig }>({ config: squash(configShape) });

export const tailSamplingConfigSchema: TableSchema<TailSamplingConfig> = {
  shape: configShape,
  fields: wholeSchema.fields,
  redact: (config) => wholeSchema.redact({ config }),
  parse: (raw) => {
    const { value, issues, warnings = [] } = wholeSchema.parse(raw);
    return value === undefined ? { value, issues, warnings } : { value: value.config, issues: [], warnings };
  },
};
