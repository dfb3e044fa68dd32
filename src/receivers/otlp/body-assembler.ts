/**
 * Puts request bodies together from what the sockets deliver, inside one bound for all connections.
 *
 * Memory is taken as bytes arrive, never by a Content-Length that somebody only announced. Bytes that the
 * server reuses (uWebSockets.js) or that are small go into pooled 16-KiB blocks; large buffers that belong to
 * us (node streams) are kept as they are. A one-byte chunk must not cost a whole Buffer object, so the small
 * ones are always copied.
 */
import { assert } from '../../stdx/assert.ts';

export const BLOCK_BYTES = 16 * 1024;
/** From this size on keeping a chunk is cheaper than copying it, and its bookkeeping is paid for. */
export const KEPT_CHUNK_BYTES_MIN = 8 * 1024;
/** Free blocks kept for the next bodies; the rest goes back to the garbage collector. */
const FREE_BLOCKS_MAX = 512;

/** Bytes held by bodies that are not complete, over all connections. Owned by the main thread. */
export class AssemblyMemory {
  readonly bytesMax: number;
  #usedBytes = 0;
  #peakBytes = 0;
  readonly #freeBlocks: Uint8Array[] = [];

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get peakBytes(): number {
    return this.#peakBytes;
  }

  /** @returns false when the bound would be passed: the request is then refused retryably. */
  tryReserve(sizeBytes: number): boolean {
    const usedBytes = this.#usedBytes + sizeBytes;
    if (usedBytes > this.bytesMax) return false;
    this.#usedBytes = usedBytes;
    if (usedBytes > this.#peakBytes) this.#peakBytes = usedBytes;
    return true;
  }

  giveBack(sizeBytes: number): void {
    this.#usedBytes -= sizeBytes;
    assert(this.#usedBytes >= 0);
  }

  /** A block of BLOCK_BYTES, already counted; undefined when the bound is reached. */
  leaseBlock(): Uint8Array | undefined {
    if (!this.tryReserve(BLOCK_BYTES)) return undefined;
    return this.#freeBlocks.pop() ?? new Uint8Array(BLOCK_BYTES);
  }

  returnBlock(block: Uint8Array): void {
    this.giveBack(BLOCK_BYTES);
    if (this.#freeBlocks.length < FREE_BLOCKS_MAX) this.#freeBlocks.push(block);
  }
}

/** One body under way. Give it back with `release` on every path: answer, refusal and abort. */
export class BodyAssembler {
  readonly #memory: AssemblyMemory;
  readonly #chunks: Uint8Array[] = [];
  readonly #blocks: Uint8Array[] = [];
  #blockUsedBytes = 0;
  #keptBytes = 0;
  #sizeBytes = 0;

  constructor(memory: AssemblyMemory) {
    this.#memory = memory;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /**
   * Adds bytes in order.
   *
   * @param isStable the chunk is ours to keep; otherwise its memory may change after the call.
   * @returns false when the bound over all connections is reached; nothing more may be appended then.
   */
  append(chunk: Uint8Array, isStable: boolean): boolean {
    if (chunk.byteLength === 0) return true;
    const isAppended =
      isStable && chunk.byteLength >= KEPT_CHUNK_BYTES_MIN ? this.#keep(chunk) : this.#copy(chunk);
    if (isAppended) this.#sizeBytes += chunk.byteLength;
    return isAppended;
  }

  /**
   * The whole body in order, `last` included without a copy: it only has to live until the consumer returns.
   * The result is valid until `release`.
   */
  finish(last?: Uint8Array): readonly Uint8Array[] {
    this.#sealBlock();
    if (last !== undefined && last.byteLength > 0) {
      this.#chunks.push(last);
      this.#sizeBytes += last.byteLength;
    }
    return this.#chunks;
  }

  /** Returns every byte to the pool and the bound. May be called again. */
  release(): void {
    for (const block of this.#blocks) this.#memory.returnBlock(block);
    this.#memory.giveBack(this.#keptBytes);
    this.#keptBytes = 0;
    this.#blockUsedBytes = 0;
    this.#sizeBytes = 0;
    this.#blocks.length = 0;
    this.#chunks.length = 0;
  }

  #keep(chunk: Uint8Array): boolean {
    if (!this.#memory.tryReserve(chunk.byteLength)) return false;
    this.#keptBytes += chunk.byteLength;
    this.#sealBlock();
    this.#chunks.push(chunk);
    return true;
  }

  #copy(chunk: Uint8Array): boolean {
    let copiedBytes = 0;
    while (copiedBytes < chunk.byteLength) {
      if (this.#blockUsedBytes === 0 || this.#blockUsedBytes === BLOCK_BYTES) {
        this.#sealBlock();
        const leased = this.#memory.leaseBlock();
        if (leased === undefined) return false;
        this.#blocks.push(leased);
      }
      const block = this.#blocks[this.#blocks.length - 1]!;
      const partBytes = Math.min(chunk.byteLength - copiedBytes, BLOCK_BYTES - this.#blockUsedBytes);
      block.set(chunk.subarray(copiedBytes, copiedBytes + partBytes), this.#blockUsedBytes);
      this.#blockUsedBytes += partBytes;
      copiedBytes += partBytes;
    }
    return true;
  }

  /** Moves the block being filled to the list of chunks; the next copy leases another one. */
  #sealBlock(): void {
    if (this.#blockUsedBytes === 0) return;
    const block = this.#blocks[this.#blocks.length - 1]!;
    this.#chunks.push(this.#blockUsedBytes === BLOCK_BYTES ? block : block.subarray(0, this.#blockUsedBytes));
    this.#blockUsedBytes = 0;
  }
}
