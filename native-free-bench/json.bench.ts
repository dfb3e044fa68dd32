import { jsonToProto } from '../src/otlp/json-to-proto.ts';
import { GENERATED_SIGNALS, type GeneratedSignal } from '../src/testkit/generators.ts';
import type { Suite } from './harness.ts';
import { jsonNamedType, request, SPANS } from './inputs.ts';

const decoder = new TextDecoder();

/**
 * The comparison knows the JSON names but takes hexadecimal ids for base64, so it does a little less than the job
 * and still has to lose.
 */
function jsonSuite(signal: GeneratedSignal): Suite {
  const bytes = request(signal, 'json');
  const type = jsonNamedType(signal);
  return {
    name: `json-${signal}`,
    item: 'item',
    itemsPerOp: SPANS,
    bytesPerOp: bytes.byteLength,
    variants: {
      jsonToProto: () => jsonToProto(signal, bytes),
      'JSON.parse+protobufjs': () =>
        type.encode(type.fromObject(JSON.parse(decoder.decode(bytes)) as Record<string, unknown>)).finish(),
    },
    gates: [{ fast: 'jsonToProto', slow: 'JSON.parse+protobufjs', atLeast: 1.5 }],
  };
}

export const suites: readonly Suite[] = GENERATED_SIGNALS.map(jsonSuite);
