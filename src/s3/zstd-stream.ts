/**
 * Parts a zstd stream into its frames (RFC 8878, section 3.1) without decoding: a decoder of Node ends with the first
 * frame and drops the others without an error, and no decoder must be asked for a larger window than is allowed.
 */
import { PipelineError } from '../component/errors.ts';

const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
/** Magic number, descriptor, window, dictionary, content size: at most. */
const HEADER_BYTES_MAX = 18;
const BLOCK_HEADER_BYTES = 3;
const CHECKSUM_BYTES = 4;
const BLOCK_BYTES_MAX = 128 << 10;
const RLE_BLOCK = 1;
const RESERVED_BLOCK = 3;

function malformed(text: string): PipelineError {
  return new PipelineError('DECOMPRESSION_FAILED', `is not valid zstd: ${text}`, { permanent: true });
}

export class ZstdFrames {
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #windowBytesMax: number;
  #pending: Uint8Array = new Uint8Array(0);
  #isAtEnd = false;

  constructor(stored: AsyncIterable<Uint8Array>, windowBytesMax: number) {
    this.#iterator = stored[Symbol.asyncIterator]();
    this.#windowBytesMax = windowBytesMax;
  }

  /** Whether there is another frame with data; those before it must have been read to their ends. */
  async hasNext(): Promise<boolean> {
    for (;;) {
      await this.#fill(1);
      if (this.#pending.length === 0) return false;
      await this.#need(8);
      const view = viewOf(this.#pending);
      if ((view.getUint32(0, true) & 0xffff_fff0) >>> 0 !== SKIPPABLE_MAGIC) return true;
      const sizeBytes = view.getUint32(4, true);
      for await (const _skipped of this.#pass(8 + sizeBytes));
    }
  }

  /** Bytes of the next frame. @throws PipelineError DECOMPRESSION_FAILED, permanent; errors of the source pass. */
  async *next(): AsyncGenerator<Uint8Array> {
    await this.#fill(HEADER_BYTES_MAX);
    const { headerBytes, hasChecksum } = readHeader(this.#pending, this.#windowBytesMax);
    yield* this.#pass(headerBytes);
    for (let isLast = false; !isLast; ) {
      await this.#need(BLOCK_HEADER_BYTES);
      const header = this.#pending[0]! | (this.#pending[1]! << 8) | (this.#pending[2]! << 16);
      isLast = (header & 1) === 1;
      const type = (header >> 1) & 3;
      const sizeBytes = header >> 3;
      if (type === RESERVED_BLOCK || sizeBytes > BLOCK_BYTES_MAX) throw malformed('a block of no known kind');
      const tail = isLast && hasChecksum ? CHECKSUM_BYTES : 0;
      yield* this.#pass(BLOCK_HEADER_BYTES + (type === RLE_BLOCK ? 1 : sizeBytes) + tail);
    }
  }

  async *#pass(sizeBytes: number): AsyncGenerator<Uint8Array> {
    for (let left = sizeBytes; left > 0; ) {
      await this.#need(1);
      const part = this.#pending.subarray(0, left);
      this.#pending = this.#pending.subarray(part.length);
      left -= part.length;
      yield part;
    }
  }

  async #need(sizeBytes: number): Promise<void> {
    await this.#fill(sizeBytes);
    if (this.#pending.length < sizeBytes) throw malformed('unexpected end of file');
  }

  /** As many bytes, unless the source ends before. */
  async #fill(sizeBytes: number): Promise<void> {
    while (this.#pending.length < sizeBytes && !this.#isAtEnd) {
      const { done, value } = await this.#iterator.next();
      if (done === true) this.#isAtEnd = true;
      else this.#pending = this.#pending.length === 0 ? value : Buffer.concat([this.#pending, value]);
    }
  }

  async close(): Promise<void> {
    await this.#iterator.return?.();
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function readHeader(
  bytes: Uint8Array,
  windowBytesMax: number,
): { headerBytes: number; hasChecksum: boolean } {
  const descriptor = bytes[4];
  if (descriptor === undefined || viewOf(bytes).getUint32(0, true) !== MAGIC) throw malformed('no frame');
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const contentSizeBytes = sizeFlag === 0 ? (isSingleSegment ? 1 : 0) : 1 << sizeFlag;
  if ((descriptor & 3) !== 0) throw malformed('it needs a dictionary');
  const at = isSingleSegment ? 5 : 6;
  if (bytes.length < at + contentSizeBytes) throw malformed('unexpected end of file');
  let windowBytes = 0;
  if (isSingleSegment) {
    for (let index = contentSizeBytes - 1; index >= 0; index--)
      windowBytes = windowBytes * 256 + bytes[at + index]!;
  } else {
    const base = 2 ** (10 + (bytes[5]! >> 3));
    windowBytes = base + (base / 8) * (bytes[5]! & 7);
  }
  if (windowBytes > windowBytesMax) throw malformed(`its window is larger than ${windowBytesMax} bytes`);
  return { headerBytes: at + contentSizeBytes, hasChecksum: (descriptor & 4) !== 0 };
}
