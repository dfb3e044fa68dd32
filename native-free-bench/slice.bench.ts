import { countItems, sliceItems } from '../src/otlp/slice.ts';
import type { Suite } from './harness.ts';
import { protobufType, request, SPANS } from './inputs.ts';

const bytes = request('traces');
const type = protobufType('traces');

/** Splitting copies ranges of bytes; the comparison decodes and encodes as an object model would have to. */
const split: Suite = {
  name: 'slice-traces',
  item: 'span',
  itemsPerOp: SPANS,
  bytesPerOp: bytes.byteLength,
  variants: {
    sliceItems: () => [
      sliceItems('traces', bytes, 0, SPANS / 2),
      sliceItems('traces', bytes, SPANS / 2, SPANS),
    ],
    protobufjs: () => type.encode(type.decode(bytes)).finish(),
  },
  gates: [{ fast: 'sliceItems', slow: 'protobufjs', atLeast: 20 }],
};

const count: Suite = {
  name: 'count-traces',
  item: 'span',
  itemsPerOp: SPANS,
  bytesPerOp: bytes.byteLength,
  variants: { countItems: () => countItems('traces', bytes), copy: () => bytes.slice() },
  gates: [{ fast: 'countItems', slow: 'copy', atLeast: 0.2 }],
};

export const suites: readonly Suite[] = [split, count];
