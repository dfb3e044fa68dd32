/**
 * A Jaeger span as JSON of protobuf, from and to the protobuf of the same span. Ids are base64 there, 64-bit integers
 * strings, times RFC 3339 and durations seconds with an `s`. What is read: either spelling of a name, enumerations
 * by name or number, integers with or without quotes; no unknown names.
 */
import { decodeBase64 } from '../otlp/json-bytes.ts';
import { JsonNumber } from '../otlp/json-number.ts';
import {
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  JsonSource,
  LITERAL_FALSE,
  LITERAL_TRUE,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
} from '../otlp/json-source.ts';
import { decodeUtf8, malformed } from '../otlp/wire-reader.ts';
import type { WireWriter } from '../otlp/wire-writer.ts';
import { parseGoDuration } from './go-duration.ts';
import { encodingFailed } from './guard.ts';
import {
  JAEGER_SPAN,
  type JaegerField,
  type JaegerMessage,
  TAG_TIME_NANOS,
  TAG_TIME_SECONDS,
} from './jaeger-fields.ts';
import { parseRfc3339 } from './time-text.ts';
import { TimeWords } from './time-words.ts';

const source = new JsonSource();
const number = new JsonNumber();
const words = new TimeWords();

/** Appends the span. @throws PipelineError OTLP_MALFORMED or ENCODING_FAILED; the caller resets `out` then. */
export function jaegerJsonToProto(json: Uint8Array, out: WireWriter): void {
  source.reset(json);
  readMessage(JAEGER_SPAN, out);
  source.peek();
  if (source.pos !== json.length) throw malformed('something behind the span', source.pos);
}

function readMessage(message: JaegerMessage, out: WireWriter): void {
  source.expect(OPEN_BRACE);
  if (source.peek() === CLOSE_BRACE) {
    source.pos++;
    return;
  }
  for (;;) {
    const field = readName(message);
    source.expect(COLON);
    if (!source.tryNull()) {
      if (field.isRepeated) readList(field, out);
      else readField(field, out);
    }
    const mark = source.peek();
    if (mark !== COMMA && mark !== CLOSE_BRACE) throw malformed("expected ',' or '}'", source.pos);
    source.pos++;
    if (mark === CLOSE_BRACE) return;
  }
}

function readName(message: JaegerMessage): JaegerField {
  const at = source.pos;
  const name = readText();
  const field = message.fields.find((each) => each.jsonName === name || each.name === name);
  if (field === undefined) throw malformed(`${message.name} has no field "${name}",`, at);
  return field;
}

function readText(): string {
  source.readToken();
  return decodeUtf8(source.tokenBytes, source.tokenStart, source.tokenEnd);
}

function readList(field: JaegerField, out: WireWriter): void {
  source.expect(OPEN_BRACKET);
  if (source.peek() === CLOSE_BRACKET) {
    source.pos++;
    return;
  }
  for (;;) {
    readField(field, out);
    const mark = source.peek();
    if (mark !== COMMA && mark !== CLOSE_BRACKET) throw malformed("expected ',' or ']'", source.pos);
    source.pos++;
    if (mark === CLOSE_BRACKET) return;
  }
}

function readField({ kind, tag }: JaegerField, out: WireWriter): void {
  if (kind === 'string') {
    source.readToken();
    out.writeBytesField(tag, source.tokenBytes, source.tokenStart, source.tokenEnd);
  } else if (kind === 'bytes') readBytes(tag, out);
  else if (kind === 'timestamp' || kind === 'duration') readTime(kind, tag, out);
  else if (typeof kind === 'object' && 'fields' in kind) {
    const mark = out.beginMessage(tag, 2);
    readMessage(kind, out);
    out.endMessage(mark);
  } else if (kind === 'double') {
    const value = number.readDouble(source);
    out.writeVarint32(tag);
    out.writeDouble(value);
  } else {
    readWhole(kind);
    out.writeVarint32(tag);
    out.writeVarint64(number.lo, number.hi);
  }
}

/** Leaves a bool, an integer or an enumeration in `number`. */
function readWhole(kind: 'bool' | 'int64' | 'uint32' | readonly string[]): void {
  if (kind === 'int64') number.readInt64(source);
  else if (kind === 'uint32') {
    number.readUint32(source);
    number.hi = 0;
  } else if (kind === 'bool') {
    const isTrue = source.peek() === LITERAL_TRUE[0];
    source.expectLiteral(isTrue ? LITERAL_TRUE : LITERAL_FALSE);
    number.lo = isTrue ? 1 : 0;
    number.hi = 0;
  } else if (source.peek() === QUOTE) {
    const at = source.pos;
    const name = readText();
    number.lo = kind.indexOf(name);
    number.hi = 0;
    if (number.lo < 0) throw malformed(`unknown value "${name}"`, at);
  } else number.readInt32(source);
}

function readBytes(tag: number, out: WireWriter): void {
  source.peek();
  const at = source.pos;
  source.readToken();
  const { tokenBytes, tokenStart, tokenEnd } = source;
  const target = new Uint8Array(Math.ceil(((tokenEnd - tokenStart) * 3) / 4));
  const end = decodeBase64(tokenBytes, tokenStart, tokenEnd, target, 0);
  if (end < 0) throw malformed('not base64', at);
  out.writeBytesField(tag, target, 0, end);
}

function readTime(kind: 'timestamp' | 'duration', tag: number, out: WireWriter): void {
  source.peek();
  const at = source.pos;
  const text = readText();
  const time = kind === 'timestamp' ? parseRfc3339(text) : parseGoDuration(text);
  if (time === undefined) throw malformed(`"${text}" is no ${kind}`, at);
  writeTimeMessage(out, tag, time.seconds, time.nanos);
}

/** A Timestamp or Duration; nanoseconds may be negative in a Duration. */
export function writeTimeMessage(out: WireWriter, tag: number, seconds: number, nanos: number): void {
  if (!Number.isSafeInteger(seconds)) throw encodingFailed('a time that is too far away');
  const mark = out.beginMessage(tag);
  if (seconds !== 0) {
    words.setProduct(Math.abs(seconds), 1, 0);
    if (seconds < 0) words.negate();
    out.writeVarint32(TAG_TIME_SECONDS);
    out.writeVarint64(words.lo, words.hi);
  }
  if (nanos !== 0) {
    out.writeVarint32(TAG_TIME_NANOS);
    out.writeVarint64(nanos, nanos >> 31);
  }
  out.endMessage(mark);
}
