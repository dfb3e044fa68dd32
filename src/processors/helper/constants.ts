/** Keys and encoded values of a configuration in one buffer, so that edits can point at them by offsets. */
import { type PlainValue, writePlainValue } from '../../otlp/any-value-write.ts';
import { WireWriter } from '../../otlp/wire-writer.ts';

const UTF8 = new TextEncoder();

export interface ConstantRange {
  readonly start: number;
  readonly end: number;
}

export class Constants {
  readonly #writer = new WireWriter(256);

  addText(text: string): ConstantRange {
    const start = this.#writer.pos;
    this.#writer.writeRaw(UTF8.encode(text));
    return { start, end: this.#writer.pos };
  }

  /** An AnyValue message. */
  addValue(value: PlainValue): ConstantRange {
    const start = this.#writer.pos;
    writePlainValue(this.#writer, value);
    return { start, end: this.#writer.pos };
  }

  /** All of them; ranges stay valid in it, later additions are not in it. */
  toBytes(): Uint8Array {
    return this.#writer.toBytes();
  }
}
