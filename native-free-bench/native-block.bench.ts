import { BlockWriter } from '../src/exporters/clickhouse/encode/block-writer.ts';
import type { SignalEncoder } from '../src/exporters/clickhouse/encode/encoder.ts';
import { LogsEncoder } from '../src/exporters/clickhouse/encode/logs-encoder.ts';
import { TracesEncoder } from '../src/exporters/clickhouse/encode/traces-encoder.ts';
import type { GeneratedSignal } from '../src/testkit/generators.ts';
import type { Suite } from './harness.ts';
import { protobufType, request, SPANS } from './inputs.ts';

const REQUESTS = 16;
const textEncoder = new TextEncoder();

/** Wire bytes to a Native block, against decoding to objects and writing them as JSON rows. */
function blockSuite(signal: GeneratedSignal, encoder: SignalEncoder): Suite {
  const bytes = request(signal);
  const slices = Array.from({ length: REQUESTS }, () => bytes);
  const type = protobufType(signal);
  const writer = new BlockWriter();
  return {
    name: `native-block-${signal}`,
    item: 'row',
    itemsPerOp: SPANS * REQUESTS,
    bytesPerOp: bytes.byteLength * REQUESTS,
    variants: {
      'wire to Native': () => {
        encoder.reset();
        writer.reset();
        for (const table of encoder.encode(slices)) writer.appendBlock(table.columns, table.rowCount);
        return writer.sizeBytes;
      },
      'protobufjs to JSON': () => {
        let sizeBytes = 0;
        for (const slice of slices)
          sizeBytes += textEncoder.encode(JSON.stringify(type.decode(slice))).byteLength;
        return sizeBytes;
      },
    },
    gates: [{ fast: 'wire to Native', slow: 'protobufjs to JSON', atLeast: 5 }],
  };
}

export const suites: readonly Suite[] = [
  blockSuite('traces', new TracesEncoder()),
  blockSuite('logs', new LogsEncoder()),
];
