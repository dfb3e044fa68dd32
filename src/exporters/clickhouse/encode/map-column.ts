import { TAG_KEY_VALUE_KEY, TAG_KEY_VALUE_VALUE } from '../../../otlp/tags.ts';
import { appendAnyValue, findKeyValue, keyValue } from './any-value.ts';
import type { BlockWriter, Column } from './block-writer.ts';
import { ByteSink } from './byte-sink.ts';
import { OffsetsColumn } from './columns.ts';
import { LowCardinalityColumn } from './low-cardinality.ts';

const KEY = TAG_KEY_VALUE_KEY;
const VALUE = TAG_KEY_VALUE_VALUE;

/** Map(LowCardinality(String), String) of attributes in text form, in the order they were sent. */
export class MapColumn implements Column {
  readonly name: string;
  readonly type = 'Map(LowCardinality(String), String)';
  readonly #offsets = new OffsetsColumn();
  readonly #keys = new LowCardinalityColumn('');
  readonly #values = new ByteSink();
  #repeatedFrom = 0;

  constructor(name: string) {
    this.name = name;
  }

  /** Adds one KeyValue message to the open row. */
  appendKeyValue(wire: Uint8Array, pos: number, end: number): void {
    const keyBytes = wire[pos + 1]!;
    const valueTagAt = pos + 2 + keyBytes;
    // Key, then value, both shorter than 128 bytes: what every SDK sends nearly always.
    const isPlain =
      keyBytes < 128 &&
      wire[pos] === KEY &&
      valueTagAt < end &&
      wire[valueTagAt] === VALUE &&
      wire[valueTagAt + 1]! < 128 &&
      valueTagAt + 2 + wire[valueTagAt + 1]! === end;
    if (isPlain) {
      this.#keys.append(wire, pos + 2, keyBytes);
      appendAnyValue(this.#values, wire, valueTagAt + 2, end);
      return;
    }
    findKeyValue(wire, pos, end);
    const { keyAt, keyEnd, valueAt, valueEnd } = keyValue;
    this.#keys.append(wire, keyAt, keyEnd - keyAt);
    appendAnyValue(this.#values, wire, valueAt, valueEnd);
  }

  /** Ends the row: all pairs since the last end belong to it. */
  endRow(): void {
    this.#offsets.append(this.#keys.used);
  }

  /** Starts a row that `endRepeatedRow` will repeat. */
  beginRepeatedRow(): void {
    this.#repeatedFrom = this.#values.pos;
  }

  /** Ends the open row and gives the `times - 1` rows after it the same pairs. @param times at least 1. */
  endRepeatedRow(times: number): void {
    const from = this.#offsets.last();
    const pairCount = this.#keys.used - from;
    for (let row = 1; row <= times; row++) this.#offsets.append(from + pairCount * row);
    this.#keys.repeatFrom(from, times);
    this.#values.repeatFrom(this.#repeatedFrom, times);
  }

  isDefault(): boolean {
    return this.#keys.used === 0;
  }

  writePrefix(out: BlockWriter): void {
    this.#keys.writePrefix(out);
  }

  writeData(out: BlockWriter): void {
    this.#offsets.writeData(out);
    this.#keys.writeData(out);
    out.appendView(this.#values.content());
  }

  reset(): void {
    this.#offsets.reset();
    this.#keys.reset();
    this.#values.reset();
  }
}
