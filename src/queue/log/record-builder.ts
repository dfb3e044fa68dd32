/** Record buffers: filled by tryAppend, read by the storage thread, used again once that thread is done. */
import { assert } from '../../stdx/assert.ts';
import { copyBytes } from '../../stdx/copy-bytes.ts';
import { crc32 } from '../../stdx/crc32.ts';
import { ENTRY_BYTES, RECORD_HEADER_BYTES, recordBytes, writeRecordHeader } from './record.ts';
import { ContextCollector } from './record-contexts.ts';

/** A full record with everything but its header, which is written when the records before it are settled. */
export interface SealedRecord {
  firstOrdinal: number;
  endOrdinal: number;
  receivedUnixMs: number;
  entryCount: number;
  payloadBytes: number;
  mark: number;
  hasContexts: boolean;
  bodyCrc: number;
  /** Header space, payload, entry table. Belongs to storage from put to settlement. */
  bytes: Uint8Array;
  /** What goes back to the pool. */
  buffer: Uint8Array;
}

/** Large buffers have sizes that fit records of about the same size. */
const LARGE_STEP_BYTES = 256 * 1024;
/** Such a buffer is for one request that nobody sends often. */
const KEPT_BUFFER_BYTES_MAX = 8 * 1024 * 1024;

/** Private buffers of one size. Memory touched before is cheaper than new memory, so the last one back goes out first. */
export class BufferPool {
  readonly bufferBytes: number;
  readonly #keptBytesMax: number;
  readonly #free: Uint8Array[] = [];
  /** For records of large requests, some of which are read together: new memory for each is much garbage. */
  readonly #large: Uint8Array[] = [];
  #keptBytes = 0;

  /** @param keptBytesMax of all that are kept, large ones included; two of the pool's size always may be. */
  constructor(bufferBytes: number, keptBytesMax: number) {
    this.bufferBytes = bufferBytes;
    this.#keptBytesMax = Math.max(2 * bufferBytes, keptBytesMax);
  }

  /** A buffer of at least `sizeBytes`; of those larger than the pool's size some are kept afterwards. */
  take(sizeBytes: number): Uint8Array {
    const buffer = sizeBytes <= this.bufferBytes ? this.#free.pop() : this.#takeLarge(sizeBytes);
    if (buffer !== undefined) {
      this.#keptBytes -= buffer.byteLength;
      return buffer;
    }
    if (sizeBytes <= this.bufferBytes) return new Uint8Array(this.bufferBytes);
    return new Uint8Array(Math.ceil(sizeBytes / LARGE_STEP_BYTES) * LARGE_STEP_BYTES);
  }

  #takeLarge(sizeBytes: number): Uint8Array | undefined {
    const index = this.#large.findLastIndex(({ byteLength }) => byteLength >= sizeBytes);
    return index < 0 ? undefined : this.#large.splice(index, 1)[0];
  }

  /** Only for buffers that no other thread reads any more. */
  give(buffer: Uint8Array): void {
    const { byteLength } = buffer;
    if (byteLength < this.bufferBytes || byteLength > Math.max(this.bufferBytes, KEPT_BUFFER_BYTES_MAX))
      return;
    const kept = byteLength === this.bufferBytes ? this.#free : this.#large;
    kept.push(buffer);
    this.#keptBytes += byteLength;
    // The oldest large ones leave first, so that sizes which nobody wants any more do.
    while (this.#keptBytes > this.#keptBytesMax) {
      this.#keptBytes -= (this.#large.shift() ?? this.#free.pop()!).byteLength;
    }
  }
}

/** The one record that requests are copied into until it is full or committed. */
export class RecordBuilder {
  readonly #pool: BufferPool;
  readonly #firstOrdinal: number;
  readonly #receivedUnixMs: number;
  readonly #buffer: Uint8Array;
  /** Of the buffer, which may be larger: a record is as large as the pool says, or as its first request. */
  readonly #roomBytes: number;
  #table: Uint32Array;
  #entryCount = 0;
  #payloadBytes = 0;
  #itemCount = 0;
  /** Made with the first request that has a context. */
  #contexts: ContextCollector | undefined;

  /** @param payloadBytes of the first request, and its context; the record is at least large enough for it. */
  constructor(
    pool: BufferPool,
    firstOrdinal: number,
    receivedUnixMs: number,
    payloadBytes: number,
    context?: Uint8Array,
  ) {
    this.#pool = pool;
    this.#firstOrdinal = firstOrdinal;
    this.#receivedUnixMs = receivedUnixMs;
    const contextBytes = context === undefined ? 0 : new ContextCollector().bytesWith(1, context);
    const neededBytes = recordBytes(payloadBytes, 1) + contextBytes;
    this.#buffer = pool.take(neededBytes);
    this.#roomBytes = Math.max(neededBytes, pool.bufferBytes);
    this.#table = new Uint32Array(128);
  }

  get sizeBytes(): number {
    const plainBytes = recordBytes(this.#payloadBytes, this.#entryCount);
    return plainBytes + (this.#contexts?.bytes(this.#entryCount) ?? 0);
  }

  fits(payloadBytes: number, context?: Uint8Array): boolean {
    const entryCount = this.#entryCount + 1;
    const plainBytes = recordBytes(this.#payloadBytes + payloadBytes, entryCount);
    if (context === undefined && this.#contexts === undefined) return plainBytes <= this.#roomBytes;
    const contexts = this.#contexts ?? new ContextCollector();
    return plainBytes + contexts.bytesWith(entryCount, context) <= this.#roomBytes;
  }

  /** @param context must stay as it is until the record is sealed. */
  append(payload: Uint8Array, itemCount: number, context?: Uint8Array): void {
    assert(this.fits(payload.byteLength, context), 'request does not fit the record');
    if (context !== undefined) {
      this.#contexts ??= new ContextCollector();
      this.#contexts.set(this.#entryCount, context);
    }
    copyBytes(this.#buffer, RECORD_HEADER_BYTES + this.#payloadBytes, payload);
    this.#payloadBytes += payload.byteLength;
    this.#itemCount += itemCount;
    if (this.#entryCount * 2 === this.#table.length) {
      const wider = new Uint32Array(this.#table.length * 2);
      wider.set(this.#table);
      this.#table = wider;
    }
    this.#table[this.#entryCount * 2] = this.#payloadBytes;
    this.#table[this.#entryCount * 2 + 1] = this.#itemCount;
    this.#entryCount++;
  }

  /**
   * Ends the record; the builder must not be used afterwards.
   * @param mark for its header, 0 for none.
   */
  seal(mark = 0): SealedRecord {
    const sizeBytes = this.sizeBytes;
    const bytes = this.#buffer.subarray(0, sizeBytes);
    const payloadEnd = RECORD_HEADER_BYTES + this.#payloadBytes;
    const plainBytes = recordBytes(this.#payloadBytes, this.#entryCount);
    const tableOffset = plainBytes - this.#entryCount * ENTRY_BYTES;
    // The buffer was used before: no old byte may reach the disk.
    bytes.fill(0, payloadEnd, tableOffset);
    const view = new DataView(bytes.buffer, bytes.byteOffset + tableOffset);
    for (let word = 0; word < this.#entryCount * 2; word++) {
      view.setUint32(word * 4, this.#table[word] as number, true);
    }
    this.#contexts?.write(bytes.subarray(plainBytes), this.#entryCount);
    return {
      firstOrdinal: this.#firstOrdinal,
      endOrdinal: this.#firstOrdinal + this.#itemCount,
      receivedUnixMs: this.#receivedUnixMs,
      entryCount: this.#entryCount,
      payloadBytes: this.#payloadBytes,
      mark,
      hasContexts: this.#contexts !== undefined,
      bodyCrc: crc32(bytes.subarray(RECORD_HEADER_BYTES)),
      bytes,
      buffer: this.#buffer,
    };
  }

  /** Gives the buffer back without storing it. */
  discard(): void {
    this.#pool.give(this.#buffer);
  }
}

/** Writes the header of a sealed record. @param previousEnd where the record stored before it ended. */
export function finishRecord(record: SealedRecord, previousEnd: number, logHash: number): void {
  writeRecordHeader(record.bytes, {
    logHash,
    itemCount: record.endOrdinal - record.firstOrdinal,
    firstOrdinal: record.firstOrdinal,
    previousEnd,
    receivedUnixMs: record.receivedUnixMs,
    entryCount: record.entryCount,
    payloadBytes: record.payloadBytes,
    mark: record.mark,
    hasContexts: record.hasContexts,
    bodyCrc: record.bodyCrc,
  });
}
