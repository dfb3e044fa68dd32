/*
 * What a server answers to an export: the response with or without partial_success, or google.rpc.Status.
 *
 *   Export<Signal>ServiceResponse  1 partial_success (opentelemetry/proto/collector/<signal>/v1)
 *   Export<Signal>PartialSuccess   1 rejected_<items> int64; 2 error_message string
 *   google.rpc.Status              1 code int32; 2 message string; 3 details* Any
 *   google.protobuf.Any            1 type_url string; 2 value bytes
 *   google.rpc.RetryInfo           1 retry_delay Duration (1 seconds int64; 2 nanos int32)
 */
import type { Signal } from '../component/signal.ts';
import { WireWriter } from './wire-writer.ts';

/** gRPC status codes (grpc.io/docs/guides/status-codes) that OTLP gives a meaning. */
export const GRPC_OK = 0;
export const GRPC_CANCELLED = 1;
export const GRPC_UNKNOWN = 2;
export const GRPC_INVALID_ARGUMENT = 3;
export const GRPC_DEADLINE_EXCEEDED = 4;
export const GRPC_NOT_FOUND = 5;
export const GRPC_PERMISSION_DENIED = 7;
export const GRPC_RESOURCE_EXHAUSTED = 8;
export const GRPC_ABORTED = 10;
export const GRPC_OUT_OF_RANGE = 11;
export const GRPC_UNIMPLEMENTED = 12;
export const GRPC_INTERNAL = 13;
export const GRPC_UNAVAILABLE = 14;
export const GRPC_DATA_LOSS = 15;
export const GRPC_UNAUTHENTICATED = 16;

/** google.rpc.Code, in the order of its numbers. */
const GRPC_NAMES = [
  ...['OK', 'CANCELLED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND', 'ALREADY_EXISTS'],
  ...['PERMISSION_DENIED', 'RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE'],
  ...['UNIMPLEMENTED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS', 'UNAUTHENTICATED'],
];

/** A number outside of google.rpc.Code is UNKNOWN, as gRPC reads it. */
export function grpcStatusName(code: number): string {
  return GRPC_NAMES[code] ?? 'UNKNOWN';
}

export const RETRY_INFO_TYPE_URL = 'type.googleapis.com/google.rpc.RetryInfo';

/** JSON name of the number of refused items, by signal. */
export const REJECTED_JSON_NAME: Readonly<Record<Signal, string>> = {
  traces: 'rejectedSpans',
  metrics: 'rejectedDataPoints',
  logs: 'rejectedLogRecords',
};

const TAG_FIRST_LEN = (1 << 3) | 2;
const TAG_SECOND_LEN = (2 << 3) | 2;
const TAG_THIRD_LEN = (3 << 3) | 2;
const TAG_FIRST_VARINT = 1 << 3;
const TAG_SECOND_VARINT = 2 << 3;
const TWO_32 = 0x1_0000_0000;
const UTF8 = new TextEncoder();

/** google.rpc.Status as far as OTLP uses it. */
export interface RpcStatus {
  /** One of the GRPC constants. */
  code: number;
  /** Empty when there is nothing to say. */
  message: string;
  /** Wait that the server asks for, in whole milliseconds; absent means that there is no RetryInfo. */
  retryDelayMs?: number;
}

/** What became of a request that was answered with OK. */
export interface ExportResult {
  /** Items refused by themselves; the others were taken. */
  rejectedCount: number;
  /** Why, or a warning when nothing was refused; empty when all is well. */
  message: string;
}

/**
 * google.rpc.Status as protobuf: the body of a failed HTTP request with `application/x-protobuf`, and what the
 * trailer `grpc-status-details-bin` carries in base64.
 * @returns bytes of its own.
 */
export function encodeStatus(status: RpcStatus): Uint8Array<ArrayBuffer> {
  const writer = new WireWriter(64 + status.message.length);
  if (status.code !== 0) {
    writer.writeVarint32(TAG_FIRST_VARINT);
    writer.writeVarint64(status.code, status.code >> 31);
  }
  if (status.message !== '') writer.writeStringField(TAG_SECOND_LEN, status.message);
  if (status.retryDelayMs !== undefined) writeRetryInfo(writer, wholeMs(status.retryDelayMs));
  return writer.toBytes();
}

function writeRetryInfo(writer: WireWriter, delayMs: number): void {
  const seconds = Math.floor(delayMs / 1000);
  const nanos = (delayMs % 1000) * 1_000_000;
  const any = writer.beginMessage(TAG_THIRD_LEN);
  writer.writeStringField(TAG_FIRST_LEN, RETRY_INFO_TYPE_URL);
  const retryInfo = writer.beginMessage(TAG_SECOND_LEN);
  const duration = writer.beginMessage(TAG_FIRST_LEN);
  if (seconds !== 0) {
    writer.writeVarint32(TAG_FIRST_VARINT);
    writer.writeVarint64(seconds | 0, Math.floor(seconds / TWO_32));
  }
  if (nanos !== 0) {
    writer.writeVarint32(TAG_SECOND_VARINT);
    writer.writeVarint32(nanos);
  }
  writer.endMessage(duration);
  writer.endMessage(retryInfo);
  writer.endMessage(any);
}

/** google.rpc.Status in the JSON form of protobuf, as UTF-8: the body of a failed HTTP request with JSON. */
export function encodeStatusJson(status: RpcStatus): Uint8Array<ArrayBuffer> {
  const body: { code: number; message: string; details?: object[] } = {
    code: status.code,
    message: status.message,
  };
  if (status.retryDelayMs !== undefined) {
    body.details = [{ '@type': RETRY_INFO_TYPE_URL, retryDelay: durationJson(wholeMs(status.retryDelayMs)) }];
  }
  return UTF8.encode(JSON.stringify(body));
}

/**
 * The response to an accepted export as protobuf. Full success leaves `partial_success` out, which makes the
 * message empty: 0 bytes. All three signals have the same field numbers.
 */
export function encodeExportResponse(result: ExportResult): Uint8Array<ArrayBuffer> {
  if (result.rejectedCount === 0 && result.message === '') return new Uint8Array(0);
  const writer = new WireWriter(32 + result.message.length);
  const partialSuccess = writer.beginMessage(TAG_FIRST_LEN);
  if (result.rejectedCount !== 0) {
    writer.writeVarint32(TAG_FIRST_VARINT);
    writer.writeVarint64(result.rejectedCount | 0, Math.floor(result.rejectedCount / TWO_32));
  }
  if (result.message !== '') writer.writeStringField(TAG_SECOND_LEN, result.message);
  writer.endMessage(partialSuccess);
  return writer.toBytes();
}

/** The same response as JSON in UTF-8; `{"partialSuccess":{}}` on full success, as the Collector answers. */
export function encodeExportResponseJson(signal: Signal, result: ExportResult): Uint8Array<ArrayBuffer> {
  const partialSuccess: Record<string, string> = {};
  // int64 is text in the JSON form of protobuf.
  if (result.rejectedCount !== 0) partialSuccess[REJECTED_JSON_NAME[signal]] = String(result.rejectedCount);
  if (result.message !== '') partialSuccess.errorMessage = result.message;
  return UTF8.encode(JSON.stringify({ partialSuccess }));
}

function wholeMs(delayMs: number): number {
  return Math.max(0, Math.ceil(delayMs));
}

/** google.protobuf.Duration in JSON: seconds with 0 or 3 decimals. */
function durationJson(delayMs: number): string {
  return delayMs % 1000 === 0 ? `${delayMs / 1000}s` : `${(delayMs / 1000).toFixed(3)}s`;
}
