/**
 * The Go Collector's exporters send requests with every field set, in every encoding and compression they have. What
 * the Collector itself wrote to a file about the same data is the expectation that the rows are compared with.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { SIGNALS } from '../../component/signal.ts';
import { expectedRows } from '../../exporters/clickhouse/expected-rows.test-peer.ts';
import { type EnginePorts, freePort, freePorts, until } from '../engine-process.ts';
import { readCollectorFile, type WrittenRequest } from '../services/collector-json.ts';
import { FULL_ROW_COUNTS, fullLogs, fullMetrics, fullTraces } from '../services/full-requests.ts';
import { CollectorProcess, installPrograms } from '../services/programs.ts';
import { assertSameRows, missingStore, StoredEngine, TABLES, type Table } from '../services/stored-engine.ts';

interface Variant {
  name: string;
  /** Type in the Collector's configuration; `otlp` and `otlphttp` are the older names of these. */
  exporter: 'otlp_grpc' | 'otlp_http';
  options: Record<string, unknown>;
}

const VARIANTS: readonly Variant[] = [
  { name: 'grpc-default', exporter: 'otlp_grpc', options: {} },
  ...['gzip', 'zstd', 'none'].map((compression) => ({
    name: `grpc-${compression}`,
    exporter: 'otlp_grpc' as const,
    options: { compression },
  })),
  { name: 'http-default', exporter: 'otlp_http', options: {} },
  ...['proto', 'json'].flatMap((encoding) =>
    ['gzip', 'zstd', 'deflate', 'zlib', 'none'].map((compression) => ({
      name: `http-${encoding}-${compression}`,
      exporter: 'otlp_http' as const,
      options: { encoding, compression },
    })),
  ),
];

/** A receiver and a pipeline for each exporter, so that the service's name tells which way a row has come. */
function collectorConfig(ports: EnginePorts, inPorts: ReadonlyMap<string, number>, file: string): unknown {
  const exporterId = ({ exporter, name }: Variant) => `${exporter}/${name}`;
  const endpoint = ({ exporter }: Variant) =>
    exporter === 'otlp_grpc' ? `127.0.0.1:${ports.grpc}` : `http://127.0.0.1:${ports.http}`;
  return {
    receivers: Object.fromEntries(
      VARIANTS.map(({ name }) => [
        `otlp/${name}`,
        { protocols: { http: { endpoint: `127.0.0.1:${inPorts.get(name)}` } } },
      ]),
    ),
    exporters: {
      file: { path: file, flush_interval: '100ms' },
      ...Object.fromEntries(
        VARIANTS.map((variant) => [
          exporterId(variant),
          { endpoint: endpoint(variant), tls: { insecure: true }, ...variant.options },
        ]),
      ),
    },
    service: {
      telemetry: { metrics: { level: 'none' } },
      pipelines: Object.fromEntries(
        VARIANTS.flatMap((variant) =>
          SIGNALS.map((signal) => [
            `${signal}/${variant.name}`,
            { receivers: [`otlp/${variant.name}`], exporters: ['file', exporterId(variant)] },
          ]),
        ),
      ),
    },
  };
}

async function send(port: number, signal: string, request: unknown): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/${signal}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(request),
  });
  assert.equal(response.status, 200, await response.text());
}

describe('the Go Collector', { skip: missingStore(), timeout: 900_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-collector-'));
  const file = join(directory, 'expected.json');
  const inPorts = new Map<string, number>();
  let engine: StoredEngine;
  let collector: CollectorProcess;
  let written: WrittenRequest[] = [];

  before(async () => {
    const programs = await installPrograms();
    for (const { name } of VARIANTS) inPorts.set(name, await freePort());
    const ports = await freePorts();
    engine = await StoredEngine.start({ ports });
    collector = await CollectorProcess.start(programs, collectorConfig(ports, inPorts, file));
    for (const { name } of VARIANTS) {
      await send(inPorts.get(name)!, 'traces', fullTraces(name));
      await send(inPorts.get(name)!, 'logs', fullLogs(name));
      await send(inPorts.get(name)!, 'metrics', fullMetrics(name));
    }
    await until('the file of the Collector', () => {
      written = readCollectorFile(file);
      return written.length === VARIANTS.length * SIGNALS.length;
    });
  });
  after(async () => {
    await collector?.stop();
    await engine?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  for (const { name } of VARIANTS) {
    test(`what is sent by ${name} is stored as the Collector itself describes it`, async () => {
      const expected = written
        .filter(({ service }) => service === name)
        .flatMap(({ signal, bytes }) => expectedRows(signal, bytes));
      for (const table of Object.keys(TABLES) as Table[]) {
        const wanted = expected.filter((each) => each.table === table).map(({ row }) => row);
        assert.equal(wanted.length, FULL_ROW_COUNTS[table], `${table}: the Collector lost something itself`);
        try {
          assertSameRows(
            await engine.rowsOnceStored(table, name, wanted.length),
            wanted,
            `${name}: ${table}`,
          );
        } catch (error) {
          throw new Error(`${(error as Error).message}\n${collector.log}`, { cause: error });
        }
      }
    });
  }
});
