/** A dry run decides as the sampler does, and the number of workers changes nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TrialResult } from '../../../component/sampling-trial.ts';
import type { ComponentSettings } from '../../../component/settings.ts';
import { scanRequest } from '../../../otlp/scan.ts';
import { RequestIndex } from '../../../pdata/request-index.ts';
import { systemClock } from '../../../stdx/clock.ts';
import { Prng } from '../../../stdx/prng.ts';
import { ThreadMeter } from '../../../telemetry/registry.ts';
import { RequestGenerator } from '../../../testkit/generators.ts';
import { type TailSamplingConfig, tailSamplingConfigSchema } from '../config.ts';
import { compilePolicySet } from '../policies/compile-policy-set.ts';
import { type PolicySet, VERDICT_SAMPLED } from '../policy-set.ts';
import { SamplerMetrics } from '../sampler-metrics.ts';
import { TraceSampler } from '../trace-sampler.ts';
import { createTrial } from './trial.ts';

const ALL = 1_000_000;
const START_MS = 1_760_000_000_000;

const POLICIES = [
  { name: 'errors', type: 'status_code', status_code: { status_codes: ['ERROR'] } },
  { name: 'slow', type: 'latency', latency: { threshold_ms: 40 } },
  {
    name: 'orders',
    type: 'and',
    and: {
      and_sub_policy: [
        {
          name: 'post',
          type: 'string_attribute',
          string_attribute: { key: 'http.request.method', values: ['POST'] },
        },
        { name: 'half', type: 'probabilistic', probabilistic: { sampling_percentage: 50 } },
      ],
    },
  },
  {
    name: 'no-redis',
    type: 'drop',
    drop: {
      drop_sub_policy: [
        {
          name: 'db',
          type: 'string_attribute',
          string_attribute: { key: 'db.system.name', values: ['redis'] },
        },
        { name: 'tenth', type: 'probabilistic', probabilistic: { sampling_percentage: 10, hash_salt: 'x' } },
      ],
    },
  },
  { name: 'share', type: 'probabilistic', probabilistic: { sampling_percentage: 5 } },
];

const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, child: () => logger };

function settings(): ComponentSettings {
  return { id: 'tail_sampling', logger, meter: new ThreadMeter(), clock: systemClock };
}

function configOf(keys: Record<string, unknown>): TailSamplingConfig {
  const { value, issues } = tailSamplingConfigSchema.parse({ policies: POLICIES, ...keys });
  assert.deepEqual(issues, []);
  return value!;
}

interface Section {
  unixMs: number;
  requests: Uint8Array[];
}

/** Traces of eight spans over four requests; some come once more, long after they were decided. */
function recording(requests: number, stepMs: number): Section[] {
  const prng = new Prng(5);
  const generator = new RequestGenerator({
    signal: 'traces',
    itemsPerRequest: 64,
    requestsPerTrace: 4,
    seed: 3,
  });
  const sections: Section[] = [];
  let unixMs = START_MS;
  for (let seq = 0; seq < requests; seq++) {
    unixMs += Math.floor(prng.nextFloat() * 2 * stepMs);
    const request = generator.next(seq, unixMs);
    if (prng.nextFloat() < 0.3) sections.at(-1)?.requests.push(request);
    else sections.push({ unixMs, requests: [request] });
    if (prng.nextFloat() < 0.1)
      sections.push({ unixMs, requests: [sections[Math.floor(sections.length / 2)]!.requests[0]!] });
  }
  return sections;
}

/** What `owners` workers find out, each with every `owners`th section. */
function replay(sections: readonly Section[], configs: TailSamplingConfig[], owners: number): TrialResult[] {
  const index = new RequestIndex();
  const trials = Array.from({ length: owners }, (_, owner) =>
    createTrial(settings(), configs, { owner, owners, examplesMax: ALL, sinceUnixMs: 0 }),
  );
  for (const [at, { unixMs, requests }] of sections.entries()) {
    const gatherer = trials[at % owners]!;
    for (const bytes of requests) {
      scanRequest('traces', bytes, 0, bytes.length, index);
      gatherer.gather(bytes, index);
    }
    gatherer.endSection(
      unixMs,
      requests.reduce((sum, { length }) => sum + length, 0),
    );
    for (const [owner, trial] of trials.entries()) trial.apply(gatherer.take(owner).slice());
  }
  return trials.map((trial) => trial.finish());
}

function idsOf(results: readonly TrialResult[], isWanted: (outcome: number) => boolean, side = 0): string[] {
  const cells = results.flatMap(({ sides }) => sides[side]!.cells);
  return cells
    .filter(({ outcome }) => isWanted(outcome))
    .flatMap(({ examples }) => examples)
    .toSorted();
}

const DROP = POLICIES.findIndex(({ type }) => type === 'drop');
const isKept = (outcome: number) => outcome < POLICIES.length && outcome !== DROP;

/** The same recording through the sampler of the engine. */
function keptBySampler(sections: readonly Section[], config: TailSamplingConfig): string[] {
  const inner = compilePolicySet(config, settings());
  const kept: string[] = [];
  const policies: PolicySet = {
    stateWords: inner.stateWords,
    begin: (bytes, index) => inner.begin(bytes, index),
    observe: (item, words, at) => inner.observe(item, words, at),
    merge: (words, at, from, fromAt) => inner.merge(words, at, from, fromAt),
    decide: (ids, idAt, words, at, nowMs) => {
      const verdict = inner.decide(ids, idAt, words, at, nowMs);
      const id = [0, 1, 2, 3].map((word) => ids[idAt + word]!.toString(16).padStart(8, '0')).join('');
      if (verdict === VERDICT_SAMPLED) kept.push(id);
      return verdict;
    },
    decideEarly: (ids, idAt, words, at, nowMs) => inner.decideEarly(ids, idAt, words, at, nowMs),
    report: () => inner.report(),
  };
  const sampler = new TraceSampler({
    ...config,
    ...{ dropsPendingOnShutdown: false, blocksOnOverflow: false, decidesAtIngest: false, seed: 9, policies },
    metrics: new SamplerMetrics(new ThreadMeter(), 'tail_sampling'),
    clock: { monotonicMs: () => 0 },
  });
  sampler.restored();
  const index = new RequestIndex();
  let ordinal = 0;
  for (const { unixMs, requests } of sections) {
    while (sampler.step(unixMs) !== undefined);
    for (const bytes of requests) {
      scanRequest('traces', bytes, 0, bytes.length, index);
      assert.equal(sampler.refusal(bytes, index), undefined);
      ordinal += index.itemCount;
      sampler.observe(bytes, index, unixMs, ordinal);
    }
  }
  sampler.decideAll();
  while (sampler.step(sections.at(-1)!.unixMs) !== undefined);
  return kept.toSorted();
}

test('it keeps the traces that the sampler keeps', () => {
  const sections = recording(400, 20);
  for (const keys of [
    { decision_wait: '1s' },
    { decision_wait: '2s', decision_wait_after_root_received: '300ms' },
  ]) {
    const config = configOf(keys);
    const results = replay(sections, [config], 1);
    const expected = keptBySampler(sections, config);
    assert.ok(expected.length > 300, `${expected.length} kept`);
    assert.deepEqual(idsOf(results, isKept), expected, JSON.stringify(keys));
  }
});

test('the number of workers changes neither decisions nor counts', () => {
  const sections = recording(300, 10);
  for (const keys of [
    {
      decision_wait: '500ms',
      decision_cache: { sampled_cache_size: 50_000, non_sampled_cache_size: 50_000 },
    },
    { decision_wait: '500ms', num_traces: 300 },
    { decision_wait: '500ms', sampling_strategy: 'span-ingest' },
    {
      decision_wait: '500ms',
      policies: [{ name: 'rate', type: 'rate_limiting', rate_limiting: { spans_per_second: 1000 } }],
    },
  ]) {
    const config = configOf(keys);
    const counts = (results: TrialResult[]) => {
      const sum = (pick: (result: TrialResult) => number) =>
        results.reduce((total, each) => total + pick(each), 0);
      const cells = (pick: 'traces' | 'spans' | 'bytes') =>
        sum(({ sides }) => sides[0]!.cells.reduce((total, cell) => total + cell[pick], 0));
      const { sides } = results[0]!;
      assert.equal(sides.length, 1);
      return [cells('traces'), cells('spans'), cells('bytes'), sum((each) => each.sides[0]!.lateSpans)];
    };
    const alone = replay(sections, [config], 1);
    assert.equal(counts(alone)[1], sections.flatMap(({ requests }) => requests).length * 64);
    for (const owners of [2, 3]) {
      const shared = replay(sections, [config], owners);
      assert.deepEqual(counts(shared), counts(alone), JSON.stringify(keys));
      for (let outcome = 0; outcome < POLICIES.length + 3; outcome++) {
        const isIt = (each: number) => each === outcome;
        assert.deepEqual(idsOf(shared, isIt), idsOf(alone, isIt), JSON.stringify(keys));
      }
    }
  }
});

test('a comparison pairs the decisions of both files', () => {
  const sections = recording(200, 10);
  const configs = [
    configOf({ decision_wait: '500ms' }),
    configOf({ decision_wait: '2s', policies: [POLICIES[4], POLICIES[0]] }),
  ];
  for (const owners of [1, 2]) {
    const results = replay(sections, configs, owners);
    const pairs = results.flatMap((each) => each.pairs);
    const first = new Set(idsOf(results, isKept, 0));
    const second = new Set(idsOf(results, (outcome) => outcome < 2, 1));
    const ids = (wanted: (isFirst: boolean, isSecond: boolean) => boolean) =>
      pairs
        .filter(({ outcome, otherOutcome }) => wanted(isKept(outcome), otherOutcome < 2))
        .flatMap(({ examples }) => examples)
        .toSorted();
    assert.deepEqual(
      ids((isFirst, isSecond) => isFirst && isSecond),
      [...first].filter((id) => second.has(id)).toSorted(),
    );
    assert.deepEqual(
      ids((isFirst, isSecond) => isFirst && !isSecond),
      [...first].filter((id) => !second.has(id)).toSorted(),
    );
    assert.deepEqual(
      ids((isFirst, isSecond) => !isFirst && isSecond),
      [...second].filter((id) => !first.has(id)).toSorted(),
    );
    assert.ok(second.size > 50 && first.size > second.size);
    const spans = sections.flatMap(({ requests }) => requests).length * 64;
    assert.equal(
      pairs.reduce((sum, pair) => sum + pair.spans, 0),
      spans,
    );
  }
});
