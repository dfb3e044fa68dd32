/** A gRPC server on bare node:http2 that lets the test answer, well or badly. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type { ClientAuthenticator } from '../../component/auth.ts';
import type { Signal } from '../../component/signal.ts';
import { OtlpExporter } from '../helper/grpc/otlp-exporter.ts';
import { recordingSettings } from '../helper/otlp-exporters.test-peer.ts';
import { otlpConfigSchema } from './config.ts';

export interface TakenCall {
  headers: http2.IncomingHttpHeaders;
  /** Frames as they came. */
  body: Buffer;
}

export interface GrpcBackend {
  port: number;
  taken: TakenCall[];
  sessions: http2.ServerHttp2Session[];
  pingCount: number;
}

export type Answer = (stream: http2.ServerHttp2Stream, call: TakenCall) => void;

export interface GrpcAnswer {
  /** Status of HTTP. */
  http?: number;
  status?: string;
  message?: string;
  details?: Uint8Array;
  /** Frames. */
  body?: Uint8Array;
  encoding?: string;
}

export interface BackendOptions {
  tls?: { cert: string; key: string };
  host?: string;
  path?: string;
  /** Answers before the request was read, and never reads it. */
  isDeaf?: boolean;
}

export async function startGrpcBackend(
  t: TestContext,
  answer: Answer,
  options: BackendOptions = {},
): Promise<GrpcBackend> {
  const { tls, host = '127.0.0.1', path, isDeaf = false } = options;
  const server = tls === undefined ? http2.createServer() : http2.createSecureServer(tls);
  const backend: GrpcBackend = { port: 0, taken: [], sessions: [], pingCount: 0 };
  server.on('session', (session: http2.ServerHttp2Session) => {
    backend.sessions.push(session);
    session.on('error', () => undefined);
    session.on('ping', () => {
      backend.pingCount++;
    });
  });
  server.on('stream', (stream: http2.ServerHttp2Stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on('error', () => undefined);
    const take = () => {
      const call = { headers, body: Buffer.concat(chunks) };
      backend.taken.push(call);
      answer(stream, call);
    };
    if (isDeaf) return take();
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', take);
  });
  if (path === undefined) server.listen(0, host);
  else server.listen(path);
  await once(server, 'listening');
  t.after(() => {
    for (const session of backend.sessions) session.destroy();
    server.close();
  });
  if (path === undefined) backend.port = (server.address() as AddressInfo).port;
  return backend;
}

/** Head, body if there is one, and trailers; an answer without body and HTTP status is trailers only. */
export function reply(stream: http2.ServerHttp2Stream, answer: GrpcAnswer): void {
  const { http = 200, status, message, details, body, encoding } = answer;
  const trailers: http2.OutgoingHttpHeaders = {};
  if (status !== undefined) trailers['grpc-status'] = status;
  if (message !== undefined) trailers['grpc-message'] = message;
  if (details !== undefined) trailers['grpc-status-details-bin'] = Buffer.from(details).toString('base64');
  const head: http2.OutgoingHttpHeaders = { ':status': http, 'content-type': 'application/grpc' };
  if (encoding !== undefined) head['grpc-encoding'] = encoding;
  if (body === undefined) {
    stream.respond({ ...head, ...trailers }, { endStream: true });
    return;
  }
  stream.respond(head, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  stream.end(body);
}

export function framed(message: Uint8Array, flag = 0): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** An exporter over plain text, unless the configuration says otherwise. */
export async function startExporter(
  t: TestContext,
  raw: object,
  signal: Signal = 'traces',
  auth?: ClientAuthenticator,
) {
  const { value, issues } = otlpConfigSchema.parse({ tls: { insecure: true }, ...raw });
  assert.deepEqual(issues, []);
  const { settings, lines } = recordingSettings('otlp');
  const exporter = new OtlpExporter({ ...settings, findClientAuth: async () => auth }, value!, signal);
  await exporter.start();
  t.after(() => exporter.shutdown());
  return { exporter, lines };
}
