/** Processors in the real program: what a client sends over HTTP and what the `file` exporter wrote. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  type EnginePorts,
  EngineProcess,
  engineConfig,
  freePorts,
  metricSum,
  until,
} from '../engine-process.ts';
import type { Message } from '../otlp-arbitraries.ts';
import { requestType } from '../otlp-root.ts';
import { afterwards } from './storage.test-peer.ts';

interface Bed {
  ports: EnginePorts;
  engine: EngineProcess;
  /** Requests that the exporter of a pipeline wrote. */
  read(pipeline: string): Message[];
  send(body: unknown): Promise<{ status: number; text: string }>;
}

/** One traces pipeline for each entry, with a `file` exporter of its own. */
async function startBed(
  t: TestContext,
  processors: Record<string, unknown>,
  pipelines: Record<string, readonly string[]>,
): Promise<Bed> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-processors-'));
  const ports = await freePorts();
  const path = (pipeline: string) => join(directory, `${pipeline.replace('/', '-')}.pb`);
  const names = Object.keys(pipelines);
  const exporters = Object.fromEntries(
    names.map((name) => [`file/${name.replace('/', '-')}`, { path: path(name), format: 'proto' }]),
  );
  const config = JSON.parse(engineConfig(ports, exporters));
  config.processors = processors;
  config.service.pipelines = Object.fromEntries(
    names.map((name) => [
      name,
      { receivers: ['otlp'], processors: pipelines[name], exporters: [`file/${name.replace('/', '-')}`] },
    ]),
  );
  const engine = await EngineProcess.start({
    config: JSON.stringify(config),
    dataDir: join(directory, 'data'),
  });
  afterwards(t, async () => {
    if (!engine.hasExited) await engine.kill('SIGTERM');
    await rm(directory, { recursive: true, force: true });
  });
  return {
    ports,
    engine,
    read: (pipeline) => readRequests(path(pipeline)),
    send: async (body) => {
      const response = await fetch(`http://127.0.0.1:${ports.http}/v1/traces`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      return { status: response.status, text: await response.text() };
    },
  };
}

function readRequests(path: string): Message[] {
  const type = requestType('traces');
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch {
    return [];
  }
  const requests: Message[] = [];
  for (let at = 0; at + 4 <= bytes.length; ) {
    const end = at + 4 + bytes.readUInt32BE(at);
    if (end > bytes.length) break;
    requests.push(type.toObject(type.decode(bytes.subarray(at + 4, end)), { longs: String }) as Message);
    at = end;
  }
  return requests;
}

function tracesOf(spans: readonly (readonly [name: string, attributes: Record<string, string>])[]): unknown {
  const texts = (attributes: Record<string, string>) =>
    Object.entries(attributes).map(([key, text]) => ({ key, value: { stringValue: text } }));
  return {
    resourceSpans: [
      {
        resource: { attributes: texts({ 'service.name': 'shop' }) },
        scopeSpans: [
          {
            spans: spans.map(([name, attributes], i) => ({
              traceId: '0af7651916cd43dd8448eb211c80319c',
              spanId: `b7ad6b716920333${i}`,
              name,
              attributes: texts(attributes),
            })),
          },
        ],
      },
    ],
  };
}

interface Span {
  name: string;
  attributes?: { key: string; value: { string_value: string } }[];
}

function spansOf(requests: readonly Message[]): [string, Record<string, string>][] {
  const groups = requests.flatMap((request) => (request.resource_spans ?? []) as Message[]);
  const scopes = groups.flatMap((group) => group.scope_spans as Message[]);
  return scopes
    .flatMap((scope) => scope.spans as Span[])
    .map(({ name, attributes = [] }) => [
      name,
      Object.fromEntries(attributes.map(({ key, value }) => [key, value.string_value])),
    ]);
}

test('each pipeline of a receiver stores what its own processors made of the request', async (t) => {
  const bed = await startBed(
    t,
    {
      attributes: {
        actions: [
          { key: 'env', value: 'test', action: 'upsert' },
          { key: 'secret', action: 'delete' },
        ],
      },
      'attributes/hash': {
        include: { match_type: 'regexp', span_names: ['^pay'] },
        actions: [{ key: 'secret', action: 'HASH' }],
      },
      resource: { attributes: [{ key: 'region', value: 'north', action: 'insert' }] },
    },
    { traces: [], 'traces/edited': ['resource', 'attributes'], 'traces/hashed': ['attributes/hash'] },
  );
  const { status } = await bed.send(
    tracesOf([
      ['pay', { secret: 'a' }],
      ['look', { secret: 'b', color: 'red' }],
    ]),
  );
  assert.equal(status, 200);
  await until('three files', () =>
    ['traces', 'traces/edited', 'traces/hashed'].every((name) => bed.read(name).length > 0),
  );
  assert.deepEqual(spansOf(bed.read('traces')), [
    ['pay', { secret: 'a' }],
    ['look', { secret: 'b', color: 'red' }],
  ]);
  assert.deepEqual(spansOf(bed.read('traces/edited')), [
    ['pay', { env: 'test' }],
    ['look', { color: 'red', env: 'test' }],
  ]);
  const [edited] = bed.read('traces/edited') as [
    { resource_spans: [{ resource: { attributes: Message[] } }] },
  ];
  assert.deepEqual(
    edited.resource_spans[0].resource.attributes.map(({ key }) => key),
    ['service.name', 'region'],
  );
  assert.deepEqual(spansOf(bed.read('traces/hashed')), [
    ['pay', { secret: 'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb' }],
    ['look', { secret: 'b', color: 'red' }],
  ]);
  const metrics = await bed.engine.metrics(bed.ports.metrics);
  const labels = ['processor="attributes/hash"', 'otel_signal="traces"'];
  assert.equal(metricSum(metrics, 'otelcol_processor_incoming_items', labels), 2);
  assert.equal(metricSum(metrics, 'otelcol_processor_outgoing_items', labels), 2);
});

test('what a filter drops is acknowledged and not stored; a request of nothing else stores nothing', async (t) => {
  const exclude = { match_type: 'regexp', attributes: [{ key: 'path', value: '^/(health|ready)' }] };
  const bed = await startBed(
    t,
    {
      filter: { spans: { exclude } },
      'attributes/late': { actions: [{ key: 'seen', value: 'yes', action: 'insert' }] },
      batch: { timeout: '10ms', send_batch_size: 1 },
    },
    { traces: ['filter', 'attributes/late', 'batch'] },
  );
  const dropped = await bed.send(
    tracesOf([
      ['h', { path: '/health' }],
      ['r', { path: '/ready' }],
    ]),
  );
  assert.deepEqual(dropped, { status: 200, text: '{"partialSuccess":{}}' });
  const mixed = await bed.send(
    tracesOf([
      ['h', { path: '/health' }],
      ['a', { path: '/api' }],
    ]),
  );
  assert.equal(mixed.status, 200);
  await until('the file', () => bed.read('traces').length > 0);
  assert.deepEqual(spansOf(bed.read('traces')), [['a', { path: '/api', seen: 'yes' }]]);
  const metrics = await bed.engine.metrics(bed.ports.metrics);
  assert.equal(metricSum(metrics, 'otelcol_processor_filter_spans_filtered', ['filter="filter"']), 3);
  assert.equal(metricSum(metrics, 'otelcol_processor_outgoing_items', ['processor="filter"']), 1);
  assert.equal(metricSum(metrics, 'otelcol_processor_incoming_items', ['processor="attributes/late"']), 1);
  assert.equal(metricSum(metrics, 'otelcol_receiver_accepted_spans'), 4);
});

test('a memory limiter below what the process needs refuses retryably, and stores nothing anywhere', async (t) => {
  const bed = await startBed(
    t,
    { memory_limiter: { check_interval: '1s', limit_mib: 10 } },
    { traces: [], 'traces/limited': ['memory_limiter'] },
  );
  const { status, text } = await bed.send(tracesOf([['a', {}]]));
  assert.equal(status, 503);
  assert.match(text, /data refused due to high memory usage/);
  await bed.engine.said(/Memory usage is above soft limit. Refusing data./);
  await bed.engine.said(/Memory usage is above hard limit. Forcing a GC./);
  const metrics = await bed.engine.metrics(bed.ports.metrics);
  const labels = ['processor="memory_limiter"'];
  assert.equal(metricSum(metrics, 'otelcol_processor_memory_limiter_refused_spans', labels), 1);
  assert.equal(metricSum(metrics, 'otelcol_receiver_refused_spans'), 1);
  assert.equal(metricSum(metrics, 'otelcol_processor_refused_spans', labels), 1);
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.deepEqual(bed.read('traces'), []);
});
