/**
 * Record batches, magic 2 (Kafka protocol guide, "Record Batch" and "Record"). Big-endian; lengths inside records are
 * zigzag varints:
 *
 * ```
 * 0 int64 base offset | 8 int32 bytes behind this field | 12 int32 leader epoch | 16 int8 magic | 17 uint32 CRC-32C
 * 21 int16 attributes | 23 int32 last offset delta | 27 int64 first time | 35 int64 last time
 * 43 int64 producer id | 51 int16 producer epoch | 53 int32 first sequence | 57 int32 records | 61 records
 *
 * record: bytes | int8 0 | time delta | offset delta | key bytes or -1 | key | value bytes | value
 *         header count, then for each: name bytes | name | value bytes | value
 * ```
 * The checksum covers everything from the attributes on.
 */
import { CRC32C_START, crc32cUpdate, crc32cValue } from './crc32c.ts';

export const BATCH_HEAD_BYTES = 61;
/** More than the fields of a record ever take, its key, value and headers aside. */
export const RECORD_HEAD_BYTES_MAX = 5 + 2 + 5 + 5 + 5;

const MAGIC = 2;
const CRC_START = 21;
const NO_LEADER_EPOCH = -1;

/** Records of one partition, in order, uncompressed. */
export interface RecordSet {
  /** Back to back they are the records; may be views of memory that belongs to the batch they come from. */
  chunks: Uint8Array[];
  recordCount: number;
  sizeBytes: number;
}

/** Who writes, so that brokers can tell a repeated batch from a new one. */
export interface ProducerStamp {
  id: bigint;
  epoch: number;
  /** Of the first record. */
  sequence: number;
}

export const NO_PRODUCER: ProducerStamp = { id: -1n, epoch: -1, sequence: -1 };

export function newRecordSet(): RecordSet {
  return { chunks: [], recordCount: 0, sizeBytes: 0 };
}

/** Bytes of a zigzag varint; values from 0 to 2^31 - 1. */
export function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value * 2; rest > 0x7f; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

/** @returns the offset behind it. Values from 0 to 2^31 - 1. */
export function writeVarint(target: Uint8Array, at: number, value: number): number {
  let rest = value * 2;
  let end = at;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) target[end++] = (rest & 0x7f) | 0x80;
  target[end++] = rest;
  return end;
}

const NULL_VARINT = 0x01;

/** The headers of a record as they lie on the wire, their number included. */
export function encodeHeaders(headers: readonly (readonly [name: string, value: Uint8Array])[]): Buffer {
  const names = headers.map(([name]) => Buffer.from(name));
  let sizeBytes = varintBytes(headers.length);
  for (const [index, [, value]] of headers.entries()) {
    const name = names[index]!;
    sizeBytes += varintBytes(name.length) + name.length + varintBytes(value.length) + value.length;
  }
  const target = Buffer.allocUnsafe(sizeBytes);
  let at = writeVarint(target, 0, headers.length);
  for (const [index, [, value]] of headers.entries()) {
    const name = names[index]!;
    at = writeVarint(target, at, name.length);
    target.set(name, at);
    at = writeVarint(target, at + name.length, value.length);
    target.set(value, at);
    at += value.length;
  }
  return target;
}

/** Writes everything of a record that stands before its value. @returns the offset behind it. */
export function writeRecordHead(
  target: Uint8Array,
  at: number,
  offsetDelta: number,
  key: Uint8Array | undefined,
  valueBytes: number,
  headersBytes: number,
): number {
  const keyBytes = key === undefined ? 1 : varintBytes(key.length) + key.length;
  const bodyBytes =
    2 + varintBytes(offsetDelta) + keyBytes + varintBytes(valueBytes) + valueBytes + headersBytes;
  let end = writeVarint(target, at, bodyBytes);
  target[end++] = 0;
  target[end++] = 0;
  end = writeVarint(target, end, offsetDelta);
  if (key === undefined) target[end++] = NULL_VARINT;
  else {
    end = writeVarint(target, end, key.length);
    target.set(key, end);
    end += key.length;
  }
  return writeVarint(target, end, valueBytes);
}

/** Adds a record whose value is a list of slices, none of which is copied. */
export function appendRecord(
  set: RecordSet,
  key: Uint8Array | undefined,
  value: readonly Uint8Array[],
  headers: Uint8Array,
): void {
  let valueBytes = 0;
  for (const slice of value) valueBytes += slice.length;
  const head = Buffer.allocUnsafe(RECORD_HEAD_BYTES_MAX + (key?.length ?? 0));
  const headBytes = writeRecordHead(head, 0, set.recordCount, key, valueBytes, headers.length);
  set.chunks.push(head.subarray(0, headBytes), ...value, headers);
  set.recordCount++;
  set.sizeBytes += headBytes + valueBytes + headers.length;
}

export interface BatchSettings {
  /** CODEC_IDS of codecs.ts: how `records` are packed. */
  codecId: number;
  recordCount: number;
  /** Of every record, ms since the epoch. */
  timeUnixMs: number;
  producer: ProducerStamp;
}

/**
 * The head of a batch around records that are already packed; head and records back to back are the batch.
 * @param records read for the checksum, never written to.
 */
export function encodeBatchHead(records: readonly Uint8Array[], settings: BatchSettings): Buffer {
  const { codecId, recordCount, timeUnixMs, producer } = settings;
  let recordBytes = 0;
  for (const chunk of records) recordBytes += chunk.length;
  const head = Buffer.allocUnsafe(BATCH_HEAD_BYTES);
  head.writeBigInt64BE(0n, 0);
  head.writeInt32BE(BATCH_HEAD_BYTES - 12 + recordBytes, 8);
  head.writeInt32BE(NO_LEADER_EPOCH, 12);
  head[16] = MAGIC;
  head.writeInt16BE(codecId, CRC_START);
  head.writeInt32BE(recordCount - 1, 23);
  const time = BigInt(Math.floor(timeUnixMs));
  head.writeBigInt64BE(time, 27);
  head.writeBigInt64BE(time, 35);
  head.writeBigInt64BE(producer.id, 43);
  head.writeInt16BE(producer.epoch, 51);
  head.writeInt32BE(producer.sequence, 53);
  head.writeInt32BE(recordCount, 57);
  let crc = crc32cUpdate(CRC32C_START, head.subarray(CRC_START));
  for (const chunk of records) crc = crc32cUpdate(crc, chunk);
  head.writeUInt32BE(crc32cValue(crc), 17);
  return head;
}
