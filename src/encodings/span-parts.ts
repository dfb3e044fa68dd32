/** Parts of an OTLP span that several encodings write. */
import { type PlainValue, writePlainValue } from '../otlp/any-value-write.ts';
import * as tags from '../otlp/tags.ts';
import type { WireWriter } from '../otlp/wire-writer.ts';
import { NANOS_PER_MICRO, TimeWords } from './time-words.ts';

export const STATUS_UNSET = 0;
export const STATUS_OK = 1;
export const STATUS_ERROR = 2;

export const KIND_UNSPECIFIED = 0;
export const KIND_INTERNAL = 1;
export const KIND_SERVER = 2;
export const KIND_CLIENT = 3;
export const KIND_PRODUCER = 4;
export const KIND_CONSUMER = 5;

export interface SpanStatus {
  code: number;
  message: string;
}

export function writeStatus(out: WireWriter, status: SpanStatus): void {
  const mark = out.beginMessage(tags.TAG_SPAN_STATUS);
  if (status.message !== '') out.writeStringField(tags.TAG_STATUS_MESSAGE, status.message);
  out.writeVarint32(tags.TAG_STATUS_CODE);
  out.writeVarint64(status.code, status.code >> 31);
  out.endMessage(mark);
}

/** A repeated KeyValue field. */
export function writeAttributeMap(
  out: WireWriter,
  tag: number,
  attributes: ReadonlyMap<string, PlainValue>,
): void {
  for (const [key, value] of attributes) {
    const pair = out.beginMessage(tag);
    out.writeStringField(tags.TAG_KEY_VALUE_KEY, key);
    const mark = out.beginMessage(tags.TAG_KEY_VALUE_VALUE);
    writePlainValue(out, value);
    out.endMessage(mark);
    out.endMessage(pair);
  }
}

const words = new TimeWords();

/** A fixed64 field of nanoseconds. @param micros whole, from 0 to 2^53. */
export function writeMicros(out: WireWriter, tag: number, micros: number): void {
  words.setProduct(micros, NANOS_PER_MICRO, 0);
  out.writeVarint32(tag);
  out.writeFixed64(words.lo, words.hi);
}

/** A uint32 field, left out when it is 0. */
export function writeCount(out: WireWriter, tag: number, count: number): void {
  if (count === 0) return;
  out.writeVarint32(tag);
  out.writeVarint32(count);
}

/** Of two ids of one kind. */
export function isSameId(a: Uint8Array, b: Uint8Array): boolean {
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}
