/**
 * Finds the native build of uWebSockets.js. The only file that knows the package.
 *
 * The binary is loaded by its path, because the entry point of the registry's build answers a missing binary
 * with a slow imitation in JavaScript and a message on the console.
 */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

export interface UwsRequest {
  getUrl(): string;
  /** Lower case. */
  getMethod(): string;
  /** Names in lower case. */
  forEach(visit: (name: string, value: string) => void): void;
}

export interface UwsResponse {
  writeStatus(status: string): UwsResponse;
  writeHeader(name: string, value: string): UwsResponse;
  end(body: Uint8Array, closesConnection: boolean): UwsResponse;
  cork(write: () => void): UwsResponse;
  close(): UwsResponse;
  onAborted(handler: () => void): UwsResponse;
  getRemoteAddressAsText(): ArrayBuffer;
  /** The buffer is detached when the handler returns. */
  onData(handler: (chunk: ArrayBuffer, isLast: boolean) => void): UwsResponse;
}

export interface UwsApp {
  any(pattern: string, handler: (response: UwsResponse, request: UwsRequest) => void): UwsApp;
  listen(port: number, options: number, done: (listenSocket: unknown) => void): UwsApp;
  listen(host: string, port: number, options: number, done: (listenSocket: unknown) => void): UwsApp;
  /** Closes the listen socket and every connection. */
  close(): UwsApp;
  /** Called with 1 and -1 as connections come and go; newer builds only. */
  filter?(handler: (response: UwsResponse, change: number) => void): UwsApp;
}

export interface UwsLibrary {
  App(): UwsApp;
  us_listen_socket_close(listenSocket: unknown): void;
  us_socket_local_port(listenSocket: unknown): number;
  LIBUS_LISTEN_EXCLUSIVE_PORT: number;
}

/** @returns undefined when the package is not installed or has no binary for this platform and Node version. */
export function loadUws(): UwsLibrary | undefined {
  const require = createRequire(import.meta.url);
  let folder: string;
  try {
    folder = dirname(require.resolve('uWebSockets.js/package.json'));
  } catch {
    return undefined;
  }
  const file = `uws_${process.platform}_${process.arch}_${process.versions.modules}.node`;
  // The official package keeps its binaries beside package.json, the registry's build in a folder.
  for (const path of [join(folder, file), join(folder, 'binaries', file)]) {
    try {
      const library: UwsLibrary = require(path);
      if (typeof library.App === 'function' && typeof library.App().close === 'function') return library;
    } catch {
      // No such file, or linked against something this machine lacks: the next one, then node:http.
    }
  }
  return undefined;
}
