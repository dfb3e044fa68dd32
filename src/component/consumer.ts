import type { ClientKeys } from './client-context.ts';
import type { Signal } from './signal.ts';

/** Of the receiver `otlp`; others name their own. */
export const TRANSPORTS = ['http', 'grpc'] as const;
export type Transport = (typeof TRANSPORTS)[number];
export const PAYLOAD_ENCODINGS = ['proto', 'json'] as const;
export type PayloadEncoding = (typeof PAYLOAD_ENCODINGS)[number];
/** `record`: one record of another system, in what the receiver's factory names in `recordEncodings`. */
export const REQUEST_ENCODINGS = [...PAYLOAD_ENCODINGS, 'record'] as const;
export const COMPRESSIONS = ['identity', 'gzip', 'deflate', 'zstd'] as const;
export type Compression = (typeof COMPRESSIONS)[number];

/** A complete export request as it came off the socket. The main thread never looks inside. */
export interface RawRequest {
  signal: Signal;
  transport: Transport | 'kafka' | 's3';
  encoding: (typeof REQUEST_ENCODINGS)[number];
  compression: Compression;
  /** The body in order; copied before `tryConsume` returns, so the receiver may reuse the memory. */
  chunks: readonly Uint8Array[];
  /** Sum of the chunks, in bytes. */
  sizeBytes: number;
  /** Largest size after decompression that this receiver accepts. */
  decodedBytesMax: number;
  /** What `clientKeys` of the consumer names of the client, encoded; absent when the request has none of it. */
  context?: Uint8Array | undefined;
}

/** What the receiver `otlp` takes off its sockets. */
export interface OtlpRequest extends RawRequest {
  transport: Transport;
}

/** How a request ended. Numbers cross threads in ack records: append only. */
export const OUTCOME_OK = 0;
/** Bytes or JSON that cannot be decoded: 400 / INVALID_ARGUMENT. */
export const OUTCOME_MALFORMED = 1;
/** Over `decodedBytesMax` after decompression: 413 / RESOURCE_EXHAUSTED without RetryInfo. */
export const OUTCOME_TOO_LARGE = 2;
/** Ring, queue budget, disk, memory or drain: 503 / UNAVAILABLE with a wait hint. */
export const OUTCOME_UNAVAILABLE = 3;
/** Our bug: 500 / INTERNAL. */
export const OUTCOME_INTERNAL = 4;
export type OutcomeCode = 0 | 1 | 2 | 3 | 4;

export interface RequestOutcome {
  code: OutcomeCode;
  /** Items found in the request, 0 when it could not be read. */
  itemCount: number;
  /** Items refused by themselves (partial success); the others were accepted. */
  rejectedCount: number;
  /** Text for the client: ours, never an exception's. Empty when all is well. */
  message: string;
  /** Wait hint for OUTCOME_UNAVAILABLE, in milliseconds. */
  retryAfterMs: number;
}

/** Called exactly once for each consumed request, on the main thread. */
export type RequestDone = (outcome: RequestOutcome) => void;

/** What a receiver writes to: the engine behind it makes the request durable, then calls `done`. */
export interface RequestConsumer {
  /** Signals that are in a pipeline with this receiver now; the others get 404 / UNIMPLEMENTED. A reload changes it. */
  readonly signals: ReadonlySet<Signal>;
  /** What to keep of the client with each request; undefined: nothing. A reload changes it. */
  readonly clientKeys?: ClientKeys | undefined;
  /**
   * Copies the request into a ring, or refuses it; never blocks.
   * @returns false when there is no room: `done` is never called, the receiver answers 503 / UNAVAILABLE.
   */
  tryConsume(request: RawRequest, done: RequestDone): boolean;
}
