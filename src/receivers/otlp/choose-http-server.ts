/** Which program reads the HTTP sockets of a receiver. */

import type { HttpServer, HttpServerSettings } from './http-server.ts';
import { Http1Server } from './http1-server.ts';
import { NodeHttpServer } from './node-http-server.ts';
import { loadUws } from './uws-native.ts';
import { UwsServer } from './uws-server.ts';

/**
 * uWebSockets.js where its native build loads and its fixed timeouts are what the user asked for (nothing), node:http
 * for other timeouts, and our own reader of HTTP/1.1 everywhere else: with TLS, and on Node.js versions that the
 * registry's build is not made for. There every read of node:http is 64 KiB outside of the heap, for which V8 13
 * runs a full collection five times a second under load: about as much processor time as the rest of the engine.
 */
export function chooseHttpServer(settings: HttpServerSettings): HttpServer {
  // The registry's build of uWebSockets.js has no TLS, and no build exchanges certificates without a new listener.
  if (settings.tls !== undefined) return new Http1Server(settings);
  const hasTimeout =
    settings.readHeaderTimeoutMs > 0 ||
    settings.readTimeoutMs > 0 ||
    settings.writeTimeoutMs > 0 ||
    settings.idleTimeoutMs > 0;
  if (hasTimeout) return new NodeHttpServer(settings);
  const library = loadUws();
  return library === undefined ? new Http1Server(settings) : new UwsServer(library, settings);
}
