/** The Collector's tail_sampling and ours, with the same requests: the same series, and the same numbers where they can be. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseScrape } from '../../top/exposition.ts';
import { EngineProcess, engineConfig, freePort, freePorts } from '../engine-process.ts';
import { requestType } from '../otlp-root.ts';
import { CollectorProcess, installPrograms } from '../services/programs.ts';

const PREFIX = 'otelcol_processor_tail_sampling_';
const PROCESSOR = 'tail_sampling/tried';
const SAMPLING = {
  decision_wait: '1s',
  num_traces: 1000,
  maximum_trace_size_bytes: 20_000,
  decision_cache: { sampled_cache_size: 1000 },
  policies: [
    { name: 'errors', type: 'status_code', status_code: { status_codes: ['ERROR'] } },
    {
      name: 'no-probes',
      type: 'drop',
      drop: {
        drop_sub_policy: [
          { name: 'probe', type: 'string_attribute', string_attribute: { key: 'probe', values: ['yes'] } },
        ],
      },
    },
  ],
};
/**
 * Series whose numbers depend on the machine, or on how often there is something to decide; and bytes, which are those
 * of spans alone here, and of resources and scopes with them there.
 */
const UNCOMPARED =
  /_(policy_execution_time_sum|decision_timer_latency.*|(late_span|trace_removal)_age_sum|count_bytes_sampled|traces_on_memory)$/;
/** Theirs is in whole milliseconds, of which there are none. */
const NOT_COMPARABLE = /_timer_latency_sum/;
const GATES = ['metricstatcountspanssampled', 'metricstatcountbytessampled']
  .map((name) => `processor.tailsamplingprocessor.${name}`)
  .join();

interface SpanOf {
  trace: number;
  span: number;
  status?: number;
  attribute?: [key: string, value: string];
}

function request(spans: readonly SpanOf[]): Uint8Array<ArrayBuffer> {
  const type = requestType('traces');
  const encoded = spans.map(({ trace, span, status = 0, attribute: [key, value] = ['a', 'b'] }) => ({
    trace_id: new Uint8Array(16).fill(trace),
    span_id: new Uint8Array(8).fill(span),
    name: 'work',
    status: { code: status },
    attributes: [{ key, value: { string_value: value } }],
  }));
  const message = { resource_spans: [{ resource: {}, scope_spans: [{ spans: encoded }] }] };
  return new Uint8Array(type.encode(type.fromObject(message)).finish());
}

async function send(port: number, spans: readonly SpanOf[]): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf' },
    body: request(spans),
  });
  await response.arrayBuffer();
  assert.equal(response.status, 200);
}

/** Series of the sampler with their labels, those that every series has left out. */
async function series(metricsPort: number): Promise<Map<string, number>> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  const found = new Map<string, number>();
  for (const [name, samples] of parseScrape(text)) {
    if (!name.startsWith(PREFIX) || name.endsWith('_bucket')) continue;
    for (const { labels, value } of samples) {
      const own = [...labels].filter(([label]) => /^(policy|sampled|decision)$/.test(label));
      // A series of ours is there before its first count.
      if (value > 0)
        found.set([name, ...own.map(([label, text]) => `${label}=${text}`).sort()].join(' '), value);
    }
  }
  return found;
}

async function exercise(http: number, metrics: number): Promise<Map<string, number>> {
  await send(http, [
    { trace: 1, span: 1, status: 2 },
    { trace: 1, span: 2 },
    { trace: 2, span: 3 },
    { trace: 3, span: 4, status: 2, attribute: ['probe', 'yes'] },
  ]);
  await send(http, [{ trace: 4, span: 5, attribute: ['a', 'x'.repeat(30_000)] }]);
  await sleep(3500);
  await send(http, [
    { trace: 1, span: 6 },
    { trace: 2, span: 7 },
  ]);
  await send(http, [{ trace: 1, span: 8 }]);
  await sleep(2500);
  return series(metrics);
}

test('the sampler has the series of the Collector, with its numbers', { timeout: 600_000 }, async (t) => {
  const programs = await installPrograms();
  const directory = mkdtempSync(join(tmpdir(), 'millrace-sampling-metrics-'));
  const [http, metrics] = [await freePort(), await freePort()];
  const reader = { pull: { exporter: { prometheus: { host: '127.0.0.1', port: metrics } } } };
  const flags = [`--feature-gates=${GATES}`];
  const collectorConfig = {
    receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${http}` } } } },
    processors: { [PROCESSOR]: SAMPLING },
    exporters: { nop: {} },
    service: {
      telemetry: { metrics: { level: 'normal', readers: [reader] } },
      pipelines: { traces: { receivers: ['otlp'], processors: [PROCESSOR], exporters: ['nop'] } },
    },
  };
  const collector = await CollectorProcess.start(programs, collectorConfig, flags);
  t.after(() => collector.stop());
  const ports = await freePorts();
  const config = JSON.parse(engineConfig(ports, { nop: {} }, { signals: ['traces'] }));
  config.processors = { [PROCESSOR]: SAMPLING };
  config.service.pipelines.traces.processors = [PROCESSOR];
  const engine = await EngineProcess.start({
    ...{ config: JSON.stringify(config), dataDir: join(directory, 'data'), flags },
  });
  t.after(async () => {
    await engine.kill();
    rmSync(directory, { recursive: true, force: true });
  });
  const [theirs, ours] = await Promise.all([exercise(http, metrics), exercise(ports.http, ports.metrics)]);
  const comparable = (all: Map<string, number>) =>
    [...all]
      .filter(([name]) => !NOT_COMPARABLE.test(name))
      .map(([name, value]) => `${name} ${UNCOMPARED.test(name.split(' ')[0]!) ? '' : value}`.trim())
      .sort();
  assert.deepEqual(comparable(ours), comparable(theirs));
});
