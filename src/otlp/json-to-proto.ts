/*
 * OTLP/JSON (opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding") to protobuf in one pass over the bytes:
 * no tree, no object, no string and no closure per item. Messages under construction are rows in typed arrays.
 */
import type { Signal } from '../component/signal.ts';
import {
  FIELD_BIT,
  FIELD_CHILD,
  FIELD_FLAGS,
  FIELD_KIND,
  FLAG_PRESENCE,
  FLAG_REPEATED,
  findName,
  KIND_MESSAGE,
  KIND_STRING,
  MESSAGE_COUNT,
  NAME_BYTES,
  NAME_COUNT,
  NAME_FIELD,
  NAME_START,
  requestMessage,
} from './json-fields.ts';
import { CLOSE_BRACE, CLOSE_BRACKET, COLON, COMMA, OPEN_BRACE, OPEN_BRACKET, QUOTE } from './json-source.ts';
import { JsonValues } from './json-values.ts';
import { limitExceeded, malformed, NESTING_DEPTH_MAX } from './wire-reader.ts';
import { WireWriter } from './wire-writer.ts';

/** A larger scratch buffer is given back after the request that needed it. */
const SCRATCH_BYTES_KEPT = 8 * 1024 * 1024;
const NAME_UNKNOWN = -1;
const OBJECT_END = -2;

class JsonToProto {
  readonly #values = new JsonValues();
  readonly #source = this.#values.source;
  #depth = 0;
  /** No member of the innermost object was read yet. */
  #isFresh = false;
  /* The open messages, by depth. */
  readonly #message = new Int16Array(NESTING_DEPTH_MAX + 1);
  readonly #field = new Int16Array(NESTING_DEPTH_MAX + 1);
  readonly #mark = new Int32Array(NESTING_DEPTH_MAX + 1);
  /** Bits of the fields already written: a zero that comes after another value must be written to win. */
  readonly #seen = new Int32Array(NESTING_DEPTH_MAX + 1);
  /** Last name read, as index into #successor. */
  readonly #last = new Int16Array(NESTING_DEPTH_MAX + 1);
  /*
   * What came behind a name (or behind the start of a message) last time. Clients write their fields in one order,
   * so a single comparison of bytes mostly replaces finding the end of the name, hashing and looking it up.
   */
  readonly #successor = new Int16Array(NAME_COUNT + MESSAGE_COUNT).fill(NAME_UNKNOWN);

  convert(root: number, json: Uint8Array): Uint8Array<ArrayBuffer> {
    this.#values.writer.reset();
    this.#source.reset(json);
    try {
      this.#run(root);
      return this.#values.writer.toBytes();
    } finally {
      this.#source.reset(NO_BYTES);
      if (this.#values.writer.bytes.length > SCRATCH_BYTES_KEPT) this.#values.writer = new WireWriter();
    }
  }

  #run(root: number): void {
    const source = this.#source;
    source.expect(OPEN_BRACE);
    this.#depth = 0;
    this.#enter(root, 0);
    for (;;) {
      const name = this.#nextName();
      if (name === OBJECT_END) {
        if (this.#depth === 0) break;
        this.#leave();
      } else {
        source.expect(COLON);
        if (name === NAME_UNKNOWN) source.skipValue(this.#depth);
        else this.#readField(NAME_FIELD[name]!);
      }
    }
    if (source.peek() !== undefined) throw malformed('text behind the request', source.pos);
  }

  /** Steps to the next member of the innermost object and over its name, or over the end of the object. */
  #nextName(): number {
    const source = this.#source;
    let byte = source.peek();
    if (byte === CLOSE_BRACE) {
      source.pos++;
      this.#isFresh = false;
      return OBJECT_END;
    }
    if (this.#isFresh) this.#isFresh = false;
    else {
      if (byte !== COMMA) throw malformed("expected ',' or '}'", source.pos);
      source.pos++;
      byte = source.peek();
    }
    if (byte !== QUOTE) throw malformed('expected a field name', source.pos);
    const bytes = source.bytes;
    const depth = this.#depth;
    const last = this.#last[depth]!;
    const guess = this.#successor[last]!;
    if (guess >= 0) {
      let at = source.pos + 1;
      let i = NAME_START[guess]!;
      const end = NAME_START[guess + 1]!;
      while (i < end && bytes[at] === NAME_BYTES[i]) {
        at++;
        i++;
      }
      if (i === end) {
        source.pos = at;
        this.#last[depth] = guess;
        return guess;
      }
    }
    source.readToken();
    const name = findName(this.#message[depth]!, source.tokenBytes, source.tokenStart, source.tokenEnd);
    if (name >= 0) {
      this.#successor[last] = name;
      this.#last[depth] = name;
    }
    return name;
  }

  #enter(message: number, seen: number): void {
    const depth = this.#depth;
    this.#message[depth] = message;
    this.#seen[depth] = seen;
    this.#last[depth] = NAME_COUNT + message;
    this.#isFresh = true;
  }

  /** Opens the message that starts with the brace at `pos`. */
  #open(field: number, seen: number): void {
    if (this.#depth >= NESTING_DEPTH_MAX) throw limitExceeded('nesting over 100 levels', this.#source.pos);
    this.#source.pos++;
    const depth = ++this.#depth;
    this.#field[depth] = field;
    this.#mark[depth] = this.#values.begin(field);
    this.#enter(FIELD_CHILD[field]!, seen);
  }

  /** Ends the innermost message; behind an element of an array goes on to the next one. */
  #leave(): void {
    const depth = this.#depth--;
    const field = this.#field[depth]!;
    this.#values.end(field, this.#mark[depth]!);
    if ((FIELD_FLAGS[field]! & FLAG_REPEATED) !== 0 && this.#values.hasNextElement())
      this.#openElement(field);
  }

  /** Opens an element of a list of messages. `null` keeps its place as an empty message. */
  #openElement(field: number): void {
    const source = this.#source;
    do {
      if (!source.tryNull()) {
        if (source.peek() !== OPEN_BRACE) throw malformed('expected an object', source.pos);
        this.#open(field, 0);
        return;
      }
      this.#values.ensureRoom();
      this.#values.end(field, this.#values.begin(field));
    } while (this.#values.hasNextElement());
  }

  #readField(field: number): void {
    const source = this.#source;
    const values = this.#values;
    const byte = source.peek();
    if (byte === LETTER_N) {
      source.tryNull();
      return;
    }
    values.ensureRoom();
    const flags = FIELD_FLAGS[field]!;
    const kind = FIELD_KIND[field]!;
    if ((flags & FLAG_REPEATED) !== 0) {
      source.expect(OPEN_BRACKET);
      if (source.peek() === CLOSE_BRACKET) source.pos++;
      else if (kind === KIND_MESSAGE) this.#openElement(field);
      else if (kind === KIND_STRING) values.readStrings(field);
      else values.readPacked(field, kind);
      return;
    }
    const depth = this.#depth;
    const bit = FIELD_BIT[field]!;
    const wasSeen = (this.#seen[depth]! & bit) !== 0;
    if (kind === KIND_MESSAGE) {
      if (byte !== OPEN_BRACE) throw malformed('expected an object', source.pos);
      this.#seen[depth]! |= bit;
      // A message given twice is merged by every reader, so its zeros have something to overwrite.
      this.#open(field, wasSeen ? -1 : 0);
      return;
    }
    const start = values.writer.pos;
    values.putTag(field);
    const isZero = values.readScalar(field, kind);
    if (isZero && !wasSeen && (flags & FLAG_PRESENCE) === 0) values.writer.pos = start;
    else this.#seen[depth]! |= bit;
  }
}

const LETTER_N = 0x6e;
const NO_BYTES = new Uint8Array(0);
/** One for each thread: conversion is synchronous and never enters itself. */
const converter = new JsonToProto();

/**
 * Turns the OTLP/JSON form of an export request into its protobuf form.
 *
 * Accepted beyond the letter of the specification, as the Collector does: snake_case names, enum names, numbers in
 * quotes, 64-bit integers as numbers, integral numbers in any notation, `null` for "not set" (in a list of messages:
 * an empty one), a byte order mark. Unknown fields are skipped after a check of their grammar. A name that occurs
 * twice means what a field that occurs twice means in protobuf: the last value wins, messages merge, lists append.
 * Comments, trailing commas, control characters in strings and text behind the request are refused.
 * Strings keep their bytes, valid UTF-8 or not, as on the protobuf path; a lone surrogate escape becomes U+FFFD.
 * Ids are converted at any length: the scan refuses items whose ids have a wrong one. Zero values are left out.
 *
 * @param json the whole body; borrowed, and may be a view of shared memory that nobody writes to.
 * @returns bytes of its own, at most about four times as many as the text (lists of short numbers), usually half.
 * @throws PipelineError OTLP_MALFORMED or, for more than 100 levels, OTLP_LIMIT_EXCEEDED; permanent, with the byte
 * offset.
 */
export function jsonToProto(signal: Signal, json: Uint8Array): Uint8Array<ArrayBuffer> {
  return converter.convert(requestMessage(signal), json);
}
