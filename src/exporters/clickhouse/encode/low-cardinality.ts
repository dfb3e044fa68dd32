import type { BlockWriter, Column } from './block-writer.ts';
import type { ByteSink } from './byte-sink.ts';
import { bytesOf, grownWords, INITIAL_ROWS, RETAINED_WORDS_MAX } from './columns.ts';
import { Dictionary } from './dictionary.ts';

/** Bit of the LowCardinality flags that says the keys follow in the block. */
const FLAG_HAS_KEYS = 0x200;

/** LowCardinality(String): one dictionary for the block and an index a row. */
export class LowCardinalityColumn implements Column {
  readonly name: string;
  readonly type = 'LowCardinality(String)';
  readonly dictionary = new Dictionary();
  indexes = new Uint32Array(INITIAL_ROWS);
  /** Rows written. */
  used = 0;
  #hasContent = false;

  constructor(name: string) {
    this.name = name;
  }

  append(src: Uint8Array, from: number, count: number): void {
    if (count > 0) this.#hasContent = true;
    this.appendIndex(this.dictionary.indexOf(src, from, count));
  }

  /** A row with a text that the dictionary gave this index. */
  appendIndex(index: number): void {
    if (this.used === this.indexes.length) this.indexes = grownWords(this.indexes, this.used + 1);
    this.indexes[this.used++] = index;
  }

  /** Index of the row before. */
  lastIndex(): number {
    return this.indexes[this.used - 1]!;
  }

  /** The same text for `times` rows. */
  appendRepeated(src: Uint8Array, from: number, count: number, times: number): void {
    if (times === 0) return;
    this.append(src, from, count);
    const { used } = this;
    this.repeatFrom(used - 1, times);
  }

  /** Repeats the rows written since `from` until they stand `times` times in a row. */
  repeatFrom(from: number, times: number): void {
    const unit = this.used - from;
    const end = from + unit * times;
    if (end > this.indexes.length) this.indexes = grownWords(this.indexes, end);
    while (this.used < end) {
      const count = Math.min(this.used - from, end - this.used);
      this.indexes.copyWithin(this.used, from, from + count);
      this.used += count;
    }
  }

  isDefault(): boolean {
    return !this.#hasContent;
  }

  /** Version of the key serialisation: keys are shared by the whole column of this block. */
  writePrefix(out: BlockWriter): void {
    out.sink.appendUint64(1);
  }

  writeData(out: BlockWriter): void {
    if (this.used === 0) return;
    const keyCount = this.dictionary.count;
    const width = keyCount <= 0x100 ? 0 : keyCount <= 0x10000 ? 1 : 2;
    out.sink.appendUint64(FLAG_HAS_KEYS | width);
    out.sink.appendUint64(keyCount);
    this.dictionary.appendTo(out.sink);
    out.sink.appendUint64(this.used);
    if (width === 2) {
      out.appendView(bytesOf(this.indexes, this.used));
      return;
    }
    appendNarrowed(out.sink, this.indexes, this.used, width === 0 ? 1 : 2);
  }

  reset(): void {
    this.used = 0;
    this.#hasContent = false;
    this.dictionary.reset();
    if (this.indexes.length > RETAINED_WORDS_MAX) this.indexes = new Uint32Array(INITIAL_ROWS);
  }
}

function appendNarrowed(sink: ByteSink, words: Uint32Array, wordCount: number, widthBytes: 1 | 2): void {
  sink.reserve(wordCount * widthBytes);
  const out = sink.bytes;
  let to = sink.pos;
  if (widthBytes === 1) {
    for (let i = 0; i < wordCount; i++) out[to++] = words[i]!;
  } else {
    for (let i = 0; i < wordCount; i++) {
      const word = words[i]!;
      out[to++] = word;
      out[to++] = word >>> 8;
    }
  }
  sink.pos = to;
}
