/** What an OTLP server's answer means for a batch: the two OTLP exporters share it. */
import { PipelineError } from '../../component/errors.ts';
import type { ExportBatch, ExportReceipt } from '../../component/exporter.ts';
import type { Logger } from '../../component/settings.ts';
import {
  type ExportResult,
  GRPC_ABORTED,
  GRPC_CANCELLED,
  GRPC_DATA_LOSS,
  GRPC_DEADLINE_EXCEEDED,
  GRPC_OUT_OF_RANGE,
  GRPC_PERMISSION_DENIED,
  GRPC_RESOURCE_EXHAUSTED,
  GRPC_UNAUTHENTICATED,
  GRPC_UNAVAILABLE,
  GRPC_UNIMPLEMENTED,
  type RpcStatus,
} from '../../otlp/status.ts';

/** OTLP specification, section "Failures"; RESOURCE_EXHAUSTED only with RetryInfo. */
const RETRYABLE_CODES: ReadonlySet<number> = new Set([
  GRPC_CANCELLED,
  GRPC_DEADLINE_EXCEEDED,
  GRPC_ABORTED,
  GRPC_OUT_OF_RANGE,
  GRPC_UNAVAILABLE,
  GRPC_DATA_LOSS,
]);
const HTTP_RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/** About us or the address, not about the data. */
const HTTP_INDIVISIBLE: ReadonlySet<number> = new Set([401, 403, 404, 405, 407]);
const INDIVISIBLE_CODES: ReadonlySet<number> = new Set([
  GRPC_PERMISSION_DENIED,
  GRPC_UNAUTHENTICATED,
  GRPC_UNIMPLEMENTED,
]);
/** Statuses whose Retry-After counts: with one they say that less is allowed. */
const HTTP_THROTTLING: ReadonlySet<number> = new Set([429, 503]);

const CODE_NAMES = [
  'OK',
  'Canceled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
];

/** @param status as the server sent it, with a code other than OK. */
export function grpcError(status: RpcStatus): PipelineError {
  const { code, message, retryDelayMs } = status;
  const isThrottled = code === GRPC_RESOURCE_EXHAUSTED && retryDelayMs !== undefined;
  const name = CODE_NAMES[code] ?? `Code(${code})`;
  return failure(RETRYABLE_CODES.has(code) || isThrottled, `rpc error: code = ${name} desc = ${message}`, {
    retryAfterMs: retryDelayMs,
    isThrottled: isThrottled || (code === GRPC_UNAVAILABLE && retryDelayMs !== undefined),
    isIndivisible: INDIVISIBLE_CODES.has(code),
  });
}

export interface HttpFailure {
  /** Without user information and query. */
  url: string;
  status: number;
  retryAfter: string | undefined;
  /** Of the body, when it could be read. */
  details: RpcStatus | undefined;
}

/** @param nowUnixMs for a Retry-After that is a date. */
export function httpError(failed: HttpFailure, nowUnixMs: number): PipelineError {
  const { status, details } = failed;
  let text = `error exporting items, request to ${failed.url} responded with HTTP Status Code ${status}`;
  if (details !== undefined && details.message !== '') text += `, Message=${details.message}`;
  if (!HTTP_RETRYABLE.has(status))
    return failure(false, text, { isIndivisible: HTTP_INDIVISIBLE.has(status) });
  const isThrottling = HTTP_THROTTLING.has(status);
  const asked = isThrottling ? parseRetryAfter(failed.retryAfter, nowUnixMs) : undefined;
  const retryAfterMs = asked ?? details?.retryDelayMs;
  // A server that is away answers 503 as well; only one that is there can say for how long.
  const isThrottled = status === 429 || (isThrottling && retryAfterMs !== undefined);
  return failure(true, text, { retryAfterMs, isThrottled });
}

/** Seconds or an HTTP date (RFC 9110, 10.2.3). @returns undefined when it says nothing that can be waited for. */
export function parseRetryAfter(text: string | undefined, nowUnixMs: number): number | undefined {
  if (text === undefined) return undefined;
  if (/^\s*\d{1,9}\s*$/.test(text)) return Number(text) * 1000;
  // Date.parse takes many texts that are no HTTP date, such as "-5".
  if (!/^[A-Z][a-z]{2,8},? /.test(text)) return undefined;
  const waitMs = Date.parse(text) - nowUnixMs;
  return waitMs > 0 ? waitMs : undefined;
}

function failure(
  isRetryable: boolean,
  message: string,
  {
    retryAfterMs,
    ...marks
  }: { retryAfterMs?: number | undefined; isThrottled?: boolean; isIndivisible?: boolean },
): PipelineError {
  return new PipelineError(isRetryable ? 'EXPORT_UNAVAILABLE' : 'EXPORT_REJECTED', message, {
    permanent: !isRetryable,
    ...marks,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

/** The connection failed: nobody said anything about the data, so it is sent again. */
export function connectionError(peer: string, cause: unknown): PipelineError {
  return new PipelineError('EXPORT_UNAVAILABLE', `${peer} is not reachable: ${causeText(cause)}`, {
    permanent: false,
    cause,
  });
}

export function timeoutError(peer: string): PipelineError {
  return new PipelineError('EXPORT_TIMEOUT', `${peer} did not answer in time`, { permanent: false });
}

/** Node's connection errors may be lists of one error an address, with an empty message of their own. */
export function causeText(cause: unknown): string {
  if (cause instanceof AggregateError && cause.errors.length > 0) return causeText(cause.errors[0]);
  if (!(cause instanceof Error)) return String(cause);
  return cause.message === '' ? ('code' in cause ? String(cause.code) : cause.name) : cause.message;
}

/**
 * Reads an answer that took the batch.
 *
 * @param read decodes the body. What it throws changes nothing: the server has the data, sending it again would
 * only make copies.
 */
export function acceptAnswer(batch: ExportBatch, logger: Logger, read: () => ExportResult): ExportReceipt {
  let result: ExportResult;
  try {
    result = read();
  } catch (error) {
    logger.warn('the answer to an accepted batch cannot be read', { error: causeText(error) });
    return { rejectedCount: 0 };
  }
  if (result.rejectedCount === 0 && result.message === '') return { rejectedCount: 0 };
  const rejectedCount = Math.min(result.rejectedCount, batch.itemCount);
  logger.warn('Partial success response', { message: result.message, dropped_items: rejectedCount });
  return { rejectedCount };
}
