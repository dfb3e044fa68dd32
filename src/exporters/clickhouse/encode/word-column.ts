import type { BlockWriter, Column } from './block-writer.ts';
import { LowCardinalityColumn } from './low-cardinality.ts';

const UNKNOWN = new Uint8Array(0);

/** LowCardinality(String) column of an enum: the word of each number, an empty string for an unknown one. */
export class WordColumn implements Column {
  readonly name: string;
  readonly type: string;
  readonly #texts: readonly Uint8Array[];
  readonly #column: LowCardinalityColumn;
  /** Index in this block's dictionary by enum number, -1 before the first use; the last one stands for unknown numbers. */
  readonly #indexes: Int32Array;

  constructor(name: string, words: readonly string[]) {
    const encoder = new TextEncoder();
    this.name = name;
    this.#column = new LowCardinalityColumn(name);
    this.type = this.#column.type;
    this.#texts = words.map((word) => encoder.encode(word));
    this.#indexes = new Int32Array(words.length + 1).fill(-1);
  }

  append(number: number): void {
    const slot = number >= 0 && number < this.#texts.length ? number : this.#texts.length;
    const index = this.#indexes[slot]!;
    if (index >= 0) {
      this.#column.appendIndex(index);
      return;
    }
    const text = this.#texts[slot] ?? UNKNOWN;
    this.#column.append(text, 0, text.length);
    this.#indexes[slot] = this.#column.lastIndex();
  }

  isDefault(): boolean {
    return this.#column.isDefault();
  }

  writePrefix(out: BlockWriter): void {
    this.#column.writePrefix(out);
  }

  writeData(out: BlockWriter): void {
    this.#column.writeData(out);
  }

  reset(): void {
    this.#column.reset();
    this.#indexes.fill(-1);
  }
}
