/** Answers of OTLP/gRPC: statuses for every way a unary call can end. */
import type { RequestOutcome } from '../../component/consumer.ts';
import { OUTCOME_OK, OUTCOME_UNAVAILABLE } from '../../component/consumer.ts';
import type { Signal } from '../../component/signal.ts';
import { encodeGrpcMessage, type FrameFault, frameMessage } from './grpc-frames.ts';
import { GRPC_CODE } from './http-replies.ts';
import { RETRY_AFTER_MS } from './limits.ts';
import type { RefusalReason } from './request-metrics.ts';
import {
  type ErrorStatus,
  encodeErrorStatus,
  encodeExportResponse,
  GRPC_INTERNAL,
  GRPC_RESOURCE_EXHAUSTED,
  GRPC_UNAVAILABLE,
  GRPC_UNIMPLEMENTED,
} from './statuses.ts';

const EMPTY_RESPONSE_FRAME = frameMessage(new Uint8Array(0));

/** A call refused before the engine saw it. */
export interface GrpcRefusal {
  status: ErrorStatus;
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
  return { status: { code, message, retryAfterMs: 0 }, reason };
}

function retryable(message: string, reason: RefusalReason): GrpcRefusal {
  return { status: { code: GRPC_UNAVAILABLE, message, retryAfterMs: RETRY_AFTER_MS }, reason };
}

/** The response message of a call that ended well, framed. */
export function responseFrame(signal: Signal, outcome: RequestOutcome): Uint8Array {
  if (outcome.rejectedCount === 0 && outcome.message === '') return EMPTY_RESPONSE_FRAME;
  return frameMessage(encodeExportResponse(signal, outcome, 'proto'));
}

/** @returns undefined when the call ended well. */
export function outcomeStatus(outcome: RequestOutcome): ErrorStatus | undefined {
  if (outcome.code === OUTCOME_OK) return undefined;
  // RetryInfo makes RESOURCE_EXHAUSTED retryable, so only a refusal that time cures carries it.
  const retryAfterMs = outcome.code === OUTCOME_UNAVAILABLE ? outcome.retryAfterMs : 0;
  return { code: GRPC_CODE[outcome.code], message: outcome.message, retryAfterMs };
}

/** Trailers of a status; RetryInfo travels in the binary Status (RFC of gRPC: Custom-Metadata, `-bin`). */
export function statusTrailers(status: ErrorStatus): Record<string, string> {
  const trailers: Record<string, string> = {
    'grpc-status': String(status.code),
    'grpc-message': encodeGrpcMessage(status.message),
  };
  if (status.retryAfterMs > 0) {
    const details = encodeErrorStatus(status, 'proto');
    trailers['grpc-status-details-bin'] = Buffer.from(details).toString('base64');
  }
  return trailers;
}
