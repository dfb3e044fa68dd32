import { RingConsumer } from '../src/ring/consumer.ts';
import { ringDataBytes } from '../src/ring/layout.ts';
import { RingProducer } from '../src/ring/producer.ts';
import type { Suite } from './harness.ts';
import { request } from './inputs.ts';

const FRAMES = 64;

/** One thread writes and reads, so this is the cost of the ring without any wake-up. */
function ringSuite(name: string, payload: Uint8Array): Suite {
  const memory = RingProducer.create(ringDataBytes(payload.byteLength * 4)).memory;
  const producer = new RingProducer(memory);
  const consumer = new RingConsumer(memory);
  const parts = [payload];
  const target = new Uint8Array(payload.byteLength);
  return {
    name,
    item: 'frame',
    itemsPerOp: FRAMES,
    bytesPerOp: payload.byteLength * FRAMES,
    variants: {
      ring: () => {
        let read = 0;
        for (let i = 0; i < FRAMES; i += 1) {
          if (!producer.tryWrite(parts, payload.byteLength)) throw new Error('ring full');
          if (consumer.tryRead()) read += 1;
          consumer.release();
        }
        return read;
      },
      copy: () => {
        for (let i = 0; i < FRAMES; i += 1) target.set(payload);
        return target[0];
      },
      structuredClone: () => {
        let bytes = 0;
        for (let i = 0; i < FRAMES; i += 1) bytes += structuredClone(payload).byteLength;
        return bytes;
      },
    },
    gates: [{ fast: 'ring', slow: 'structuredClone', atLeast: 1.5 }],
  };
}

export const suites: readonly Suite[] = [
  ringSuite('ring-request', request('traces')),
  ringSuite('ring-small-frame', new Uint8Array(200).fill(7)),
];
