/**
 * OTLP/HTTP on uWebSockets.js: about a third of node:http's CPU time for small requests.
 *
 * Its timeouts are fixed in C++ (10 s for a silent connection, 16 KiB/s for a body), so a configuration that
 * sets one gets node:http instead; see choose-http-server.ts.
 */
import { STATUS_CODES } from 'node:http';
import type { AuthSource } from './auth-gate.ts';
import { bindFailed } from './bind.ts';
import { joinValues } from './client-capture.ts';
import { HttpExchange, needsSource } from './http-exchange.ts';
import { addHeader, createHead } from './http-head.ts';
import type {
  HttpReply,
  HttpReplyPort,
  HttpRequestHead,
  HttpServer,
  HttpServerSettings,
} from './http-server.ts';
import type { UwsApp, UwsLibrary, UwsRequest, UwsResponse } from './uws-native.ts';

export class UwsServer implements HttpServer {
  readonly implementation = 'uws';
  readonly #library: UwsLibrary;
  readonly #settings: HttpServerSettings;
  #app: UwsApp | undefined;
  #listenSocket: unknown;
  #connections = 0;

  constructor(library: UwsLibrary, settings: HttpServerSettings) {
    this.#library = library;
    this.#settings = settings;
  }

  async start(): Promise<number> {
    const app = this.#library.App();
    this.#app = app;
    app.any('/*', (response, request) => this.#serve(response, request));
    app.filter?.((response, change) => this.#countConnection(response, change));
    const { host, port } = this.#settings;
    // Without this option two processes share the port, and half of the data goes to the wrong one.
    const exclusive = this.#library.LIBUS_LISTEN_EXCLUSIVE_PORT;
    const listenSocket = await new Promise<unknown>((resolve) => {
      if (host === undefined) app.listen(port, exclusive, resolve);
      else app.listen(host, port, exclusive, resolve);
    });
    if (!listenSocket) throw bindFailed(host, port, undefined);
    this.#listenSocket = listenSocket;
    return this.#library.us_socket_local_port(listenSocket);
  }

  stopListening(): void {
    if (this.#listenSocket === undefined) return;
    this.#library.us_listen_socket_close(this.#listenSocket);
    this.#listenSocket = undefined;
  }

  /** Answers are handed to the kernel as they are written; corked ones at the end of the loop's turn. */
  whenDrained(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  close(): void {
    this.stopListening();
    this.#app?.close();
    this.#app = undefined;
  }

  #countConnection(response: UwsResponse, change: number): void {
    this.#connections += change;
    if (change > 0 && this.#connections > this.#settings.connectionsMax) response.close();
  }

  #serve(response: UwsResponse, request: UwsRequest): void {
    const { exchange: context } = this.#settings;
    const exchange = new HttpExchange(context, new UwsReplyPort(response));
    response.onAborted(() => exchange.abort());
    exchange.begin(readHead(request), needsSource(context) ? authSource(request, response) : undefined);
    response.onData((chunk, isLast) => {
      if (isLast) exchange.end(new Uint8Array(chunk));
      else exchange.data(new Uint8Array(chunk), false);
    });
  }
}

class UwsReplyPort implements HttpReplyPort {
  readonly #response: UwsResponse;

  constructor(response: UwsResponse) {
    this.#response = response;
  }

  send(reply: HttpReply): void {
    const response = this.#response;
    if (reply.isFramingLost === true) {
      // After a regular end the rest of the buffer would be parsed as another request, and answered.
      response.close();
      return;
    }
    // Corked, so that status, headers and body leave in one system call.
    response.cork(() => {
      response.writeStatus(`${reply.status} ${STATUS_CODES[reply.status] ?? ''}`);
      for (const [name, value] of reply.headers) response.writeHeader(name, value);
      response.end(reply.body, reply.closesConnection);
    });
  }
}

function authSource(request: UwsRequest, response: UwsResponse): AuthSource {
  const valuesOf = (wanted: string): string[] => {
    const values: string[] = [];
    request.forEach((name, value) => {
      if (name === wanted) values.push(value);
    });
    return values;
  };
  return {
    header: (name) => joinValues(valuesOf(name)),
    // The library reads values as UTF-8.
    values: (name) => valuesOf(name).map((value) => Buffer.from(value, 'utf8').toString('latin1')),
    address: () => Buffer.from(response.getRemoteAddressAsText()).toString('latin1'),
  };
}

/** One pass over all lines: looked up by name, a second Content-Length would stay unseen. */
function readHead(request: UwsRequest): HttpRequestHead {
  const method = request.getMethod();
  const head = createHead(method === 'post' ? 'POST' : method.toUpperCase(), request.getUrl());
  request.forEach((name, value) => {
    addHeader(head, name, value);
  });
  return head;
}
