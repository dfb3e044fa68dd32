/**
 * How large the index of traces becomes and whether decisions keep up: `node dist/native-free-bench/sampling-index.js
 * [traces]` holds so many live traces of eight spans, ten thousand new ones a second of virtual time, and prints one
 * line of JSON. The scenario `26-sampling-index` of the load test runs it.
 */
import { scanRequest } from '../src/otlp/scan.ts';
import { RequestIndex } from '../src/pdata/request-index.ts';
import { tailSamplingConfigSchema } from '../src/processors/tail_sampling/config.ts';
import { compilePolicySet } from '../src/processors/tail_sampling/policies/compile-policy-set.ts';
import { SamplerMetrics } from '../src/processors/tail_sampling/sampler-metrics.ts';
import { TraceSampler } from '../src/processors/tail_sampling/trace-sampler.ts';
import { assert } from '../src/stdx/assert.ts';
import { systemClock } from '../src/stdx/clock.ts';
import { ThreadMeter } from '../src/telemetry/registry.ts';
import { RequestGenerator } from '../src/testkit/generators.ts';

const SPANS = 512;
const TRACES_PER_REQUEST = SPANS / 8;
const TRACES_PER_SECOND = 10_000;
const traces = Number(process.argv[2] ?? 10_000_000);
const waitMs = (traces / TRACES_PER_SECOND) * 1000;
const logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger };

const { value: config } = tailSamplingConfigSchema.parse({
  decision_wait: `${waitMs}ms`,
  num_traces: Math.ceil(traces * 1.1),
  policies: [
    { name: 'slow', type: 'latency', latency: { threshold_ms: 5000 } },
    { name: 'share', type: 'probabilistic', probabilistic: { sampling_percentage: 10 } },
  ],
});
assert(config !== undefined, 'the configuration of this program is valid');
const meter = new ThreadMeter();
const settings = { id: 'tail_sampling', meter, logger, clock: systemClock };
const before = process.memoryUsage().rss;
const sampler = new TraceSampler({
  decisionWaitMs: waitMs,
  decisionWaitAfterRootMs: 0,
  numTraces: config.numTraces,
  blocksOnOverflow: false,
  dropsPendingOnShutdown: false,
  decidesAtIngest: false,
  sampledCacheSize: 0,
  nonSampledCacheSize: 0,
  policies: compilePolicySet(config, settings),
  metrics: new SamplerMetrics(meter, settings.id),
  clock: systemClock,
  seed: 1,
});
sampler.restored();

const generator = new RequestGenerator({ signal: 'traces', itemsPerRequest: SPANS, seed: 1 });
const slot = generator.createSlot();
const bytes = new Uint8Array(slot.buffer.buffer);
const index = new RequestIndex();
let nowMs = 1_760_000_000_000;
let ordinal = 0;
let stepMsMax = 0;

function send(request: number): void {
  generator.fill(slot, request, nowMs);
  scanRequest('traces', bytes, 0, bytes.length, index);
  assert(sampler.refusal(bytes, index) === undefined, 'refused');
  ordinal += SPANS;
  sampler.observe(bytes, index, nowMs, ordinal);
  nowMs += (TRACES_PER_REQUEST / TRACES_PER_SECOND) * 1000;
}

function settle(): void {
  for (;;) {
    const startMs = performance.now();
    const step = sampler.step(nowMs);
    stepMsMax = Math.max(stepMsMax, performance.now() - startMs);
    if (step === undefined) return;
  }
}

function metric(name: string): number {
  const { counters, gauges } = meter.takeSnapshot();
  return [...counters, ...gauges]
    .filter((series) => series.name === name)
    .reduce((sum, { value }) => sum + value, 0);
}

const requests = Math.ceil(traces / TRACES_PER_REQUEST);
for (let request = 0; request < requests; request++) {
  send(request);
  if (request % 100 === 0) settle();
}
settle();
const live = metric('millrace_sampling_pending_traces');
const indexBytes = metric('millrace_sampling_index_bytes');
const rss = process.memoryUsage().rss - before;
// Ten seconds more, in which the first hundred thousand are due.
const decidedBefore = metric('otelcol_processor_tail_sampling_global_count_traces_sampled');
for (let second = 0; second < 10; second++) {
  for (let request = 0; request < TRACES_PER_SECOND / TRACES_PER_REQUEST; request++) {
    send(requests + request);
    settle();
  }
}
const decided = metric('otelcol_processor_tail_sampling_global_count_traces_sampled') - decidedBefore;
process.stdout.write(
  `${JSON.stringify({ live, indexBytes, rss, bytesPerTrace: indexBytes / live, decided, overdueSeconds: metric('millrace_sampling_oldest_pending_seconds') - waitMs / 1000, stepMsMax })}\n`,
);
