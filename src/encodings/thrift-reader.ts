/** Thrift's binary protocol, reading side, as far as lists of structs need it. */
import { decodeUtf8, limitExceeded, malformed, NESTING_DEPTH_MAX } from '../otlp/wire-reader.ts';

export const STOP = 0;
export const BOOL = 2;
export const BYTE = 3;
export const DOUBLE = 4;
export const I16 = 6;
export const I32 = 8;
export const I64 = 10;
export const STRING = 11;
export const STRUCT = 12;
export const MAP = 13;
export const SET = 14;
export const LIST = 15;

const TWO_32 = 0x1_0000_0000;
/** Bytes of the types that have one size. */
const SIZES: Readonly<Record<number, number>> = {
  [BOOL]: 1,
  [BYTE]: 1,
  [DOUBLE]: 8,
  [I16]: 2,
  [I32]: 4,
  [I64]: 8,
};

/** A cursor over a record, which it borrows. Errors are OTLP_MALFORMED or OTLP_LIMIT_EXCEEDED with the byte offset. */
export class ThriftReader {
  pos = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Elements of the list that starts here; never more than there are bytes left. Their type is not looked at. */
  readListCount(): number {
    const at = this.pos;
    this.#step(1);
    const count = this.readI32();
    if (count < 0 || count > this.#bytes.length - this.pos) throw malformed('length past the end', at);
    return count;
  }

  /**
   * Reads the fields of a struct to its end.
   * @param read takes the value of a field, or says false and leaves it to be skipped.
   */
  readStruct(read: (id: number, type: number) => boolean): void {
    for (;;) {
      const type = this.#readByte();
      if (type === STOP) return;
      const id = this.readI16();
      if (!read(id, type)) this.#skip(type, 1);
    }
  }

  readI16(): number {
    return this.#view.getInt16(this.#step(2));
  }

  readI32(): number {
    return this.#view.getInt32(this.#step(4));
  }

  /** Exact from -2^53 to 2^53. */
  readI64(): number {
    const at = this.#step(8);
    return this.#view.getInt32(at) * TWO_32 + this.#view.getUint32(at + 4);
  }

  /** A view of so many bytes. */
  readBytes(sizeBytes: number): Uint8Array {
    const at = this.#step(sizeBytes);
    return this.#bytes.subarray(at, at + sizeBytes);
  }

  /** A view of a string's or binary's content. */
  readBinary(): Uint8Array {
    const at = this.pos;
    const sizeBytes = this.readI32();
    if (sizeBytes < 0) throw malformed('negative length', at);
    return this.readBytes(sizeBytes);
  }

  readText(): string {
    const bytes = this.readBinary();
    return decodeUtf8(bytes, 0, bytes.length);
  }

  #readByte(): number {
    return this.#bytes[this.#step(1)]!;
  }

  #step(sizeBytes: number): number {
    const at = this.pos;
    if (sizeBytes > this.#bytes.length - at) throw malformed('truncated value', at);
    this.pos = at + sizeBytes;
    return at;
  }

  #skip(type: number, depth: number): void {
    if (depth > NESTING_DEPTH_MAX) throw limitExceeded('nesting over 100 levels', this.pos);
    const sizeBytes = SIZES[type];
    if (sizeBytes !== undefined) this.#step(sizeBytes);
    else if (type === STRING) this.readBinary();
    else if (type === STRUCT) {
      for (let field = this.#readByte(); field !== STOP; field = this.#readByte()) {
        this.#step(2);
        this.#skip(field, depth + 1);
      }
    } else if (type === LIST || type === SET) {
      const element = this.#readByte();
      for (let left = this.#readCount(); left > 0; left--) this.#skip(element, depth + 1);
    } else if (type === MAP) {
      const key = this.#readByte();
      const value = this.#readByte();
      for (let left = this.#readCount(); left > 0; left--) {
        this.#skip(key, depth + 1);
        this.#skip(value, depth + 1);
      }
    } else throw malformed('unknown type', this.pos);
  }

  #readCount(): number {
    const at = this.pos;
    const count = this.readI32();
    if (count < 0 || count > this.#bytes.length - this.pos) throw malformed('length past the end', at);
    return count;
  }
}
