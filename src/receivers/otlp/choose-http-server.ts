/** Which program reads the HTTP sockets of a receiver. */
import type { HttpServer, HttpServerSettings } from './http-server.ts';
import { NodeHttpServer } from './node-http-server.ts';
import { loadUws } from './uws-native.ts';
import { UwsServer } from './uws-server.ts';

/**
 * uWebSockets.js where its native build loads and its fixed timeouts are what the user asked for (nothing),
 * node:http otherwise, and always with TLS.
 */
export function chooseHttpServer(settings: HttpServerSettings): HttpServer {
  const hasTimeout =
    settings.readHeaderTimeoutMs > 0 ||
    settings.readTimeoutMs > 0 ||
    settings.writeTimeoutMs > 0 ||
    settings.idleTimeoutMs > 0;
  // The registry's build has no TLS, and no build exchanges certificates without a new listener.
  const library = hasTimeout || settings.tls !== undefined ? undefined : loadUws();
  return library === undefined ? new NodeHttpServer(settings) : new UwsServer(library, settings);
}
