/**
 * The engine's OTLP exporters send to the real Collector, in every encoding and compression they have. What the
 * Collector says about the same requests when it gets them directly is the expectation, item by item and field by field.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { SIGNALS, type Signal } from '../../component/signal.ts';
import { HAS_ZSTD } from '../../exporters/helper/body-compression.ts';
import { EngineProcess, engineConfig, freePort, freePorts, until } from '../engine-process.ts';
import { flattenRequest } from '../otlp-flatten.ts';
import { CollectorFile, encodeOtlpJson } from '../services/collector-json.ts';
import { fullLogs, fullMetrics, fullTraces } from '../services/full-requests.ts';
import { CollectorProcess, installPrograms } from '../services/programs.ts';
import { randomRequests } from '../services/random-requests.ts';
import { assertSameRows, type Row } from '../services/stored-engine.ts';

interface Lane {
  name: string;
  exporter: 'otlp' | 'otlphttp';
  options: Record<string, unknown>;
}

const zstd = HAS_ZSTD ? ['zstd'] : [];
const LANES: readonly Lane[] = [
  ...['gzip', 'snappy', 'none', ...zstd].map((compression) => ({
    name: `grpc-${compression}`,
    exporter: 'otlp' as const,
    options: { compression },
  })),
  ...['proto', 'json'].flatMap((encoding) =>
    ['gzip', 'zlib', 'deflate', 'snappy', 'x-snappy-framed', 'none', ...zstd].map((compression) => ({
      name: `http-${encoding}-${compression}`,
      exporter: 'otlphttp' as const,
      options: { encoding, compression },
    })),
  ),
];
const DIRECT = 'direct';
const SERVICE = 'shop';
const RANDOM_COUNT = 20;
const SEED = 20_261_121;

const REQUESTS: readonly (readonly [Signal, Uint8Array])[] = [
  ['traces', encodeOtlpJson('traces', fullTraces(SERVICE))],
  ['logs', encodeOtlpJson('logs', fullLogs(SERVICE))],
  ['metrics', encodeOtlpJson('metrics', fullMetrics(SERVICE))],
  ...SIGNALS.flatMap((signal) =>
    randomRequests(signal, SERVICE, RANDOM_COUNT, SEED).map((bytes) => [signal, bytes] as const),
  ),
];

async function sendAll(port: number): Promise<void> {
  for (const [signal, body] of REQUESTS) {
    const response = await fetch(`http://127.0.0.1:${port}/v1/${signal}`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-protobuf' },
      body: new Uint8Array(body),
    });
    assert.equal(response.status, 200, await response.text());
  }
}

describe('the Go Collector behind the engine', { timeout: 900_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-collector-sink-'));
  const fileOf = (lane: string) => join(directory, `${lane}.json`);
  const ports = new Map<string, number>();
  let engine: EngineProcess;
  let collector: CollectorProcess;

  before(async () => {
    const programs = await installPrograms();
    for (const name of [DIRECT, ...LANES.map((lane) => lane.name)]) ports.set(name, await freePort());
    const enginePorts = await freePorts();
    engine = await EngineProcess.start({
      config: engineConfig(enginePorts, Object.fromEntries(LANES.map(exporterOf))),
      dataDir: join(directory, 'data'),
    });
    // Nobody listens yet: every lane has to try again.
    await sendAll(enginePorts.http);
    await until('failed attempts', () => engine.log.includes('export failed, will be tried again'));
    collector = await CollectorProcess.start(programs, collectorConfig());
    await sendAll(ports.get(DIRECT)!);
  });
  after(async () => {
    await engine?.kill('SIGTERM');
    await collector?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  function exporterOf({ name, exporter, options }: Lane): [string, object] {
    const address = `127.0.0.1:${ports.get(name)}`;
    const endpoint = exporter === 'otlp' ? { endpoint: address } : { endpoint: `http://${address}` };
    return [
      `${exporter}/${name}`,
      {
        ...endpoint,
        ...options,
        tls: { insecure: true },
        retry_on_failure: { initial_interval: '200ms', max_interval: '1s' },
      },
    ];
  }

  function collectorConfig(): object {
    const lanes = [{ name: DIRECT, exporter: 'otlphttp' }, ...LANES];
    return {
      receivers: Object.fromEntries(
        lanes.map(({ name, exporter }) => [
          `otlp/${name}`,
          {
            protocols: {
              [exporter === 'otlp' ? 'grpc' : 'http']: { endpoint: `127.0.0.1:${ports.get(name)}` },
            },
          },
        ]),
      ),
      exporters: Object.fromEntries(
        lanes.map(({ name }) => [`file/${name}`, { path: fileOf(name), flush_interval: '100ms' }]),
      ),
      service: {
        telemetry: { metrics: { level: 'none' } },
        pipelines: Object.fromEntries(
          lanes.flatMap(({ name }) =>
            SIGNALS.map((signal) => [
              `${signal}/${name}`,
              { receivers: [`otlp/${name}`], exporters: [`file/${name}`] },
            ]),
          ),
        ),
      },
    };
  }

  const itemCount = REQUESTS.reduce((sum, [signal, bytes]) => sum + flattenRequest(signal, bytes).length, 0);

  async function itemsOf(lane: string): Promise<Row[]> {
    const file = new CollectorFile(fileOf(lane));
    const items: Row[] = [];
    await until(`${itemCount} items of ${lane}`, () => {
      for (const { signal, bytes } of file.readNew()) {
        for (const item of flattenRequest(signal, bytes)) items.push({ signal, ...item });
      }
      return items.length >= itemCount;
    });
    return items;
  }

  for (const { name } of LANES) {
    test(`what goes by ${name} is what the Collector gets directly`, async () => {
      assertSameRows(await itemsOf(name), await itemsOf(DIRECT), name);
    });
  }
});
