/** Every error that crosses a component boundary has one of these codes. Area first. */
export const ERROR_CODES = [
  'OTLP_MALFORMED', // Bytes are not the message they claim to be; the message carries the byte offset.
  'OTLP_LIMIT_EXCEEDED', // Nesting depth or element count over the limit.
  'OTLP_UNSUPPORTED_ENCODING',
  'ENCODING_FAILED', // A record of another system is not what its encoding says, or an item cannot be said in it.
  'BODY_TOO_LARGE', // Counted after decompression.
  'DECOMPRESSION_FAILED',
  'RING_FULL',
  'MEMORY_LIMITED', // A memory_limiter refuses until memory is back below its limit.
  'QUEUE_FULL', // Byte budget, item bound or free disk space reached.
  'STORAGE_FAILED', // A write or flush failed: nothing after it may be acknowledged.
  'STORAGE_LOCKED',
  'STORAGE_CORRUPT',
  'WORKER_LOST',
  'POISON_REQUEST', // Killed or hung two workers.
  'SHUTTING_DOWN',
  'METADATA_CARDINALITY', // More combinations of metadata than `batch` may tell apart.
  'EVALUATION_FAILED', // A condition has no answer for an item, and its configuration wants that to fail the request.
  'EXPORT_REJECTED',
  'EXPORT_UNAVAILABLE',
  'EXPORT_TIMEOUT',
  'ARCHIVE_UNREADABLE', // An object that was listed cannot be read: gone, refused, or the store does not answer.
  'CONFIG_INVALID',
  'START_FAILED',
  'INTERNAL',
] as const;
export type ErrorCode = (typeof ERROR_CODES)[number];

export interface PipelineErrorOptions {
  /** The same bytes would fail again: do not retry, count them as dropped. */
  permanent: boolean;
  /** Wait that the other side asked for, in milliseconds; clamped by whoever honours it. */
  retryAfterMs?: number;
  /** The other side takes less than it is sent: what would follow this batch has to slow down, too. */
  isThrottled?: boolean;
  /**
   * Permanent for a reason that is not in the items (credentials, address, an answer that nobody can read): parts of
   * the batch would fare no better, so none are tried.
   */
  isIndivisible?: boolean;
  cause?: unknown;
}

/** What of an error survives structured clone between threads. */
export interface ErrorMessage {
  code: ErrorCode;
  message: string;
  permanent: boolean;
}

/** An error with a code and one decision: retry or not. */
export class PipelineError extends Error {
  override readonly name = 'PipelineError';
  readonly code: ErrorCode;
  readonly permanent: boolean;
  readonly retryAfterMs: number | undefined;
  readonly isThrottled: boolean;
  readonly isIndivisible: boolean;

  constructor(code: ErrorCode, message: string, options: PipelineErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.permanent = options.permanent;
    this.retryAfterMs = options.retryAfterMs;
    this.isThrottled = options.isThrottled ?? false;
    this.isIndivisible = options.isIndivisible ?? false;
  }

  /** Structured clone turns this class into a bare Error without `code`: send this object instead. */
  toMessage(): ErrorMessage {
    return { code: this.code, message: this.message, permanent: this.permanent };
  }
}
