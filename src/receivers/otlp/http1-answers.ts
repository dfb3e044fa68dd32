/** Answers of HTTP/1.1: their bytes, and their order on a connection whose client does not wait for each. */
import { STATUS_CODES } from 'node:http';
import type { HttpExchange } from './http-exchange.ts';
import type { HttpReply, HttpReplyPort } from './http-server.ts';

const CONTINUE = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n', 'latin1');

/** Turns replies into bytes. One for all connections of a listener, because most answers are the same. */
export class ReplyEncoder {
  readonly #unixMs: () => number;
  readonly #keepAliveLines: string;
  #unixSeconds = 0;
  #dateLine = '';
  #lastReply: HttpReply | undefined;
  #lastBytes: Buffer | undefined;

  /** @param keepAliveMs told to clients, so that they do not send into a connection that is being closed. */
  constructor(unixMs: () => number, keepAliveMs: number) {
    this.#unixMs = unixMs;
    const seconds = Math.floor(keepAliveMs / 1000);
    this.#keepAliveLines = `connection: keep-alive\r\nkeep-alive: timeout=${seconds}\r\n\r\n`;
  }

  /** @param isLast the connection ends after this answer. */
  encode(reply: HttpReply, isLast: boolean): Buffer {
    const unixSeconds = Math.floor(this.#unixMs() / 1000);
    if (unixSeconds !== this.#unixSeconds) {
      this.#unixSeconds = unixSeconds;
      this.#dateLine = `date: ${new Date(unixSeconds * 1000).toUTCString()}\r\n`;
      this.#lastReply = undefined;
    }
    if (isLast) return this.#encode(reply, 'connection: close\r\n\r\n');
    if (reply !== this.#lastReply || this.#lastBytes === undefined) {
      this.#lastReply = reply;
      this.#lastBytes = this.#encode(reply, this.#keepAliveLines);
    }
    return this.#lastBytes;
  }

  #encode(reply: HttpReply, end: string): Buffer {
    let head = `HTTP/1.1 ${reply.status} ${STATUS_CODES[reply.status] ?? ''}\r\n`;
    for (const [name, value] of reply.headers) head += `${name}: ${printable(value)}\r\n`;
    // Forbidden with 204, where there is nothing to count (RFC 9110, section 8.6).
    if (reply.status !== 204) head += `content-length: ${reply.body.byteLength}\r\n`;
    return Buffer.concat([Buffer.from(head + this.#dateLine + end, 'latin1'), reply.body]);
  }
}

/** Some values come from the configuration: a line end in one must not become a header of its own. */
function printable(value: string): string {
  let text = '';
  for (const char of value) {
    const code = char.codePointAt(0)!;
    text += (code < 0x20 && code !== 0x09) || code === 0x7f || code > 0xff ? ' ' : char;
  }
  return text;
}

/** The answer of one request, written when all before it are. */
export class Http1Answer implements HttpReplyPort {
  readonly #owner: Http1Answers;
  /** The request asked for the end of the connection, or cannot be followed by another one. */
  readonly isLast: boolean;
  exchange: HttpExchange | undefined;
  wantsContinue = false;
  reply: HttpReply | undefined;

  constructor(owner: Http1Answers, isLast: boolean) {
    this.#owner = owner;
    this.isLast = isLast;
  }

  send(reply: HttpReply): void {
    this.reply = reply;
    this.#owner.flush();
  }
}

export interface AnswerSocket {
  write(bytes: Uint8Array): unknown;
  end(bytes: Uint8Array): unknown;
}

/** The answers that one connection owes, in the order of their requests. */
export class Http1Answers {
  readonly #socket: AnswerSocket;
  readonly #encoder: ReplyEncoder;
  readonly #flushed: () => void;
  readonly #queue: Http1Answer[] = [];
  #isEnded = false;

  /** @param flushed called after answers were written, and after the last one. */
  constructor(socket: AnswerSocket, encoder: ReplyEncoder, flushed: () => void) {
    this.#socket = socket;
    this.#encoder = encoder;
    this.#flushed = flushed;
  }

  get pendingCount(): number {
    return this.#queue.length;
  }

  /** True once the last answer was written. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  open(isLast: boolean): Http1Answer {
    const answer = new Http1Answer(this, isLast);
    this.#queue.push(answer);
    return answer;
  }

  /** Forgets the answer of the latest request, unless it has one already. */
  dropLast(): void {
    if (this.#queue.at(-1)?.reply === undefined) this.#queue.pop();
  }

  /** Tells the client to send its body, as soon as all answers before are written. */
  askForBody(answer: Http1Answer): void {
    if (this.#queue[0] === answer) this.#socket.write(CONTINUE);
    else answer.wantsContinue = true;
  }

  flush(): void {
    let first = this.#queue[0];
    if (this.#isEnded || first?.reply === undefined) return;
    while (first?.reply !== undefined) {
      this.#queue.shift();
      const { reply } = first;
      if (first.isLast || reply.closesConnection) {
        this.#isEnded = true;
        this.#socket.end(this.#encoder.encode(reply, true));
        this.abort();
        break;
      }
      this.#socket.write(this.#encoder.encode(reply, false));
      first = this.#queue[0];
      if (first?.wantsContinue === true) {
        first.wantsContinue = false;
        // Answered without waiting for the body: nothing to ask for any more.
        if (first.reply === undefined) this.#socket.write(CONTINUE);
      }
    }
    this.#flushed();
  }

  /** No answer will be written any more. */
  abort(): void {
    this.#isEnded = true;
    for (const answer of this.#queue.splice(0)) answer.exchange?.abort();
  }
}
