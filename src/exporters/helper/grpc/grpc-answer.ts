/** What the end of a gRPC call says (gRPC over HTTP/2, section "Responses"). */
import type { IncomingHttpHeaders } from 'node:http2';
import * as zlib from 'node:zlib';
import {
  GRPC_INTERNAL,
  GRPC_PERMISSION_DENIED,
  GRPC_UNAUTHENTICATED,
  GRPC_UNAVAILABLE,
  GRPC_UNIMPLEMENTED,
  GRPC_UNKNOWN,
  type RpcStatus,
} from '../../../otlp/status.ts';
import { decodeStatus, PEER_MESSAGE_CHARS_MAX, RESPONSE_BYTES_MAX } from '../../../otlp/status-decode.ts';
import { loadSnappy } from '../snappy-codec.ts';

export const FRAME_HEAD_BYTES = 5;

/** Length-prefixed message: flag for compression, length with the big end first. */
export function frameHead(isCompressed: boolean, messageBytes: number): Buffer {
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head[0] = isCompressed ? 1 : 0;
  head.writeUInt32BE(messageBytes, 1);
  return head;
}

/** HTTP statuses of proxies and of servers that are something else (gRPC, http-grpc-status-mapping). */
function codeOfHttp(status: number): number {
  switch (status) {
    case 400:
      return GRPC_INTERNAL;
    case 401:
      return GRPC_UNAUTHENTICATED;
    case 403:
      return GRPC_PERMISSION_DENIED;
    case 404:
      return GRPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
      return GRPC_UNAVAILABLE;
    default:
      return GRPC_UNKNOWN;
  }
}

/** The status of an answered call; code OK has neither text nor details. */
export function readStatus(headers: IncomingHttpHeaders, httpStatus: number): RpcStatus {
  const text = headers['grpc-status'];
  if (typeof text !== 'string') {
    return {
      code: codeOfHttp(httpStatus),
      message: `unexpected HTTP status code received from server: ${httpStatus}`,
    };
  }
  const code = /^\d{1,3}$/.test(text) ? Number(text) : GRPC_UNKNOWN;
  if (code === 0) return { code, message: '' };
  const status: RpcStatus = { code, message: readMessage(headers['grpc-message']) };
  const retryDelayMs = readRetryDelay(headers['grpc-status-details-bin']);
  if (retryDelayMs !== undefined) status.retryDelayMs = retryDelayMs;
  return status;
}

/** Percent-encoded UTF-8. */
function readMessage(header: string | string[] | undefined): string {
  if (typeof header !== 'string') return '';
  let text = header;
  try {
    text = decodeURIComponent(header);
  } catch {
    // Servers that do not encode a percent sign exist; their text is good enough as it is.
  }
  return text.slice(0, PEER_MESSAGE_CHARS_MAX);
}

function readRetryDelay(header: string | string[] | undefined): number | undefined {
  if (typeof header !== 'string') return undefined;
  try {
    return decodeStatus(Buffer.from(header, 'base64')).retryDelayMs;
  } catch {
    // The code decides, whatever the details are.
    return undefined;
  }
}

/**
 * The one message of a response.
 * @throws Error when it is cut off, or cannot be decompressed within RESPONSE_BYTES_MAX.
 */
export function readMessageBytes(body: Buffer, encoding: string | undefined): Uint8Array {
  if (body.length === 0) return body;
  const end = body.length < FRAME_HEAD_BYTES ? Infinity : FRAME_HEAD_BYTES + body.readUInt32BE(1);
  if (end > body.length) throw new Error('the message is cut off');
  const message = body.subarray(FRAME_HEAD_BYTES, end);
  return body[0] === 0 ? message : decompress(message, encoding);
}

/** Servers in Go compress their answer as the request was. */
function decompress(message: Buffer, encoding: string | undefined): Uint8Array {
  const bound = { maxOutputLength: RESPONSE_BYTES_MAX };
  if (encoding === 'gzip') return zlib.gunzipSync(message, bound);
  if (encoding === 'snappy') return loadSnappy().unframe(message, RESPONSE_BYTES_MAX);
  if (encoding === 'zstd' && typeof zlib.zstdDecompressSync === 'function') {
    return zlib.zstdDecompressSync(message, bound);
  }
  throw new Error(`it is compressed with ${JSON.stringify(encoding)}`);
}
