/*
 * Protobuf to OTLP/JSON on the way out, straight from wire bytes to UTF-8: the text of `protoToJson`, byte for byte, in a
 * fifth of its time. What is rare on the wire (a message in several pieces, two members of a oneof, lists that are not
 * packed, anything malformed) is left to that function, for the whole request.
 */
import type { Signal } from '../component/signal.ts';
import {
  FLAG_ALWAYS,
  FLAG_ONEOF,
  FLAG_PRESENCE,
  FLAG_REPEATED,
  KIND_BOOL,
  KIND_BYTES,
  KIND_DOUBLE,
  KIND_ENUM,
  KIND_FIXED32,
  KIND_FIXED64,
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
import { JsonText } from './json-write-text.ts';
import { protoToJson } from './proto-to-json.ts';
import { NESTING_DEPTH_MAX, WIRE_LEN, WireReader } from './wire-reader.ts';

/** Numbers of fields are below it in all messages of OTLP. */
const FIELD_NUMBERS = 64;
const ENCODER = new TextEncoder();
const [OPEN, CLOSE, LIST_OPEN, LIST_CLOSE, COMMA] = [0x7b, 0x7d, 0x5b, 0x5d, 0x2c];
/** A larger buffer is not kept for the next request. */
const KEPT_BYTES_MAX = 16 << 20;

/** Fields of one message in the order of the text, for the writer's loops. */
interface FieldTable {
  count: number;
  /** By field number: place in the lists below plus one, 0 for unknown fields. */
  places: Uint8Array;
  kinds: Uint8Array;
  flags: Uint8Array;
  children: Int16Array;
  /** `"name":` */
  names: Uint8Array[];
}

const TABLES: readonly FieldTable[] = MESSAGE_FIELDS.map((fields) => {
  const places = new Uint8Array(FIELD_NUMBERS);
  for (const [index, { number }] of fields.entries()) places[number] = index + 1;
  return {
    count: fields.length,
    places,
    kinds: Uint8Array.from(fields, ({ kind }) => kind),
    flags: Uint8Array.from(fields, ({ flags }) => flags),
    children: Int16Array.from(fields, ({ child }) => child),
    names: fields.map(({ jsonName }) => ENCODER.encode(`"${jsonName}":`)),
  };
});

/** Thrown for what the other function has to do; never seen outside. */
const RARE = new Error('rare');

/** Owns its buffer and scratch: one request at a time. */
export class JsonWriter {
  readonly #text = new JsonText();
  readonly #reader = new WireReader(new Uint8Array(0));
  /** For each open message two words a field: where its first value begins, and how many there are. */
  #frames = new Int32Array(1024);
  #bytes: Uint8Array = new Uint8Array(0);

  /**
   * The export request as one line of OTLP/JSON, without a line break.
   *
   * @param bytes one Export<Signal>ServiceRequest; borrowed.
   * @returns UTF-8, valid until the next call.
   * @throws PipelineError OTLP_MALFORMED or OTLP_LIMIT_EXCEEDED, as `protoToJson`.
   */
  write(signal: Signal, bytes: Uint8Array): Uint8Array {
    const text = this.#text;
    if (text.bytes.length > KEPT_BYTES_MAX) text.bytes = new Uint8Array(KEPT_BYTES_MAX);
    text.reset();
    this.#bytes = bytes;
    this.#reader.reset(bytes, 0, bytes.length);
    try {
      this.#message(requestMessage(signal), 0, bytes.length, 0, 0);
      return text.bytes.subarray(0, text.pos);
    } catch {
      return ENCODER.encode(protoToJson(signal, bytes));
    }
  }

  /** @param frame first free word of the frames. */
  #message(message: number, start: number, end: number, depth: number, frame: number): void {
    if (depth > NESTING_DEPTH_MAX) throw RARE;
    const table = TABLES[message]!;
    const top = frame + 2 * table.count;
    if (top > this.#frames.length) this.#growFrames(top);
    this.#frames.fill(0, frame, top);
    this.#find(table, start, end, depth, frame);
    const text = this.#text;
    text.byte(OPEN);
    let isFirst = true;
    for (let place = 0; place < table.count; place++) {
      const count = this.#frames[frame + 2 * place + 1]!;
      const flags = table.flags[place]!;
      if (count === 0 && (flags & FLAG_ALWAYS) === 0) continue;
      const memberStart = text.pos;
      if (!isFirst) text.byte(COMMA);
      text.copy(table.names[place]!);
      const valueStart = this.#frames[frame + 2 * place]!;
      if (count === 0) this.#message(table.children[place]!, 0, 0, depth + 1, top);
      else if ((flags & FLAG_REPEATED) !== 0) {
        if (!this.#list(table, place, valueStart, count, end, depth, top)) {
          text.pos = memberStart;
          continue;
        }
      } else if (table.kinds[place] === KIND_MESSAGE) {
        const { pos, end: valueEnd } = this.#enter(valueStart, end);
        this.#message(table.children[place]!, pos, valueEnd, depth + 1, top);
      } else {
        this.#reader.pos = valueStart;
        this.#reader.end = end;
        const isZero = this.#scalar(table.kinds[place]!);
        if (isZero && (flags & FLAG_PRESENCE) === 0) {
          text.pos = memberStart;
          continue;
        }
      }
      isFirst = false;
    }
    text.byte(CLOSE);
  }

  #growFrames(top: number): void {
    const grown = new Int32Array(2 * top);
    grown.set(this.#frames);
    this.#frames = grown;
  }

  /** Where the first value of each field is, behind its tag, and how many there are; of plain values the last. */
  #find(table: FieldTable, start: number, end: number, depth: number, frame: number): void {
    const [reader, frames] = [this.#reader, this.#frames];
    let hasOneof = false;
    reader.pos = start;
    reader.end = end;
    while (reader.pos < end) {
      const tag = reader.readTag();
      const number = tag >>> 3;
      const place = number < FIELD_NUMBERS ? table.places[number]! - 1 : -1;
      if (place >= 0) {
        const [kind, flags] = [table.kinds[place]!, table.flags[place]!];
        const wireType = WIRE_BY_KIND[kind]!;
        const isList = (flags & FLAG_REPEATED) !== 0;
        const isPacked = isList && wireType !== WIRE_LEN;
        const at = frame + 2 * place;
        const isKnown = (tag & 7) === (isPacked ? WIRE_LEN : wireType);
        if (!isKnown) {
          if (isPacked && (tag & 7) === wireType) throw RARE;
        } else {
          if ((flags & FLAG_ONEOF) !== 0) {
            if (hasOneof) throw RARE;
            hasOneof = true;
          }
          if (frames[at + 1]! > 0 && (isPacked || (!isList && kind === KIND_MESSAGE))) throw RARE;
          // A list is read from its first element on, a plain value where it stands last.
          if (!isList || frames[at + 1] === 0) frames[at] = reader.pos;
          frames[at + 1] = isList ? frames[at + 1]! + 1 : 1;
        }
      }
      reader.skip(tag, depth);
    }
  }

  #enter(valueStart: number, end: number): { pos: number; end: number } {
    const reader = this.#reader;
    reader.pos = valueStart;
    reader.end = end;
    const sizeBytes = reader.readLength();
    return { pos: reader.pos, end: reader.pos + sizeBytes };
  }

  /** False for a list without elements, which is left out. */
  #list(
    table: FieldTable,
    place: number,
    valueStart: number,
    count: number,
    end: number,
    depth: number,
    frame: number,
  ): boolean {
    const [text, reader] = [this.#text, this.#reader];
    const kind = table.kinds[place]!;
    text.byte(LIST_OPEN);
    let pos = valueStart;
    if (WIRE_BY_KIND[kind] !== WIRE_LEN) {
      const packed = this.#enter(pos, end);
      if (packed.pos === packed.end) return false;
      reader.end = packed.end;
      for (let index = 0; reader.pos < packed.end; index++) {
        if (index > 0) text.byte(COMMA);
        this.#scalar(kind);
      }
    } else {
      // The tag of this field as it stands before its first element; elements may be apart.
      for (let index = 0; index < count; index++) {
        if (index > 0) {
          pos = this.#nextOf(table, place, pos, end, depth);
          text.byte(COMMA);
        }
        reader.pos = pos;
        reader.end = end;
        const sizeBytes = reader.readLength();
        const [from, to] = [reader.pos, reader.pos + sizeBytes];
        reader.pos = pos;
        if (kind === KIND_MESSAGE) this.#message(table.children[place]!, from, to, depth + 1, frame);
        else this.#scalar(kind);
        pos = to;
      }
    }
    text.byte(LIST_CLOSE);
    return true;
  }

  /** Behind the tag of the next element of a list. */
  #nextOf(table: FieldTable, place: number, start: number, end: number, depth: number): number {
    const reader = this.#reader;
    reader.pos = start;
    reader.end = end;
    for (;;) {
      const tag = reader.readTag();
      const number = tag >>> 3;
      if (number < FIELD_NUMBERS && table.places[number] === place + 1 && (tag & 7) === WIRE_LEN)
        return reader.pos;
      reader.skip(tag, depth);
    }
  }

  /** Writes the value at the reader's position; true when it is the zero value of its kind. */
  #scalar(kind: number): boolean {
    const [text, reader, bytes] = [this.#text, this.#reader, this.#bytes];
    if (WIRE_BY_KIND[kind] === WIRE_LEN) {
      const sizeBytes = reader.readLength();
      const start = reader.pos;
      const end = start + sizeBytes;
      reader.pos = end;
      if (kind === KIND_STRING) text.string(bytes, start, end);
      else if (kind === KIND_BYTES) text.base64(bytes, start, end);
      else {
        text.hex(bytes, start, end);
        for (let at = start; at < end; at++) if (bytes[at] !== 0) return false;
        return true;
      }
      return sizeBytes === 0;
    }
    return kind === KIND_FIXED64 || kind === KIND_SFIXED64 || kind === KIND_INT64 || kind === KIND_UINT64
      ? this.#long(kind)
      : this.#short(kind);
  }

  #long(kind: number): boolean {
    const reader = this.#reader;
    if (kind === KIND_INT64 || kind === KIND_UINT64) reader.readVarint64();
    else reader.readFixed64();
    this.#text.int64(reader.lo, reader.hi, kind === KIND_INT64 || kind === KIND_SFIXED64);
    return reader.lo === 0 && reader.hi === 0;
  }

  #short(kind: number): boolean {
    const [text, reader] = [this.#text, this.#reader];
    if (kind === KIND_BOOL) {
      const value = reader.readBool();
      text.ascii(value ? 'true' : 'false');
      return !value;
    }
    if (kind === KIND_DOUBLE) {
      const value = reader.readDouble();
      text.ascii(Number.isFinite(value) ? (Object.is(value, -0) ? '-0' : String(value)) : `"${value}"`);
      return Object.is(value, 0);
    }
    const value =
      kind === KIND_ENUM
        ? reader.readInt32()
        : kind === KIND_SINT32
          ? reader.readSint32()
          : kind === KIND_FIXED32
            ? reader.readFixed32()
            : reader.readVarint32();
    if (value >= 0) text.uint(value);
    else text.ascii(String(value));
    return value === 0;
  }
}
