/** Batches that a backend refuses for good, end to end through a delivery and its dead-letter files. */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import fc from 'fast-check';
import type { LogFields } from '../../component/settings.ts';
import { systemClock } from '../../stdx/clock.ts';
import { Prng } from '../../stdx/prng.ts';
import { until } from '../../testkit/engine-process.ts';
import { type DeadLetter, DeadLetters } from './dead-letters.ts';
import {
  deliveryConfig,
  fill,
  hang,
  itemNumbers,
  memoryLog,
  permanent,
  retryable,
  ScriptedExporter,
  startDrain,
} from './delivery.test-peer.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'dead-letters-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const range = (first: number, end: number) => Array.from({ length: end - first }, (_, i) => first + i);
const sorted = (items: readonly number[]) => [...items].sort((a, b) => a - b);
const wholeBatches = deliveryConfig({ batch: { minSize: 1000, flushTimeoutMs: 5 } });

function deadLetters(
  limits: { fileBytesMax?: number; totalBytesMax?: number; filesMax?: number } = {},
): DeadLetters {
  return new DeadLetters({
    ...{ directory: join(root, 'otlp%2f2'), exporterId: 'otlp/2', signal: 'traces', clock: systemClock },
    ...limits,
  });
}

function readLetters(directory = join(root, 'otlp%2f2')): DeadLetter[] {
  return readdirSync(directory)
    .sort()
    .flatMap((name) => readFileSync(join(directory, name), 'utf8').trimEnd().split('\n'))
    .map((line) => JSON.parse(line) as DeadLetter);
}

const numberOf = ({ request }: DeadLetter) => itemNumbers([Buffer.from(request, 'base64')])[0]!;

/** Refuses for good whatever holds one of these items. */
function refusing(...bad: number[]): ScriptedExporter {
  return new ScriptedExporter((batch) =>
    itemNumbers(batch.slices).some((item) => bad.includes(item)) ? Promise.reject(permanent()) : undefined,
  );
}

test('B7: bad items are written down one by one, everything else is delivered, both are counted', async () => {
  const log = memoryLog();
  const writer = log.openWriter();
  await fill(writer, [30, 50, 20]);
  const exporter = refusing(17, 71);
  const drain = startDrain(log, exporter, { config: wholeBatches, deadLetters: deadLetters() });
  await until('the end', () => drain.cursor.ordinal === 100);
  assert.deepEqual(
    sorted(exporter.delivered),
    range(0, 100).filter((item) => item !== 17 && item !== 71),
  );
  const letters = readLetters();
  assert.deepEqual(letters.map(numberOf), [17, 71]);
  const [letter] = letters as [DeadLetter];
  assert.equal(letter.exporter, 'otlp/2');
  assert.equal(letter.batch_id, exporter.attempts[0]!.batchId);
  assert.deepEqual([letter.code, letter.error, letter.refused_items], ['EXPORT_REJECTED', 'never', 1]);
  assert.match(JSON.stringify(letter.json), /"name":"17 ".*|"name":"17/);
  assert.equal(drain.counter('otelcol_exporter_sent_spans'), 98);
  assert.equal(drain.counter('otelcol_exporter_send_failed_spans'), 2);
  assert.equal(drain.counter('millrace_deadletter_items'), 2);
  assert.ok(exporter.attempts.length < 2 * 2 * 7 + 1, `${exporter.attempts.length} attempts`);
  const ids = exporter.attempts.map(({ batchId }) => batchId);
  assert.equal(new Set(ids).size, ids.length, 'different bytes under one batch id');
  await drain.end();
});

test('parts with retryable errors are sent again under their own id; a stop meanwhile keeps the whole batch', async () => {
  const log = memoryLog();
  await fill(log.openWriter(), [16]);
  let isDown = true;
  const exporter = new ScriptedExporter((batch) => {
    const items = itemNumbers(batch.slices);
    if (items.includes(3)) return Promise.reject(permanent());
    return isDown && items.includes(12) ? Promise.reject(retryable()) : undefined;
  });
  const first = startDrain(log, exporter, { config: wholeBatches, deadLetters: deadLetters() });
  await until('retries of a part', () => first.counter('millrace_exporter_retries') > 2);
  const retried = exporter.attempts.filter(({ batchId }) => batchId.endsWith('_8-15'));
  assert.ok(retried.length > 2 && new Set(retried.map(({ bytes }) => bytes)).size === 1);
  await first.end();
  assert.equal(first.cursor.ordinal, 0);
  assert.equal(readdirSync(root).length, 0, 'dead letters of a batch that is sent again');
  log.crash();
  log.openWriter();
  isDown = false;
  const second = startDrain(log, exporter, { config: wholeBatches, deadLetters: deadLetters() });
  await until('the end', () => second.cursor.ordinal === 16);
  assert.deepEqual(
    [...new Set(sorted(exporter.delivered))],
    range(0, 16).filter((item) => item !== 3),
  );
  assert.deepEqual(readLetters().map(numberOf), [3]);
  await second.end();
});

test('a backend that refuses everything gets few requests and loses nothing: all of it is written down', async () => {
  const log = memoryLog();
  const writer = log.openWriter();
  const exporter = new ScriptedExporter(() => Promise.reject(permanent()));
  const config = deliveryConfig({ numConsumers: 1, batch: { minSize: 1000, flushTimeoutMs: 5 } });
  const drain = startDrain(log, exporter, { config, deadLetters: deadLetters() });
  for (let batch = 1; batch <= 5; batch++) {
    await fill(writer, [200]);
    await until('the batch', () => drain.cursor.ordinal === batch * 200);
  }
  assert.deepEqual(readLetters().map(numberOf), range(0, 1000));
  assert.ok(exporter.attempts.length <= 16 + 4 * 3, `${exporter.attempts.length} attempts`);
  assert.equal(drain.counter('millrace_deadletter_items'), 1000);
  await drain.end();
});

test('a file in the way of the directory keeps the batch in the log', async () => {
  const log = memoryLog();
  await fill(log.openWriter(), [4]);
  writeFileSync(join(root, 'otlp%2f2'), '');
  const drain = startDrain(log, refusing(1), { config: wholeBatches, deadLetters: deadLetters() });
  await until('the report', () =>
    drain.logger.lines.some(({ message }) => message.includes('cannot be written')),
  );
  assert.equal(drain.cursor.ordinal, 0);
  assert.equal(drain.counter('millrace_deadletter_items'), 0);
  await drain.end();
});

test('a full disk under the dead letters keeps the batch until there is space again', async (t) => {
  if (!existsSync('/dev/full')) return t.diagnostic('this system has no /dev/full');
  const log = memoryLog();
  await fill(log.openWriter(), [4]);
  const directory = join(root, 'otlp%2f2');
  mkdirSync(directory);
  symlinkSync('/dev/full', join(directory, 'traces-00000001.jsonl'));
  const exporter = refusing(1);
  const drain = startDrain(log, exporter, { config: wholeBatches, deadLetters: deadLetters() });
  const isReported = ({ fields }: { fields: LogFields }) => String(fields.error).includes('ENOSPC');
  await until('the report', () => drain.logger.lines.some(isReported));
  assert.equal(drain.cursor.ordinal, 0);
  rmSync(join(directory, 'traces-00000001.jsonl'));
  await until('the end', () => drain.cursor.ordinal === 4);
  assert.deepEqual(readLetters().map(numberOf), [1]);
  // Only the writing was repeated, not the sending.
  assert.equal(exporter.delivered.length, 3);
  await drain.end();
});

test('any poison, any crash: good items are delivered, bad ones are written down, never the other way round', async () => {
  const scenario = fc.record({
    counts: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 6 }),
    bad: fc.array(fc.nat(), { maxLength: 4 }),
    crashes: fc.nat(2),
    seed: fc.nat(),
  });
  let run = 0;
  const property = fc.asyncProperty(scenario, async ({ counts, bad, crashes, seed }) => {
    const prng = new Prng(seed);
    const log = memoryLog({ recordBytes: 2000 });
    await fill(log.openWriter(), counts);
    const total = counts.reduce((sum, count) => sum + count, 0);
    const poison = new Set(bad.map((item) => item % total));
    // A batch of nothing but poison makes the next search a short one, which is tested elsewhere.
    const lastBatch = range(total - (total % 30), total);
    fc.pre(lastBatch.length === 0 || lastBatch.some((item) => !poison.has(item)));
    const exporter = new ScriptedExporter((batch) => {
      if (prng.nextInt(6) === 0) return Promise.reject(retryable());
      return itemNumbers(batch.slices).some((item) => poison.has(item))
        ? Promise.reject(permanent())
        : undefined;
    });
    const directory = join(root, String(run++));
    const options = () => ({
      config: deliveryConfig({
        numConsumers: 3,
        batch: { minSize: 30, maxSize: 30 },
        retry: { maxIntervalMs: 1 },
      }),
      deadLetters: new DeadLetters({ directory, exporterId: 'x', signal: 'traces', clock: systemClock }),
    });
    for (let crash = 0; crash < crashes; crash++) {
      const drain = startDrain(log, exporter, options());
      await new Promise((resolve) => setTimeout(resolve, prng.nextInt(8)));
      await drain.end();
      log.crash();
      log.openWriter();
    }
    const drain = startDrain(log, exporter, options());
    await until('the end', () => drain.cursor.ordinal === total);
    await drain.end();
    const written = poison.size === 0 ? [] : readLetters(directory).map(numberOf);
    assert.deepEqual([...new Set(sorted(written))], sorted([...poison]));
    const good = range(0, total).filter((item) => !poison.has(item));
    assert.deepEqual([...new Set(sorted(exporter.delivered))], good);
    if (crashes === 0)
      assert.deepEqual([written.length, exporter.delivered.length], [poison.size, good.length]);
  });
  await fc.assert(property, { numRuns: 40, endOnFailure: true });
});

test('files are rotated and the oldest dropped and counted; half a line of a crash stays apart', async () => {
  const log = memoryLog();
  const writer = log.openWriter();
  mkdirSync(join(root, 'otlp%2f2'));
  appendFileSync(join(root, 'otlp%2f2', 'traces-00000007.jsonl'), '{"time":"20');
  const exporter = new ScriptedExporter(() => Promise.reject(permanent()));
  const config = deliveryConfig({ batch: { maxSize: 1 }, numConsumers: 1 });
  const letters = deadLetters({ fileBytesMax: 4_000, totalBytesMax: 20_000 });
  const drain = startDrain(log, exporter, { config, deadLetters: letters });
  for (let round = 0; round < 6; round++) await fill(writer, [10], 100);
  await until('the end', () => drain.cursor.ordinal === 60);
  const directory = join(root, 'otlp%2f2');
  const names = readdirSync(directory).sort();
  const sizes = names.map((name) => readFileSync(join(directory, name)).byteLength);
  assert.ok(sizes.every((size) => size <= 4_000) && sizes.reduce((sum, size) => sum + size, 0) <= 20_000);
  assert.ok(!names.includes('traces-00000007.jsonl') && names.length >= 4);
  const kept = readLetters().map(numberOf);
  assert.deepEqual(kept, range(60 - kept.length, 60));
  // The torn line was ended, and counts as an item.
  assert.equal(drain.counter('millrace_deadletter_dropped_items'), 60 - kept.length + 1);
  await drain.end();
});

test('the number of files is bounded, too', async () => {
  const log = memoryLog();
  const writer = log.openWriter();
  const exporter = new ScriptedExporter(() => Promise.reject(permanent()));
  const config = deliveryConfig({ batch: { maxSize: 1 }, numConsumers: 1 });
  // A quarter of the bytes is one file.
  const letters = deadLetters({ totalBytesMax: 16_000, filesMax: 2 });
  const drain = startDrain(log, exporter, { config, deadLetters: letters });
  for (let round = 0; round < 4; round++) await fill(writer, [10], 100);
  await until('the end', () => drain.cursor.ordinal === 40);
  assert.equal(readdirSync(join(root, 'otlp%2f2')).length, 2);
  const kept = readLetters().map(numberOf);
  assert.deepEqual(kept, range(40 - kept.length, 40));
  assert.equal(drain.counter('millrace_deadletter_dropped_items'), 40 - kept.length);
  await drain.end();
});

test('bytes that are no request, refused for good, are dropped and counted; what follows is delivered', async () => {
  const log = memoryLog();
  const writer = log.openWriter();
  writer.tryAppend(Uint8Array.of(0x0a, 0x7f, 0x01), 5, 1);
  await writer.commit();
  await fill(writer, [2]);
  // Reads what it is given, as the exporters that decode do.
  const exporter = new ScriptedExporter();
  const config = deliveryConfig({ batch: { maxSize: 5, minSize: 5 } });
  const drain = startDrain(
    log,
    {
      start: () => exporter.start(),
      shutdown: () => exporter.shutdown(),
      export: (batch, signal) => {
        if (batch.slices[0]!.byteLength === 3) return Promise.reject(permanent());
        return exporter.export(batch, signal);
      },
    },
    { config, deadLetters: deadLetters() },
  );
  await until('the end', () => drain.cursor.ordinal === 7);
  assert.deepEqual(exporter.delivered, [5, 6]);
  assert.equal(drain.counter('otelcol_exporter_send_failed_spans'), 5);
  await drain.end();
});

test('without durability there are no files: single bad items are dropped and counted', async () => {
  const log = memoryLog();
  await fill(log.openWriter(), [40]);
  const exporter = refusing(9);
  const drain = startDrain(log, exporter, { config: wholeBatches, isDurable: false });
  await until('the end', () => drain.cursor.ordinal === 40);
  assert.equal(exporter.delivered.length, 39);
  assert.equal(drain.counter('otelcol_exporter_send_failed_spans'), 1);
  assert.equal(drain.counter('millrace_deadletter_items'), 0);
  await drain.end();
});

test('B2: an exporter that ignores its signal loses the attempt after the grace, and its memory is left alone', async () => {
  // The model of the log overwrites released records, so a late reader would see other bytes.
  const log = memoryLog();
  await fill(log.openWriter(), [3]);
  let readLate!: () => number[];
  let settleLate!: () => void;
  const exporter = new ScriptedExporter((batch, _, attempt) => {
    if (attempt > 0) return undefined;
    readLate = () => itemNumbers(batch.slices);
    return new Promise((resolve) => {
      settleLate = resolve;
    });
  });
  const drain = startDrain(log, exporter, { config: deliveryConfig({ timeoutMs: 20 }), graceMs: 20 });
  await until('delivery', () => drain.cursor.ordinal === 3);
  assert.equal(drain.counter('millrace_exporter_abandoned_attempts'), 1);
  assert.deepEqual(readLate(), [0, 1, 2]);
  settleLate();
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(drain.counter('otelcol_exporter_sent_spans'), 3);
  await drain.end();
});

test('attempts left behind have a limit; one that ends within the grace is not left behind', async () => {
  const log = memoryLog();
  await fill(
    log.openWriter(),
    range(0, 20).map(() => 1),
  );
  const exporter = new ScriptedExporter(() => new Promise(() => undefined));
  const config = deliveryConfig({ timeoutMs: 5, numConsumers: 20, batch: { maxSize: 1 } });
  const drain = startDrain(log, exporter, { config, graceMs: 5 });
  await until('the limit', () => drain.counter('millrace_exporter_abandoned_attempts') === 16);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(drain.counter('millrace_exporter_abandoned_attempts'), 16);
  await drain.end();

  const quick = memoryLog();
  await fill(quick.openWriter(), [1]);
  const polite = new ScriptedExporter((_, signal, attempt) => (attempt === 0 ? hang(signal) : undefined));
  const second = startDrain(quick, polite, { config: deliveryConfig({ timeoutMs: 5 }), graceMs: 1_000 });
  await until('delivery', () => second.cursor.ordinal === 1);
  assert.equal(second.counter('millrace_exporter_abandoned_attempts'), 0);
  await second.end();
});
