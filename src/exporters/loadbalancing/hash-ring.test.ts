import assert from 'node:assert/strict';
import test from 'node:test';
import { HashRing, hexKeyHash, keyHash, textKeyHash } from './hash-ring.ts';

const ENDPOINTS = ['10.1.0.4', '10.1.0.7:4317', 'tail-0.tail:4317', 'tail-1.tail:4317'];

/** What contrib 0.158 answers with these endpoints: trace id, its backend as bytes and as digits. */
const VECTORS: readonly (readonly [string, number, number])[] = [
  ['9e3779b1000000000000000000000000', 0, 0],
  ['3c6ef36200000000ef1e000000000000', 1, 0],
  ['daa66d1300000000de3d000000000000', 0, 1],
  ['78dde6c400000000cd5c000000000000', 0, 2],
  ['1715607500000000bc7b000000000000', 0, 0],
  ['b54cda2600000000ab9a000000000000', 0, 2],
  ['8ff347390000000078f7000000000000', 3, 3],
  ['2e2ac0ea000000006716010000000000', 0, 3],
  ['cc623a9b000000005635010000000000', 0, 1],
];

test('keys have the backends that the Collector gives them', () => {
  const ring = new HashRing(ENDPOINTS);
  for (const [hex, ofBytes, ofDigits] of VECTORS) {
    const id = Buffer.from(`ff${hex}`, 'hex');
    assert.equal(ring.ownerOf(keyHash(id, 1, 17)), ofBytes, hex);
    assert.equal(ring.ownerOf(hexKeyHash(id, 1, 17)), ofDigits, hex);
    assert.equal(hexKeyHash(id, 1, 17), textKeyHash(hex));
  }
  const ofNames = ['shop', 'payment', 'cart', ''].map((name) => ring.ownerOf(textKeyHash(name)));
  assert.deepEqual(ofNames, [1, 3, 2, 3]);
  assert.equal(textKeyHash('123456789'), 0xcbf43926);
});

test('a backend that goes leaves the keys of the others where they are, but for the few beside its points', () => {
  const before = new HashRing(ENDPOINTS);
  const after = new HashRing(ENDPOINTS.slice(0, 3));
  let moved = 0;
  let kept = 0;
  for (let key = 0; key < 20_000; key++) {
    const hash = textKeyHash(`key ${key}`);
    const owner = before.ownerOf(hash);
    if (owner === 3) continue;
    kept += 1;
    if (after.ownerOf(hash) !== owner) moved += 1;
  }
  assert.ok(kept > 10_000);
  assert.ok(moved < kept * 0.01, `${moved} of ${kept} keys moved`);
});

test('one backend has everything', () => {
  const ring = new HashRing(['only:4317']);
  for (let key = 0; key < 1000; key++) assert.equal(ring.ownerOf(textKeyHash(`${key}`)), 0);
});
