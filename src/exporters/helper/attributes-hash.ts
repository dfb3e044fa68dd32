/**
 * The Collector's hash of attributes: 16 bytes that depend on names and values, not on their order. Attributes are sorted
 * by name and written with a mark in front of every name and value, hashed by XXH64, and once more with another mark
 * behind them.
 */
import {
  ANY_ARRAY,
  ANY_BOOL,
  ANY_BYTES,
  ANY_DOUBLE,
  ANY_INT,
  ANY_KVLIST,
  ANY_STRING,
  AnyValueView,
} from '../../otlp/any-value-view.ts';
import { AttributeCursor, RepeatedCursor } from '../../otlp/item-view.ts';
import { TAG_ARRAY_VALUES, TAG_KVLIST_VALUES } from '../../otlp/tags.ts';
import { WireWriter } from '../../otlp/wire-writer.ts';
import { xxhash64 } from './xxhash64.ts';

export const ATTRIBUTES_HASH_BYTES = 16;
const SECOND_HASH = 0xf3;
const NAME = 0xf4;
const EMPTY = 0xf5;
const BYTES = 0xf6;
const TEXT = 0xf7;
const TRUE = 0xf8;
const FALSE = 0xf9;
const INT = 0xfa;
const DOUBLE = 0xfb;
const MAP = 0xfc;
const MAP_END = 0xfd;
const LIST = 0xfe;
const LIST_END = 0xff;

/** @param tag of the attributes among the fields of the message at [start, end). @returns zeros when there are none. */
export function attributesHash(bytes: Uint8Array, start: number, end: number, tag: number): Uint8Array {
  const writer = new WireWriter(512);
  writeAttributes(writer, bytes, start, end, tag);
  const hash = Buffer.alloc(ATTRIBUTES_HASH_BYTES);
  if (writer.pos === 0) return hash;
  const first = xxhash64(Buffer.from(writer.view()));
  writeByte(writer, SECOND_HASH);
  hash.writeBigUInt64LE(first, 0);
  hash.writeBigUInt64LE(xxhash64(Buffer.from(writer.view())), 8);
  return hash;
}

interface Attribute {
  name: Buffer;
  write(): void;
}

function writeAttributes(
  writer: WireWriter,
  bytes: Uint8Array,
  start: number,
  end: number,
  tag: number,
): void {
  const cursor = new AttributeCursor();
  cursor.reset(bytes, start, end, tag);
  const attributes: Attribute[] = [];
  while (cursor.next()) {
    const name = Buffer.from(bytes.subarray(cursor.keyStart, cursor.keyEnd));
    // A name that comes twice counts twice, both times with its first value.
    const same = attributes.find((each) => each.name.equals(name));
    const write = same?.write ?? valueWriter(writer, cursor.value);
    attributes.push({ name, write });
  }
  // As byte strings, which is how Go compares.
  attributes.sort((a, b) => Buffer.compare(a.name, b.name));
  for (const { name, write } of attributes) {
    writeByte(writer, NAME);
    writer.writeRaw(name);
    write();
  }
}

/** The cursor moves on, so what it shows is noted. */
function valueWriter(writer: WireWriter, shown: AnyValueView): () => void {
  const { bytes, kind, start, end, lo, hi } = shown;
  return () => writeValue(writer, { bytes, kind, start, end, lo, hi });
}

type Value = Pick<AnyValueView, 'bytes' | 'kind' | 'start' | 'end' | 'lo' | 'hi'>;

function writeValue(writer: WireWriter, { bytes, kind, start, end, lo, hi }: Value): void {
  switch (kind) {
    case ANY_STRING:
    case ANY_BYTES:
      writeByte(writer, kind === ANY_STRING ? TEXT : BYTES);
      return writer.writeRaw(bytes, start, end);
    case ANY_BOOL:
      return writeByte(writer, lo === 0 ? FALSE : TRUE);
    case ANY_INT:
    case ANY_DOUBLE: {
      writeByte(writer, kind === ANY_INT ? INT : DOUBLE);
      const words = Buffer.alloc(8);
      words.writeInt32LE(lo | 0, 0);
      words.writeInt32LE(hi | 0, 4);
      return writer.writeRaw(words);
    }
    case ANY_KVLIST:
      writeByte(writer, MAP);
      writeAttributes(writer, bytes, start, end, TAG_KVLIST_VALUES);
      return writeByte(writer, MAP_END);
    case ANY_ARRAY:
      writeByte(writer, LIST);
      writeList(writer, bytes, start, end);
      return writeByte(writer, LIST_END);
    default:
      return writeByte(writer, EMPTY);
  }
}

function writeList(writer: WireWriter, bytes: Uint8Array, start: number, end: number): void {
  const items = new RepeatedCursor();
  items.reset(bytes, start, end, TAG_ARRAY_VALUES);
  const view = new AnyValueView();
  while (items.next()) {
    view.reset(bytes, items.start, items.end);
    writeValue(writer, view);
  }
}

function writeByte(writer: WireWriter, byte: number): void {
  writer.writeRaw(Uint8Array.of(byte));
}
