/*
 * The official OTLP descriptors behind protobufjs: the independent encoder and decoder of every codec test.
 * Test data only. Production code has its own tables, so that these can prove them right.
 */
import { createRequire } from 'node:module';
import protobuf from 'protobufjs';
import type { Signal } from '../component/signal.ts';
// The type import makes the compiler put the JSON beside the compiled tests; a value import of JSON would print
// an experimental warning on Node 20.
import type descriptors from '../otlp/descriptors.json';

const load = createRequire(import.meta.url);
let root: protobuf.Root | undefined;

/** Root of all messages, with field names as in the .proto files (snake_case). Built once. */
export function otlpRoot(): protobuf.Root {
  root ??= protobuf.Root.fromJSON(
    load('../otlp/descriptors.json') as typeof descriptors as protobuf.INamespace,
  );
  return root;
}

/** One message type by its full name without the leading dot, e.g. `opentelemetry.proto.trace.v1.Span`. */
export function otlpType(fullName: string): protobuf.Type {
  return otlpRoot().lookupType(fullName);
}

const SERVICE: Record<Signal, string> = {
  traces: 'trace.v1.ExportTrace',
  metrics: 'metrics.v1.ExportMetrics',
  logs: 'logs.v1.ExportLogs',
};

/** The export request of a signal. */
export function requestType(signal: Signal): protobuf.Type {
  return otlpType(`opentelemetry.proto.collector.${SERVICE[signal]}ServiceRequest`);
}

/** The export response of a signal. */
export function responseType(signal: Signal): protobuf.Type {
  return otlpType(`opentelemetry.proto.collector.${SERVICE[signal]}ServiceResponse`);
}
