/** Answers of OTLP/gRPC: statuses for every way a unary call can end. */
import type { RequestOutcome } from '../../component/consumer.ts';
import {
  encodeExportResponse,
  encodeStatus,
  GRPC_INTERNAL,
  GRPC_RESOURCE_EXHAUSTED,
  GRPC_UNAVAILABLE,
  GRPC_UNIMPLEMENTED,
  type RpcStatus,
} from '../../otlp/status.ts';
import { encodeGrpcMessage, type FrameFault, frameMessage } from './grpc-frames.ts';
import { RETRY_AFTER_MS } from './limits.ts';
import type { RefusalReason } from './request-metrics.ts';

const EMPTY_RESPONSE_FRAME = frameMessage(new Uint8Array(0));

/** A call refused before the engine saw it. */
export interface GrpcRefusal {
  status: RpcStatus;
  reason: RefusalReason;
}

/** Statuses as gRPC's own table of library-made errors has them; only `no_memory` may be retried. */
const FAULTS: Readonly<Record<FrameFault, GrpcRefusal>> = {
  bad_flag: refusal(GRPC_INTERNAL, 'The compressed flag of the message is neither 0 nor 1.', 'malformed'),
  too_large: refusal(GRPC_RESOURCE_EXHAUSTED, 'The message is larger than the limit.', 'too_large'),
  extra_message: refusal(GRPC_UNIMPLEMENTED, 'A unary call carries exactly one message.', 'malformed'),
  truncated: refusal(GRPC_INTERNAL, 'The request ended inside a message.', 'malformed'),
  no_message: refusal(GRPC_UNIMPLEMENTED, 'A unary call carries exactly one message.', 'malformed'),
  no_memory: retryable('Too many requests are being received.', 'memory'),
};

export function frameFaultRefusal(fault: FrameFault): GrpcRefusal {
  return FAULTS[fault];
}

export const UNKNOWN_METHOD = refusal(GRPC_UNIMPLEMENTED, 'No such method.', 'not_found');
export const UNSUPPORTED_ENCODING = refusal(
  GRPC_UNIMPLEMENTED,
  'The grpc-encoding is not supported.',
  'encoding',
);
/** Compression spec: a set flag without an encoding is the client's bug, reported as INTERNAL. */
export const FLAG_WITHOUT_ENCODING = refusal(
  GRPC_INTERNAL,
  'The compressed flag is set but grpc-encoding names no compression.',
  'malformed',
);
export const BAD_TIMEOUT = refusal(GRPC_INTERNAL, 'The grpc-timeout cannot be read.', 'malformed');
export const ENGINE_FULL = retryable('The engine has no room for the request.', 'queue_full');
export const UPLOAD_TOO_SLOW = retryable('The request took too long to arrive.', 'deadline');
export const DRAINING = retryable('The receiver is shutting down.', 'draining');

function refusal(code: number, message: string, reason: RefusalReason): GrpcRefusal {
  return { status: { code, message }, reason };
}

function retryable(message: string, reason: RefusalReason): GrpcRefusal {
  return { status: { code: GRPC_UNAVAILABLE, message, retryDelayMs: RETRY_AFTER_MS }, reason };
}

/** The response message of a call that ended well, framed; all three signals have the same fields. */
export function responseFrame(outcome: RequestOutcome): Uint8Array {
  if (outcome.rejectedCount === 0 && outcome.message === '') return EMPTY_RESPONSE_FRAME;
  return frameMessage(encodeExportResponse(outcome));
}

/** Trailers of a status; RetryInfo travels in the binary Status (PROTOCOL-HTTP2, Custom-Metadata). */
export function statusTrailers(status: RpcStatus): Record<string, string> {
  const trailers: Record<string, string> = {
    'grpc-status': String(status.code),
    'grpc-message': encodeGrpcMessage(status.message),
  };
  if (status.retryDelayMs !== undefined) {
    trailers['grpc-status-details-bin'] = Buffer.from(encodeStatus(status)).toString('base64');
  }
  return trailers;
}
