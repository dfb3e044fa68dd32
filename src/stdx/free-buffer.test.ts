import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freeBuffer } from './free-buffer.ts';

test('memory is given back at once, without a collection', () => {
  const BYTES = 64 << 20;
  const before = process.memoryUsage().arrayBuffers;
  const buffer = Buffer.allocUnsafeSlow(BYTES).fill(1);
  assert.ok(process.memoryUsage().arrayBuffers >= before + BYTES);
  freeBuffer(buffer.buffer);
  assert.equal(buffer.byteLength, 0);
  assert.ok(process.memoryUsage().arrayBuffers < before + BYTES / 2);
});
