/** Generated requests that both the Collector and the engine take in full: odd in every value, faulty in none. */
import fc from 'fast-check';
import protobuf from 'protobufjs';
import type { Signal } from '../../component/signal.ts';
import { encodedRequest, type Message } from '../otlp-arbitraries.ts';
import { EXACT } from '../otlp-flatten.ts';
import { requestType } from '../otlp-root.ts';

const ID_BYTES: Record<string, number> = { trace_id: 16, span_id: 8, parent_span_id: 8 };
const TIME_SPAN_NANOS = 86_400_000_000_000n;
const NOW = BigInt(Date.now()) * 1_000_000n;

/** @param service `service.name` of every resource. @returns encoded export requests with at least one resource. */
export function randomRequests(signal: Signal, service: string, count: number, seed: number): Uint8Array[] {
  const type = requestType(signal);
  const [groups] = type.fieldsArray.map(({ name }) => name) as [string];
  return fc
    .sample(encodedRequest(signal), { seed, numRuns: count })
    .map((bytes) => type.toObject(type.decode(bytes), EXACT) as Message)
    .filter((request) => request[groups] !== undefined)
    .map((request) => {
      for (const group of request[groups] as Message[]) group.resource = named(group.resource, service);
      return type.encode(type.fromObject(corrected(type, request))).finish();
    });
}

function named(resource: unknown, service: string): Message {
  const { attributes = [], ...rest } = (resource ?? {}) as { attributes?: Message[] };
  const name = { key: 'service.name', value: { string_value: service } };
  return { ...rest, attributes: [name, ...attributes.filter(({ key }) => key !== 'service.name')] };
}

function corrected(type: protobuf.Type, message: Message): Message {
  // An empty id is not on the wire, but a span without ids is refused.
  const result: Message = type.name === 'Span' ? { trace_id: fullId([], 16), span_id: fullId([], 8) } : {};
  for (const [name, value] of Object.entries(message)) {
    const field = type.fields[name]!.resolve();
    result[name] = Array.isArray(value)
      ? value.map((one) => correctedValue(field, one))
      : correctedValue(field, value);
  }
  // A histogram has one bucket more than bounds, or neither.
  const counts = result.bucket_counts as unknown[] | undefined;
  const bounds = result.explicit_bounds as unknown[] | undefined;
  if (bounds !== undefined) result.explicit_bounds = bounds.slice(0, Math.max(0, (counts?.length ?? 0) - 1));
  if (counts !== undefined && type.name === 'HistogramDataPoint') {
    result.bucket_counts = counts.slice(
      0,
      ((result.explicit_bounds as unknown[] | undefined)?.length ?? 0) + 1,
    );
  }
  return result;
}

function correctedValue(field: protobuf.Field, value: unknown): unknown {
  const { resolvedType, name, type } = field;
  if (resolvedType instanceof protobuf.Type) return corrected(resolvedType, value as Message);
  const idBytes = ID_BYTES[name];
  if (idBytes !== undefined) return fullId(Buffer.from(value as string, 'base64'), idBytes);
  if (name.endsWith('time_unix_nano')) return (NOW - (BigInt(value as string) % TIME_SPAN_NANOS)).toString();
  // Counts from 2^63 on are refused: only negative numbers become such.
  if (type === 'uint64' || type === 'fixed64') return BigInt.asUintN(63, BigInt(value as string)).toString();
  return value;
}

/** Of the right size and with a byte that is not zero. */
function fullId(id: ArrayLike<number>, sizeBytes: number): Uint8Array {
  const full = Buffer.alloc(sizeBytes, 0xa5);
  full.set(Array.from(id).slice(0, sizeBytes - 1));
  return full;
}
