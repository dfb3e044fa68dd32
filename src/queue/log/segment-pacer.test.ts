import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SegmentPacer } from './segment-pacer.ts';

const MIB = 1024 * 1024;

function targetsAfter(bytesMax: number, tookMs: readonly number[]): number[] {
  const pacer = new SegmentPacer(bytesMax, 0);
  let nowMs = 0;
  return tookMs.map((ms) => {
    nowMs += ms;
    pacer.rolled(nowMs);
    return pacer.targetBytes / MIB;
  });
}

test('segments grow while they fill within a second, up to the limit', () => {
  assert.deepEqual(targetsAfter(256 * MIB, [300, 300, 300, 300, 300]), [64, 128, 256, 256, 256]);
});

test('segments shrink while one lasts more than five seconds, and stay in between', () => {
  assert.deepEqual(targetsAfter(256 * MIB, [300, 300, 2000, 8000, 8000, 8000]), [64, 128, 128, 64, 32, 32]);
});

test('a small limit is never passed', () => {
  assert.deepEqual(targetsAfter(4 * MIB, [1, 1, 9000]), [4, 4, 4]);
});
