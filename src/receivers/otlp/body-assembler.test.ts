import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prng } from '../../stdx/prng.ts';
import { AssemblyMemory, BLOCK_BYTES, BodyAssembler, KEPT_CHUNK_BYTES_MIN } from './body-assembler.ts';

test('bodies of random chunks come out byte for byte, whoever owns the chunks', () => {
  const seed = Date.now() & 0xffff;
  const prng = new Prng(seed);
  const memory = new AssemblyMemory(64 << 20);
  const reused = Buffer.alloc(200_000);
  for (let run = 0; run < 300; run++) {
    const body = new BodyAssembler(memory);
    const sent: Buffer[] = [];
    for (let left = prng.nextInt(8); left > 0; left--) {
      const sizeBytes = prng.nextInt(2) === 0 ? prng.nextInt(200) : prng.nextInt(200_000);
      const content = Buffer.alloc(sizeBytes, prng.nextUint32() & 0xff);
      sent.push(content);
      const isStable = prng.nextInt(2) === 0;
      // A chunk of the server's own is overwritten by the next one, as uWebSockets.js does.
      const chunk = isStable ? content : reused.subarray(0, sizeBytes);
      if (!isStable) chunk.set(content);
      assert.equal(body.append(chunk, isStable), true);
    }
    const last = Buffer.alloc(prng.nextInt(1000), 1);
    const chunks = body.finish(last);
    assert.ok(Buffer.concat(chunks).equals(Buffer.concat([...sent, last])), `seed ${seed}, run ${run}`);
    assert.equal(body.sizeBytes, Buffer.concat([...sent, last]).byteLength);
    body.release();
    assert.equal(memory.usedBytes, 0);
  }
});

test('the last chunk is handed on without a copy, and large chunks of ours are kept', () => {
  const body = new BodyAssembler(new AssemblyMemory(1 << 20));
  const large = Buffer.alloc(KEPT_CHUNK_BYTES_MIN);
  const last = Buffer.alloc(100);
  body.append(Buffer.alloc(10), true);
  body.append(large, true);
  const chunks = body.finish(last);
  assert.equal(chunks.length, 3);
  assert.equal(chunks[1], large);
  assert.equal(chunks[2], last);
});

test('memory is counted in whole blocks, refused at the bound and given back once', () => {
  const memory = new AssemblyMemory(2 * BLOCK_BYTES);
  const body = new BodyAssembler(memory);
  assert.equal(body.append(Buffer.alloc(1), false), true);
  assert.equal(memory.usedBytes, BLOCK_BYTES);
  assert.equal(body.append(Buffer.alloc(BLOCK_BYTES), false), true);
  assert.equal(memory.usedBytes, 2 * BLOCK_BYTES);
  assert.equal(body.append(Buffer.alloc(BLOCK_BYTES), false), false);
  const other = new BodyAssembler(memory);
  assert.equal(other.append(Buffer.alloc(1), true), false);
  body.release();
  body.release();
  assert.equal(memory.usedBytes, 0);
  assert.equal(other.append(Buffer.alloc(1), true), true);
  other.release();
  assert.equal(memory.peakBytes, 2 * BLOCK_BYTES);
});
