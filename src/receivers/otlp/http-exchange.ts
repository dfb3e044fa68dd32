/** One OTLP/HTTP request from its header to its answer, independent of the server that reads the socket. */
import type { Compression, OtlpRequest, PayloadEncoding, RequestOutcome } from '../../component/consumer.ts';
import { OUTCOME_TOO_LARGE } from '../../component/consumer.ts';
import type { Signal } from '../../component/signal.ts';
import type { Admission } from './admission.ts';
import { unavailable } from './admission.ts';
import type { AuthGate, AuthRefusal, AuthSource } from './auth-gate.ts';
import { BodyAssembler } from './body-assembler.ts';
import { CapturedClient, CLIENT_TOO_LARGE, type ClientCapture } from './client-capture.ts';
import type { HttpReplies } from './http-replies.ts';
import type { HttpReply, HttpReplyPort, HttpRequestHead } from './http-server.ts';
import { DISCARD_BYTES_MAX, HEADER_COUNT_MAX, isUploadTooSlow } from './limits.ts';
import type { HttpServerMetrics } from './protocol-metrics.ts';
import type { RefusalReason } from './request-metrics.ts';
import { parseCompression, parseContentType } from './routes.ts';

const NO_BODY = new Uint8Array(0);

/** What all exchanges of one listener share. */
export interface HttpExchangeContext {
  admission: Admission;
  /** undefined: everybody may send. */
  auth: AuthGate | undefined;
  /** undefined: nothing is kept of clients. */
  client?: ClientCapture;
  replies: HttpReplies;
  metrics: HttpServerMetrics;
  /** URL paths of all signals; those that are in no pipeline are not found. */
  paths: ReadonlyMap<string, Signal>;
  /** Content encodings beside identity. */
  compressions: ReadonlySet<Compression>;
  /** Bound of the body as sent and after decompression. */
  bodyBytesMax: number;
}

/**
 * Owned by one server adapter, which calls `begin` once, `data` for all bytes but the last, then `end`; or
 * `abort` at any moment, after which the port is not touched again.
 *
 * A refused request is read to its end (up to DISCARD_BYTES_MAX) before it is answered: closing a connection
 * with unread bytes resets it, and the client would retry what is refused for good.
 */
export class HttpExchange {
  readonly #context: HttpExchangeContext;
  readonly #port: HttpReplyPort;
  readonly #body: BodyAssembler;
  #signal: Signal = 'traces';
  #encoding: PayloadEncoding = 'proto';
  #compression: Compression = 'identity';
  #origin = '';
  #client: CapturedClient | undefined;
  #method = '';
  #traceParent = '';
  #routePath = '';
  #refusal: HttpReply | undefined;
  #discardedBytes = 0;
  /** Of the whole body, known at its end. */
  #bodyBytes = 0;
  /** The verdict on the client, or its late answer, is still to come: `end` waits for it. */
  #isHeld = false;
  #hasEnded = false;
  #isComplete = false;
  #isClosed = false;
  readonly #startedAtMs: number;

  constructor(context: HttpExchangeContext, port: HttpReplyPort) {
    this.#context = context;
    this.#startedAtMs = context.admission.nowMs();
    this.#port = port;
    this.#body = new BodyAssembler(context.admission.memory);
    context.admission.exchangeOpened();
  }

  /** False once the request is answered or gone: the adapter may stop reading its body. */
  get isOpen(): boolean {
    return !this.#isClosed;
  }

  /** @param source when `needsSource` says so; read before the call returns. */
  begin(head: HttpRequestHead, source?: AuthSource): void {
    const { replies } = this.#context;
    this.#origin = head.origin;
    this.#method = head.method;
    this.#traceParent = head.traceParent;
    if (head.headerCount > HEADER_COUNT_MAX) {
      this.#refuse(replies.tooManyHeaders, 'headers');
      return;
    }
    if (head.hasTwoLengths || !isKnownFraming(head.transferEncoding)) {
      this.#refuse(replies.badFraming, 'headers');
      return;
    }
    if (head.method === 'OPTIONS' && head.origin !== '' && head.requestMethod !== '') {
      this.#refusal = replies.preflight(head.origin);
      if (this.#refusal !== undefined) return;
    }
    // Before anything that depends on the request: strangers learn nothing, and their bodies are not kept.
    const clientKeys = this.#context.client?.keys;
    if (source !== undefined && clientKeys !== undefined)
      this.#client = new CapturedClient(clientKeys, source);
    if (source !== undefined && this.#context.auth !== undefined) {
      this.#checkClient(this.#context.auth, source, head);
      if (this.#refusal !== undefined) return;
    }
    this.#route(head);
  }

  #route(head: HttpRequestHead): void {
    const { admission, replies, bodyBytesMax } = this.#context;
    const signal = this.#context.paths.get(head.path);
    // Asked each time: a reload may add a pipeline without a new listener.
    if (signal === undefined || !admission.signals.has(signal)) {
      this.#refuse(replies.notFound, 'not_found');
      return;
    }
    this.#routePath = head.path;
    if (head.method !== 'POST') {
      this.#refuse(replies.methodNotAllowed, 'method');
      return;
    }
    const encoding = parseContentType(head.contentType);
    if (encoding === undefined) {
      this.#refuse(replies.unsupportedMediaType, 'content_type');
      return;
    }
    this.#signal = signal;
    this.#encoding = encoding;
    const compression = parseCompression(head.contentEncoding, this.#context.compressions);
    if (compression === undefined) {
      this.#refuse(replies.unsupportedEncoding(head.contentEncoding, encoding), 'encoding');
      return;
    }
    this.#compression = compression;
    if (head.contentLengthBytes > bodyBytesMax) this.#refuseTooLarge();
    else if (admission.isDraining) this.#refuseUnavailable('The receiver is shutting down.', 'draining');
  }

  /** @param isStable the chunk may be kept; otherwise it is copied before the call returns. */
  data(chunk: Uint8Array, isStable: boolean): void {
    if (this.#isClosed) return;
    if (this.#refusal !== undefined) {
      this.#discard(chunk.byteLength);
    } else if (this.#body.sizeBytes + chunk.byteLength > this.#context.bodyBytesMax) {
      this.#refuseTooLarge();
    } else if (!this.#body.append(chunk, isStable)) {
      this.#refuseUnavailable('Too many request bodies are being received.', 'memory');
    }
  }

  /** @param last the rest of the body; it only has to live until the call returns. */
  end(last?: Uint8Array): void {
    if (this.#isClosed) return;
    if (this.#isHeld) {
      if (last !== undefined) this.data(last, false);
      this.#hasEnded = true;
      return;
    }
    this.#isComplete = true;
    const sizeBytes = this.#body.sizeBytes + (last?.byteLength ?? 0);
    this.#bodyBytes = sizeBytes + this.#discardedBytes;
    if (this.#refusal === undefined && sizeBytes > this.#context.bodyBytesMax) this.#refuseTooLarge();
    if (this.#refusal !== undefined) {
      this.#send(this.#refusal);
      return;
    }
    const client = this.#client?.encode();
    if (client === 'too_large') {
      this.#refuse(this.#context.replies.outcome(this.#signal, this.#encoding, CLIENT_TOO_LARGE), 'headers');
      this.#send(this.#refusal!);
      return;
    }
    const request: OtlpRequest = {
      signal: this.#signal,
      transport: 'http',
      encoding: this.#encoding,
      compression: this.#compression,
      chunks: this.#body.finish(last),
      sizeBytes,
      decodedBytesMax: this.#context.bodyBytesMax,
      context: client,
    };
    const { admission } = this.#context;
    const answer = (outcome: RequestOutcome) => this.#answer(outcome);
    const isTaken = admission.tryConsume(request, Infinity, answer, this.#traceParent);
    this.#body.release();
    if (isTaken) return;
    this.#refuseUnavailable('The engine has no room for the request.', 'queue_full');
    if (this.#refusal !== undefined) this.#send(this.#refusal);
  }

  /** Ends an upload that is too slow; for servers that do not bound it themselves. */
  expire(elapsedMs: number): void {
    if (this.#isClosed || this.#isComplete || this.#isHeld) return;
    const receivedBytes = this.#body.sizeBytes + this.#discardedBytes;
    if (!isUploadTooSlow(receivedBytes, elapsedMs)) return;
    const { replies, admission } = this.#context;
    admission.metrics.countRefusedRequest('http', 'deadline');
    // Retryable, as a client on a bad line must not drop its data. The connection cannot be used again, because
    // nothing more of this body is waited for.
    const outcome = unavailable('The request took too long to arrive.');
    this.#send({ ...replies.outcome(this.#signal, this.#encoding, outcome), closesConnection: true });
  }

  /** The client is gone. What was handed on already stays valid; only the answer has nowhere to go. */
  abort(): void {
    if (this.#isClosed) return;
    if (!this.#isComplete) this.#context.admission.metrics.countRefusedRequest('http', 'aborted');
    this.#close();
  }

  #checkClient(gate: AuthGate, source: AuthSource, head: HttpRequestHead): void {
    const verdict = gate.check(source, this.#client);
    if (!(verdict instanceof Promise)) {
      if (verdict !== undefined) this.#refuseClient(verdict, head);
      return;
    }
    this.#isHeld = true;
    void verdict.then((late) => {
      if (this.#isClosed) return;
      if (late === undefined) this.#letGo();
      else this.#refuseClient(late, head);
    });
  }

  #refuseClient(refusal: AuthRefusal, head: HttpRequestHead): void {
    const { replies } = this.#context;
    this.#refuse(replies.unauthenticated(refusal, parseContentType(head.contentType)), refusal.reason);
    this.#isHeld = refusal.delayMs > 0 || this.#isHeld;
    if (!this.#isHeld) return;
    setTimeout(() => {
      if (!this.#isClosed) this.#letGo();
    }, refusal.delayMs);
  }

  #letGo(): void {
    this.#isHeld = false;
    if (this.#hasEnded) this.end();
  }

  #answer(outcome: RequestOutcome): void {
    if (this.#isClosed) return;
    this.#send(this.#context.replies.outcome(this.#signal, this.#encoding, outcome));
  }

  #refuse(reply: HttpReply, reason: RefusalReason): void {
    this.#refusal = reply;
    this.#body.release();
    this.#context.admission.metrics.countRefusedRequest('http', reason);
  }

  #refuseTooLarge(): void {
    const outcome: RequestOutcome = {
      code: OUTCOME_TOO_LARGE,
      itemCount: 0,
      rejectedCount: 0,
      message: 'The request body is too large.',
      retryAfterMs: 0,
    };
    this.#refuse(this.#context.replies.outcome(this.#signal, this.#encoding, outcome), 'too_large');
  }

  #refuseUnavailable(message: string, reason: RefusalReason): void {
    const reply = this.#context.replies.outcome(this.#signal, this.#encoding, unavailable(message));
    this.#refuse(reply, reason);
  }

  #discard(sizeBytes: number): void {
    this.#discardedBytes += sizeBytes;
    if (this.#discardedBytes <= DISCARD_BYTES_MAX || this.#refusal === undefined) return;
    this.#send({ ...this.#refusal, closesConnection: true });
  }

  #send(reply: HttpReply): void {
    const { admission, replies, metrics } = this.#context;
    const requestBytes = this.#bodyBytes || this.#body.sizeBytes + this.#discardedBytes;
    const withOrigin = this.#origin === '' ? reply : replies.withCors(reply, this.#origin);
    this.#close();
    // An answer to HEAD has no body, and not every server leaves it out by itself.
    const whole = this.#method === 'HEAD' ? { ...withOrigin, body: NO_BODY } : withOrigin;
    metrics.record(this.#method, this.#routePath, whole.status, {
      durationMs: admission.nowMs() - this.#startedAtMs,
      requestBytes,
      responseBytes: whole.body.byteLength,
    });
    this.#port.send(admission.isDraining ? { ...whole, closesConnection: true } : whole);
  }

  #close(): void {
    this.#isClosed = true;
    this.#body.release();
    this.#context.admission.exchangeClosed();
  }
}

/** Whether `begin` has to see the headers and the address of a request. */
export function needsSource({ auth, client }: HttpExchangeContext): boolean {
  return auth !== undefined || client?.keys !== undefined;
}

/** Any other transfer coding leaves it open where the body ends, or wraps it in what nobody here decodes. */
function isKnownFraming(transferEncoding: string): boolean {
  return transferEncoding === '' || transferEncoding.toLowerCase() === 'chunked';
}
