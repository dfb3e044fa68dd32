/** One HTTP/1.1 connection: bytes in as they are read, requests out to their exchanges, answers in their order. */
import type { AuthSource } from './auth-gate.ts';
import { joinValues, rawHeaderValues } from './client-capture.ts';
import { HttpExchange, type HttpExchangeContext, needsSource } from './http-exchange.ts';
import type { HttpReply } from './http-server.ts';
import { type AnswerSocket, Http1Answers, type ReplyEncoder } from './http1-answers.ts';
import { ChunkedBody } from './http1-chunked.ts';
import { BODY_CHUNKED, findHeadEnd, type HeadRefusal, isTokenByte, parseHead } from './http1-head.ts';
import { HEADER_BYTES_MAX, LINGER_MS, PIPELINED_REQUESTS_MAX, UNSENT_BYTES_MAX } from './limits.ts';

const LF = 0x0a;
const CR = 0x0d;

/** What a connection needs of its socket; the owner calls `receive`, `goOn` on `drain`, and `closed`. */
export interface Http1Socket extends AnswerSocket {
  readonly writableLength: number;
  readonly remoteAddress?: string | undefined;
  pause(): unknown;
  resume(): unknown;
  destroy(): unknown;
}

/** Shared by the connections of one listener. */
export interface Http1Context {
  exchange: HttpExchangeContext;
  encoder: ReplyEncoder;
  headerTimeoutMs: number;
  requestTimeoutMs: number;
  keepAliveTimeoutMs: number;
  writeTimeoutMs: number;
}

export class Http1Connection {
  readonly #socket: Http1Socket;
  readonly #context: Http1Context;
  readonly #answers: Http1Answers;
  /** The request whose body is being read. */
  #exchange: HttpExchange | undefined;
  /** Bytes of its body still to come, or BODY_CHUNKED. */
  #bodyBytes = 0;
  #chunked: ChunkedBody | undefined;
  #isLastRequest = false;
  /** Start of a head whose end has not come yet. */
  #headPart: Buffer | undefined;
  /** Read, but not to be looked at before answers have left; counted as bodies under way are. */
  #held: Buffer | undefined;
  #isPaused = false;
  /** False when no request can follow: what else comes is thrown away. */
  #isReading = true;
  #isStopping = false;
  #isFirst = true;
  /** When the head of the current request began, the last answer left, the last one was written, it stalled. */
  #requestAtMs: number;
  #idleAtMs: number;
  #endedAtMs = 0;
  #stalledAtMs = 0;

  constructor(socket: Http1Socket, context: Http1Context) {
    this.#socket = socket;
    this.#context = context;
    this.#answers = new Http1Answers(socket, context.encoder, () => this.#answered());
    this.#idleAtMs = context.exchange.admission.nowMs();
    this.#requestAtMs = this.#idleAtMs;
  }

  /** @param bytes what was read; the memory may be used again after the call. */
  receive(bytes: Buffer): void {
    if (this.#isPaused) {
      this.#hold(bytes);
      return;
    }
    let at = 0;
    while (at < bytes.byteLength && this.#isReading) {
      if (this.#exchange !== undefined) at = this.#readBody(this.#exchange, bytes, at);
      else if (!this.#isFull()) at = this.#readHead(bytes, at);
      else {
        this.#isPaused = true;
        this.#socket.pause();
        this.#hold(bytes.subarray(at));
        return;
      }
    }
  }

  /** Answers or written bytes have left: reads on if that was waited for. */
  goOn(): void {
    if (!this.#isPaused || this.#isFull()) return;
    this.#isPaused = false;
    const held = this.#held;
    if (held !== undefined) {
      this.#releaseHeld();
      this.receive(held);
    }
    if (!this.#isPaused) this.#socket.resume();
  }

  /** The socket is gone. */
  closed(): void {
    this.#isReading = false;
    this.#exchange = undefined;
    this.#answers.abort();
    this.#releaseHeld();
  }

  /** Ends the connection now if it is idle, else after the answers that it owes. */
  finish(): void {
    this.#isStopping = true;
    if (this.#isIdle()) this.#socket.destroy();
  }

  /** Looks at every time limit; called about once a second. */
  sweep(nowMs: number): void {
    const { writeTimeoutMs, requestTimeoutMs, headerTimeoutMs, keepAliveTimeoutMs } = this.#context;
    if (this.#socket.writableLength === 0) this.#stalledAtMs = 0;
    else if (this.#stalledAtMs === 0) this.#stalledAtMs = nowMs;
    else if (nowMs - this.#stalledAtMs > writeTimeoutMs) this.#socket.destroy();
    if (this.#answers.isEnded) {
      if (this.#stalledAtMs === 0 && nowMs - this.#endedAtMs > LINGER_MS) this.#socket.destroy();
      return;
    }
    if (this.#exchange !== undefined) {
      this.#exchange.expire(nowMs - this.#requestAtMs);
      if (this.#exchange !== undefined && nowMs - this.#requestAtMs > requestTimeoutMs) this.#timeOut();
    } else if (this.#headPart !== undefined) {
      if (nowMs - this.#requestAtMs > headerTimeoutMs) this.#timeOut();
    } else if (this.#isIdle()) {
      const idleMs = nowMs - this.#idleAtMs;
      if (this.#isFirst && idleMs > headerTimeoutMs) this.#timeOut();
      else if (!this.#isFirst && idleMs > keepAliveTimeoutMs) this.#socket.destroy();
    }
  }

  #isIdle(): boolean {
    const isReading = this.#exchange !== undefined || this.#headPart !== undefined;
    return !isReading && this.#answers.pendingCount === 0 && !this.#answers.isEnded;
  }

  /** More requests than this would only wait, and answers that nobody takes must not pile up. */
  #isFull(): boolean {
    const isWriting = this.#socket.writableLength > UNSENT_BYTES_MAX;
    return isWriting || this.#answers.pendingCount >= PIPELINED_REQUESTS_MAX;
  }

  #readHead(bytes: Buffer, at: number): number {
    const part = this.#headPart;
    if (part === undefined) this.#requestAtMs = this.#context.exchange.admission.nowMs();
    const whole = part === undefined ? bytes : Buffer.concat([part, bytes.subarray(at)]);
    const first = part === undefined ? at : 0;
    // Some clients put an empty line behind a body (RFC 9112, section 2.2).
    let start = first;
    while (whole[start] === CR && whole[start + 1] === LF) start += 2;
    if (start === whole.byteLength) {
      this.#headPart = undefined;
      return bytes.byteLength;
    }
    const end = findHeadEnd(whole, Math.max(start, (part?.byteLength ?? 0) - 3));
    if ((end < 0 ? whole.byteLength : end) - first > HEADER_BYTES_MAX) {
      this.#refuse(431);
    } else if (end >= 0) {
      this.#headPart = undefined;
      this.#begin(whole, start, end);
      return at + end - first - (part?.byteLength ?? 0);
    } else if (isNoHead(whole, start)) {
      this.#refuse(400);
    } else {
      this.#headPart = part === undefined ? Buffer.from(bytes.subarray(at)) : whole;
    }
    return bytes.byteLength;
  }

  #begin(bytes: Buffer, start: number, end: number): void {
    const request = parseHead(bytes, start, end);
    if (typeof request === 'number') {
      this.#refuse(request);
      return;
    }
    const { exchange: context } = this.#context;
    this.#isFirst = false;
    this.#isLastRequest = request.isLast || this.#isStopping;
    const answer = this.#answers.open(this.#isLastRequest);
    const exchange = new HttpExchange(context, answer);
    answer.exchange = exchange;
    exchange.begin(request.head, needsSource(context) ? this.#authSource(request.lines) : undefined);
    if (request.bodyBytes === 0) {
      this.#completed(exchange);
      return;
    }
    if (request.expectsContinue) this.#answers.askForBody(answer);
    this.#exchange = exchange;
    this.#bodyBytes = request.bodyBytes;
    this.#chunked = request.bodyBytes === BODY_CHUNKED ? new ChunkedBody() : undefined;
  }

  #readBody(exchange: HttpExchange, bytes: Buffer, at: number): number {
    if (this.#chunked !== undefined) return this.#readChunks(this.#chunked, exchange, bytes, at);
    const part = bytes.subarray(at, at + Math.min(this.#bodyBytes, bytes.byteLength - at));
    this.#bodyBytes -= part.byteLength;
    if (this.#bodyBytes > 0) exchange.data(part, false);
    else this.#completed(exchange, part);
    return at + part.byteLength;
  }

  #readChunks(chunked: ChunkedBody, exchange: HttpExchange, bytes: Buffer, at: number): number {
    const next = chunked.read(bytes, at, { data: (part) => exchange.data(part, false) });
    if (next < 0) {
      this.#giveUp(exchange);
      this.#answerLast(400);
      return bytes.byteLength;
    }
    if (chunked.isDone) this.#completed(exchange);
    return next;
  }

  #completed(exchange: HttpExchange, last?: Uint8Array): void {
    // Before the call: the answer may come, and with it the end, before it returns.
    this.#exchange = undefined;
    if (this.#isLastRequest) this.#isReading = false;
    exchange.end(last);
  }

  #refuse(status: HeadRefusal | 431): void {
    this.#context.exchange.admission.metrics.countRefusedRequest('http', 'headers');
    this.#answerLast(status);
  }

  #timeOut(): void {
    if (this.#exchange !== undefined) this.#giveUp(this.#exchange);
    this.#answerLast(408);
  }

  /** The rest of this request will not be read. */
  #giveUp(exchange: HttpExchange): void {
    this.#exchange = undefined;
    exchange.abort();
    this.#answers.dropLast();
  }

  /** Closes the connection with an answer of its own, after those that are still owed. */
  #answerLast(status: number): void {
    this.#isReading = false;
    this.#headPart = undefined;
    const reply: HttpReply = { status, headers: [], body: new Uint8Array(0), closesConnection: true };
    this.#answers.open(true).send(reply);
  }

  #answered(): void {
    if (this.#answers.isEnded) {
      this.#isReading = false;
      this.#exchange = undefined;
      this.#endedAtMs = this.#context.exchange.admission.nowMs();
      this.#releaseHeld();
      if (this.#isPaused) this.#socket.resume();
      this.#isPaused = false;
      return;
    }
    if (this.#answers.pendingCount === 0) {
      this.#idleAtMs = this.#context.exchange.admission.nowMs();
      if (this.#isStopping && this.#isIdle()) this.#socket.destroy();
    }
    this.goOn();
  }

  /** A paused TLS socket still hands over what it had taken from the network. */
  #hold(bytes: Buffer): void {
    if (!this.#isReading || bytes.byteLength === 0) return;
    if (!this.#context.exchange.admission.memory.tryReserve(bytes.byteLength)) {
      this.#socket.destroy();
      return;
    }
    this.#held = this.#held === undefined ? Buffer.from(bytes) : Buffer.concat([this.#held, bytes]);
  }

  #releaseHeld(): void {
    this.#context.exchange.admission.memory.giveBack(this.#held?.byteLength ?? 0);
    this.#held = undefined;
  }

  #authSource(lines: readonly string[]): AuthSource {
    return {
      // Both of two credentials: a gateway before us may have checked either.
      header: (name) => joinValues(rawHeaderValues(lines, name)),
      values: (name) => rawHeaderValues(lines, name),
      address: () => this.#socket.remoteAddress ?? '',
    };
  }
}

/** Tells early that no head can come of this, so that a stranger is not waited for. */
function isNoHead(bytes: Buffer, start: number): boolean {
  const first = bytes[start];
  if (first === undefined || (first === CR && start + 1 === bytes.byteLength)) return false;
  if (!isTokenByte(first)) return true;
  for (let at = bytes.indexOf(LF, start); at >= 0; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[at - 1] !== CR) return true;
  }
  return false;
}
