const UTF8 = new TextEncoder();

import type { PayloadEncoding, RequestOutcome } from '../../component/consumer.ts';
import type { Signal } from '../../component/signal.ts';
export const GRPC_INVALID_ARGUMENT = 3;
export const GRPC_RESOURCE_EXHAUSTED = 8;
export const GRPC_UNIMPLEMENTED = 12;
export const GRPC_INTERNAL = 13;
export const GRPC_UNAVAILABLE = 14;
export interface ErrorStatus {
  code: number;
  message: string;
  retryAfterMs: number;
}
export function encodeErrorStatus(status: ErrorStatus, _encoding: PayloadEncoding): Uint8Array {
  return UTF8.encode(JSON.stringify({ code: status.code, message: status.message }));
}
export function encodeExportResponse(
  _signal: Signal,
  outcome: RequestOutcome,
  _encoding: PayloadEncoding,
): Uint8Array {
  return UTF8.encode(
    JSON.stringify({
      partialSuccess: { rejectedSpans: String(outcome.rejectedCount), errorMessage: outcome.message },
    }),
  );
}
