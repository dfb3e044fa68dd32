/**
 * Stored bytes of one record; pure. All numbers little-endian.
 *
 * | offset | type | field                                                                        |
 * | ------ | ---- | ---------------------------------------------------------------------------- |
 * | 0      | u32  | magic "MLR1"                                                                 |
 * | 4      | u16  | format version: 2 when a request has a client context, otherwise 1           |
 * | 6      | u16  | header bytes                                                                 |
 * | 8      | u32  | hash of the log's identity, so that a record of another log is not taken     |
 * | 12     | u32  | item count                                                                   |
 * | 16     | f64  | first ordinal, equal to the key                                              |
 * | 24     | f64  | ordinal at which the record stored before this one ended                     |
 * | 32     | f64  | when its first request was received, ms since the epoch                      |
 * | 40     | u32  | entry count                                                                  |
 * | 44     | u32  | payload bytes                                                                |
 * | 48     | u32  | mark of the writer's user, 0 when there is none                              |
 * | 52     | u32  | CRC-32 of everything behind the header                                       |
 * | 56     | u32  | CRC-32 of the header up to here                                              |
 * | 60     | u32  | reserved, 0                                                                  |
 * | 64     |      | payload: requests of one signal back to back                                 |
 * | ...    |      | padding to 4, then entry count times (u32 payload end, u32 item end)         |
 * | ...    |      | version 2: clients of the requests, see record-contexts.ts                   |
 *
 * The body's checksum is taken when the record is full, while its bytes are still in the processor's cache; the
 * header's when its ordinal is final.
 */
import { assert } from '../../stdx/assert.ts';
import { crc32 } from '../../stdx/crc32.ts';
import type { LogRecord } from './contract.ts';
import { isContextSection, readContextSection } from './record-contexts.ts';

export const RECORD_MAGIC = 0x31524c4d;
/** Newest format that is read. A record has the oldest that can say what is in it. */
export const RECORD_VERSION = 2;
const VERSION_PLAIN = 1;
const VERSION_WITH_CONTEXTS = 2;
export const RECORD_HEADER_BYTES = 64;
export const ENTRY_BYTES = 8;
const HEADER_CRC_OFFSET = 56;
assert(HEADER_CRC_OFFSET + 8 === RECORD_HEADER_BYTES);

export interface RecordHeader {
  logHash: number;
  itemCount: number;
  firstOrdinal: number;
  previousEnd: number;
  receivedUnixMs: number;
  entryCount: number;
  payloadBytes: number;
  /** What `LogWriter.mark` set for the last item of the record; 0 without. */
  mark: number;
  /** The section of record-contexts.ts is there. */
  hasContexts?: boolean;
  bodyCrc: number;
}

/** Why bytes are not a record; part of quarantine reasons and logs. */
export type RecordFault =
  | 'too short'
  | 'not a record'
  | 'newer format'
  | 'another log'
  | 'header checksum'
  | 'lengths'
  | 'body checksum';

/** Bytes of a whole record with that payload and that many entries, and no contexts. */
export function recordBytes(payloadBytes: number, entryCount: number): number {
  return RECORD_HEADER_BYTES + ((payloadBytes + 3) & ~3) + entryCount * ENTRY_BYTES;
}

/** Writes the header and its checksum over the first 64 bytes of `record`. */
export function writeRecordHeader(record: Uint8Array, header: RecordHeader): void {
  const view = new DataView(record.buffer, record.byteOffset, RECORD_HEADER_BYTES);
  view.setUint32(0, RECORD_MAGIC, true);
  view.setUint16(4, header.hasContexts === true ? VERSION_WITH_CONTEXTS : VERSION_PLAIN, true);
  view.setUint16(6, RECORD_HEADER_BYTES, true);
  view.setUint32(8, header.logHash, true);
  view.setUint32(12, header.itemCount, true);
  view.setFloat64(16, header.firstOrdinal, true);
  view.setFloat64(24, header.previousEnd, true);
  view.setFloat64(32, header.receivedUnixMs, true);
  view.setUint32(40, header.entryCount, true);
  view.setUint32(44, header.payloadBytes, true);
  view.setUint32(48, header.mark, true);
  view.setUint32(52, header.bodyCrc, true);
  view.setUint32(HEADER_CRC_OFFSET, crc32(record.subarray(0, HEADER_CRC_OFFSET)), true);
  view.setUint32(HEADER_CRC_OFFSET + 4, 0, true);
}

/** Reads and checks the header alone: enough to know the range of a record. */
export function readRecordHeader(record: Uint8Array, logHash: number): RecordHeader | RecordFault {
  if (record.byteLength < RECORD_HEADER_BYTES) return 'too short';
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  if (view.getUint32(0, true) !== RECORD_MAGIC) return 'not a record';
  if (crc32(record.subarray(0, HEADER_CRC_OFFSET)) !== view.getUint32(HEADER_CRC_OFFSET, true)) {
    return 'header checksum';
  }
  // After the checksum, so that a flipped bit is not taken for a newer program's work.
  const version = view.getUint16(4, true);
  if (version > RECORD_VERSION) return 'newer format';
  if (view.getUint32(8, true) !== logHash) return 'another log';
  const header = {
    logHash,
    itemCount: view.getUint32(12, true),
    firstOrdinal: view.getFloat64(16, true),
    previousEnd: view.getFloat64(24, true),
    receivedUnixMs: view.getFloat64(32, true),
    entryCount: view.getUint32(40, true),
    payloadBytes: view.getUint32(44, true),
    hasContexts: version === VERSION_WITH_CONTEXTS,
    mark: view.getUint32(48, true),
    bodyCrc: view.getUint32(52, true),
  };
  const plainBytes = recordBytes(header.payloadBytes, header.entryCount);
  const hasLengths = header.hasContexts
    ? isContextSection(record, plainBytes, header.entryCount)
    : plainBytes === record.byteLength;
  return hasLengths ? header : 'lengths';
}

/**
 * Time and size of a record by the first bytes of it alone, for whoever plans in which order to read.
 *
 * @param head the first 64 bytes or more.
 * @returns undefined when the header is damaged, or of another kind of log or format.
 */
export function peekRecord(
  head: Uint8Array,
  logHash: number,
): { receivedUnixMs: number; payloadBytes: number } | undefined {
  if (head.byteLength < RECORD_HEADER_BYTES) return undefined;
  const view = new DataView(head.buffer, head.byteOffset, RECORD_HEADER_BYTES);
  if (view.getUint32(0, true) !== RECORD_MAGIC || view.getUint32(8, true) !== logHash) return undefined;
  if (crc32(head.subarray(0, HEADER_CRC_OFFSET)) !== view.getUint32(HEADER_CRC_OFFSET, true))
    return undefined;
  return { receivedUnixMs: view.getFloat64(32, true), payloadBytes: view.getUint32(44, true) };
}

/**
 * Checks and opens one record.
 *
 * @param record private bytes of the caller; the result's payload is a view of them.
 * @returns the record with `damaged: false`, or what is wrong with it.
 */
export function readRecordBytes(record: Uint8Array, logHash: number): LogRecord | RecordFault {
  const header = readRecordHeader(record, logHash);
  if (typeof header === 'string') return header;
  if (crc32(record.subarray(RECORD_HEADER_BYTES)) !== header.bodyCrc) return 'body checksum';
  const plainBytes = recordBytes(header.payloadBytes, header.entryCount);
  const tableOffset = plainBytes - header.entryCount * ENTRY_BYTES;
  const view = new DataView(record.buffer, record.byteOffset + tableOffset);
  const entryEnds = new Uint32Array(header.entryCount);
  const entryItemEnds = new Uint32Array(header.entryCount);
  for (let entry = 0; entry < header.entryCount; entry++) {
    entryEnds[entry] = view.getUint32(entry * ENTRY_BYTES, true);
    entryItemEnds[entry] = view.getUint32(entry * ENTRY_BYTES + 4, true);
  }
  const opened: LogRecord = {
    firstOrdinal: header.firstOrdinal,
    endOrdinal: header.firstOrdinal + header.itemCount,
    receivedUnixMs: header.receivedUnixMs,
    payload: record.subarray(RECORD_HEADER_BYTES, RECORD_HEADER_BYTES + header.payloadBytes),
    entryEnds,
    entryItemEnds,
    damaged: false,
  };
  if (header.hasContexts === true) {
    Object.assign(opened, readContextSection(record, plainBytes, header.entryCount));
  }
  return opened;
}

/** Stands for items that the log held and lost. */
export function damagedRecord(firstOrdinal: number, endOrdinal: number): LogRecord {
  return {
    firstOrdinal,
    endOrdinal,
    receivedUnixMs: 0,
    payload: new Uint8Array(0),
    entryEnds: new Uint32Array(0),
    entryItemEnds: new Uint32Array(0),
    damaged: true,
  };
}
