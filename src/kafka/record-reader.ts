/**
 * Reads the records of a batch, of the layout in record-batch.ts. Nothing is copied, and headers are looked at only when
 * somebody asks for them.
 */
import type { IHeaders } from './client.ts';

export interface RecordPlaces {
  recordCount: number;
  firstOffset: number;
  /** Records before it are left out. */
  fromOffset: number;
  firstTimeMs: number;
  /** When the broker stamps records itself: of all of them. */
  appendTimeMs: number | undefined;
}

const NO_HEADERS: IHeaders = Object.freeze({});

/** Reads on from a place; what goes past the end is an error with the place. */
class RecordCursor {
  readonly bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** A zigzag varint of up to 64 bits; exact up to 2^53. */
  varint(): number {
    const { bytes } = this;
    let at = this.at;
    let value = 0;
    let factor = 1;
    for (;;) {
      const byte = bytes[at++];
      if (byte === undefined || factor > 2 ** 63) throw new RangeError(`no number at byte ${this.at}`);
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) break;
      factor *= 128;
    }
    this.at = at;
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** Bytes behind their length; null for the length -1. */
  field(): Buffer | null {
    const sizeBytes = this.varint();
    if (sizeBytes === -1) return null;
    const { at } = this;
    this.skip(sizeBytes);
    return this.bytes.subarray(at, this.at);
  }

  skip(sizeBytes: number): void {
    const end = this.at + sizeBytes;
    if (sizeBytes < 0 || end > this.bytes.byteLength)
      throw new RangeError(`${sizeBytes} bytes at byte ${this.at} of ${this.bytes.byteLength}`);
    this.at = end;
  }
}

/** One record; its headers are read at each call. */
class ReadRecord {
  readonly offset: number;
  readonly timeUnixMs: number;
  readonly value: Buffer | null;
  readonly #bytes: Buffer;
  readonly #headersAt: number;

  constructor(offset: number, timeUnixMs: number, value: Buffer | null, cursor: RecordCursor) {
    this.offset = offset;
    this.timeUnixMs = timeUnixMs;
    this.value = value;
    this.#bytes = cursor.bytes;
    this.#headersAt = cursor.at;
  }

  get headers(): IHeaders {
    return readHeaders(this.#bytes, this.#headersAt);
  }
}

/** @throws RangeError when lengths contradict each other. */
export function readRecords(bytes: Buffer, places: RecordPlaces): ReadRecord[] {
  const { recordCount, firstOffset, fromOffset, firstTimeMs, appendTimeMs } = places;
  const records: ReadRecord[] = [];
  const cursor = new RecordCursor(bytes);
  for (let index = 0; index < recordCount; index++) {
    const sizeBytes = cursor.varint();
    const start = cursor.at;
    cursor.skip(sizeBytes);
    const end = cursor.at;
    // Behind the attributes, which mean nothing.
    cursor.at = start + 1;
    const timeUnixMs = firstTimeMs + cursor.varint();
    const offset = firstOffset + cursor.varint();
    if (offset >= fromOffset) {
      const keyBytes = cursor.varint();
      if (keyBytes > 0) cursor.skip(keyBytes);
      const value = cursor.field();
      if (cursor.at > end) throw new RangeError(`the record at offset ${offset} is longer than it says`);
      records.push(new ReadRecord(offset, appendTimeMs ?? timeUnixMs, value, cursor));
    }
    cursor.at = end;
  }
  return records;
}

/** Key of the first record. */
export function firstKey(bytes: Buffer): Buffer | null {
  const cursor = new RecordCursor(bytes);
  cursor.varint();
  cursor.skip(1);
  cursor.varint();
  cursor.varint();
  return cursor.field();
}

/** By name; the values of one that comes several times, in order. A name of `Object.prototype` is one as any other. */
function readHeaders(bytes: Buffer, at: number): IHeaders {
  const cursor = new RecordCursor(bytes);
  cursor.at = at;
  const headerCount = cursor.varint();
  if (headerCount === 0) return NO_HEADERS;
  const headers: IHeaders = Object.create(null);
  for (let index = 0; index < headerCount; index++) {
    const name = cursor.field()?.toString() ?? '';
    const value = cursor.field() ?? undefined;
    const before = name in headers ? headers[name] : undefined;
    if (before === undefined) headers[name] = value;
    else headers[name] = ([] as (Buffer | string)[]).concat(before, value ?? []);
  }
  return headers;
}
