import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { copyBytes } from './copy-bytes.ts';

function memory(isShared: boolean, sizeBytes: number): Uint8Array {
  return new Uint8Array(isShared ? new SharedArrayBuffer(sizeBytes) : new ArrayBuffer(sizeBytes)).fill(0xaa);
}

test('copies exactly the source, between private and shared memory, at any offset and length', () => {
  const scenario = fc.record({
    sizeBytes: fc.oneof(fc.integer({ min: 0, max: 600 }), fc.constantFrom(255, 256, 257, 70_000)),
    sourceOffset: fc.nat(40),
    targetOffset: fc.nat(40),
    isSourceShared: fc.boolean(),
    isTargetShared: fc.boolean(),
  });
  fc.assert(
    fc.property(scenario, (given) => {
      const source = memory(given.isSourceShared, given.sourceOffset + given.sizeBytes + 9);
      for (let i = 0; i < source.length; i++) source[i] = i * 13 + (i >> 8);
      const target = memory(given.isTargetShared, given.targetOffset + given.sizeBytes + 9);
      const part = source.subarray(given.sourceOffset, given.sourceOffset + given.sizeBytes);
      copyBytes(target, given.targetOffset, part);
      const end = given.targetOffset + given.sizeBytes;
      assert.deepEqual(Buffer.from(target.subarray(given.targetOffset, end)), Buffer.from(part));
      assert.ok(target.subarray(0, given.targetOffset).every((byte) => byte === 0xaa));
      assert.ok(target.subarray(end).every((byte) => byte === 0xaa));
    }),
    { numRuns: 300 },
  );
});

test('a source that does not fit is an error, not a short copy', () => {
  assert.throws(() => copyBytes(new Uint8Array(300), 10, new Uint8Array(295)), RangeError);
  assert.throws(() => copyBytes(new Uint8Array(10), 5, new Uint8Array(6)), RangeError);
});
