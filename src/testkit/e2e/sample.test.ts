/** A dry run over what the engine recorded keeps what the engine keeps, beside a running engine and without one. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { freePorts, metricSum, until } from '../engine-process.ts';
import { RequestGenerator } from '../generators.ts';
import { requestType } from '../otlp-root.ts';
import { LOADED_ROOT } from '../source-tree.ts';
import { samplingConfig } from './sampling.test-peer.ts';
import { CLEAN_EXIT, drained, fileSink, startEngine, tempDirectory } from './storage.test-peer.ts';

const REQUESTS = 40;
const SPANS = 64;
const EXTENSION = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const MAIN = join(LOADED_ROOT, 'src', `main${EXTENSION}`);

interface Side {
  seen: { traces: number; spans: number };
  outcomes: { name: string; isKept: boolean; traces: number; examples: string[] }[];
}

/** The program as users run it. */
async function sample(dataDir: string, policies: string, workers: number): Promise<Side> {
  const argv = ['sample', '--policies', policies, '--from', dataDir, '--workers', String(workers)];
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, [MAIN, ...argv, '--json', '--examples', '1000']);
  const report = JSON.parse(stdout) as { sides: Side[]; requests: number; skipped: { skippedCount: number } };
  assert.equal(report.requests, REQUESTS);
  assert.equal(report.skipped.skippedCount, 0);
  return report.sides[0]!;
}

function keptIds({ outcomes }: Side): string[] {
  return outcomes.flatMap(({ isKept, examples }) => (isKept ? examples : [])).toSorted();
}

function addIds(ids: Set<string>, message: Uint8Array): void {
  const { resource_spans } = requestType('traces').decode(message) as unknown as {
    resource_spans: { scope_spans: { spans: { trace_id: Uint8Array }[] }[] }[];
  };
  const spans = resource_spans.flatMap((each) => each.scope_spans).flatMap((each) => each.spans);
  for (const { trace_id } of spans) ids.add(Buffer.from(trace_id).toString('hex'));
}

function deliveredIds(path: string): string[] {
  const ids = new Set<string>();
  const bytes = readFileSync(path);
  for (let at = 0; at + 4 <= bytes.length; at += 4 + bytes.readUInt32BE(at))
    addIds(ids, bytes.subarray(at + 4, at + 4 + bytes.readUInt32BE(at)));
  return [...ids].toSorted();
}

/** @returns how many traces they were. */
async function send(port: number): Promise<number> {
  const ids = new Set<string>();
  const generator = new RequestGenerator({
    signal: 'traces',
    itemsPerRequest: SPANS,
    requestsPerTrace: 4,
    seed: 21,
  });
  for (let seq = 0; seq < REQUESTS; seq++) {
    const body = generator.next(seq, Date.now());
    addIds(ids, body);
    const response = await fetch(`http://127.0.0.1:${port}/v1/traces`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-protobuf' },
      body: body as Uint8Array<ArrayBuffer>,
    });
    await response.arrayBuffer();
    assert.equal(response.status, 200);
  }
  return ids.size;
}

test('what a dry run keeps of the pending log is what the engine keeps of it later', async (t) => {
  const directory = tempDirectory(t);
  const ports = await freePorts();
  const sink = join(directory, 'sink');
  const dataDir = join(directory, 'data');
  const policies = [
    { name: 'errors', type: 'status_code', status_code: { status_codes: ['ERROR'] } },
    { name: 'share', type: 'probabilistic', probabilistic: { sampling_percentage: 20 } },
  ];
  const configOf = (wait: string) => samplingConfig(ports, fileSink(sink), { policies, decision_wait: wait });
  const flags = ['--workers', '2'];
  const engine = await startEngine(t, { config: configOf('1h'), dataDir, flags });
  const traces = await send(ports.http);

  const beside = await sample(dataDir, `yaml:${configOf('1h')}`, 2);
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT);
  const stopped = await sample(dataDir, `yaml:${configOf('1h')}`, 1);
  assert.deepEqual(beside, stopped);
  assert.equal(stopped.seen.spans, REQUESTS * SPANS);
  assert.equal(stopped.seen.traces, traces);

  const again = await startEngine(t, { config: configOf('300ms'), dataDir, flags });
  await until('every trace to be decided', async () => {
    return metricSum(await again.metrics(ports.metrics), 'millrace_sampling_pending_traces') === 0;
  });
  await drained(again, ports.metrics);
  await until('the sink to have what was kept', () => deliveredIds(sink).length >= keptIds(stopped).length);
  assert.ok(keptIds(stopped).length > 50);
  assert.deepEqual(deliveredIds(sink), keptIds(stopped));
  assert.deepEqual(await again.kill('SIGTERM'), CLEAN_EXIT);
});
