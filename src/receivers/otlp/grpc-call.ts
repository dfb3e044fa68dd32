/** One OTLP/gRPC call on an HTTP/2 stream, from its header to its trailers. */
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { constants } from 'node:http2';
import type { Compression, OtlpRequest, RequestOutcome } from '../../component/consumer.ts';
import { OUTCOME_OK } from '../../component/consumer.ts';
import type { Signal } from '../../component/signal.ts';
import { GRPC_OK, type RpcStatus } from '../../otlp/status.ts';
import type { Admission } from './admission.ts';
import type { AuthGate, AuthRefusal, AuthSource } from './auth-gate.ts';
import { BodyAssembler } from './body-assembler.ts';
import { CapturedClient, CLIENT_TOO_LARGE, type ClientCapture, rawHeaderValues } from './client-capture.ts';
import { GrpcFrameReader } from './grpc-frames.ts';
import {
  BAD_TIMEOUT,
  DRAINING,
  ENGINE_FULL,
  FLAG_WITHOUT_ENCODING,
  frameFaultRefusal,
  type GrpcRefusal,
  responseFrame,
  statusTrailers,
  UNKNOWN_METHOD,
  UNSUPPORTED_ENCODING,
  UPLOAD_TOO_SLOW,
} from './grpc-replies.ts';
import { authStatus, outcomeStatus } from './http-replies.ts';
import { isUploadTooSlow, REQUEST_TIMEOUT_MS, SEND_STALL_MS } from './limits.ts';
import type { RpcServerMetrics } from './protocol-metrics.ts';
import { parseCompression, parseGrpcTimeout } from './routes.ts';

const CONTENT_TYPE = 'application/grpc';
const ACCEPTED_ENCODINGS = 'identity,gzip,deflate,zstd';
const COMPRESSIONS: ReadonlySet<Compression> = new Set(['gzip', 'deflate', 'zstd']);
const RESPONSE_HEADERS = {
  ':status': 200,
  'content-type': CONTENT_TYPE,
  'grpc-accept-encoding': ACCEPTED_ENCODINGS,
};
// Node takes `sendDate` though its types do not know it: gRPC has no use for a date in every answer.
const RESPOND_WITH_MESSAGE = { waitForTrailers: true, sendDate: false };
const RESPOND_WITH_STATUS = { endStream: true, sendDate: false };
const OK_TRAILERS = { 'grpc-status': '0' };

/** What all calls of one listener share. */
export interface GrpcCallContext {
  admission: Admission;
  /** undefined: everybody may send. */
  auth: AuthGate | undefined;
  /** undefined: nothing is kept of clients. */
  client?: ClientCapture;
  metrics: RpcServerMetrics;
  /** Full method names of all signals; those that are in no pipeline are unknown. */
  methods: ReadonlyMap<string, Signal>;
  /** Bound of the message as sent and after decompression. */
  messageBytesMax: number;
}

/** What a call tells the connection it came on. */
export interface GrpcCallOwner {
  readonly remoteAddress: string;
  /** An answer was sent: a client that is served may ping. */
  callAnswered(): void;
  /** The client gave the call up before its answer. */
  callAborted(): void;
  callClosed(call: GrpcCall): void;
}

export class GrpcCall {
  readonly #context: GrpcCallContext;
  readonly #owner: GrpcCallOwner;
  readonly #stream: ServerHttp2Stream;
  readonly #body: BodyAssembler;
  readonly #reader: GrpcFrameReader;
  #signal: Signal = 'traces';
  #compression: Compression = 'identity';
  #timeoutMs = Infinity;
  /** The verdict on the client is still to come: the end of its message waits for it. */
  #isHeld = false;
  #hasEnded = false;
  /** Full name, once it is known to be one of ours. */
  #method = '';
  #traceParent = '';
  #headRefusal: GrpcRefusal | undefined;
  #client: CapturedClient | undefined;
  #isComplete = false;
  #isClosed = false;
  #deadlineMs: number;
  readonly #startedAtMs: number;

  /** @param nowMs reading of the clock; the call's upload and its answer get their deadlines from it. */
  constructor(context: GrpcCallContext, owner: GrpcCallOwner, stream: ServerHttp2Stream, nowMs: number) {
    this.#context = context;
    this.#owner = owner;
    this.#startedAtMs = nowMs;
    this.#deadlineMs = nowMs + REQUEST_TIMEOUT_MS;
    this.#stream = stream;
    this.#body = new BodyAssembler(context.admission.memory);
    this.#reader = new GrpcFrameReader(this.#body, context.messageBytesMax);
    context.admission.exchangeOpened();
  }

  /**
   * Reads the header and takes over the stream's events.
   * @param rawHeaders names and values in turn; in `headers` lines of one name are joined.
   */
  begin(headers: IncomingHttpHeaders, rawHeaders: readonly string[] = []): void {
    const stream = this.#stream;
    stream.on('error', () => {});
    stream.on('close', () => {
      this.#abort();
      this.#owner.callClosed(this);
    });
    if (!isGrpc(headers['content-type']) || headers[':method'] !== 'POST') {
      this.#refuseTransport();
      return;
    }
    const { auth, client } = this.#context;
    const source =
      auth === undefined && client?.keys === undefined ? undefined : this.#source(headers, rawHeaders);
    if (source !== undefined && client?.keys !== undefined)
      this.#client = new CapturedClient(client.keys, source);
    if (source !== undefined && auth !== undefined && !this.#checkClient(auth, source)) return;
    const refusal = this.#readHeaders(headers);
    if (refusal !== undefined) {
      this.#refuseHead(refusal);
      return;
    }
    stream.on('data', (chunk: Buffer) => this.#data(chunk));
    stream.on('end', () => this.#end());
  }

  /**
   * Ends a call whose upload takes too long, or whose answer the peer does not take. A call that waits for the
   * engine is bounded by the admission.
   */
  expire(nowMs: number): void {
    const isUploading = !this.#isClosed && !this.#isComplete && !this.#isHeld;
    if (isUploading && isUploadTooSlow(this.#body.sizeBytes, nowMs - this.#startedAtMs)) {
      this.#refuse(UPLOAD_TOO_SLOW);
      return;
    }
    if (nowMs < this.#deadlineMs) return;
    if (this.#isClosed) this.#stream.close(constants.NGHTTP2_CANCEL);
    else if (!this.#isComplete) this.#refuse(UPLOAD_TOO_SLOW);
    this.#deadlineMs = nowMs + SEND_STALL_MS;
  }

  #source(headers: IncomingHttpHeaders, rawHeaders: readonly string[]): AuthSource {
    return {
      header: (name) => {
        const value = headers[name];
        return Array.isArray(value) ? value.join(', ') : value;
      },
      values: (name) => metadataValues(rawHeaders, name),
      address: () => this.#owner.remoteAddress,
    };
  }

  /** @returns false when the call is refused or will be: then its message is not read. */
  #checkClient(gate: AuthGate, source: AuthSource): boolean {
    const verdict = gate.check(source, this.#client);
    if (!(verdict instanceof Promise)) {
      if (verdict !== undefined) this.#refuseClient(verdict);
      return verdict === undefined;
    }
    this.#isHeld = true;
    void verdict.then((late) => {
      if (this.#isClosed) return;
      this.#isHeld = false;
      if (late !== undefined) this.#refuseClient(late);
      else if (this.#headRefusal !== undefined) this.#refuse(this.#headRefusal);
      else if (this.#hasEnded) this.#end();
    });
    return true;
  }

  #refuseClient(refusal: AuthRefusal): void {
    const { reason, delayMs } = refusal;
    const refuse = () => {
      if (!this.#isClosed) this.#refuse({ status: authStatus(refusal), reason });
    };
    if (delayMs === 0) {
      refuse();
      return;
    }
    // What comes meanwhile is thrown away.
    this.#isHeld = true;
    this.#body.release();
    this.#stream.removeAllListeners('data');
    this.#stream.resume();
    setTimeout(refuse, delayMs);
  }

  /** A stranger gets the answer to its credentials first. */
  #refuseHead(refusal: GrpcRefusal): void {
    if (this.#isHeld) this.#headRefusal = refusal;
    else this.#refuse(refusal);
  }

  #readHeaders(headers: IncomingHttpHeaders): GrpcRefusal | undefined {
    const { admission, methods } = this.#context;
    const signal = methods.get(headers[':path'] ?? '');
    // Asked each time: a reload may add a pipeline without a new listener.
    if (signal === undefined || !admission.signals.has(signal)) return UNKNOWN_METHOD;
    this.#signal = signal;
    this.#method = headers[':path']!;
    this.#traceParent = headers.traceparent?.toString() ?? '';
    const encoding = headers['grpc-encoding'];
    const compression = parseCompression(typeof encoding === 'string' ? encoding : '', COMPRESSIONS);
    if (compression === undefined) return UNSUPPORTED_ENCODING;
    this.#compression = compression;
    const timeout = headers['grpc-timeout'];
    const timeoutMs = parseGrpcTimeout(typeof timeout === 'string' ? timeout : undefined);
    if (timeoutMs === undefined) return BAD_TIMEOUT;
    this.#timeoutMs = timeoutMs;
    return admission.isDraining ? DRAINING : undefined;
  }

  #data(chunk: Buffer): void {
    if (this.#isClosed) return;
    const fault = this.#reader.push(chunk);
    if (fault !== undefined) this.#refuse(frameFaultRefusal(fault));
  }

  #end(): void {
    // A stream cut off by a disconnect ends before it closes, and cannot be answered any more.
    if (this.#isClosed || this.#stream.aborted) return;
    if (this.#isHeld) {
      this.#hasEnded = true;
      return;
    }
    const fault = this.#reader.end();
    if (fault !== undefined) {
      this.#refuse(frameFaultRefusal(fault));
      return;
    }
    if (this.#reader.isCompressed && this.#compression === 'identity') {
      this.#refuse(FLAG_WITHOUT_ENCODING);
      return;
    }
    this.#isComplete = true;
    const client = this.#client?.encode();
    if (client === 'too_large') {
      this.#refuse({ status: outcomeStatus(CLIENT_TOO_LARGE), reason: 'headers' });
      return;
    }
    const { admission, messageBytesMax } = this.#context;
    const request: OtlpRequest = {
      signal: this.#signal,
      transport: 'grpc',
      encoding: 'proto',
      // grpc-encoding says what the client may use, the flag whether it did for this message.
      compression: this.#reader.isCompressed ? this.#compression : 'identity',
      chunks: this.#body.finish(),
      sizeBytes: this.#reader.messageBytes,
      decodedBytesMax: messageBytesMax,
      context: client,
    };
    const answer = (outcome: RequestOutcome) => this.#answer(outcome);
    const isTaken = admission.tryConsume(request, this.#timeoutMs, answer, this.#traceParent);
    this.#body.release();
    if (!isTaken) this.#refuse(ENGINE_FULL);
  }

  #answer(outcome: RequestOutcome): void {
    if (this.#isClosed || this.#stream.destroyed) return;
    if (outcome.code !== OUTCOME_OK) {
      this.#sendStatus(outcomeStatus(outcome));
      return;
    }
    this.#close();
    this.#measure(GRPC_OK);
    const stream = this.#stream;
    stream.respond(RESPONSE_HEADERS, RESPOND_WITH_MESSAGE);
    stream.on('wantTrailers', () => stream.sendTrailers(OK_TRAILERS));
    stream.end(responseFrame(outcome));
  }

  #refuse(refusal: GrpcRefusal): void {
    this.#context.admission.metrics.countRefusedRequest('grpc', refusal.reason);
    this.#sendStatus(refusal.status);
  }

  /** Trailers only; a client that is still sending is told to stop without the call becoming an error of HTTP/2. */
  #sendStatus(status: RpcStatus): void {
    const stream = this.#stream;
    if (stream.destroyed) return;
    this.#close();
    this.#measure(status.code);
    stream.respond({ ...RESPONSE_HEADERS, ...statusTrailers(status) }, RESPOND_WITH_STATUS);
    this.#stopReading();
  }

  #measure(code: number): void {
    const { admission, metrics } = this.#context;
    metrics.record(this.#method, code, admission.nowMs() - this.#startedAtMs);
  }

  /** Not gRPC at all: an answer that any HTTP client understands. */
  #refuseTransport(): void {
    this.#context.admission.metrics.countRefusedRequest('grpc', 'content_type');
    this.#close();
    this.#stream.respond({ ':status': 415 }, RESPOND_WITH_STATUS);
    this.#stopReading();
  }

  #stopReading(): void {
    const stream = this.#stream;
    if (stream.readableEnded) return;
    stream.resume();
    stream.close(constants.NGHTTP2_NO_ERROR);
  }

  #abort(): void {
    if (this.#isClosed) return;
    this.#owner.callAborted();
    if (!this.#isComplete) this.#context.admission.metrics.countRefusedRequest('grpc', 'aborted');
    this.#close();
  }

  #close(): void {
    this.#isClosed = true;
    this.#body.release();
    this.#context.admission.exchangeClosed();
    if (this.#stream.destroyed) return;
    // From here on the deadline is that of the peer's taking the answer.
    this.#deadlineMs = this.#context.admission.nowMs() + SEND_STALL_MS;
    this.#owner.callAnswered();
  }
}

/** As gRPC for Go shows metadata: binary values decoded, and the authority as `host` where no header says that. */
function metadataValues(rawHeaders: readonly string[], name: string): string[] {
  const values = rawHeaderValues(rawHeaders, name);
  if (name === 'host' && values.length === 0) return rawHeaderValues(rawHeaders, ':authority');
  return name.endsWith('-bin')
    ? values.map((value) => Buffer.from(value, 'base64').toString('latin1'))
    : values;
}

/** `application/grpc`, with `+proto` or parameters; other sub-formats such as `+json` are not OTLP. */
function isGrpc(contentType: string | undefined): boolean {
  if (contentType === undefined) return false;
  if (contentType === CONTENT_TYPE || contentType === `${CONTENT_TYPE}+proto`) return true;
  return contentType.startsWith(`${CONTENT_TYPE};`) || contentType.startsWith(`${CONTENT_TYPE}+proto;`);
}
