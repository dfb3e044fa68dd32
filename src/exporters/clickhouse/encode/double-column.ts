import type { BlockWriter, Column } from './block-writer.ts';
import { Words64Column, wordAt } from './columns.ts';

const scratch = new DataView(new ArrayBuffer(8));
const TWO_32 = 0x1_0000_0000;

/** Float64 column. The bits of a double travel as they are, so every NaN stays what it was. */
export class DoubleColumn implements Column {
  readonly name: string;
  readonly type = 'Float64';
  readonly #words: Words64Column;

  constructor(name: string) {
    this.name = name;
    this.#words = new Words64Column(name, 'Float64');
  }

  /** The value at `at`: a double, or an sfixed64 when `isInt`; 0 when `at` is negative. */
  appendWire(wire: Uint8Array, at: number, isInt: boolean): void {
    if (at < 0) {
      this.#words.append(0, 0);
      return;
    }
    const low = wordAt(wire, at);
    const high = wordAt(wire, at + 4);
    if (!isInt) {
      this.#words.append(low, high);
      return;
    }
    // The column holds doubles, as the Collector's does; above 2^53 the nearest one.
    scratch.setFloat64(0, (high | 0) * TWO_32 + low, true);
    this.#words.append(scratch.getUint32(0, true), scratch.getUint32(4, true));
  }

  isDefault(): boolean {
    return this.#words.isDefault();
  }

  writePrefix(): void {}

  writeData(out: BlockWriter): void {
    this.#words.writeData(out);
  }

  reset(): void {
    this.#words.reset();
  }
}
