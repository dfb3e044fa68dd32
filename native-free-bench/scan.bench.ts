import { scanRequest } from '../src/otlp/scan.ts';
import { RequestIndex } from '../src/pdata/request-index.ts';
import { GENERATED_SIGNALS, type GeneratedSignal } from '../src/testkit/generators.ts';
import type { Suite } from './harness.ts';
import { protobufType, request, SPANS } from './inputs.ts';

/** Points are mostly numbers, which a decoder reads fast; spans and records are mostly text. */
const SCAN_RATIO: Readonly<Record<GeneratedSignal, number>> = { traces: 20, logs: 15, metrics: 10 };

/** The scan validates as much as a decoder does, and must never cost what a decoder costs. */
function scanSuite(signal: GeneratedSignal): Suite {
  const bytes = request(signal);
  const type = protobufType(signal);
  const index = new RequestIndex();
  return {
    name: `scan-${signal}`,
    item: 'item',
    itemsPerOp: SPANS,
    bytesPerOp: bytes.byteLength,
    variants: {
      scan: () => {
        scanRequest(signal, bytes, 0, bytes.byteLength, index);
        return index.itemCount;
      },
      protobufjs: () => type.decode(bytes),
    },
    gates: [{ fast: 'scan', slow: 'protobufjs', atLeast: SCAN_RATIO[signal] }],
  };
}

export const suites: readonly Suite[] = GENERATED_SIGNALS.map(scanSuite);
