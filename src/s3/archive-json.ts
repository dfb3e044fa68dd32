/**
 * Cuts OTLP/JSON between the elements of the lists `resourceSpans`, `resourceLogs`, `resourceMetrics`. Documents may
 * follow one another with or without line feeds between them. Only the nesting is followed here: what is wrong inside
 * an element is found by whoever reads it.
 */
import { PipelineError } from '../component/errors.ts';
import type { Signal } from '../component/signal.ts';
import {
  type ArchiveMessage,
  ELEMENT_BYTES_MAX,
  elementTooLarge,
  MESSAGE_BYTES_WANTED,
  type MessageCutter,
  malformed,
} from './archive-messages.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const SPACE_MAX = 0x20;
const BYTE_ORDER_MARK: readonly number[] = [0xef, 0xbb, 0xbf];
const KEY_BYTES_MAX = 32;

const LISTS: ReadonlyMap<string, Signal> = new Map([
  ['resourceSpans', 'traces'],
  ['resource_spans', 'traces'],
  ['resourceLogs', 'logs'],
  ['resource_logs', 'logs'],
  ['resourceMetrics', 'metrics'],
  ['resource_metrics', 'metrics'],
]);
const OPENINGS: Record<Signal, Uint8Array> = {
  traces: Buffer.from('{"resourceSpans":['),
  logs: Buffer.from('{"resourceLogs":['),
  metrics: Buffer.from('{"resourceMetrics":['),
};
const CLOSING = Buffer.from(']}');

/** Bytes outside of strings that change where one is. */
const STRUCTURAL = new Uint8Array(256);
for (const byte of [QUOTE, COLON, OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET]) STRUCTURAL[byte] = 1;

/** Depth of the keys of a document, and of the elements of their lists. */
const KEY_DEPTH = 1;
const LIST_DEPTH = 2;

export class JsonCutter implements MessageCutter {
  #depth = 0;
  #isString = false;
  #isEscaped = false;
  /** Text of the latest string at the depth of keys, and the latest that a colon followed. */
  #word = '';
  #key = '';
  /** Of the list that is open at the moment. */
  #signal: Signal | undefined;
  #hasKeys = false;
  #hasList = false;
  /** Bytes of chunks before this one, from the first element that was not handed out. */
  #pieces: Uint8Array[] = [];
  #piecesBytes = 0;
  /** In the present chunk; -1 while no element waits. */
  #runStart = -1;
  /** One past the last whole element; in the present chunk, or below 0 in the pieces. */
  #runEnd = 0;
  #offset = 0;

  push(chunk: Uint8Array, out: ArchiveMessage[]): void {
    if (this.#runStart >= 0) this.#runStart = 0;
    for (let at = 0; at < chunk.length; at++) {
      if (this.#isString) {
        at = this.#skipString(chunk, at);
        continue;
      }
      const byte = chunk[at]!;
      if (STRUCTURAL[byte] === 1 || (this.#depth === 0 && byte > SPACE_MAX)) this.#take(chunk, byte, at, out);
    }
    if (this.#runStart >= 0) {
      this.#pieces.push(chunk.subarray(this.#runStart));
      this.#piecesBytes += chunk.length - this.#runStart;
      this.#runEnd -= chunk.length;
      if (this.#piecesBytes > ELEMENT_BYTES_MAX + MESSAGE_BYTES_WANTED) throw elementTooLarge(this.#offset);
    }
    this.#offset += chunk.length;
  }

  /** @returns offset of the quote that ends the string, or of the last byte of the chunk. */
  #skipString(chunk: Uint8Array, from: number): number {
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (this.#isEscaped) this.#isEscaped = false;
      else if (byte === BACKSLASH) this.#isEscaped = true;
      else if (byte === QUOTE) {
        this.#isString = false;
        return at;
      }
      if (this.#depth === KEY_DEPTH && this.#word.length < KEY_BYTES_MAX)
        this.#word += String.fromCharCode(byte);
    }
    return chunk.length;
  }

  #take(chunk: Uint8Array, byte: number, at: number, out: ArchiveMessage[]): void {
    switch (byte) {
      case QUOTE:
        this.#isString = true;
        if (this.#depth === KEY_DEPTH) this.#word = '';
        break;
      case COLON:
        if (this.#depth !== KEY_DEPTH) break;
        this.#key = this.#word;
        this.#hasKeys = true;
        break;
      case OPEN_BRACE:
      case OPEN_BRACKET:
        this.#open(byte, at);
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        this.#close(chunk, at, out);
        break;
    }
    if (this.#depth === 0 && byte !== CLOSE_BRACE && !BYTE_ORDER_MARK.includes(byte))
      throw malformed('no JSON document', this.#offset + at);
  }

  #open(byte: number, at: number): void {
    if (this.#depth === 0 && byte === OPEN_BRACKET) return;
    if (this.#depth === KEY_DEPTH && byte === OPEN_BRACKET) {
      this.#signal = LISTS.get(this.#key);
      this.#hasList ||= this.#signal !== undefined;
    } else if (this.#depth === LIST_DEPTH && this.#signal !== undefined && this.#runStart < 0) {
      this.#runStart = at;
      this.#runEnd = at;
    }
    this.#depth++;
  }

  #close(chunk: Uint8Array, at: number, out: ArchiveMessage[]): void {
    if (this.#depth === 0) throw malformed('no JSON document', this.#offset + at);
    this.#depth--;
    if (this.#signal !== undefined && this.#depth === LIST_DEPTH) {
      this.#runEnd = at + 1;
      if (this.#piecesBytes + this.#runEnd - this.#runStart >= MESSAGE_BYTES_WANTED) this.#flush(chunk, out);
    } else if (this.#depth === KEY_DEPTH) {
      this.#flush(chunk, out);
      this.#signal = undefined;
    } else if (this.#depth === 0) this.#endDocument(at);
  }

  #endDocument(at: number): void {
    const isStrange = this.#hasKeys && !this.#hasList;
    this.#hasKeys = false;
    this.#hasList = false;
    this.#key = '';
    if (!isStrange) return;
    const message = `a JSON document at byte ${this.#offset + at} without resourceSpans, resourceLogs or resourceMetrics`;
    throw new PipelineError('OTLP_UNSUPPORTED_ENCODING', message, { permanent: true });
  }

  /** Hands out the whole elements that wait. */
  #flush(chunk: Uint8Array, out: ArchiveMessage[]): void {
    const signal = this.#signal;
    if (this.#runStart < 0 || signal === undefined) return;
    const elements =
      this.#runEnd > 0
        ? [...this.#pieces, chunk.subarray(this.#runStart, this.#runEnd)]
        : [Buffer.concat(this.#pieces).subarray(0, this.#piecesBytes + this.#runEnd)];
    out.push({ encoding: 'json', signal, bytes: Buffer.concat([OPENINGS[signal], ...elements, CLOSING]) });
    this.#pieces = [];
    this.#piecesBytes = 0;
    this.#runStart = -1;
    this.#runEnd = 0;
  }

  end(out: ArchiveMessage[]): void {
    if (this.#depth === 0) return;
    const isWhole = this.#runStart >= 0 && this.#piecesBytes + this.#runEnd > 0;
    if (isWhole) this.#flush(new Uint8Array(0), out);
    throw malformed('the text ends within a JSON document', this.#offset);
  }
}
