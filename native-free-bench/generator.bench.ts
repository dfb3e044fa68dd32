import { RequestGenerator } from '../src/testkit/generators.ts';
import type { Suite } from './harness.ts';
import { protobufType, request, SPANS } from './inputs.ts';

const generator = new RequestGenerator({ signal: 'traces', itemsPerRequest: SPANS, seed: 1 });
const slot = generator.createSlot();
const type = protobufType('traces');
const decoded = type.decode(request('traces'));
let seq = 0;

/** The load test runs on the engine's own cores: making a request has to be a small part of taking it. */
const fill: Suite = {
  name: 'generator-traces',
  item: 'span',
  itemsPerOp: SPANS,
  bytesPerOp: slot.bodyBytes,
  variants: {
    patch: () => {
      seq += 1;
      generator.fill(slot, seq, 1_760_000_000_000 + seq);
      return slot.buffer;
    },
    'protobufjs encode': () => type.encode(decoded).finish(),
  },
  gates: [{ fast: 'patch', slow: 'protobufjs encode', atLeast: 10 }],
};

export const suites: readonly Suite[] = [fill];
