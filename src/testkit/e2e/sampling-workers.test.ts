/** Traces whose spans come through several pipeline workers: each is decided once, on all of them, and goes on whole. */
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type EngineProcess, freePorts, metricSum, until } from '../engine-process.ts';
import { RequestGenerator } from '../generators.ts';
import { requestType } from '../otlp-root.ts';
import { samplingConfig } from './sampling.test-peer.ts';
import { CLEAN_EXIT, drained, fileSink, startEngine, tempDirectory } from './storage.test-peer.ts';

const REQUESTS = 60;
const SPANS_PER_TRACE = 8;

interface Decoded {
  resource_spans: { scope_spans: { spans: { trace_id: Uint8Array; span_id: Uint8Array }[] }[] }[];
}

function count(traces: Map<string, Map<string, number>>, request: Decoded): void {
  for (const { scope_spans } of request.resource_spans)
    for (const { spans } of scope_spans)
      for (const { trace_id, span_id } of spans) {
        const id = Buffer.from(trace_id).toString('hex');
        const known = traces.get(id) ?? new Map<string, number>();
        const span = Buffer.from(span_id).toString('hex');
        traces.set(id, known.set(span, (known.get(span) ?? 0) + 1));
      }
}

function decode(bytes: Uint8Array): Decoded {
  return requestType('traces').decode(bytes) as unknown as Decoded;
}

/** Spans of each trace in what the `file` exporter wrote. */
function delivered(path: string): Map<string, Map<string, number>> {
  const traces = new Map<string, Map<string, number>>();
  const bytes = readFileSync(path);
  for (let at = 0; at + 4 <= bytes.length; at += 4 + bytes.readUInt32BE(at))
    count(traces, decode(bytes.subarray(at + 4, at + 4 + bytes.readUInt32BE(at))));
  return traces;
}

async function send(port: number, generator: RequestGenerator, sent: Map<string, Map<string, number>>) {
  const bodies = Array.from({ length: REQUESTS }, (_, request) => generator.next(request, Date.now()));
  for (const body of bodies) count(sent, decode(body));
  // Several at a time, so that they are dealt out to all workers.
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      for (let body = bodies.shift(); body !== undefined; body = bodies.shift()) await post(port, body);
    }),
  );
}

/** Until it is acknowledged. */
async function post(port: number, body: Uint8Array): Promise<void> {
  for (;;) {
    const response = await fetch(`http://127.0.0.1:${port}/v1/traces`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-protobuf' },
      body: body as Uint8Array<ArrayBuffer>,
    }).catch(() => undefined);
    await response?.arrayBuffer();
    if (response?.status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function settled(engine: EngineProcess, metricsPort: number, sink: string): Promise<void> {
  const pending = async () =>
    metricSum(await engine.metrics(metricsPort), 'millrace_sampling_pending_traces');
  await until('all decisions', async () => (await pending()) === 0);
  // The copy of the last decisions is a step behind them; nothing tells that it is done.
  let sizeBytes = -1;
  await until('a sink that grows no more', async () => {
    const before = sizeBytes;
    sizeBytes = statSync(sink).size;
    await new Promise((resolve) => setTimeout(resolve, 1500));
    return before === sizeBytes;
  });
  await drained(engine, metricsPort);
}

/** Fewer than eight spans: the last requests hold beginnings of traces whose rest was never sent. */
const POLICIES = [{ name: 'whole', type: 'span_count', span_count: { min_spans: SPANS_PER_TRACE } }];

/** @param isOnce every request was stored once; one that was sent again may make a trace look larger than it is. */
function check(sent: Map<string, Map<string, number>>, sink: string, isOnce = true): void {
  const found = delivered(sink);
  for (const [id, spans] of sent) {
    const isKept = spans.size >= SPANS_PER_TRACE;
    if (isKept || isOnce) assert.equal(found.has(id), isKept, `trace ${id} of ${spans.size} spans`);
    if (isKept) assert.deepEqual([...found.get(id)!.keys()].sort(), [...spans.keys()].sort());
  }
  assert.ok(found.size > 100, `${found.size} traces prove little`);
  for (const id of found.keys()) assert.ok(sent.has(id));
}

async function bed(
  t: Parameters<typeof tempDirectory>[0],
  failpoints = '',
  more: Record<string, unknown> = {},
) {
  const directory = tempDirectory(t);
  const sink = join(directory, 'delivered.bin');
  const ports = await freePorts();
  const options = { decision_wait: '2s', policies: POLICIES, ...more };
  const start = {
    config: samplingConfig(ports, fileSink(sink), options),
    dataDir: join(directory, 'data'),
    flags: ['--workers', '2'],
  };
  const engine = await startEngine(t, { ...start, failpoints });
  return { engine, sink, ports, start };
}

function spread(seed: number): RequestGenerator {
  const shape = { itemsPerRequest: 64, itemsPerTrace: SPANS_PER_TRACE, requestsPerTrace: 4 };
  return new RequestGenerator({ signal: 'traces', seed, ...shape });
}

test('two workers decide on all spans of a trace, and let all of them go on', {
  timeout: 180_000,
}, async (t) => {
  const { engine, sink, ports } = await bed(t);
  const sent = new Map<string, Map<string, number>>();
  await send(ports.http, spread(1), sent);
  await settled(engine, ports.metrics, sink);
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
  check(sent, sink);
  for (const spans of delivered(sink).values())
    for (const times of spans.values()) assert.equal(times, 1, 'duplicates');
});

test('a stop and a kill between spans and decision change nothing', { timeout: 180_000 }, async (t) => {
  const { engine, sink, ports, start } = await bed(t);
  const sent = new Map<string, Map<string, number>>();
  await send(ports.http, spread(2), sent);
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
  const second = await startEngine(t, start);
  await new Promise((resolve) => setTimeout(resolve, 200));
  await second.kill();
  const third = await startEngine(t, start);
  await settled(third, ports.metrics, sink);
  assert.deepEqual(await third.kill('SIGTERM'), CLEAN_EXIT, third.log);
  check(sent, sink);
});

test('when one of them dies both begin again from their logs', { timeout: 180_000 }, async (t) => {
  const { engine, sink, ports } = await bed(t, 'pipeline.decoded=exit@20');
  const sent = new Map<string, Map<string, number>>();
  await send(ports.http, spread(3), sent);
  await settled(engine, ports.metrics, sink);
  await engine.said(/worker ended and is replaced/);
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
  check(sent, sink, false);
});

test('one worker takes over what two of them held back', { timeout: 180_000 }, async (t) => {
  const { engine, sink, ports, start } = await bed(t);
  const sent = new Map<string, Map<string, number>>();
  await send(ports.http, spread(4), sent);
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
  const alone = await startEngine(t, { ...start, flags: ['--workers', '1'] });
  await settled(alone, ports.metrics, sink);
  assert.deepEqual(await alone.kill('SIGTERM'), CLEAN_EXIT, alone.log);
  check(sent, sink);
});

test('the owner of a trace decides at ingest on what other workers tell it', {
  timeout: 180_000,
}, async (t) => {
  const { engine, sink, ports } = await bed(t, '', { sampling_strategy: 'span-ingest' });
  const sent = new Map<string, Map<string, number>>();
  await send(ports.http, spread(5), sent);
  await settled(engine, ports.metrics, sink);
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
  check(sent, sink);
});
