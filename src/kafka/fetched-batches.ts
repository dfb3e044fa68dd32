/**
 * Reads what brokers send of a partition: record batches, of the layout in record-batch.ts. The client would unpack all
 * of an answer before it hands out the first record, and make an object of some twenty values for each. Here its answer
 * holds one entry for each batch, which stands for the batch's records where the client looks for gaps, transactions and
 * positions; the records are read when their turn comes, so that one batch of a partition is unpacked at a time.
 *
 * Older formats (magic 0 and 1) are left to the client.
 */
import { createRequire } from 'node:module';
import type { IHeaders, KafkaMessage } from './client.ts';
import { CODEC_IDS, KAFKA_COMPRESSIONS, recordUnpacker, type UnpackRecords } from './codecs.ts';
import { BATCH_HEAD_BYTES } from './record-batch.ts';
import { firstKey, readRecords } from './record-reader.ts';

/** One record as the engine takes it. */
export interface KafkaRecord {
  readonly offset: number;
  readonly timeUnixMs: number;
  /** null: its key was deleted. */
  readonly value: Buffer | null;
  readonly headers: IHeaders;
}

/** Where the client keeps its place in an answer. */
interface ClientDecoder {
  readonly buffer: Buffer;
  offset: number;
}

type DecodeMessages = (decoder: ClientDecoder) => unknown;

/** What the client's consumer asks of a message. */
interface BatchEntry {
  /** Of the last record, as the client compares positions with what a message ends at. */
  readonly offset: string;
  /** Of the mark at the end of a transaction, which says how it ended. */
  readonly key: Buffer | null;
  readonly isControlRecord: boolean;
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean };
  readonly batch: FetchedBatch;
}

const LENGTH_BYTES = 4;
const MAGIC_AT = 16;
const MAGIC = 2;
/** Bytes before what the length of a batch counts. */
const BATCH_START_BYTES = 12;
const CODEC_MASK = 7;
const IS_APPEND_TIME = 8;
const IS_TRANSACTIONAL = 16;
const IS_CONTROL = 32;

const load = createRequire(import.meta.url);
const UNPACKERS = new Map<number, UnpackRecords>();

/** One record batch in the answer of a broker. */
export class FetchedBatch implements FetchedPart {
  readonly #bytes: Buffer;
  readonly attributes: number;
  readonly firstOffset: number;
  readonly lastOffset: number;

  /** @param bytes the whole batch. */
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.attributes = bytes.readInt16BE(21);
    this.firstOffset = readInt64(bytes, 0);
    this.lastOffset = this.firstOffset + bytes.readInt32BE(23);
  }

  get isPacked(): boolean {
    return (this.attributes & CODEC_MASK) !== 0;
  }

  /** Of a packed batch. @throws Error when it cannot be unpacked. */
  async unpacked(): Promise<Buffer> {
    const codec = this.attributes & CODEC_MASK;
    let unpack = UNPACKERS.get(codec);
    if (unpack === undefined) {
      const compression = KAFKA_COMPRESSIONS.find((each) => CODEC_IDS[each] === codec);
      if (compression === undefined || compression === 'none')
        throw new Error(`records are compressed in a way that is not known: ${codec}`);
      unpack = recordUnpacker(compression);
      UNPACKERS.set(codec, unpack);
    }
    return unpack(this.#bytes.subarray(BATCH_HEAD_BYTES));
  }

  /**
   * @param packed of `unpacked`, when the batch is packed.
   * @param fromOffset records before it are left out.
   * @throws RangeError when lengths contradict each other.
   */
  records(fromOffset: number, packed?: Buffer): KafkaRecord[] {
    const head = this.#bytes;
    return readRecords(packed ?? head.subarray(BATCH_HEAD_BYTES), {
      recordCount: head.readInt32BE(57),
      firstOffset: this.firstOffset,
      fromOffset,
      firstTimeMs: readInt64(head, 27),
      appendTimeMs: (this.attributes & IS_APPEND_TIME) === 0 ? undefined : readInt64(head, 35),
    });
  }

  entry(): BatchEntry {
    const head = this.#bytes;
    const isControlRecord = (this.attributes & IS_CONTROL) !== 0;
    return {
      offset: String(this.lastOffset),
      key: isControlRecord ? firstKey(head.subarray(BATCH_HEAD_BYTES)) : null,
      isControlRecord,
      batchContext: {
        producerId: String(head.readBigInt64BE(43)),
        inTransaction: (this.attributes & IS_TRANSACTIONAL) !== 0,
      },
      batch: this,
    };
  }
}

/** What is handed out at a time. */
export interface FetchedPart {
  readonly isPacked: boolean;
  readonly lastOffset: number;
  unpacked(): Promise<Buffer>;
  records(fromOffset: number, packed?: Buffer): KafkaRecord[];
}

/** @param messages of one batch of the client, in which entries and messages never meet; at least one. */
export function partsOf(messages: readonly KafkaMessage[]): FetchedPart[] {
  const parts = messages.flatMap((message) => (message as Partial<BatchEntry>).batch ?? []);
  return parts.length > 0 ? parts : [partOf(messages)];
}

/** Of messages that the client has decoded itself. */
function partOf(messages: readonly KafkaMessage[]): FetchedPart {
  return {
    isPacked: false,
    lastOffset: Number(messages.at(-1)!.offset),
    unpacked: () => Promise.reject(new Error('the client has unpacked it')),
    records: () =>
      messages.map(({ offset, timestamp, value, headers = {} }) => {
        return { offset: Number(offset), timeUnixMs: Number(timestamp), value, headers };
      }),
  };
}

/** @param bytes of one partition; a batch that is cut off at the end is left out, as it comes again. */
export function listBatches(bytes: Buffer): FetchedBatch[] {
  const batches: FetchedBatch[] = [];
  for (let at = 0; at + BATCH_HEAD_BYTES <= bytes.byteLength; ) {
    const end = at + BATCH_START_BYTES + bytes.readInt32BE(at + 8);
    if (end < at + BATCH_HEAD_BYTES) throw new RangeError(`a record batch of ${end - at} bytes`);
    if (end > bytes.byteLength) break;
    if (bytes[at + MAGIC_AT] !== MAGIC) throw new RangeError('record batches of two formats in one answer');
    batches.push(new FetchedBatch(bytes.subarray(at, end)));
    at = end;
  }
  return batches;
}

/** Changes the client once for all consumers of the thread; before it has read its first answer. */
export function readOwnBatches(): void {
  const path = load.resolve('kafkajs/src/protocol/requests/fetch/v4/decodeMessages');
  const decodeMessages = load(path) as DecodeMessages & { isOurs?: true };
  if (decodeMessages.isOurs === true) return;
  const ours: DecodeMessages & { isOurs?: true } = (decoder) => {
    const { buffer, offset } = decoder;
    const start = offset + LENGTH_BYTES;
    const end = start + buffer.readInt32BE(offset);
    if (end > buffer.byteLength || end <= start + MAGIC_AT || buffer[start + MAGIC_AT] !== MAGIC)
      return decodeMessages(decoder);
    decoder.offset = end;
    return listBatches(buffer.subarray(start, end)).map((batch) => batch.entry());
  };
  ours.isOurs = true;
  load.cache[path]!.exports = ours;
}

function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 0x1_0000_0000 + bytes.readUInt32BE(at + 4);
}
