/** Plain values of OTLP/JSON, read from the text and written as protobuf: everything but messages and names. */
import { decodeBase64, decodeHex } from './json-bytes.ts';
import {
  enumValue,
  FIELD_CHILD,
  FIELD_COUNT,
  FIELD_TAG,
  KIND_BOOL,
  KIND_BYTES,
  KIND_DOUBLE,
  KIND_ENUM,
  KIND_FIXED32,
  KIND_FIXED64,
  KIND_ID,
  KIND_INT64,
  KIND_SFIXED64,
  KIND_SINT32,
  KIND_STRING,
  KIND_UINT32,
  KIND_UINT64,
} from './json-fields.ts';
import { JsonNumber } from './json-number.ts';
import { CLOSE_BRACKET, COMMA, JsonSource, LITERAL_FALSE, LITERAL_TRUE, QUOTE } from './json-source.ts';
import { decodeUtf8, malformed } from './wire-reader.ts';
import { varint32Bytes, WireWriter } from './wire-writer.ts';

/** Room that any one field but a string needs at most: tag, length and a 10-byte varint. */
const FIELD_BYTES_MAX = 32;
const LETTER_A = 0x41;

/** Reads values at the position of `source` and appends them to `writer`. */
export class JsonValues {
  readonly source = new JsonSource();
  writer = new WireWriter();
  readonly #number = new JsonNumber();
  /** Bytes that the length of a field took last time: a right guess saves moving the content. */
  readonly #lengthBytes = new Uint8Array(FIELD_COUNT).fill(1);

  /** Makes room for a field. What is left of the text bounds every string in it: copies need no check per byte. */
  ensureRoom(): void {
    this.writer.ensure(this.source.remainingBytes + FIELD_BYTES_MAX);
  }

  /** Opens a length-delimited field; `end` takes the mark. */
  begin(field: number): number {
    return this.writer.beginMessage(FIELD_TAG[field]!, this.#lengthBytes[field]!);
  }

  end(field: number, mark: number): void {
    const writer = this.writer;
    const sizeBytes = writer.pos - mark - writer.bytes[mark]!;
    writer.endMessage(mark);
    this.#lengthBytes[field] = varint32Bytes(sizeBytes);
  }

  putTag(field: number): void {
    const writer = this.writer;
    const tag = FIELD_TAG[field]!;
    if (tag > 0x7f) {
      writer.bytes[writer.pos++] = tag | 0x80;
      writer.bytes[writer.pos++] = tag >>> 7;
    } else writer.bytes[writer.pos++] = tag;
  }

  /** Behind an element of a list: true when a comma announces another one, false behind the bracket. */
  hasNextElement(): boolean {
    const source = this.source;
    const byte = source.peek();
    if (byte !== COMMA && byte !== CLOSE_BRACKET) throw malformed("expected ',' or ']'", source.pos);
    source.pos++;
    return byte === COMMA;
  }

  readStrings(field: number): void {
    do {
      if (this.source.peek() !== QUOTE) throw malformed('expected a string', this.source.pos);
      this.ensureRoom();
      this.putTag(field);
      this.#readString(field);
    } while (this.hasNextElement());
  }

  readPacked(field: number, kind: number): void {
    const mark = this.begin(field);
    do {
      this.ensureRoom();
      this.readScalar(field, kind);
    } while (this.hasNextElement());
    this.end(field, mark);
  }

  /** Reads one value and writes it behind its tag. @returns whether it is the zero of its type. */
  readScalar(field: number, kind: number): boolean {
    if (kind === KIND_STRING) return this.#readString(field);
    const source = this.source;
    const number = this.#number;
    const writer = this.writer;
    switch (kind) {
      case KIND_ID:
      case KIND_BYTES:
        return this.#readBytes(field, kind);
      case KIND_BOOL:
        return this.#readBool();
      case KIND_DOUBLE: {
        const value = number.readDouble(source);
        writer.writeDouble(value);
        return value === 0 && !Object.is(value, -0);
      }
      case KIND_FIXED64:
        number.readUint64(source);
        writer.writeFixed64(number.lo, number.hi);
        break;
      case KIND_SFIXED64:
        number.readInt64(source);
        writer.writeFixed64(number.lo, number.hi);
        break;
      case KIND_INT64:
        number.readInt64(source);
        writer.writeVarint64(number.lo, number.hi);
        break;
      case KIND_UINT64:
        number.readUint64(source);
        writer.writeVarint64(number.lo, number.hi);
        break;
      case KIND_ENUM:
        return this.#readEnum(field);
      case KIND_UINT32:
        number.readUint32(source);
        writer.writeVarint32(number.lo);
        return number.lo === 0;
      case KIND_SINT32:
        number.readInt32(source);
        writer.writeSint32(number.lo);
        return number.lo === 0;
      case KIND_FIXED32:
        number.readUint32(source);
        writer.writeFixed32(number.lo);
        return number.lo === 0;
    }
    return (number.lo | number.hi) === 0;
  }

  #readString(field: number): boolean {
    const source = this.source;
    source.expect(QUOTE);
    const writer = this.writer;
    const start = writer.pos;
    const guessBytes = this.#lengthBytes[field]!;
    const end = source.copyString(writer.bytes, start + guessBytes);
    const sizeBytes = end - start - guessBytes;
    if (sizeBytes < 0x80 && guessBytes === 1) {
      writer.bytes[start] = sizeBytes;
      writer.pos = end;
      return sizeBytes === 0;
    }
    const needBytes = varint32Bytes(sizeBytes);
    if (needBytes !== guessBytes) writer.bytes.copyWithin(start + needBytes, start + guessBytes, end);
    this.#lengthBytes[field] = needBytes;
    writer.writeVarint32(sizeBytes);
    writer.pos = start + needBytes + sizeBytes;
    return sizeBytes === 0;
  }

  #readBytes(field: number, kind: number): boolean {
    const source = this.source;
    const writer = this.writer;
    const offset = source.pos;
    source.readToken();
    const { tokenBytes, tokenStart, tokenEnd } = source;
    const mark = writer.pos;
    const guessBytes = this.#lengthBytes[field]!;
    const start = mark + guessBytes;
    const decode = kind === KIND_ID ? decodeHex : decodeBase64;
    const end = decode(tokenBytes, tokenStart, tokenEnd, writer.bytes, start);
    if (end < 0) throw malformed(kind === KIND_ID ? 'id is not hexadecimal' : 'not base64', offset);
    writer.bytes[mark] = guessBytes;
    writer.pos = end;
    this.end(field, mark);
    return end === start;
  }

  #readBool(): boolean {
    const source = this.source;
    const isTrue = source.peek() === LITERAL_TRUE[0];
    source.expectLiteral(isTrue ? LITERAL_TRUE : LITERAL_FALSE);
    this.writer.bytes[this.writer.pos++] = isTrue ? 1 : 0;
    return !isTrue;
  }

  #readEnum(field: number): boolean {
    const source = this.source;
    const number = this.#number;
    const first = source.bytes[source.pos + 1]!;
    // Every name begins with a capital letter, every quoted number with something below.
    if (source.peek() === QUOTE && first >= LETTER_A) {
      const offset = source.pos;
      source.readToken();
      const value = enumValue(
        FIELD_CHILD[field]!,
        decodeUtf8(source.tokenBytes, source.tokenStart, source.tokenEnd),
      );
      if (value < 0) throw malformed('unknown name of an enum value', offset);
      number.lo = value;
      number.hi = 0;
    } else number.readInt32(source);
    this.writer.writeVarint64(number.lo, number.hi);
    return number.lo === 0;
  }
}
