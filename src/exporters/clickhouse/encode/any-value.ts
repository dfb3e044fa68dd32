import * as tags from '../../../otlp/tags.ts';
import {
  lengthEnd,
  limitExceeded,
  malformed,
  NESTING_DEPTH_MAX,
  skipField,
  skipVarint,
  WireReader,
} from '../../../otlp/wire-reader.ts';
import { ByteSink } from './byte-sink.ts';
import { appendBase64, appendJsonString, appendText } from './json-text.ts';
import { appendDoubleText, appendInt64Text, NUMBER_TEXT_BYTES_MAX } from './number-text.ts';

// Module-private copies compare faster than imported bindings.
const STRING_VALUE = tags.TAG_ANY_STRING_VALUE;
const BOOL_VALUE = tags.TAG_ANY_BOOL_VALUE;
const INT_VALUE = tags.TAG_ANY_INT_VALUE;
const DOUBLE_VALUE = tags.TAG_ANY_DOUBLE_VALUE;
const ARRAY_VALUE = tags.TAG_ANY_ARRAY_VALUE;
const KVLIST_VALUE = tags.TAG_ANY_KVLIST_VALUE;
const BYTES_VALUE = tags.TAG_ANY_BYTES_VALUE;
const KEY = tags.TAG_KEY_VALUE_KEY;
const VALUE = tags.TAG_KEY_VALUE_VALUE;
/** Repeated field 1 of ArrayValue and KeyValueList alike. */
const ELEMENT = tags.TAG_ARRAY_VALUES;

/** Tag and four bytes of varint: 28 bits, which an int32 holds. */
const SMALL_INT_BYTES_MAX = 5;
const DIGIT_0 = 48;

const reader = new WireReader(new Uint8Array(0));
/** Longer texts are built here first, because their length stands before them. */
const scratch = new ByteSink();

/**
 * One AnyValue as a ClickHouse String: text as it is, booleans and numbers in decimal, bytes in base64,
 * lists and maps as JSON, an unset value as the empty string.
 *
 * @param pos start of the AnyValue message, which ends at `end`.
 */
export function appendAnyValue(out: ByteSink, wire: Uint8Array, pos: number, end: number): void {
  // The form that nearly all attributes have: one short string and nothing else.
  if (wire[pos] === STRING_VALUE && pos + 2 + wire[pos + 1]! === end && wire[pos + 1]! < 128) {
    out.appendString(wire, pos + 2, wire[pos + 1]!);
    return;
  }
  // A small integer and nothing else: status codes, ports, sizes. Of an empty range the first byte is somebody else's.
  const isSmall = end - pos >= 2 && end - pos <= SMALL_INT_BYTES_MAX;
  if (isSmall && wire[pos] === INT_VALUE && wire[end - 1]! < 128) {
    if (appendSmallInt(out, wire, pos + 1, end)) return;
  }
  const tag = findValue(wire, pos, end);
  if (tag === STRING_VALUE) out.appendString(wire, reader.pos, reader.end - reader.pos);
  else if (tag === INT_VALUE || tag === BOOL_VALUE || tag === DOUBLE_VALUE) {
    out.reserve(NUMBER_TEXT_BYTES_MAX + 1);
    const lengthAt = out.pos++;
    appendScalar(out, tag);
    // Every scalar's text is shorter than 128 bytes, so its length is one byte.
    out.bytes[lengthAt] = out.pos - lengthAt - 1;
  } else if (tag === 0) out.appendVarint(0);
  else {
    scratch.reset();
    if (tag === BYTES_VALUE) appendBase64(scratch, wire, reader.pos, reader.end);
    else appendJson(scratch, wire, tag, reader.pos, reader.end, 0);
    out.appendVarint(scratch.pos);
    out.appendBytes(scratch.bytes, 0, scratch.pos);
  }
}

/** A varint of at most four bytes that ends at `end`; false when it ends before, and nothing was written. */
function appendSmallInt(out: ByteSink, wire: Uint8Array, from: number, end: number): boolean {
  let value = 0;
  for (let pos = from, shift = 0; pos < end; pos++, shift += 7) {
    const byte = wire[pos]!;
    if (byte < 128 && pos !== end - 1) return false;
    value |= (byte & 127) << shift;
  }
  out.reserve(NUMBER_TEXT_BYTES_MAX);
  let size = 1;
  for (let limit = 10; value >= limit; limit *= 10) size += 1;
  out.bytes[out.pos] = size;
  let rest = value;
  for (let at = out.pos + size; at > out.pos; at--) {
    const quotient = (rest / 10) | 0;
    out.bytes[at] = DIGIT_0 + (rest - quotient * 10);
    rest = quotient;
  }
  out.pos += size + 1;
  return true;
}

/**
 * Tag of the member that is set, the last one when several are; 0 when none is. Leaves `reader` on its content:
 * [pos, end) of a length-delimited one, else pos at the value.
 */
function findValue(wire: Uint8Array, from: number, end: number): number {
  let found = 0;
  let foundAt = 0;
  let pos = from;
  while (pos < end) {
    const tag = wire[pos]!;
    if (tag > 127) {
      reader.reset(wire, pos, end);
      pos = skipField(wire, reader.readTag(), reader.pos, end, 0);
      continue;
    }
    const isValue =
      tag === STRING_VALUE ||
      tag === INT_VALUE ||
      tag === BOOL_VALUE ||
      tag === DOUBLE_VALUE ||
      tag === ARRAY_VALUE ||
      tag === KVLIST_VALUE ||
      tag === BYTES_VALUE;
    if (isValue) {
      found = tag;
      foundAt = pos + 1;
    }
    pos = skipField(wire, tag, pos + 1, end, 0);
  }
  if (found === 0) return 0;
  const isDelimited = (found & 7) === 2;
  reader.reset(
    wire,
    isDelimited ? contentStart(wire, foundAt, end) : foundAt,
    isDelimited ? lengthEnd(wire, foundAt, end) : end,
  );
  return found;
}

function contentStart(wire: Uint8Array, pos: number, end: number): number {
  return wire[pos]! < 128 ? pos + 1 : skipVarint(wire, pos, end);
}

function appendScalar(out: ByteSink, tag: number): void {
  if (tag === INT_VALUE) {
    reader.readVarint64();
    appendInt64Text(out, reader.lo, reader.hi);
  } else if (tag === BOOL_VALUE) appendText(out, reader.readBool() ? 'true' : 'false');
  else appendDoubleText(out, reader.readDouble());
}

/** JSON of one value whose tag and content are known. */
function appendJson(
  out: ByteSink,
  wire: Uint8Array,
  tag: number,
  pos: number,
  end: number,
  depth: number,
): void {
  if (depth > NESTING_DEPTH_MAX) throw limitExceeded('attribute value nested too deep', pos);
  if (tag === ARRAY_VALUE || tag === KVLIST_VALUE) appendJsonList(out, wire, tag, pos, end, depth);
  else if (tag === STRING_VALUE) appendJsonString(out, wire, pos, end);
  else if (tag === BYTES_VALUE) {
    appendText(out, '"');
    appendBase64(out, wire, pos, end);
    appendText(out, '"');
  } else if (tag === 0) appendText(out, 'null');
  else if (tag === DOUBLE_VALUE) {
    // JSON has no words for these: they are quoted as in the protobuf mapping.
    const value = reader.readDouble();
    const isNumber = Number.isFinite(value);
    if (!isNumber) appendText(out, '"');
    appendDoubleText(out, value);
    if (!isNumber) appendText(out, '"');
  } else appendScalar(out, tag);
}

function appendJsonList(
  out: ByteSink,
  wire: Uint8Array,
  tag: number,
  from: number,
  end: number,
  depth: number,
): void {
  const isList = tag === ARRAY_VALUE;
  appendText(out, isList ? '[' : '{');
  let pos = from;
  let isFirst = true;
  while (pos < end) {
    if (wire[pos] !== ELEMENT) {
      reader.reset(wire, pos, end);
      pos = skipField(wire, reader.readTag(), reader.pos, end, 0);
      continue;
    }
    const start = contentStart(wire, pos + 1, end);
    const next = lengthEnd(wire, pos + 1, end);
    if (!isFirst) appendText(out, ',');
    isFirst = false;
    if (isList) appendJsonElement(out, wire, start, next, depth);
    else appendJsonMember(out, wire, start, next, depth);
    pos = next;
  }
  appendText(out, isList ? ']' : '}');
}

function appendJsonElement(out: ByteSink, wire: Uint8Array, pos: number, end: number, depth: number): void {
  const tag = findValue(wire, pos, end);
  appendJson(out, wire, tag, reader.pos, reader.end, depth + 1);
}

function appendJsonMember(out: ByteSink, wire: Uint8Array, pos: number, end: number, depth: number): void {
  findKeyValue(wire, pos, end);
  const { valueAt, valueEnd } = keyValue;
  appendJsonString(out, wire, keyValue.keyAt, keyValue.keyEnd);
  appendText(out, ':');
  appendJsonElement(out, wire, valueAt, valueEnd, depth);
}

/** Where key and value of the last KeyValue lie; an absent one is an empty range. */
export const keyValue = { keyAt: 0, keyEnd: 0, valueAt: 0, valueEnd: 0 };

/** Finds the parts of one KeyValue message, whatever their order, and leaves them in `keyValue`. */
export function findKeyValue(wire: Uint8Array, from: number, end: number): void {
  keyValue.keyAt = keyValue.keyEnd = keyValue.valueAt = keyValue.valueEnd = from;
  let pos = from;
  while (pos < end) {
    const tag = wire[pos]!;
    if (tag > 127) {
      reader.reset(wire, pos, end);
      pos = skipField(wire, reader.readTag(), reader.pos, end, 0);
      continue;
    }
    const next = skipField(wire, tag, pos + 1, end, 0);
    if (tag === KEY) {
      keyValue.keyAt = contentStart(wire, pos + 1, end);
      keyValue.keyEnd = next;
    } else if (tag === VALUE) {
      keyValue.valueAt = contentStart(wire, pos + 1, end);
      keyValue.valueEnd = next;
    }
    pos = next;
  }
  if (pos !== end) throw malformed('attribute runs past its end', end);
}
