/** Writes an AnyValue message from plain data, as configurations hold it. */
import * as tags from './tags.ts';
import type { WireWriter } from './wire-writer.ts';

/** A number that is a double although it is whole. */
export class Double {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

export type PlainValue =
  | string
  | number
  | bigint
  | Double
  | boolean
  | null
  | readonly PlainValue[]
  | { readonly [key: string]: PlainValue };

/**
 * The message without tag and length: a whole number is an int, any other a double, null an empty value. A bigint that is no
 * int64 is the double next to it.
 */
export function writePlainValue(writer: WireWriter, value: PlainValue): void {
  if (value === null) return;
  if (typeof value === 'string') writer.writeStringField(tags.TAG_ANY_STRING_VALUE, value);
  else if (typeof value === 'boolean') {
    writer.writeVarint32(tags.TAG_ANY_BOOL_VALUE);
    writer.writeVarint32(value ? 1 : 0);
  } else if (typeof value === 'number') {
    if (Number.isSafeInteger(value)) writeIntValue(writer, value | 0, Math.floor(value / 2 ** 32));
    else writeDoubleValue(writer, value);
  } else if (typeof value === 'bigint') {
    if (BigInt.asIntN(64, value) !== value) writeDoubleValue(writer, Number(value));
    else writeIntValue(writer, Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)));
  } else if (value instanceof Double) {
    writeDoubleValue(writer, value.value);
  } else if (Array.isArray(value)) {
    const list = writer.beginMessage(tags.TAG_ANY_ARRAY_VALUE);
    for (const item of value as readonly PlainValue[]) {
      const mark = writer.beginMessage(tags.TAG_ARRAY_VALUES);
      writePlainValue(writer, item);
      writer.endMessage(mark);
    }
    writer.endMessage(list);
  } else {
    const map = writer.beginMessage(tags.TAG_ANY_KVLIST_VALUE);
    for (const [key, item] of Object.entries(value)) {
      const pair = writer.beginMessage(tags.TAG_KVLIST_VALUES);
      writer.writeStringField(tags.TAG_KEY_VALUE_KEY, key);
      const mark = writer.beginMessage(tags.TAG_KEY_VALUE_VALUE);
      writePlainValue(writer, item);
      writer.endMessage(mark);
      writer.endMessage(pair);
    }
    writer.endMessage(map);
  }
}

/** An int of two words. */
export function writeIntValue(writer: WireWriter, lo: number, hi: number): void {
  writer.writeVarint32(tags.TAG_ANY_INT_VALUE);
  writer.writeVarint64(lo, hi);
}

export function writeDoubleValue(writer: WireWriter, value: number): void {
  writer.writeVarint32(tags.TAG_ANY_DOUBLE_VALUE);
  writer.writeDouble(value);
}
