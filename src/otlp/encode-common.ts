/** Parts that requests of every signal share, written from plain data: for what the engine says about itself. */
import { type PlainValue, writePlainValue } from './any-value-write.ts';
import * as tags from './tags.ts';
import type { WireWriter } from './wire-writer.ts';

export type PlainAttributes = Readonly<Record<string, PlainValue>>;

/** A repeated KeyValue field. */
export function writeAttributes(writer: WireWriter, tag: number, attributes: PlainAttributes): void {
  for (const [key, value] of Object.entries(attributes)) {
    const pair = writer.beginMessage(tag);
    writer.writeStringField(tags.TAG_KEY_VALUE_KEY, key);
    const mark = writer.beginMessage(tags.TAG_KEY_VALUE_VALUE);
    writePlainValue(writer, value);
    writer.endMessage(mark);
    writer.endMessage(pair);
  }
}

/** @param tag of the resource in ResourceSpans or ResourceMetrics. */
export function writeResource(writer: WireWriter, tag: number, attributes: PlainAttributes): void {
  const mark = writer.beginMessage(tag, 2);
  writeAttributes(writer, tags.TAG_RESOURCE_ATTRIBUTES, attributes);
  writer.endMessage(mark);
}

/** @param tag of the scope in ScopeSpans or ScopeMetrics. */
export function writeScope(
  writer: WireWriter,
  tag: number,
  scope: { name: string; attributes?: PlainAttributes },
): void {
  const mark = writer.beginMessage(tag);
  writer.writeStringField(tags.TAG_SCOPE_NAME, scope.name);
  writeAttributes(writer, tags.TAG_SCOPE_ATTRIBUTES, scope.attributes ?? {});
  writer.endMessage(mark);
}

/** A fixed64 field of nanoseconds since the epoch. */
export function writeTime(writer: WireWriter, tag: number, unixMs: number): void {
  const nanos = BigInt(Math.round(unixMs * 1000)) * 1000n;
  writer.writeVarint32(tag);
  writer.writeFixed64(Number(BigInt.asUintN(32, nanos)), Number(nanos >> 32n));
}

export function writeDoubleField(writer: WireWriter, tag: number, value: number): void {
  writer.writeVarint32(tag);
  writer.writeDouble(value);
}

/** A fixed64 field of a whole number from 0 to 2^53. */
export function writeCountField(writer: WireWriter, tag: number, value: number): void {
  writer.writeVarint32(tag);
  writer.writeFixed64(value >>> 0, Math.floor(value / 2 ** 32));
}
