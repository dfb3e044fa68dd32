/**
 * The Go Collector's exporters send requests with every field set, in every encoding and compression they have. What
 * the Collector itself wrote to a file about the same data is the expectation that the rows are compared with.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { freePorts, until } from '../engine-process.ts';
import { flattenRequest } from '../otlp-flatten.ts';
import { CollectorFile, type WrittenRequest } from '../services/collector-json.ts';
import { FULL_ROW_COUNTS, fullLogs, fullMetrics, fullTraces } from '../services/full-requests.ts';
import { installPrograms } from '../services/programs.ts';
import { type Lane, Relay, type RelayedRow } from '../services/relay.ts';
import {
  assertSameRows,
  missingStore,
  type Row,
  StoredEngine,
  TABLES,
  type Table,
} from '../services/stored-engine.ts';

const LANES: readonly Lane[] = [
  { name: 'grpc-default', exporter: 'otlp_grpc' },
  ...['gzip', 'zstd', 'none'].map((compression) => ({
    name: `grpc-${compression}`,
    exporter: 'otlp_grpc' as const,
    options: { compression },
  })),
  { name: 'http-default', exporter: 'otlp_http' },
  ...['proto', 'json'].flatMap((encoding) =>
    ['gzip', 'zstd', 'deflate', 'zlib', 'none'].map((compression) => ({
      name: `http-${encoding}-${compression}`,
      exporter: 'otlp_http' as const,
      options: { encoding, compression },
    })),
  ),
];
const ROWS_PER_LANE = Object.values(FULL_ROW_COUNTS).reduce((sum, count) => sum + count, 0);

async function send(port: number, signal: string, request: unknown): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/${signal}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(request),
  });
  assert.equal(response.status, 200, await response.text());
}

describe('the Go Collector', { skip: missingStore(), timeout: 900_000 }, () => {
  let engine: StoredEngine;
  let relay: Relay;
  let taken: readonly RelayedRow[] = [];

  before(async () => {
    const programs = await installPrograms();
    const ports = await freePorts();
    engine = await StoredEngine.start({ ports, writesFile: true });
    relay = await Relay.start(programs, ports, LANES);
    for (const { name } of LANES) {
      await send(relay.port(name), 'traces', fullTraces(name));
      await send(relay.port(name), 'logs', fullLogs(name));
      await send(relay.port(name), 'metrics', fullMetrics(name));
    }
    await until('the file of the Collector', () => {
      taken = relay.taken();
      return taken.length >= LANES.length * ROWS_PER_LANE;
    });
  });
  after(async () => {
    await relay?.stop();
    await engine?.stop();
  });

  for (const { name } of LANES) {
    test(`what is sent by ${name} is stored as the Collector itself describes it`, async () => {
      for (const table of Object.keys(TABLES) as Table[]) {
        const wanted = taken.filter((each) => each.service === name && each.table === table);
        assert.equal(wanted.length, FULL_ROW_COUNTS[table], `${table}: the Collector lost something itself`);
        const rows = await engine.rowsOnceStored(table, name, wanted.length);
        assertSameRows(
          rows,
          wanted.map(({ row }) => row),
          `${name}: ${table}`,
        );
      }
    });
  }

  // Columns leave out counts of what was dropped, flags of spans and more: the whole items are compared here.
  test('what the engine hands on to a file is the same item by item, fields without a column included', async () => {
    const file = new CollectorFile(engine.file);
    const delivered: WrittenRequest[] = [];
    await until('all batches in the file', () => {
      delivered.push(...file.readNew());
      return itemsOf(delivered).length >= LANES.length * ROWS_PER_LANE;
    });
    assertSameRows(itemsOf(delivered), itemsOf(relay.requests), 'items');
  });
});

function itemsOf(requests: readonly WrittenRequest[]): Row[] {
  return requests.flatMap(({ signal, bytes }) =>
    flattenRequest(signal, bytes).map((item) => ({ signal, ...item })),
  );
}
