/** The consuming thread of ring.test.ts: checks order, size and content of every frame. */
import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../stdx/assert.ts';
import { Prng } from '../stdx/prng.ts';
import { RingConsumer } from './consumer.ts';

export interface RingPeerData {
  memory: SharedArrayBuffer;
  count: number;
  seed: number;
}

const { memory, count, seed } = workerData as RingPeerData;
const consumer = new RingConsumer(memory);
const prng = new Prng(seed);
const keepAlive = setInterval(() => {}, 1000);
let frames = 0;
let sleeps = 0;
while (frames < count) {
  let sinceRelease = 0;
  while (consumer.tryRead()) {
    const sizeBytes = 4 + prng.nextInt(frames % 97 === 0 ? 30_000 : 600);
    const bytes = consumer.bytes.subarray(consumer.payloadStart, consumer.payloadEnd);
    assert(bytes.length === sizeBytes, `frame ${frames}: size`);
    const index = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
    assert(index === frames, `frame ${frames}: order`);
    assert(
      bytes.subarray(4).every((byte) => byte === (frames & 255)),
      `frame ${frames}: content`,
    );
    frames += 1;
    sinceRelease += 1;
    if (sinceRelease === 7) {
      consumer.release();
      sinceRelease = 0;
    }
  }
  consumer.release();
  if (frames === count) break;
  const slept = consumer.sleep();
  if (slept !== undefined) {
    sleeps += 1;
    await slept;
  }
}
clearInterval(keepAlive);
parentPort?.postMessage({ frames, sleeps });
