/**
 * An OTLP server over HTTP and gRPC that reads every request and keeps nothing: what the load test's own cost and
 * accuracy are measured against. `node dist/loadtest/sinks/null-otlp.js [--http PORT] [--grpc PORT]`
 */
import { realpathSync } from 'node:fs';
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http';
import {
  createSecureServer as createHttp2SecureServer,
  createServer as createHttp2Server,
  type Http2Server,
  type ServerHttp2Session,
} from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const WINDOW_BYTES = 8 * 1024 * 1024;

export interface NullOtlp {
  readonly httpPort: number;
  readonly grpcPort: number;
  /** Answers of HTTP requests wait while this is true. */
  isStalled: boolean;
  /** Status of HTTP answers; 200 unless changed. */
  status: number;
  readonly requestCount: number;
  close(): Promise<void>;
}

function listen(server: Server | Http2Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

/** PEM texts. */
interface Certificate {
  readonly cert: string;
  readonly key: string;
}

function createGrpcServer(
  counted: () => void,
  sessions: Set<ServerHttp2Session>,
  certificate: Certificate | undefined,
): Http2Server {
  const options = { settings: { initialWindowSize: WINDOW_BYTES, maxFrameSize: 1024 * 1024 } };
  const server =
    certificate === undefined
      ? createHttp2Server(options)
      : (createHttp2SecureServer({ ...options, ...certificate }) as unknown as Http2Server);
  server.on('session', (session) => {
    // The window of the connection stays at 64 KiB unless it is raised by hand.
    session.setLocalWindowSize(WINDOW_BYTES * 2);
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
  });
  server.on('stream', (stream) => {
    stream.on('error', () => undefined);
    stream.on('data', () => undefined);
    stream.on('end', () => {
      counted();
      stream.respond({ ':status': 200, 'content-type': 'application/grpc+proto' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.alloc(5));
    });
  });
  return server;
}

export async function startNullOtlp(
  httpPort = 0,
  grpcPort = 0,
  certificate?: Certificate,
): Promise<NullOtlp> {
  const waiting: (() => void)[] = [];
  const sessions = new Set<ServerHttp2Session>();
  const state = { isStalled: false, status: 200, requestCount: 0 };
  const serve: RequestListener = (request, response) => {
    const answer = (): void => {
      response.writeHead(state.status, { 'content-type': 'application/x-protobuf', 'content-length': 0 });
      response.end();
    };
    request.on('data', () => undefined);
    request.on('end', () => {
      state.requestCount += 1;
      if (state.isStalled) waiting.push(answer);
      else answer();
    });
  };
  const http = certificate === undefined ? createHttpServer(serve) : createHttpsServer(certificate, serve);
  const grpc = createGrpcServer(
    () => {
      state.requestCount += 1;
    },
    sessions,
    certificate,
  );
  const ports = [await listen(http, httpPort), await listen(grpc, grpcPort)] as const;
  return {
    httpPort: ports[0],
    grpcPort: ports[1],
    get isStalled() {
      return state.isStalled;
    },
    set isStalled(isStalled: boolean) {
      state.isStalled = isStalled;
      if (!isStalled) for (const answer of waiting.splice(0)) answer();
    },
    get status() {
      return state.status;
    },
    set status(status: number) {
      state.status = status;
    },
    get requestCount() {
      return state.requestCount;
    },
    close: async () => {
      for (const session of sessions) session.destroy();
      http.closeAllConnections();
      await Promise.all([
        new Promise((resolve) => http.close(resolve)),
        new Promise((resolve) => grpc.close(resolve)),
      ]);
    },
  };
}

if (import.meta.url === pathToFileURL(realpathSync(process.argv[1] ?? '.')).href) {
  const { values } = parseArgs({ options: { http: { type: 'string' }, grpc: { type: 'string' } } });
  const sink = await startNullOtlp(Number(values.http ?? 4318), Number(values.grpc ?? 4317));
  process.stdout.write(`null OTLP sink, pid ${process.pid}: http ${sink.httpPort}, grpc ${sink.grpcPort}\n`);
}
