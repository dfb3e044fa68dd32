/** A8, A10, A14 with the real program: segments that were cut, overwritten or replaced, and starts that die. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineProcess, engineConfig, freePorts, metricSum, until } from '../engine-process.ts';
import { deliveredSpans } from '../file-sink.ts';
import { type LedgerClient, ledgerRequest } from '../ledger-client.ts';
import {
  afterwards,
  CLEAN_EXIT,
  drained,
  fileSink,
  ledgerClient,
  segmentsOf,
  startEngine,
  tempDirectory,
} from './storage.test-peer.ts';

const LOG = 'traces~0';
const PAGE_BYTES = 4096;
/** Three logs on this budget have segments of 1 MiB. */
const FLAGS = ['--workers', '1', '--disk-budget', '24MiB'];

interface Remains {
  directory: string;
  dataDir: string;
  ports: Awaited<ReturnType<typeof freePorts>>;
  client: LedgerClient;
  sink: string;
}

/** What a killed engine leaves whose exporter could write nothing: at least so many segments, all spans in them. */
async function fillAndKill(t: TestContext, segments: number): Promise<Remains> {
  const directory = tempDirectory(t);
  const dataDir = join(directory, 'data');
  const ports = await freePorts();
  const engine = await startEngine(t, {
    config: engineConfig(ports, fileSink('/dev/full')),
    dataDir,
    flags: FLAGS,
  });
  const client = ledgerClient(t, ports.http, 4, 5000);
  client.start();
  await until(`${segments} segments`, () => segmentsOf(dataDir, LOG).length >= segments);
  await client.stop();
  await engine.kill();
  return { directory, dataDir, ports, client, sink: join(directory, 'delivered.bin') };
}

function restart(t: TestContext, { dataDir, ports, sink }: Remains): Promise<EngineProcess> {
  return startEngine(t, { config: engineConfig(ports, fileSink(sink)), dataDir, flags: FLAGS });
}

/** Items of a segment, which the names of it and of the next one tell. */
function itemsOf(segments: readonly string[], index: number): number {
  const first = (at: number) => Number.parseInt(basename(segments[at]!), 16);
  return first(index + 1) - first(index);
}

/** Acknowledged spans that did not arrive; fails on a span that was never sent. */
function missingSpans(client: LedgerClient, sink: string): string[] {
  const delivered = deliveredSpans(sink);
  for (const key of delivered.keys())
    assert.ok(client.sent.has(key.slice(0, key.lastIndexOf('/'))), `${key} was never sent`);
  return client.ackedSpans().filter((key) => !delivered.has(key));
}

function patch(path: string, offset: number, bytes: Uint8Array): void {
  const content = readFileSync(path);
  content.set(bytes, offset);
  writeFileSync(path, content);
}

const DAMAGES: { name: string; reason: RegExp; inflict(path: string, sizeBytes: number): void }[] = [
  { name: 'cut to nothing', reason: /no meta page/, inflict: (path) => truncateSync(path, 0) },
  {
    name: 'cut to one page',
    reason: /second meta page missing/,
    inflict: (path) => truncateSync(path, PAGE_BYTES),
  },
  {
    name: 'cut in half',
    reason: /truncated: \d+ bytes of \d+/,
    inflict: (path, sizeBytes) => truncateSync(path, Math.floor(sizeBytes / 2)),
  },
  {
    name: 'meta pages overwritten',
    reason: /not an LMDB file/,
    inflict: (path) => patch(path, 0, new Uint8Array(2 * PAGE_BYTES).fill(0xa5)),
  },
  {
    name: 'another file',
    reason: /not an LMDB file|no meta page/,
    inflict: (path) => writeFileSync(path, 'id,name\n1,a table\n'.repeat(500)),
  },
  {
    name: 'a newer format',
    reason: /newer LMDB format/,
    inflict: (path) => patch(path, 28, Uint8Array.of(9)),
  },
];

test('A8, A10: damaged segments are set aside with their reasons, and the others are delivered', {
  timeout: 180_000,
}, async (t) => {
  const remains = await fillAndKill(t, 2 * DAMAGES.length + 2);
  const segments = segmentsOf(remains.dataDir, LOG);
  let itemsDamaged = 0;
  for (const [index, { inflict }] of DAMAGES.entries()) {
    const path = join(segments[2 * index + 1]!, 'data.mdb');
    inflict(path, readFileSync(path).byteLength);
    itemsDamaged += itemsOf(segments, 2 * index + 1);
  }
  writeFileSync(join(dirname(segments[0]!), 'notes.txt'), 'somebody was here');

  const engine = await restart(t, remains);
  const scrape = await engine.metrics(remains.ports.metrics);
  assert.equal(metricSum(scrape, 'millrace_log_segments_quarantined', [LOG]), DAMAGES.length);
  const lines = engine.log.split('\n').filter((line) => line.includes('log segment set aside'));
  for (const [index, { name, reason }] of DAMAGES.entries()) {
    const line = lines.find((text) => text.includes(`${basename(segments[2 * index + 1]!)}.corrupt-`));
    assert.match(line ?? 'not set aside', reason, name);
  }
  const client = ledgerClient(t, remains.ports.http, 1);
  assert.equal(await client.send(ledgerRequest(9, 9)), 200);
  remains.client.sent.add('9/9');
  await drained(engine, remains.ports.metrics);
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
  assert.equal(missingSpans(remains.client, remains.sink).length, itemsDamaged);
});

test('A14: pages that kill whoever reads them end a scan and not the engine', {
  timeout: 180_000,
}, async (t) => {
  const remains = await fillAndKill(t, 4);
  const segments = segmentsOf(remains.dataDir, LOG);
  const path = join(segments[1]!, 'data.mdb');
  // Every page but the two that the look before the mapping reads: the tree points nowhere.
  patch(path, 2 * PAGE_BYTES, new Uint8Array(readFileSync(path).byteLength - 2 * PAGE_BYTES).fill(0xff));
  const engine = await restart(t, remains);
  const scrape = await engine.metrics(remains.ports.metrics);
  assert.equal(metricSum(scrape, 'millrace_log_segments_quarantined', [LOG]), 1, engine.log);
  await drained(engine, remains.ports.metrics);
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
  assert.equal(missingSpans(remains.client, remains.sink).length, itemsOf(segments, 1));
});

test('A14: after three starts that died on the way, the fourth sets aside what they were to open, and serves', {
  timeout: 180_000,
}, async (t) => {
  const remains = await fillAndKill(t, 3);
  const segments = segmentsOf(remains.dataDir, LOG);
  for (let death = 0; death < 3; death++) {
    const engine = EngineProcess.spawn({
      config: engineConfig(remains.ports, fileSink(remains.sink)),
      dataDir: remains.dataDir,
      flags: FLAGS,
    });
    afterwards(t, () => engine.kill());
    const before = startsOf(remains.dataDir);
    while (startsOf(remains.dataDir) === before && !engine.hasExited) await sleep(1);
    assert.deepEqual(await engine.kill(), { code: null, signal: 'SIGKILL' }, engine.log);
    assert.ok(!engine.log.includes('millrace is ready'), 'was ready before it was killed');
  }
  const engine = await restart(t, remains);
  assert.match(engine.log, /three starts died early/);
  const scrape = await engine.metrics(remains.ports.metrics);
  const quarantined = metricSum(scrape, 'millrace_log_segments_quarantined', [LOG]);
  assert.ok(quarantined >= segments.length, `${quarantined} of ${segments.length} segments`);
  assert.equal(
    segmentsOf(remains.dataDir, LOG).some((path) => segments.includes(path)),
    false,
  );
  const client = ledgerClient(t, remains.ports.http, 1);
  assert.equal(await client.send(ledgerRequest(9, 9)), 200);
  await drained(engine, remains.ports.metrics);
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
  assert.equal(deliveredSpans(remains.sink).has('9/9/0'), true);

  const next = await restart(t, remains);
  assert.doesNotMatch(next.log, /died early/);
  assert.deepEqual(await next.kill('SIGTERM'), CLEAN_EXIT, next.log);
});

/** Unconfirmed starts that the data directory knows of. */
function startsOf(dataDir: string): number {
  const path = join(dataDir, 'starts');
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as unknown[]).length : 0;
}
