import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { Prng } from '../stdx/prng.ts';
import { RingConsumer } from './consumer.ts';
import {
  createRing,
  frameBytes,
  HEADER_BYTES,
  ringDataBytes,
  WORD_READ_SEQ,
  WORD_WRITE_SEQ,
} from './layout.ts';
import { RingProducer } from './producer.ts';
import type { RingPeerData } from './ring.test-peer.ts';

function ringAt(seq: number, dataBytes: number): SharedArrayBuffer {
  const memory = createRing(dataBytes);
  const words = new Int32Array(memory, 0, HEADER_BYTES / 4);
  words[WORD_READ_SEQ] = seq | 0;
  words[WORD_WRITE_SEQ] = seq | 0;
  return memory;
}

function payload(seed: number, sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  for (let i = 0; i < sizeBytes; i++) bytes[i] = (seed * 31 + i * 7) & 255;
  return bytes;
}

function readPayload(consumer: RingConsumer): Uint8Array {
  return consumer.bytes.slice(consumer.payloadStart, consumer.payloadEnd);
}

test('any sequence of writes, reads and releases equals a bounded queue, near every wrap', () => {
  const starts = fc.constantFrom(0, 8, 4088, 0x7fff_fff8, 0x7fff_f000, -8, -4096, 0xffff_fff8 | 0);
  const steps = fc.array(
    fc.oneof(
      fc.record({ kind: fc.constant('write' as const), sizeBytes: fc.integer({ min: 1, max: 4088 }) }),
      fc.record({ kind: fc.constantFrom('read' as const, 'release' as const), sizeBytes: fc.constant(0) }),
    ),
    { maxLength: 200 },
  );
  let refusals = 0;
  fc.assert(
    fc.property(starts, steps, (start, commands) => {
      const memory = ringAt(start, 4096);
      const producer = new RingProducer(memory);
      const consumer = new RingConsumer(memory);
      const written: Uint8Array[] = [];
      let readCount = 0;
      let releasedCount = 0;
      for (const [index, command] of commands.entries()) {
        if (command.kind === 'write') {
          const bytes = payload(index, command.sizeBytes);
          const half = bytes.length >> 1;
          if (producer.tryWrite([bytes.subarray(0, half), bytes.subarray(half)], bytes.length))
            written.push(bytes);
          else {
            refusals += 1;
            assert.ok(releasedCount < written.length, 'an empty ring refused its capacity');
          }
        } else if (command.kind === 'read') {
          const has = consumer.tryRead();
          assert.equal(has, readCount < written.length);
          if (has) assert.deepEqual(readPayload(consumer), written[readCount++]);
        } else {
          consumer.release();
          releasedCount = readCount;
        }
        assert.ok(producer.queuedBytes <= producer.capacityBytes);
      }
      while (consumer.tryRead()) assert.deepEqual(readPayload(consumer), written[readCount++]);
      assert.equal(readCount, written.length);
    }),
    { numRuns: 400 },
  );
  assert.ok(refusals > 100, 'the model never filled the ring');
});

test('the largest acceptable body fits an empty ring at every position', () => {
  const largest = 4088;
  const dataBytes = ringDataBytes(largest);
  assert.equal(dataBytes, 4096);
  for (let start = 0; start < dataBytes; start += 8) {
    const producer = new RingProducer(ringAt(start, dataBytes));
    assert.equal(producer.tryWrite([new Uint8Array(largest)], largest), true, `at ${start}`);
  }
});

test('an idle ring keeps to its first bytes', () => {
  const memory = createRing(1 << 20);
  const producer = new RingProducer(memory);
  const consumer = new RingConsumer(memory);
  for (let i = 0; i < 10_000; i++) {
    assert.equal(producer.tryWrite([payload(i, 1000)], 1000), true);
    assert.equal(consumer.tryRead(), true);
    assert.ok(consumer.payloadEnd <= 2 * frameBytes(1000));
    consumer.release();
  }
});

test('a ring that starts over keeps its whole capacity', () => {
  const memory = createRing(4096);
  const producer = new RingProducer(memory);
  const consumer = new RingConsumer(memory);
  producer.tryWrite([payload(0, 24)], 24);
  consumer.tryRead();
  consumer.release();
  let written = 0;
  while (producer.tryWrite([payload(written, 24)], 24)) written += 1;
  assert.equal(written, 4096 / frameBytes(24));
});

test('frames that were read but not released are read again by a successor', () => {
  const memory = createRing(4096);
  const producer = new RingProducer(memory);
  const first = new RingConsumer(memory);
  for (let i = 0; i < 3; i++) producer.tryWrite([payload(i, 100)], 100);
  first.tryRead();
  first.release();
  first.tryRead();
  const successor = new RingConsumer(memory);
  assert.equal(successor.tryRead(), true);
  assert.deepEqual(readPayload(successor), payload(1, 100));
});

test('a sleeping consumer wakes at a write, at its own interrupt, and not for nothing', async () => {
  const memory = createRing(4096);
  const producer = new RingProducer(memory);
  const consumer = new RingConsumer(memory);
  const keepAlive = setInterval(() => {}, 1000);
  const asleep = consumer.sleep();
  producer.tryWrite([payload(0, 8)], 8);
  producer.wake();
  assert.equal(await asleep, 'ok');
  assert.equal(consumer.sleep(), undefined, 'a frame waits');
  consumer.tryRead();
  consumer.release();
  const again = consumer.sleep();
  consumer.interrupt();
  assert.equal(await again, 'ok');
  clearInterval(keepAlive);
});

for (const start of [0, 0x7fff_8000, -32_768]) {
  test(`two threads, random sizes, start ${start}: every frame once, in order, unmixed`, {
    timeout: 60_000,
  }, async () => {
    const memory = ringAt(start, 1 << 16);
    const producer = new RingProducer(memory);
    const count = 60_000;
    const seed = 4242;
    const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
    const worker = new Worker(new URL(`./ring.test-peer${extension}`, import.meta.url), {
      workerData: { memory, count, seed } satisfies RingPeerData,
    });
    const verdict = new Promise<{ frames: number; sleeps: number }>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    const prng = new Prng(seed);
    let refusals = 0;
    for (let i = 0; i < count; i++) {
      const sizeBytes = 4 + prng.nextInt(i % 97 === 0 ? 30_000 : 600);
      const bytes = new Uint8Array(sizeBytes).fill(i & 255);
      new DataView(bytes.buffer).setUint32(0, i, true);
      while (!producer.tryWrite([bytes], sizeBytes)) {
        refusals += 1;
        producer.wake();
        await new Promise(setImmediate);
      }
      if (i % 16 === 0) producer.wake();
      if (i % 5000 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    producer.wake();
    const result = await verdict;
    assert.equal(result.frames, count);
    assert.ok(refusals > 0, 'backpressure never showed');
    assert.ok(result.sleeps > 0, 'the consumer never slept');
    await worker.terminate();
  });
}
