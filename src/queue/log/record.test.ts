import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { crc32 } from '../../stdx/crc32.ts';
import { Prng } from '../../stdx/prng.ts';
import { RECORD_VERSION, readRecordBytes } from './record.ts';
import { BufferPool, finishRecord, RecordBuilder } from './record-builder.ts';

const LOG_HASH = 0x1234_5678;

/** Three requests in a buffer that was full of other bytes before. */
function createRecord(contexts: (Buffer | undefined)[] = []): { bytes: Uint8Array; requests: Buffer[] } {
  const pool = new BufferPool(4096, 65_536);
  const used = pool.take(10);
  used.fill(0xff);
  pool.give(used);
  const requests = [Buffer.from('first request'), Buffer.from('2nd'), Buffer.alloc(501, 7)];
  const builder = new RecordBuilder(pool, 2 ** 40, 1_700_000_000_123, 13);
  for (const [index, request] of requests.entries()) builder.append(request, index + 1, contexts[index]);
  const sealed = builder.seal();
  finishRecord(sealed, 2 ** 40 - 5, LOG_HASH);
  return { bytes: new Uint8Array(sealed.bytes), requests };
}

test('a record gives back its requests, their item ranges and its times', () => {
  const { bytes, requests } = createRecord();
  const record = readRecordBytes(bytes, LOG_HASH);
  assert.ok(typeof record !== 'string');
  assert.equal(record.firstOrdinal, 2 ** 40);
  assert.equal(record.endOrdinal, 2 ** 40 + 6);
  assert.equal(record.receivedUnixMs, 1_700_000_000_123);
  assert.deepEqual(Buffer.from(record.payload), Buffer.concat(requests));
  assert.deepEqual([...record.entryEnds], [13, 16, 517]);
  assert.deepEqual([...record.entryItemEnds], [1, 3, 6]);
});

const CONTEXTS = [undefined, Buffer.from('acme'), Buffer.from('umbrella')];

test('a record without contexts has the bytes of the first format, so that older programs read it', () => {
  const { bytes } = createRecord();
  // Taken from the program before contexts were stored.
  const wanted = '8392037d4258672ee8bb9e4726513b22816be5e6de89efb9bb82734341728bfa';
  assert.equal(createHash('sha256').update(bytes).digest('hex'), wanted);
});

test('contexts come back with their requests, each stored once, under the second format', () => {
  const { bytes, requests } = createRecord(CONTEXTS);
  assert.equal(new DataView(bytes.buffer).getUint16(4, true), 2);
  const record = readRecordBytes(bytes, LOG_HASH);
  assert.ok(typeof record !== 'string');
  assert.deepEqual(Buffer.from(record.payload), Buffer.concat(requests));
  assert.deepEqual([...record.entryItemEnds], [1, 3, 6]);
  assert.deepEqual(record.contexts?.map(String), ['97,99,109,101', '117,109,98,114,101,108,108,97']);
  assert.deepEqual([...record.entryContexts!], [0, 1, 2]);
  const twice = readRecordBytes(createRecord([CONTEXTS[1], CONTEXTS[1], undefined]).bytes, LOG_HASH);
  assert.ok(typeof twice !== 'string');
  assert.equal(twice.contexts?.length, 1);
  assert.deepEqual([...twice.entryContexts!], [1, 1, 0]);
});

test('a record of a format that is not known yet is left alone', () => {
  const { bytes } = createRecord(CONTEXTS);
  const view = new DataView(bytes.buffer);
  view.setUint16(4, RECORD_VERSION + 1, true);
  view.setUint32(56, crc32(bytes.subarray(0, 56)), true);
  assert.equal(readRecordBytes(bytes, LOG_HASH), 'newer format');
});

for (const [name, contexts] of Object.entries({ 'without contexts': [], 'with contexts': CONTEXTS }))
  test(`a record ${name} with any bit flipped or cut at any byte is not taken`, () => {
    const { bytes } = createRecord(contexts);
    for (let length = 0; length < bytes.length; length++) {
      assert.equal(typeof readRecordBytes(bytes.slice(0, length), LOG_HASH), 'string', `cut at ${length}`);
    }
    const prng = new Prng(11);
    for (let at = 0; at < bytes.length; at++) {
      // The last four bytes of the header are reserved: no reader looks at them.
      if (at >= 60 && at < 64) continue;
      const flipped = bytes.slice();
      flipped[at] = (flipped[at] as number) ^ (1 << prng.nextInt(8));
      assert.equal(typeof readRecordBytes(flipped, LOG_HASH), 'string', `flipped at ${at}`);
    }
  });

test('another log and a newer format are told from damage', () => {
  const { bytes } = createRecord();
  assert.equal(readRecordBytes(bytes, LOG_HASH + 1), 'another log');
  assert.equal(readRecordBytes(new Uint8Array(100), LOG_HASH), 'not a record');
});

test('a request larger than a record gets a buffer of its own, and takes no more than that', () => {
  const pool = new BufferPool(4096, 65_536);
  const builder = new RecordBuilder(pool, 0, 1, 100_000);
  builder.append(Buffer.alloc(100_000, 1), 1);
  assert.equal(builder.fits(10_000), false);
  const sealed = builder.seal();
  finishRecord(sealed, 0, LOG_HASH);
  assert.ok(typeof readRecordBytes(sealed.bytes, LOG_HASH) !== 'string');
  pool.give(sealed.buffer);
  assert.equal(pool.take(1).byteLength, 4096);
});

test('large buffers are used again, for records of about their size, and are kept up to a bound', () => {
  const pool = new BufferPool(4096, 8 << 20);
  const first = pool.take(840_000);
  const second = pool.take(845_000);
  assert.notEqual(first, second);
  pool.give(first);
  pool.give(second);
  // Of a step in size, so either fits.
  const again = new Set([pool.take(845_000), pool.take(840_000)]);
  assert.deepEqual(again, new Set([first, second]));
  const many = Array.from({ length: 20 }, () => pool.take(900_000));
  for (const buffer of many) pool.give(buffer);
  const kept = Array.from({ length: 20 }, () => pool.take(900_000)).filter((buffer) => many.includes(buffer));
  const keptBytes = kept.reduce((sum, { byteLength }) => sum + byteLength, 0);
  assert.ok(keptBytes > 6 << 20 && keptBytes <= 8 << 20, String(keptBytes));
  const huge = pool.take(10 << 20);
  pool.give(huge);
  assert.notEqual(pool.take(10 << 20), huge);
});

test('buffers of the ordinary size go before large ones, within one bound for both', () => {
  const pool = new BufferPool(4096, 1 << 20);
  const large = pool.take(600_000);
  pool.give(large);
  const small = Array.from({ length: 128 }, () => pool.take(1));
  for (const buffer of small) pool.give(buffer);
  assert.notEqual(pool.take(600_000), large);
  const again = Array.from({ length: 128 }, () => pool.take(1));
  assert.deepEqual(new Set(again), new Set(small));
});
