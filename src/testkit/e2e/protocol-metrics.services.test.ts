/** The same requests give the same `http_server_*` and `rpc_server_*` series here and in a running Collector. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { GrpcClient } from '../../receivers/otlp/grpc-bed.test-peer.ts';
import { parseScrape } from '../../top/exposition.ts';
import { type EnginePorts, EngineProcess, freePorts, until } from '../engine-process.ts';
import { ledgerRequest } from '../ledger-client.ts';
import { CollectorProcess, installPrograms } from '../services/programs.ts';

const COMPARED = [
  'http_server_request_duration',
  'http_server_request_body_size',
  'http_server_response_body_size',
  'rpc_server_call_duration',
];

function configOf({ http, grpc, metrics }: EnginePorts, exporters: Record<string, object>): object {
  const reader = { pull: { exporter: { prometheus: { host: '127.0.0.1', port: metrics } } } };
  return {
    receivers: {
      otlp: {
        protocols: { http: { endpoint: `127.0.0.1:${http}` }, grpc: { endpoint: `127.0.0.1:${grpc}` } },
      },
    },
    exporters,
    service: {
      telemetry: { metrics: { level: 'detailed', readers: [reader] } },
      pipelines: { traces: { receivers: ['otlp'], exporters: Object.keys(exporters) } },
    },
  };
}

async function sendAll({ http, grpc }: EnginePorts): Promise<void> {
  const base = `http://127.0.0.1:${http}`;
  const post = (path: string, type: string, body: Uint8Array | string) =>
    fetch(base + path, { method: 'POST', headers: { 'content-type': type }, body: Buffer.from(body) });
  await post('/v1/traces', 'application/x-protobuf', ledgerRequest(0, 0));
  await post('/v1/traces', 'application/json', '{}');
  await post('/v1/traces', 'application/x-protobuf', 'no request');
  await post('/v1/traces', 'text/plain', 'x');
  await post('/v1/logs', 'application/x-protobuf', '');
  await post('/nowhere', 'application/json', '{}');
  await fetch(`${base}/v1/traces`);
  await fetch(`${base}/`, { method: 'PUT', body: 'x' });
  const client = new GrpcClient(grpc);
  assert.equal((await client.export(ledgerRequest(0, 1))).code, 0);
  client.close();
}

/**
 * Counts by series, and the bytes of requests that were read by both, with the ports taken out: the Collector does not
 * read, and so not count, a body that it refuses by its head.
 */
async function measured(ports: EnginePorts): Promise<Record<string, number>> {
  const text = await (await fetch(`http://127.0.0.1:${ports.metrics}/metrics`)).text();
  const scrape = parseScrape(text);
  const names = [...COMPARED.map((name) => `${name}_count`), 'http_server_request_body_size_sum'];
  return Object.fromEntries(
    names.flatMap((name) =>
      (scrape.get(name) ?? []).flatMap(({ labels, value }) => {
        const isRead = ['200', '400'].includes(labels.get('http_response_status_code') ?? '');
        if (name.endsWith('_sum') && !isRead) return [];
        const series = [...labels].filter(([label]) => label !== 'server_port').sort();
        return [[`${name} ${JSON.stringify(series)}`, value] as const];
      }),
    ),
  );
}

test('requests of every outcome', { timeout: 900_000 }, async (t) => {
  const programs = await installPrograms();
  const directory = mkdtempSync(join(tmpdir(), 'millrace-protocol-metrics-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const [theirs, ours] = [await freePorts(), await freePorts()];
  const file = { file: { path: join(directory, 'theirs.json') } };
  const collector = await CollectorProcess.start(programs, configOf(theirs, file));
  t.after(() => collector.stop());
  const config = JSON.stringify(configOf(ours, { nop: {} }));
  const engine = await EngineProcess.start({ config, dataDir: join(directory, 'data') });
  t.after(() => engine.kill());
  await sendAll(theirs);
  await sendAll(ours);
  let expected: Record<string, number> = {};
  await until('all of them on the scrape', async () => {
    expected = await measured(theirs);
    const calls = Object.keys(expected).filter((key) => key.startsWith('rpc_server_call_duration_count'));
    return calls.length === 1;
  });
  assert.ok(Object.keys(expected).length > 20, JSON.stringify(expected, undefined, 1));
  assert.deepEqual(await measured(ours), expected);
});
