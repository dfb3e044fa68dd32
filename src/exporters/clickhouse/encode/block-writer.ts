import { ByteSink } from './byte-sink.ts';

const textEncoder = new TextEncoder();

/** One column of a Native block. Rows are appended by the encoder that owns the block. */
export interface Column {
  readonly name: string;
  /** ClickHouse type as it stands in the block; the server converts when the table has a related one. */
  readonly type: string;
  /** Every row holds the type's default, so the column need not be sent. */
  isDefault(): boolean;
  /** State prefixes: those of the whole nested type stand before any data. */
  writePrefix(out: BlockWriter): void;
  /** Data of all rows. Large memory is referenced, not copied. */
  writeData(out: BlockWriter): void;
  reset(): void;
}

/**
 * Collects a block as a list of byte views: small parts in an own buffer, columns where they are.
 * The views are valid until the next `reset`.
 */
export class BlockWriter {
  chunks: Uint8Array[] = [];
  sizeBytes = 0;
  #sink = new ByteSink();
  #flushed = 0;

  reset(): void {
    this.chunks = [];
    this.sizeBytes = 0;
    this.#flushed = 0;
    this.#sink.reset();
  }

  /** Where small parts are written; the next `appendView` or `finish` puts them in their place. */
  get sink(): ByteSink {
    return this.#sink;
  }

  /** Adds memory that stays as it is until the block was sent. */
  appendView(bytes: Uint8Array): void {
    this.#flush();
    if (bytes.length === 0) return;
    this.chunks.push(bytes);
    this.sizeBytes += bytes.length;
  }

  appendText(text: string): void {
    const bytes = textEncoder.encode(text);
    this.#sink.appendVarint(bytes.length);
    this.#sink.appendBytes(bytes, 0, bytes.length);
  }

  /**
   * Appends one block (Native format, revision 0): counts, then name, type and data of each column.
   * Columns that hold only defaults are left out; at least one column is always sent.
   * @returns the columns that were sent.
   */
  appendBlock(columns: readonly Column[], rowCount: number): readonly Column[] {
    const sent = columns.filter((column) => !column.isDefault());
    if (sent.length === 0) sent.push(columns[0]!);
    this.#sink.appendVarint(sent.length);
    this.#sink.appendVarint(rowCount);
    for (const column of sent) {
      this.appendText(column.name);
      this.appendText(column.type);
      column.writePrefix(this);
      column.writeData(this);
    }
    this.#flush();
    return sent;
  }

  #flush(): void {
    if (this.#sink.pos === this.#flushed) return;
    const part = this.#sink.bytes.subarray(this.#flushed, this.#sink.pos);
    this.#flushed = this.#sink.pos;
    this.chunks.push(part);
    this.sizeBytes += part.length;
  }
}
