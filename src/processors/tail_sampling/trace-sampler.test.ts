/** F3: what floods the index, and what it does about it; the rest of its life is in the simulation of the service. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scanRequest } from '../../otlp/scan.ts';
import { ITEM_REJECTED, RequestIndex } from '../../pdata/request-index.ts';
import { ThreadMeter } from '../../telemetry/registry.ts';
import { generateRequest, RequestGenerator } from '../../testkit/generators.ts';
import { type PolicySet, VERDICT_NONE, VERDICT_NOT_SAMPLED, VERDICT_SAMPLED } from './policy-set.ts';
import { SamplerMetrics } from './sampler-metrics.ts';
import type { SamplerSettings } from './sampler-settings.ts';
import { TraceSampler } from './trace-sampler.ts';

/** Samples traces of more than `limit` spans. */
function moreThan(limit: number): PolicySet {
  return {
    stateWords: 1,
    begin: () => {},
    observe: (_item, words, at) => {
      words[at]!++;
      return 0;
    },
    merge: () => {},
    decide: (_ids, _idAt, words, at) => (words[at]! > limit ? VERDICT_SAMPLED : VERDICT_NOT_SAMPLED),
    decideEarly: () => VERDICT_NONE,
    report: () => {},
  };
}

class Bed {
  readonly meter = new ThreadMeter();
  readonly index = new RequestIndex();
  readonly sampler: TraceSampler;
  ordinal = 0;
  nowMs = 1_700_000_000_000;

  /** @param restore sends what the log held at the start. */
  constructor(settings: Partial<SamplerSettings>, restore?: (bed: Bed) => void) {
    this.sampler = new TraceSampler({
      decisionWaitMs: 5000,
      decisionWaitAfterRootMs: 0,
      numTraces: 1000,
      blocksOnOverflow: false,
      dropsPendingOnShutdown: false,
      decidesAtIngest: false,
      sampledCacheSize: 0,
      nonSampledCacheSize: 0,
      policies: moreThan(0),
      metrics: new SamplerMetrics(this.meter, 'tail_sampling'),
      clock: { monotonicMs: () => this.nowMs },
      seed: 7,
      ...settings,
    });
    restore?.(this);
    this.sampler.restored();
  }

  /** @returns the code of the refusal, or undefined. */
  send(bytes: Uint8Array): string | undefined {
    scanRequest('traces', bytes, 0, bytes.length, this.index);
    const refusal = this.sampler.refusal(bytes, this.index);
    if (refusal !== undefined) return refusal.code;
    this.ordinal += this.index.itemCount;
    this.sampler.observe(bytes, this.index, this.nowMs, this.ordinal);
    return undefined;
  }

  /** Steps until nothing is left to do now; @returns the decisions in their journals and the passes. */
  settle(): { decisions: number; passes: number } {
    let decisions = 0;
    let passes = 0;
    for (let step = this.sampler.step(this.nowMs); step !== undefined; step = this.sampler.step(this.nowMs)) {
      decisions += new DataView(step.journal.buffer, 7).getUint32(20, true);
      passes += step.passes.length;
    }
    return { decisions, passes };
  }

  metric(name: string): number {
    const { counters, gauges } = this.meter.takeSnapshot();
    return [...counters, ...gauges]
      .filter((series) => series.name === name)
      .reduce((sum, { value }) => sum + value, 0);
  }
}

const EARLY = 'otelcol_processor_tail_sampling_sampling_trace_dropped_too_early';

test('ids that are all new: the oldest are decided early and counted, and the index stays as large as it may', () => {
  const bed = new Bed({ numTraces: 1000 });
  const generator = new RequestGenerator({
    signal: 'traces',
    itemsPerRequest: 100,
    itemsPerTrace: 1,
    seed: 3,
  });
  for (let request = 0; request < 1000; request++) {
    assert.equal(bed.send(generator.next(request, bed.nowMs)), undefined);
    bed.nowMs += 1;
    if (request % 10 === 9) bed.settle();
  }
  bed.settle();
  assert.ok(bed.metric('millrace_sampling_pending_traces') <= 1000);
  assert.ok(bed.metric('millrace_sampling_index_bytes') < 3_000_000);
  const early = bed.metric(EARLY);
  assert.ok(early >= 98_000 && early <= 99_000, `${early} decided early`);
});

test('block_on_overflow refuses retryably instead, until traces are decided', () => {
  const bed = new Bed({ numTraces: 1000, blocksOnOverflow: true });
  const generator = new RequestGenerator({
    signal: 'traces',
    itemsPerRequest: 100,
    itemsPerTrace: 1,
    seed: 4,
  });
  const send = (request: number) => bed.send(generator.next(request, bed.nowMs));
  for (let request = 0; request < 10; request++) assert.equal(send(request), undefined);
  assert.equal(send(10), 'QUEUE_FULL');
  bed.settle();
  assert.equal(send(11), 'QUEUE_FULL', 'nothing was due yet');
  bed.nowMs += 5200;
  assert.equal(bed.settle().decisions, 1000);
  assert.equal(send(12), undefined);
  assert.equal(bed.metric(EARLY), 0);
});

test('one trace with a million spans is one record, and is decided on all of them', () => {
  const bed = new Bed({ policies: moreThan(999_999) });
  const bytes = generateRequest({ signal: 'traces', itemsPerRequest: 1000, itemsPerTrace: 1000, seed: 5 });
  for (let request = 0; request < 1000; request++) {
    assert.equal(bed.send(bytes), undefined);
    if (request % 100 === 0) bed.nowMs += 40;
  }
  assert.equal(bed.settle().decisions, 0);
  bed.nowMs += 5200;
  assert.equal(bed.settle().decisions, 1);
  scanRequest('traces', bytes, 0, bytes.length, bed.index);
  const kept = bed.sampler.select(bytes, bed.index, { first: 0, end: 1, afterStep: 0, untilStep: 1000 });
  assert.equal(kept, 1000);
  assert.equal(bed.index.itemFlags[0]! & ITEM_REJECTED, 0);
});

test('a request with more traces than the index can ever hold is refused for good', () => {
  const bed = new Bed({ numTraces: 10 });
  const bytes = generateRequest({ signal: 'traces', itemsPerRequest: 20_000, itemsPerTrace: 1, seed: 6 });
  assert.equal(bed.send(bytes), 'OTLP_LIMIT_EXCEEDED');
});

test('spans that come late follow the decision, also when their trace is forgotten but remembered', () => {
  const bed = new Bed({ numTraces: 50, sampledCacheSize: 100_000, nonSampledCacheSize: 1 });
  const late = generateRequest({ signal: 'traces', itemsPerRequest: 8, itemsPerTrace: 8, seed: 8 });
  bed.send(late);
  bed.nowMs += 5200;
  bed.settle();
  const generator = new RequestGenerator({
    signal: 'traces',
    itemsPerRequest: 100,
    itemsPerTrace: 1,
    seed: 9,
  });
  for (let request = 0; request < 400; request++) {
    bed.send(generator.next(request, bed.nowMs));
    bed.nowMs += 100;
    bed.settle();
  }
  assert.equal(bed.send(late), undefined);
  bed.nowMs += 5200;
  bed.settle();
  assert.equal(bed.metric('otelcol_processor_tail_sampling_early_releases_from_cache_decision'), 8);
});

test('spans that come late tell how old the decision is, once for each request', () => {
  const bed = new Bed({});
  const late = generateRequest({ signal: 'traces', itemsPerRequest: 8, itemsPerTrace: 8, seed: 8 });
  bed.send(late);
  bed.nowMs += 5200;
  bed.settle();
  bed.nowMs += 7000;
  bed.send(late);
  bed.settle();
  const { histograms } = bed.meter.takeSnapshot();
  const ages = histograms.find(({ name }) => name.endsWith('_sampling_late_span_age'));
  assert.deepEqual([ages?.sum, ages?.counts.reduce((sum, count) => sum + count, 0)], [7, 1]);
  assert.ok(histograms.some(({ name }) => name.endsWith('_sampling_decision_timer_latency')));
  assert.equal(bed.metric('otelcol_processor_tail_sampling_early_releases_from_cache_decision'), 0);
});

test('a decision that is remembered tells how long its trace was there', () => {
  const bed = new Bed({ sampledCacheSize: 10 });
  bed.send(generateRequest({ signal: 'traces', itemsPerRequest: 16, itemsPerTrace: 8, seed: 8 }));
  bed.nowMs += 3000;
  bed.send(generateRequest({ signal: 'traces', itemsPerRequest: 8, itemsPerTrace: 8, seed: 9 }));
  bed.nowMs += 8000;
  bed.settle();
  const { histograms } = bed.meter.takeSnapshot();
  const ages = histograms.find(({ name }) => name.endsWith('_sampling_trace_removal_age'));
  assert.deepEqual([ages?.sum, ages?.counts.reduce((sum, count) => sum + count, 0)], [15, 3]);
});

test('time in which the engine was away is no time of waiting, and clients have a moment to come back', () => {
  const halves = new RequestGenerator({
    ...{ signal: 'traces', itemsPerRequest: 8, itemsPerTrace: 8, requestsPerTrace: 2, seed: 5 },
  });
  const [first, second] = [halves.next(0, 0).slice(), halves.next(1, 0).slice()];
  const lastSign = generateRequest({ signal: 'traces', itemsPerRequest: 1, itemsPerTrace: 1, seed: 9 });
  for (const { waitedMs, restMs } of [
    { waitedMs: 1000, restMs: 9100 },
    { waitedMs: 9500, restMs: 5000 },
  ]) {
    const bed = new Bed({ decisionWaitMs: 10_000, policies: moreThan(4) }, (restoring) => {
      restoring.send(first);
      restoring.nowMs += waitedMs;
      restoring.send(lastSign);
    });
    bed.nowMs += 3_600_000;
    assert.equal(bed.settle().decisions, 0, 'decided at once after an hour');
    bed.nowMs += restMs - 1;
    assert.equal(bed.settle().decisions, 0);
    bed.send(second);
    bed.nowMs += 1;
    assert.equal(bed.settle().decisions, 2, 'not decided when the rest of the wait was over');
    assert.equal(bed.metric('millrace_sampling_late_spans'), 0);
  }
});
