/** Generated requests through the Go Collector: whatever it makes of odd values, the engine stores and hands on the same. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SIGNALS } from '../../component/signal.ts';
import { freePorts, until } from '../engine-process.ts';
import { flattenRequest } from '../otlp-flatten.ts';
import { CollectorFile, type WrittenRequest } from '../services/collector-json.ts';
import { installPrograms } from '../services/programs.ts';
import { randomRequests } from '../services/random-requests.ts';
import { type Lane, Relay } from '../services/relay.ts';
import {
  assertSameRows,
  missingStore,
  type Row,
  StoredEngine,
  TABLES,
  type Table,
} from '../services/stored-engine.ts';

const REQUESTS = 60;
const LANES: readonly Lane[] = [
  { name: 'random-grpc', exporter: 'otlp_grpc' },
  { name: 'random-http-json', exporter: 'otlp_http', options: { encoding: 'json' } },
];

test('generated requests are stored and handed on as the Collector describes them', {
  skip: missingStore(),
  timeout: 900_000,
}, async (t) => {
  const programs = await installPrograms();
  const ports = await freePorts();
  const engine = await StoredEngine.start({ ports, writesFile: true });
  t.after(() => engine.stop());
  const relay = await Relay.start(programs, ports, LANES);
  t.after(() => relay.stop());
  const seed = Date.now() % 2 ** 31;
  t.diagnostic(`seed ${seed}`);

  let sentItems = 0;
  for (const signal of SIGNALS) {
    for (const { name } of LANES) {
      for (const body of randomRequests(signal, name, REQUESTS, seed)) {
        await send(relay.port(name), signal, body);
        sentItems += flattenRequest(signal, body).length;
      }
    }
  }
  assert.ok(sentItems > 1000, `only ${sentItems} items were generated`);
  await until('the file of the Collector', () => {
    relay.taken();
    return itemsOf(relay.requests).length >= sentItems;
  });
  for (const { name } of LANES) {
    for (const table of Object.keys(TABLES) as Table[]) {
      const wanted = relay.taken().filter((each) => each.service === name && each.table === table);
      const rows = await engine.rowsOnceStored(table, name, wanted.length);
      assertSameRows(
        rows,
        wanted.map(({ row }) => row),
        `${name}: ${table}`,
      );
    }
  }
  const file = new CollectorFile(engine.file);
  const delivered: WrittenRequest[] = [];
  await until('all batches in the file', () => {
    delivered.push(...file.readNew());
    return itemsOf(delivered).length >= sentItems;
  });
  assertSameRows(itemsOf(delivered), itemsOf(relay.requests), 'items');
});

function itemsOf(requests: readonly WrittenRequest[]): Row[] {
  return requests.flatMap(({ signal, bytes }) =>
    flattenRequest(signal, bytes).map((item) => ({ signal, ...item })),
  );
}

async function send(port: number, signal: string, body: Uint8Array): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/${signal}`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf' },
    body: new Uint8Array(body),
  });
  assert.equal(response.status, 200, await response.text());
}
