/** Which program reads the HTTP sockets of a receiver. */

import type { HttpServer, HttpServerSettings } from './http-server.ts';
import { Http1Server } from './http1-server.ts';
import { NodeHttpServer } from './node-http-server.ts';
import { loadUws } from './uws-native.ts';
import { UwsServer } from './uws-server.ts';

/**
 * Our own reader with TLS; else uWebSockets.js where its native build loads and its fixed timeouts are what the
 * user asked for (nothing), and node:http otherwise.
 */
export function chooseHttpServer(settings: HttpServerSettings): HttpServer {
  // The registry's build of uWebSockets.js has no TLS, and no build exchanges certificates without a new listener.
  if (settings.tls !== undefined) return new Http1Server(settings);
  const hasTimeout =
    settings.readHeaderTimeoutMs > 0 ||
    settings.readTimeoutMs > 0 ||
    settings.writeTimeoutMs > 0 ||
    settings.idleTimeoutMs > 0;
  const library = hasTimeout ? undefined : loadUws();
  return library === undefined ? new NodeHttpServer(settings) : new UwsServer(library, settings);
}
