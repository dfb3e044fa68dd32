/** Answers of OTLP/HTTP: built once where they are always the same, encoded as the request was. */
import type { OutcomeCode, PayloadEncoding, RequestOutcome } from '../../component/consumer.ts';
import {
  OUTCOME_INTERNAL,
  OUTCOME_MALFORMED,
  OUTCOME_OK,
  OUTCOME_TOO_LARGE,
  OUTCOME_UNAVAILABLE,
} from '../../component/consumer.ts';
import type { Signal } from '../../component/signal.ts';
import {
  encodeExportResponse,
  encodeExportResponseJson,
  encodeStatus,
  encodeStatusJson,
  GRPC_INTERNAL,
  GRPC_INVALID_ARGUMENT,
  GRPC_RESOURCE_EXHAUSTED,
  GRPC_UNAUTHENTICATED,
  GRPC_UNAVAILABLE,
  GRPC_UNIMPLEMENTED,
  type RpcStatus,
} from '../../otlp/status.ts';
import { type CorsConfig, CorsPolicy } from '../../stdx/cors-policy.ts';
import type { AuthRefusal } from './auth-gate.ts';
import type { HttpReply } from './http-server.ts';
import { RETRY_AFTER_MS } from './limits.ts';
import { CONTENT_TYPE_JSON, CONTENT_TYPE_PROTO } from './routes.ts';

type Header = readonly [string, string];

const CONTENT_TYPE: Readonly<Record<PayloadEncoding, string>> = {
  proto: CONTENT_TYPE_PROTO,
  json: CONTENT_TYPE_JSON,
};
const HTTP_STATUS: Readonly<Record<OutcomeCode, number>> = {
  [OUTCOME_OK]: 200,
  [OUTCOME_MALFORMED]: 400,
  [OUTCOME_TOO_LARGE]: 413,
  [OUTCOME_UNAVAILABLE]: 503,
  [OUTCOME_INTERNAL]: 500,
};
const GRPC_CODE: Readonly<Record<OutcomeCode, number>> = {
  [OUTCOME_OK]: 0,
  [OUTCOME_MALFORMED]: GRPC_INVALID_ARGUMENT,
  [OUTCOME_TOO_LARGE]: GRPC_RESOURCE_EXHAUSTED,
  [OUTCOME_UNAVAILABLE]: GRPC_UNAVAILABLE,
  [OUTCOME_INTERNAL]: GRPC_INTERNAL,
};
const NO_BODY = new Uint8Array(0);
const UTF8 = new TextEncoder();
/** A client's header value that is repeated in an error is cut here. */
const ECHOED_TEXT_MAX = 64;

/** The google.rpc.Status of a request that failed, for both protocols. */
export function outcomeStatus(outcome: RequestOutcome): RpcStatus {
  const status: RpcStatus = { code: GRPC_CODE[outcome.code], message: outcome.message };
  // RetryInfo makes RESOURCE_EXHAUSTED retryable, so only a refusal that time cures carries it.
  if (outcome.code !== OUTCOME_UNAVAILABLE || outcome.retryAfterMs <= 0) return status;
  return { ...status, retryDelayMs: outcome.retryAfterMs };
}

/** The google.rpc.Status of a client that was not let in, for both protocols. */
export function authStatus({ reason, message }: AuthRefusal): RpcStatus {
  if (reason === 'unauthenticated') return { code: GRPC_UNAUTHENTICATED, message };
  return { code: GRPC_UNAVAILABLE, message, retryDelayMs: RETRY_AFTER_MS };
}

const AUTH_HTTP_STATUS: Readonly<Record<AuthRefusal['reason'], number>> = {
  unauthenticated: 401,
  auth_limited: 429,
  unavailable: 503,
};

function encodeFailure(status: RpcStatus, encoding: PayloadEncoding): Uint8Array {
  return encoding === 'json' ? encodeStatusJson(status) : encodeStatus(status);
}

export interface HttpRepliesConfig {
  /** Added to every answer. */
  responseHeaders: readonly Header[];
  cors: CorsConfig | undefined;
}

export class HttpReplies {
  readonly notFound: HttpReply;
  readonly methodNotAllowed: HttpReply;
  readonly unsupportedMediaType: HttpReply;
  readonly tooManyHeaders: HttpReply;
  readonly badFraming: HttpReply;
  readonly #extraHeaders: readonly Header[];
  readonly #cors: CorsPolicy | undefined;
  readonly #success: Readonly<Record<PayloadEncoding, HttpReply>>;

  constructor(config: HttpRepliesConfig) {
    this.#extraHeaders = config.responseHeaders.map(([name, value]) => [name.toLowerCase(), value] as const);
    this.#cors = config.cors === undefined ? undefined : new CorsPolicy(config.cors, ['POST']);
    this.notFound = this.#text(404, '404 page not found');
    this.methodNotAllowed = this.#text(405, '405 method not allowed, supported: [POST]', [['allow', 'POST']]);
    this.unsupportedMediaType = this.#text(
      415,
      `415 unsupported media type, supported: [${CONTENT_TYPE_JSON}, ${CONTENT_TYPE_PROTO}]`,
    );
    this.tooManyHeaders = { ...this.#text(431, '431 too many header lines'), closesConnection: true };
    this.badFraming = { ...this.#text(400, '400 bad request'), closesConnection: true, isFramingLost: true };
    this.#success = {
      // A protobuf message without fields is zero bytes.
      proto: this.#reply(200, CONTENT_TYPE_PROTO, NO_BODY),
      json: this.#reply(200, CONTENT_TYPE_JSON, UTF8.encode('{"partialSuccess":{}}')),
    };
  }

  /** Answer to a client that is not let in: as OTLP wants it where the request was OTLP, else as text. */
  unauthenticated(refusal: AuthRefusal, encoding: PayloadEncoding | undefined): HttpReply {
    const httpStatus = AUTH_HTTP_STATUS[refusal.reason];
    const status = authStatus(refusal);
    const reply =
      encoding === undefined
        ? this.#text(httpStatus, refusal.message)
        : this.#reply(httpStatus, CONTENT_TYPE[encoding], encodeFailure(status, encoding));
    const headers = [...reply.headers];
    if (refusal.challenge !== '') headers.push(['www-authenticate', refusal.challenge]);
    if (status.retryDelayMs !== undefined) headers.push(['retry-after', retrySeconds(status.retryDelayMs)]);
    return { ...reply, headers };
  }

  /** Answer to a Content-Encoding without a decoder, in the encoding of the request. */
  unsupportedEncoding(contentEncoding: string, encoding: PayloadEncoding): HttpReply {
    const shown = contentEncoding.slice(0, ECHOED_TEXT_MAX);
    const message = `unsupported Content-Encoding: ${shown}`;
    const body = encodeFailure({ code: GRPC_UNIMPLEMENTED, message }, encoding);
    return this.#reply(415, CONTENT_TYPE[encoding], body);
  }

  /** Answer to a request that was complete; `signal` chooses the response message. */
  outcome(signal: Signal, encoding: PayloadEncoding, outcome: RequestOutcome): HttpReply {
    if (outcome.code === OUTCOME_OK) {
      if (outcome.rejectedCount === 0 && outcome.message === '') return this.#success[encoding];
      const body =
        encoding === 'json' ? encodeExportResponseJson(signal, outcome) : encodeExportResponse(outcome);
      return this.#reply(200, CONTENT_TYPE[encoding], body);
    }
    const status = outcomeStatus(outcome);
    const body = encodeFailure(status, encoding);
    const reply = this.#reply(HTTP_STATUS[outcome.code], CONTENT_TYPE[encoding], body);
    if (status.retryDelayMs === undefined) return reply;
    return { ...reply, headers: [...reply.headers, ['retry-after', retrySeconds(status.retryDelayMs)]] };
  }

  /** Answer to a CORS preflight; undefined when CORS is off, so that OPTIONS is treated as any other method. */
  preflight(origin: string): HttpReply | undefined {
    if (this.#cors === undefined) return undefined;
    const headers = [...this.#extraHeaders, ...this.#cors.preflightHeaders(origin)];
    return { status: 204, headers, body: NO_BODY, closesConnection: false };
  }

  /** The same answer for a browser of this origin. */
  withCors(reply: HttpReply, origin: string): HttpReply {
    if (this.#cors === undefined) return reply;
    return { ...reply, headers: [...reply.headers, ...this.#cors.responseHeaders(origin)] };
  }

  #text(status: number, text: string, headers: readonly Header[] = []): HttpReply {
    const reply = this.#reply(status, 'text/plain; charset=utf-8', UTF8.encode(text));
    return { ...reply, headers: [...reply.headers, ...headers] };
  }

  #reply(status: number, contentType: string, body: Uint8Array): HttpReply {
    return {
      status,
      headers: [['content-type', contentType], ...this.#extraHeaders],
      body,
      closesConnection: false,
    };
  }
}

/** Whole seconds only: rounded up, so that nobody comes back too early. */
function retrySeconds(delayMs: number): string {
  return String(Math.ceil(delayMs / 1000));
}
