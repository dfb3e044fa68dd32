/** A rewind while the engine runs, seen from the worker that has the cursor open. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  deliveryConfig,
  numberedRequest,
  RecordingLogger,
  ScriptedExporter,
} from '../exporters/helper/delivery.test-peer.ts';
import { Delivery } from '../exporters/helper/delivery.ts';
import { DeliveryMetrics } from '../exporters/helper/delivery-metrics.ts';
import { SendSlots } from '../exporters/helper/send-slots.ts';
import { SendThrottle } from '../exporters/helper/send-throttle.ts';
import type { LogDescriptor, LogWriter } from '../queue/log/contract.ts';
import { DATA_FILE, listSegments, segmentDirectory, UNVERIFIED_FILE } from '../queue/log/layout.ts';
import { openLogReader, openLogWriter } from '../queue/log/open.ts';
import {
  pendingRewind,
  type RewindResult,
  type RewindTarget,
  requestRewind,
  takeRewindResult,
} from '../queue/log/rewind.ts';
import { createSharedWords } from '../queue/log/shared-words.ts';
import { systemClock } from '../stdx/clock.ts';
import { Prng } from '../stdx/prng.ts';
import { ThreadMeter } from '../telemetry/registry.ts';
import { afterwards } from '../testkit/e2e/storage.test-peer.ts';
import { until } from '../testkit/engine-process.ts';
import { Drain } from './exporter-drain.ts';

const REQUESTS = 40;
const ITEMS = 5;
/** Requests arrive a second apart, from here on. */
const START = 1_790_000_000_000;

interface Bed {
  descriptor: LogDescriptor;
  writer: LogWriter;
  exporter: ScriptedExporter;
  drain: Drain;
  running: Promise<void>;
}

async function startBed(t: TestContext): Promise<Bed> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-drain-'));
  afterwards(t, () => rmSync(directory, { recursive: true, force: true }));
  const shared = createSharedWords(1);
  const descriptor: LogDescriptor = {
    ...{ logId: 'traces~0', signal: 'traces', directory, flush: true, cursorNames: ['test'], shared },
    limits: {
      ...{ budgetBytes: 64 << 20, reserveBytes: 0, segmentBytes: 1 << 20, recordBytes: 256 << 10 },
      flushTimeoutMs: 30_000,
    },
    retain: { logs: [shared] },
  };
  const writer = await openLogWriter(descriptor, { clock: systemClock });
  const exporter = new ScriptedExporter();
  const config = deliveryConfig({ numConsumers: 2, batch: { minSize: 1, maxSize: 20 } });
  const reader = openLogReader(descriptor);
  const drain = await Drain.open({
    ...{ log: descriptor, name: 'test', reader, logger: new RecordingLogger(), lazyMs: 5 },
    createDelivery: (cursor) =>
      new Delivery({
        ...{ exporter, signal: 'traces', reader, cursor, isDurable: true, clock: systemClock },
        config,
        prng: new Prng(1),
        logger: new RecordingLogger(),
        metrics: new DeliveryMetrics(new ThreadMeter(), 'test', 'traces'),
        slots: new SendSlots(2),
        throttle: new SendThrottle(config, {
          ...{ id: 'test', signal: 'traces', clock: systemClock },
          ...{ meter: new ThreadMeter(), logger: new RecordingLogger() },
        }),
      }),
  });
  const running = drain.run();
  for (let request = 0; request < REQUESTS; request++) {
    writer.tryAppend(numberedRequest(request * ITEMS, ITEMS, 40_000), ITEMS, START + request * 1000);
    await writer.commit();
  }
  await until('delivery', () => exporter.delivered.length === REQUESTS * ITEMS);
  return { descriptor, writer, exporter, drain, running };
}

async function stop({ drain, running, writer }: Bed): Promise<void> {
  await drain.stop();
  await drain.closeCursor();
  await running;
  await drain.closeReader();
  await writer.close();
}

async function rewind(bed: Bed, target: RewindTarget, generation: number): Promise<RewindResult> {
  const { directory } = bed.descriptor;
  requestRewind(directory, 'test', { target, generation });
  let result: RewindResult | undefined;
  await until('an answer', () => {
    result = takeRewindResult(directory, 'test');
    return result !== undefined;
  });
  assert.equal(pendingRewind(directory, 'test'), undefined, 'the request is still there');
  return result!;
}

test('what arrived since a time is sent again, once, and what is new follows', {
  timeout: 180_000,
}, async (t) => {
  const bed = await startBed(t);
  assert.ok(listSegments(bed.descriptor.directory).length > 3);
  const from = REQUESTS * ITEMS;
  // Request 30 arrived then; the record before it has an earlier time and might hold more.
  const result = await rewind(bed, START + 30_000, 1);
  assert.deepEqual(result, { from, to: 29 * ITEMS });
  await until('the rest once more', () => bed.exporter.delivered.length === from + 11 * ITEMS);
  assert.deepEqual(
    bed.exporter.delivered.slice(from).toSorted((a, b) => a - b),
    Array.from({ length: 11 * ITEMS }, (_, item) => 29 * ITEMS + item),
  );
  bed.writer.tryAppend(numberedRequest(from, ITEMS), ITEMS, START + 60_000);
  await bed.writer.commit();
  await until('what is new', () => bed.exporter.delivered.includes(from));
  assert.deepEqual(await rewind(bed, START + 90_000, 2), { from: from + ITEMS, to: from + ITEMS });
  await stop(bed);
});

test('a request of before a crash is not done twice', { timeout: 180_000 }, async (t) => {
  const bed = await startBed(t);
  const done = await rewind(bed, 'begin', 1);
  assert.deepEqual(done, { from: REQUESTS * ITEMS, to: 0 });
  await until('everything once more', () => bed.exporter.delivered.length === 2 * REQUESTS * ITEMS);
  const again = await rewind(bed, 'begin', 1);
  assert.ok('from' in again && again.from === again.to, JSON.stringify(again));
  assert.equal(bed.exporter.delivered.length, 2 * REQUESTS * ITEMS);
  await stop(bed);
});

test('segments that nobody looked into since a crash are not read by a running engine', {
  timeout: 180_000,
}, async (t) => {
  const bed = await startBed(t);
  const [first] = listSegments(bed.descriptor.directory);
  const segment = segmentDirectory(bed.descriptor.directory, first!);
  writeFileSync(join(segment, UNVERIFIED_FILE), '');
  // Written when its requests arrived, as it is in life.
  const written = new Date(START + 20_000);
  utimesSync(join(segment, DATA_FILE), written, written);
  const refused = await rewind(bed, 'begin', 1);
  assert.ok('error' in refused && /not looked into since a crash: stop the engine/.test(refused.error));
  assert.equal(bed.exporter.delivered.length, REQUESTS * ITEMS);
  // Those behind it are none of that, and the delivery goes on.
  const result = await rewind(bed, START + 35_000, 1);
  assert.deepEqual(result, { from: REQUESTS * ITEMS, to: 34 * ITEMS });
  await until('the rest once more', () => bed.exporter.delivered.length === (REQUESTS + 6) * ITEMS);
  await stop(bed);
});
