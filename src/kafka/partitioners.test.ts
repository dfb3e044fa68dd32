import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import test from 'node:test';
import fc from 'fast-check';
import { fnv1a, murmur2, partitionOfKey } from './partitioners.ts';

const load = createRequire(import.meta.url);
const murmurOfClient = load('kafkajs/src/producer/partitioners/default/murmur2') as (key: Buffer) => number;

test('FNV-1a has the values of its reference (draft-eastlake-fnv, appendix C)', () => {
  assert.equal(fnv1a(Buffer.from('')) >>> 0, 0x811c9dc5);
  assert.equal(fnv1a(Buffer.from('a')) >>> 0, 0xe40c292c);
  assert.equal(fnv1a(Buffer.from('foobar')) >>> 0, 0xbf9cf968);
});

test('murmur2 has the values of the Java client’s own test', () => {
  const known: readonly [string, number][] = [
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ];
  for (const [text, hash] of known) assert.equal(murmur2(Buffer.from(text)) | 0, hash, text);
});

test('murmur2 agrees with the client library for any key', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (key) => {
      assert.equal(murmur2(key) | 0, murmurOfClient(Buffer.from(key)) | 0);
    }),
  );
});

test('keys with a negative hash go where Sarama and Java put them', () => {
  // 0xe40c292c is -468965076 as an int32: the remainder by 7 is -2, and Sarama turns the sign.
  assert.equal(partitionOfKey('sarama_compat', Buffer.from('a'), 7), 468_965_076 % 7);
  // -973932308 without its sign bit is 1173551340.
  assert.equal(partitionOfKey('murmur2', Buffer.from('21'), 7), 1_173_551_340 % 7);
});

test('every partition is one that exists', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 1, max: 1000 }), (key, count) => {
      for (const hasher of ['sarama_compat', 'murmur2'] as const) {
        const partition = partitionOfKey(hasher, key, count);
        assert.ok(Number.isInteger(partition) && partition >= 0 && partition < count);
      }
    }),
  );
});
