/*
 * Protobuf to OTLP/JSON, for whoever shows or stores telemetry as text. Not a hot path: clarity before speed.
 *
 * The text is what the Collector's marshaler writes: names in lowerCamelCase and in the order of the .proto files,
 * zero values left out, `resource`, `scope`, `status`, `body`, an attribute's `value` and the bucket lists of an
 * exponential histogram always there, ids in lower-case hexadecimal and left out when all zero, 64-bit integers as
 * text, enums as numbers. Infinities are spelled as the specification does ("Infinity", not Go's "+Inf").
 */
import type { Signal } from '../component/signal.ts';
import {
  FLAG_ALWAYS,
  FLAG_ONEOF,
  FLAG_PRESENCE,
  FLAG_REPEATED,
  type JsonField,
  KIND_BOOL,
  KIND_BYTES,
  KIND_DOUBLE,
  KIND_ENUM,
  KIND_FIXED32,
  KIND_FIXED64,
  KIND_ID,
  KIND_INT64,
  KIND_MESSAGE,
  KIND_SFIXED64,
  KIND_SINT32,
  KIND_STRING,
  KIND_UINT64,
  MESSAGE_FIELDS,
  requestMessage,
  WIRE_BY_KIND,
} from './json-fields.ts';
import { bigintOfWords, limitExceeded, NESTING_DEPTH_MAX, WIRE_LEN, WireReader } from './wire-reader.ts';

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** What was found of one field: texts of plain values, or bytes of messages. */
interface Found {
  texts: string[];
  isZero: boolean;
  messages: Uint8Array[];
}

/**
 * The export request as one line of OTLP/JSON, without a line break.
 *
 * @param bytes one Export<Signal>ServiceRequest; borrowed.
 * @throws PipelineError OTLP_MALFORMED (the offset counts from the start of the innermost message), or
 * OTLP_LIMIT_EXCEEDED over 100 levels of nesting.
 */
export function protoToJson(signal: Signal, bytes: Uint8Array): string {
  return messageJson(requestMessage(signal), bytes, 0);
}

function messageJson(message: number, bytes: Uint8Array, depth: number): string {
  if (depth > NESTING_DEPTH_MAX) throw limitExceeded('nesting over 100 levels', 0);
  const fields = MESSAGE_FIELDS[message]!;
  const found = readFields(fields, bytes, depth);
  const members: string[] = [];
  for (const field of fields) {
    const text = fieldJson(field, found.get(field), depth);
    if (text !== '') members.push(`"${field.jsonName}":${text}`);
  }
  return `{${members.join(',')}}`;
}

/** Text of a field's value, empty when the field is to be left out. */
function fieldJson(field: JsonField, found: Found | undefined, depth: number): string {
  if (found === undefined)
    return (field.flags & FLAG_ALWAYS) !== 0 ? messageJson(field.child, NO_BYTES, depth + 1) : '';
  const isList = (field.flags & FLAG_REPEATED) !== 0;
  if (field.kind === KIND_MESSAGE) {
    if (isList)
      return `[${found.messages.map((bytes) => messageJson(field.child, bytes, depth + 1)).join(',')}]`;
    return messageJson(field.child, concat(found.messages), depth + 1);
  }
  if (isList) return found.texts.length === 0 ? '' : `[${found.texts.join(',')}]`;
  return found.isZero && (field.flags & FLAG_PRESENCE) === 0 ? '' : found.texts[0]!;
}

function readFields(fields: readonly JsonField[], bytes: Uint8Array, depth: number): Map<JsonField, Found> {
  const found = new Map<JsonField, Found>();
  const reader = new WireReader(bytes);
  while (reader.pos < reader.end) {
    const tag = reader.readTag();
    const field = fields.find((candidate) => candidate.number === tag >>> 3);
    const wireType = field === undefined ? -1 : WIRE_BY_KIND[field.kind]!;
    const isList = field !== undefined && (field.flags & FLAG_REPEATED) !== 0;
    const isPacked = isList && wireType !== WIRE_LEN && (tag & 7) === WIRE_LEN;
    if (field === undefined || ((tag & 7) !== wireType && !isPacked)) {
      reader.skip(tag, depth);
      continue;
    }
    if ((field.flags & FLAG_ONEOF) !== 0) clearOthers(found, field);
    const entry = found.get(field) ?? { texts: [], isZero: true, messages: [] };
    found.set(field, entry);
    if (field.kind === KIND_MESSAGE) entry.messages.push(reader.readBytes());
    else if (isPacked) {
      const content = reader.readBytes();
      const inner = new WireReader(content);
      while (inner.pos < inner.end) readScalar(inner, field, entry);
    } else {
      // The last value of a plain field wins.
      if (!isList) entry.texts.length = 0;
      readScalar(reader, field, entry);
    }
  }
  return found;
}

function clearOthers(found: Map<JsonField, Found>, field: JsonField): void {
  for (const other of found.keys()) {
    if (other !== field && (other.flags & FLAG_ONEOF) !== 0) found.delete(other);
  }
}

function readScalar(reader: WireReader, field: JsonField, entry: Found): void {
  const text = scalarJson(reader, field.kind);
  entry.isZero = ZERO_TEXT[field.kind]!.test(text);
  entry.texts.push(text);
}

/** Texts that JSON leaves out, by kind: a string "0" is not a number 0, and -0 is not 0. */
const ZERO_TEXT: readonly RegExp[] = Array.from(WIRE_BY_KIND, (_, kind) => {
  if (kind === KIND_STRING || kind === KIND_BYTES) return /^""$/;
  if (kind === KIND_ID) return /^"0*"$/;
  return /^(?:"0"|0|false)$/;
});

function scalarJson(reader: WireReader, kind: number): string {
  switch (kind) {
    case KIND_STRING:
      return JSON.stringify(reader.readString());
    case KIND_ID:
      return `"${hex(reader.readBytes())}"`;
    case KIND_BYTES:
      return `"${base64(reader.readBytes())}"`;
    case KIND_BOOL:
      return String(reader.readBool());
    case KIND_ENUM:
      return String(reader.readInt32());
    case KIND_SINT32:
      return String(reader.readSint32());
    case KIND_FIXED32:
      return String(reader.readFixed32());
    case KIND_DOUBLE:
      return doubleJson(reader.readDouble());
    case KIND_INT64:
    case KIND_UINT64:
      reader.readVarint64();
      return `"${bigintOfWords(reader.lo, reader.hi, kind === KIND_INT64)}"`;
    case KIND_FIXED64:
    case KIND_SFIXED64:
      reader.readFixed64();
      return `"${bigintOfWords(reader.lo, reader.hi, kind === KIND_SFIXED64)}"`;
    default:
      return String(reader.readVarint32());
  }
}

function doubleJson(value: number): string {
  if (!Number.isFinite(value)) return `"${value}"`;
  return Object.is(value, -0) ? '-0' : String(value);
}

function hex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += (byte >>> 4).toString(16) + (byte & 15).toString(16);
  return text;
}

/** Standard alphabet with padding. */
function base64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const left = bytes.length - at;
    const bits = (bytes[at]! << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    text += BASE64[bits >>> 18]! + BASE64[(bits >>> 12) & 63]!;
    text += (left > 1 ? BASE64[(bits >>> 6) & 63]! : '=') + (left > 2 ? BASE64[bits & 63]! : '=');
  }
  return text;
}

const NO_BYTES = new Uint8Array(0);

/** A message that came in several pieces is the message of the joined pieces. */
function concat(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0]!;
  const joined = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}
