import { bigintOfWords, decodeUtf8, doubleOfWords, WIRE_LEN, WireReader } from './wire-reader.ts';

/* Kinds of an AnyValue: the field numbers of its oneof (common/v1/common.proto). */
export const ANY_EMPTY = 0;
export const ANY_STRING = 1;
export const ANY_BOOL = 2;
export const ANY_INT = 3;
export const ANY_DOUBLE = 4;
export const ANY_ARRAY = 5;
export const ANY_KVLIST = 6;
export const ANY_BYTES = 7;
const ANY_KIND_MAX = ANY_BYTES;

/**
 * What one encoded AnyValue holds, without decoding text. Reusable: `reset` moves it to another value.
 * The last member of the oneof wins. Borrows the bytes; they must have passed `scanRequest`.
 */
export class AnyValueView {
  bytes: Uint8Array = new Uint8Array(0);
  /** ANY_* */
  kind = ANY_EMPTY;
  /** Content of a string, bytes, array (ArrayValue message) or kvlist (KeyValueList message). */
  start = 0;
  end = 0;
  /** Words of an int, of the bits of a double, or 0 and 1 for a bool; int32 bits. */
  lo = 0;
  hi = 0;
  readonly #reader = new WireReader(new Uint8Array(0));

  /** @param start first byte of the AnyValue message. */
  reset(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.kind = ANY_EMPTY;
    const reader = this.#reader;
    reader.reset(bytes, start, end);
    while (reader.pos < end) {
      const tag = reader.readTag();
      const field = tag >>> 3;
      if (field > ANY_KIND_MAX) {
        reader.skip(tag);
        continue;
      }
      this.kind = field;
      this.#readContent(reader, tag);
    }
  }

  /** Text of a string value, invalid UTF-8 replaced. */
  text(): string {
    return decodeUtf8(this.bytes, this.start, this.end);
  }

  int(): bigint {
    return bigintOfWords(this.lo, this.hi, true);
  }

  double(): number {
    return doubleOfWords(this.lo, this.hi);
  }

  bool(): boolean {
    return this.lo !== 0;
  }

  #readContent(reader: WireReader, tag: number): void {
    if ((tag & 7) === WIRE_LEN) {
      const sizeBytes = reader.readLength();
      this.start = reader.pos;
      this.end = reader.pos + sizeBytes;
      reader.pos = this.end;
      return;
    }
    if (tag >>> 3 === ANY_DOUBLE) reader.readFixed64();
    else reader.readVarint64();
    this.lo = reader.lo;
    this.hi = reader.hi;
    if (tag >>> 3 === ANY_BOOL) {
      this.lo = (reader.lo | reader.hi) !== 0 ? 1 : 0;
      this.hi = 0;
    }
  }
}
