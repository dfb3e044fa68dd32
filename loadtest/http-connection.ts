/** OTLP/HTTP over one bare socket: prepared headers, one write a request, answers matched in order. */
import { createConnection, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Connection, ConnectionSettings, Outcome, Ticket } from './connection.ts';
import { RECONNECT_MS } from './connection.ts';
import { type HttpResponse, readResponse } from './http-response.ts';

const READ_BYTES = 64 * 1024;

/** An OK with a partial success that rejects something is no acknowledgement of the whole request. */
function outcomeOf(response: HttpResponse, isJson: boolean): [Outcome, string] {
  if (response.status !== 200) return ['refused', `HTTP ${response.status}`];
  // A protobuf answer of up to two bytes is empty, or holds an empty partial_success.
  const isPartial = isJson ? response.body.includes('"rejected') : response.body.length > 2;
  return isPartial ? ['refused', 'partial success'] : ['acked', ''];
}

export class HttpConnection implements Connection {
  readonly #settings: ConnectionSettings;
  readonly #headerStart: string;
  /** Tickets in the order of their requests: a ring of fixed size. */
  readonly #pending: (Ticket | undefined)[];
  #pendingFirst = 0;
  #pendingCount = 0;
  #rest: Buffer | undefined;
  #socket: Socket | undefined;
  #isOpen = false;
  #isClosed = false;
  #reconnect: NodeJS.Timeout | undefined;

  constructor(settings: ConnectionSettings) {
    this.#settings = settings;
    this.#pending = new Array(settings.inFlightMax);
    const encoding =
      settings.contentEncoding === '' ? '' : `content-encoding: ${settings.contentEncoding}\r\n`;
    this.#headerStart =
      `POST ${settings.path} HTTP/1.1\r\nhost: ${settings.host}:${settings.port}\r\n` +
      `user-agent: millrace-loadtest\r\ncontent-type: ${settings.contentType}\r\n${encoding}content-length: `;
  }

  header(bodyBytes: number): Buffer {
    return Buffer.from(`${this.#headerStart}${bodyBytes}\r\n\r\n`, 'latin1');
  }

  isOpen(): boolean {
    return this.#isOpen;
  }

  connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      const { host, port, isTls } = this.#settings;
      const buffer = Buffer.alloc(READ_BYTES);
      const options = {
        host,
        port,
        noDelay: true,
        // One read buffer a connection: answers are tiny, and a fresh 64 KiB for each would cost more than reading.
        onread: { buffer, callback: (count: number) => this.#read(buffer.subarray(0, count)) },
      };
      const socket = isTls
        ? connectTls({ ...options, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] })
        : createConnection(options);
      this.#socket = socket;
      socket.once(isTls ? 'secureConnect' : 'connect', () => {
        this.#isOpen = true;
        resolve();
      });
      socket.once('error', reject);
      socket.once('close', () => this.#lost(socket));
    });
  }

  send(ticket: Ticket, bytes: Buffer): void {
    this.#pending[(this.#pendingFirst + this.#pendingCount) % this.#pending.length] = ticket;
    this.#pendingCount += 1;
    this.#socket?.write(bytes);
  }

  expire(sentBeforeMs: number): void {
    const oldest = this.#pending[this.#pendingFirst];
    if (this.#pendingCount > 0 && oldest !== undefined && oldest.sentMs < sentBeforeMs) {
      this.#failAll('timeout');
      this.#socket?.destroy();
    }
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#reconnect);
    this.#socket?.destroy();
  }

  #read(chunk: Buffer): boolean {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    try {
      while (this.#pendingCount > 0) {
        const response = readResponse(bytes, at);
        if (response === undefined) break;
        at = response.end;
        if (response.status >= 200) this.#answer(response);
      }
    } catch (error) {
      this.#failAll((error as Error).message);
      this.#socket?.destroy();
      return false;
    }
    // The read buffer is reused, so an incomplete answer is copied out.
    this.#rest = at < bytes.length ? Buffer.from(bytes.subarray(at)) : undefined;
    return true;
  }

  #answer(response: HttpResponse): void {
    const [outcome, code] = outcomeOf(response, this.#settings.contentType === 'application/json');
    if (response.isLast) this.#isOpen = false;
    const ticket = this.#takePending();
    if (ticket !== undefined) this.#settings.done(ticket, outcome, code);
  }

  #takePending(): Ticket | undefined {
    const ticket = this.#pending[this.#pendingFirst];
    this.#pending[this.#pendingFirst] = undefined;
    this.#pendingFirst = (this.#pendingFirst + 1) % this.#pending.length;
    this.#pendingCount -= 1;
    return ticket;
  }

  #failAll(code: string): void {
    this.#isOpen = false;
    while (this.#pendingCount > 0) {
      const ticket = this.#takePending();
      if (ticket !== undefined) this.#settings.done(ticket, 'failed', code);
    }
  }

  #lost(socket: Socket): void {
    if (socket !== this.#socket) return;
    this.#rest = undefined;
    this.#failAll('connection lost');
    if (this.#isClosed) return;
    this.#reconnect = setTimeout(() => {
      this.connect().then(this.#settings.reopened, () => undefined);
    }, RECONNECT_MS);
  }
}
