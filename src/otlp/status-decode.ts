/*
 * What a client reads from the answers described in status.ts. The peer is not trusted: sizes are bounded, unknown
 * fields and details are skipped, and only the first RetryInfo counts.
 */
import type { Signal } from '../component/signal.ts';
import { type ExportResult, REJECTED_JSON_NAME, RETRY_INFO_TYPE_URL, type RpcStatus } from './status.ts';
import { decodeUtf8, limitExceeded, malformed, WireReader } from './wire-reader.ts';

/** OTLP recommends that clients take no larger response. */
export const RESPONSE_BYTES_MAX = 4 * 1024 * 1024;
/** Longer texts of a peer are cut: they end in logs and error messages. */
export const PEER_MESSAGE_CHARS_MAX = 1024;
/** UTF-8 bytes that PEER_MESSAGE_CHARS_MAX UTF-16 units take at most. */
const PEER_MESSAGE_BYTES_MAX = PEER_MESSAGE_CHARS_MAX * 3;

const TAG_FIRST_LEN = (1 << 3) | 2;
const TAG_SECOND_LEN = (2 << 3) | 2;
const TAG_THIRD_LEN = (3 << 3) | 2;
const TAG_FIRST_VARINT = 1 << 3;
const TAG_SECOND_VARINT = 2 << 3;
const TWO_32 = 0x1_0000_0000;
const DURATION = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/;
const UTF8 = new TextDecoder();

/**
 * Reads google.rpc.Status from protobuf bytes.
 * @throws PipelineError OTLP_MALFORMED, or OTLP_LIMIT_EXCEEDED over RESPONSE_BYTES_MAX.
 */
export function decodeStatus(bytes: Uint8Array): RpcStatus {
  checkSize(bytes);
  const status: RpcStatus = { code: 0, message: '' };
  const reader = new WireReader(bytes);
  while (reader.pos < reader.end) {
    const tag = reader.readTag();
    if (tag === TAG_FIRST_VARINT) status.code = reader.readInt32();
    else if (tag === TAG_SECOND_LEN) status.message = readMessage(reader);
    else if (tag === TAG_THIRD_LEN) {
      const end = enter(reader);
      const delayMs = readAny(reader);
      if (delayMs >= 0 && status.retryDelayMs === undefined) status.retryDelayMs = delayMs;
      reader.end = end;
    } else reader.skip(tag);
  }
  return status;
}

/** Reads the response to an export, of any signal, from protobuf bytes. Errors as `decodeStatus`. */
export function decodeExportResponse(bytes: Uint8Array): ExportResult {
  checkSize(bytes);
  const result: ExportResult = { rejectedCount: 0, message: '' };
  const reader = new WireReader(bytes);
  while (reader.pos < reader.end) {
    const tag = reader.readTag();
    if (tag !== TAG_FIRST_LEN) {
      reader.skip(tag);
      continue;
    }
    const end = enter(reader);
    while (reader.pos < reader.end) {
      const inner = reader.readTag();
      if (inner === TAG_FIRST_VARINT) {
        reader.readVarint64();
        result.rejectedCount = countOf(reader.hi * TWO_32 + (reader.lo >>> 0));
      } else if (inner === TAG_SECOND_LEN) result.message = readMessage(reader);
      else reader.skip(inner, 1);
    }
    reader.end = end;
  }
  return result;
}

/** Reads google.rpc.Status from its JSON form. Errors as `decodeStatus`. */
export function decodeStatusJson(bytes: Uint8Array): RpcStatus {
  const body = parseObject(bytes);
  const code = Number(body.get('code') ?? 0);
  const status: RpcStatus = { code: Number.isInteger(code) ? code : 0, message: textOf(body.get('message')) };
  const details = body.get('details');
  for (const detail of Array.isArray(details) ? details : []) {
    const entry = membersOf(detail);
    if (entry.get('@type') !== RETRY_INFO_TYPE_URL) continue;
    const delayMs = durationMs(entry.get('retryDelay') ?? entry.get('retry_delay'));
    if (delayMs >= 0) status.retryDelayMs = delayMs;
    break;
  }
  return status;
}

/** Reads the JSON response to an export of `signal`. Errors as `decodeStatus`. */
export function decodeExportResponseJson(signal: Signal, bytes: Uint8Array): ExportResult {
  const body = parseObject(bytes);
  const partial = membersOf(body.get('partialSuccess') ?? body.get('partial_success'));
  const jsonName = REJECTED_JSON_NAME[signal];
  const protoName = jsonName.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return {
    rejectedCount: countOf(Number(partial.get(jsonName) ?? partial.get(protoName) ?? 0)),
    message: textOf(partial.get('errorMessage') ?? partial.get('error_message')),
  };
}

function checkSize(bytes: Uint8Array): void {
  if (bytes.length > RESPONSE_BYTES_MAX) throw limitExceeded('response over 4 MiB', RESPONSE_BYTES_MAX);
}

/** Narrows the reader to the length-delimited field at its position; the caller puts the returned end back. */
function enter(reader: WireReader): number {
  const sizeBytes = reader.readLength();
  const end = reader.end;
  reader.end = reader.pos + sizeBytes;
  return end;
}

function readMessage(reader: WireReader): string {
  const sizeBytes = reader.readLength();
  const start = reader.pos;
  reader.pos = start + sizeBytes;
  return textOf(decodeUtf8(reader.bytes, start, start + Math.min(sizeBytes, PEER_MESSAGE_BYTES_MAX)));
}

/** google.protobuf.Any: the delay of a RetryInfo in milliseconds, -1 for anything else. */
function readAny(reader: WireReader): number {
  let isRetryInfo = false;
  let valueStart = reader.end;
  let valueEnd = reader.end;
  while (reader.pos < reader.end) {
    const tag = reader.readTag();
    if (tag === TAG_FIRST_LEN) {
      const sizeBytes = reader.readLength();
      isRetryInfo =
        sizeBytes === RETRY_INFO_TYPE_URL.length &&
        decodeUtf8(reader.bytes, reader.pos, reader.pos + sizeBytes) === RETRY_INFO_TYPE_URL;
      reader.pos += sizeBytes;
    } else if (tag === TAG_SECOND_LEN) {
      const sizeBytes = reader.readLength();
      valueStart = reader.pos;
      valueEnd = valueStart + sizeBytes;
      reader.pos = valueEnd;
    } else reader.skip(tag, 1);
  }
  return isRetryInfo ? readRetryInfo(new WireReader(reader.bytes, valueStart, valueEnd)) : -1;
}

function readRetryInfo(reader: WireReader): number {
  let seconds = 0;
  let nanos = 0;
  let hasDelay = false;
  while (reader.pos < reader.end) {
    const tag = reader.readTag();
    if (tag !== TAG_FIRST_LEN) {
      reader.skip(tag, 2);
      continue;
    }
    hasDelay = true;
    const end = enter(reader);
    while (reader.pos < reader.end) {
      const inner = reader.readTag();
      if (inner === TAG_FIRST_VARINT) {
        reader.readVarint64();
        seconds = reader.hi * TWO_32 + (reader.lo >>> 0);
      } else if (inner === TAG_SECOND_VARINT) nanos = reader.readInt32();
      else reader.skip(inner, 3);
    }
    reader.end = end;
  }
  return hasDelay ? delayMsOf(seconds, nanos) : -1;
}

/** Whole milliseconds, rounded up; a negative delay is none. */
function delayMsOf(seconds: number, nanos: number): number {
  return Math.min(Math.max(0, Math.ceil(seconds * 1000 + nanos / 1_000_000)), Number.MAX_SAFE_INTEGER);
}

function durationMs(value: unknown): number {
  const match = DURATION.exec(typeof value === 'string' ? value : '');
  if (match === null) return -1;
  const [, sign, seconds = '0', fraction = ''] = match;
  return sign === '-' ? 0 : delayMsOf(Number(seconds), Number(fraction.padEnd(9, '0')));
}

function countOf(value: number): number {
  return Number.isFinite(value) ? Math.min(Math.max(0, Math.trunc(value)), Number.MAX_SAFE_INTEGER) : 0;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, PEER_MESSAGE_CHARS_MAX) : '';
}

function parseObject(bytes: Uint8Array): ReadonlyMap<string, unknown> {
  checkSize(bytes);
  let value: unknown;
  try {
    value = JSON.parse(UTF8.decode(bytes));
  } catch {
    // The parser's text quotes the input, which has no place in our logs.
    throw malformed('response is not JSON', 0);
  }
  if (typeof value !== 'object' || value === null) throw malformed('response is not a JSON object', 0);
  return membersOf(value);
}

/** Members as a map: names chosen by a peer never index an object. */
function membersOf(value: unknown): ReadonlyMap<string, unknown> {
  return new Map(typeof value === 'object' && value !== null ? Object.entries(value) : []);
}
