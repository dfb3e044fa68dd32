/** A Jaeger span in protobuf as JSON of protobuf, in the order of the fields' numbers. */

import { base64 } from '../otlp/any-value-text.ts';
import { bigintOfWords, decodeUtf8, doubleOfWords, WireReader } from '../otlp/wire-reader.ts';
import { quoteText } from './go-json.ts';
import {
  JAEGER_SPAN,
  type JaegerField,
  type JaegerMessage,
  TAG_TIME_NANOS,
  TAG_TIME_SECONDS,
} from './jaeger-fields.ts';
import { durationText, timestampText } from './time-text.ts';
import { TimeWords } from './time-words.ts';

const words = new TimeWords();
const EPOCH = '"1970-01-01T00:00:00Z"';

/** @param bytes as jaeger-encode.ts writes them: each field once, or in a row when it is repeated. */
export function jaegerProtoToJson(bytes: Uint8Array): string {
  return messageJson(JAEGER_SPAN, bytes, 0, bytes.length);
}

function messageJson(message: JaegerMessage, bytes: Uint8Array, start: number, end: number): string {
  const members = new Map<JaegerField, string[]>();
  const reader = new WireReader(bytes, start, end);
  while (reader.pos < end) {
    const tag = reader.readTag();
    const field = message.fields.find((each) => each.tag === tag);
    if (field === undefined) {
      reader.skip(tag);
      continue;
    }
    const text = fieldJson(field, reader);
    if (text === undefined) continue;
    const texts = members.get(field);
    if (texts === undefined) members.set(field, [text]);
    else if (field.isRepeated) texts.push(text);
    else texts[0] = text;
  }
  const parts: string[] = [];
  for (const field of message.fields) {
    const texts = members.get(field);
    if (texts === undefined && !field.isAlways) continue;
    const value = field.isRepeated ? `[${(texts ?? []).join(',')}]` : (texts?.[0] ?? absentJson(field));
    parts.push(`"${field.jsonName}":${value}`);
  }
  return `{${parts.join(',')}}`;
}

/** What stands for a field that is always there. */
function absentJson(field: JaegerField): string {
  return field.kind === 'timestamp' ? EPOCH : '""';
}

/** @returns undefined for a value that JSON leaves out. */
function fieldJson(field: JaegerField, reader: WireReader): string | undefined {
  const { kind } = field;
  if (typeof kind === 'object' && !('fields' in kind)) {
    const value = reader.readInt32();
    if (value === 0) return undefined;
    return kind[value] === undefined ? String(value) : `"${kind[value]}"`;
  }
  if (kind === 'uint32') return textUnlessZero(reader.readVarint32());
  if (kind === 'bool') return reader.readBool() ? 'true' : undefined;
  if (kind === 'int64') {
    reader.readVarint64();
    return (reader.lo | reader.hi) === 0 ? undefined : `"${bigintOfWords(reader.lo, reader.hi, true)}"`;
  }
  if (kind === 'double') {
    reader.readFixed64();
    return doubleText(doubleOfWords(reader.lo, reader.hi));
  }
  const sizeBytes = reader.readLength();
  const start = reader.pos;
  const end = start + sizeBytes;
  reader.pos = end;
  if (typeof kind === 'object') return messageJson(kind as JaegerMessage, reader.bytes, start, end);
  if (kind === 'timestamp' || kind === 'duration') return timeJson(kind, reader.bytes, start, end);
  if (sizeBytes === 0 && !field.isRepeated) return undefined;
  if (kind === 'string') return quoteText(decodeUtf8(reader.bytes, start, end));
  if (field.name === 'span_id' && isZero(reader.bytes, start, end)) return undefined;
  return `"${base64(reader.bytes, start, end)}"`;
}

function textUnlessZero(value: number): string | undefined {
  return value === 0 ? undefined : String(value);
}

function doubleText(value: number): string | undefined {
  if (value === 0) return undefined;
  return Number.isFinite(value) ? String(value) : `"${value}"`;
}

function timeJson(
  kind: 'timestamp' | 'duration',
  bytes: Uint8Array,
  start: number,
  end: number,
): string | undefined {
  let nanos = 0;
  words.set(0, 0);
  const reader = new WireReader(bytes, start, end);
  while (reader.pos < end) {
    const tag = reader.readTag();
    reader.readVarint64();
    if (tag === TAG_TIME_SECONDS) words.set(reader.lo, reader.hi);
    else if (tag === TAG_TIME_NANOS) nanos = reader.lo;
  }
  const seconds = words.signedNumber;
  if (kind === 'timestamp') return `"${timestampText(seconds, nanos)}"`;
  return seconds === 0 && nanos === 0 ? undefined : `"${durationText(seconds, nanos)}"`;
}

function isZero(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at] !== 0) return false;
  return true;
}
