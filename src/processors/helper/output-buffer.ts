import { WireWriter } from '../../otlp/wire-writer.ts';

const FIRST_BYTES = 64 * 1024;
/** A larger request does not keep its buffer for the requests after it. */
const KEPT_BYTES = 8 * 1024 * 1024;

/** What a processor writes its result to; the result stays until the next request. */
export class OutputBuffer {
  #writer = new WireWriter(FIRST_BYTES);

  /** The emptied writer. */
  next(): WireWriter {
    if (this.#writer.bytes.length > KEPT_BYTES) this.#writer = new WireWriter(FIRST_BYTES);
    this.#writer.reset();
    return this.#writer;
  }
}
