/** Fixed inputs and the independent codec that variants are compared with. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import { type GeneratedSignal, generateRequest } from '../src/testkit/generators.ts';

export const SPANS = 512;
const SEED = 42;

/** The directory of package.json: above the sources and above the compiled tree. */
export function projectRoot(): string {
  let dir = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(dir, 'package.json')) || !existsSync(join(dir, 'src/otlp/descriptors.json'))) {
    if (dir === dirname(dir)) throw new Error('no project above this file');
    dir = dirname(dir);
  }
  return dir;
}

interface Descriptor {
  fields?: Record<string, unknown>;
  oneofs?: Record<string, { oneof: string[] }>;
  nested?: Record<string, Descriptor>;
}

function readDescriptors(): Descriptor {
  return JSON.parse(readFileSync(join(projectRoot(), 'src/otlp/descriptors.json'), 'utf8')) as Descriptor;
}

const camelCase = (name: string): string =>
  name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** Renames the fields of the .proto files to those of the JSON mapping. */
function withJsonNames(descriptor: Descriptor): Descriptor {
  const { fields, oneofs, nested } = descriptor;
  const renamed: Descriptor = { ...descriptor };
  const rename = <T>(record: Record<string, T>): Record<string, T> =>
    Object.fromEntries(Object.entries(record).map(([name, value]) => [camelCase(name), value]));
  if (fields !== undefined) renamed.fields = rename(fields);
  if (oneofs !== undefined) {
    const members = Object.entries(oneofs).map(([name, one]) => [name, { oneof: one.oneof.map(camelCase) }]);
    renamed.oneofs = Object.fromEntries(members) as Record<string, { oneof: string[] }>;
  }
  if (nested !== undefined) {
    renamed.nested = Object.fromEntries(
      Object.entries(nested).map(([name, one]) => [name, withJsonNames(one)]),
    );
  }
  return renamed;
}

const root = protobuf.Root.fromJSON(readDescriptors() as protobuf.INamespace);
const jsonRoot = protobuf.Root.fromJSON(withJsonNames(readDescriptors()) as protobuf.INamespace);

const TYPES: Readonly<Record<GeneratedSignal, string>> = {
  traces: 'opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest',
  logs: 'opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest',
  metrics: 'opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest',
};

export function protobufType(signal: GeneratedSignal): protobuf.Type {
  return root.lookupType(TYPES[signal]);
}

/** The same message with fields named as OTLP/JSON names them. */
export function jsonNamedType(signal: GeneratedSignal): protobuf.Type {
  return jsonRoot.lookupType(TYPES[signal]);
}

/** A request of 512 items as plain Uint8Array, the class that the engine's own buffers have. */
export function request(signal: GeneratedSignal, encoding: 'proto' | 'json' = 'proto'): Uint8Array {
  return generateRequest({ signal, itemsPerRequest: SPANS, seed: SEED, encoding });
}
