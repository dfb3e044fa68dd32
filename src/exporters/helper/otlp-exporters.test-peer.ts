/** What the tests of the OTLP exporters share: batches, settings whose log can be read, and a server over HTTP. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import type { ClientAuthenticator } from '../../component/auth.ts';
import { PipelineError } from '../../component/errors.ts';
import type { ExportBatch, Exporter, ExportReceipt } from '../../component/exporter.ts';
import type { ComponentSettings, LogFields, Logger } from '../../component/settings.ts';
import type { Signal } from '../../component/signal.ts';
import { systemClock } from '../../stdx/clock.ts';
import { ThreadMeter } from '../../telemetry/registry.ts';
import { generateRequest } from '../../testkit/generators.ts';

/** Requests of generated data; items of a slice are `itemsPerSlice`. */
export function testBatch(signal: Signal = 'traces', sliceCount = 3, itemsPerSlice = 20): ExportBatch {
  const slices = Array.from({ length: sliceCount }, (_, seed) =>
    generateRequest({ signal, itemsPerRequest: itemsPerSlice, seed: seed + 1 }),
  );
  return {
    signal,
    batchId: 'log.1-0-59',
    slices,
    itemCount: sliceCount * itemsPerSlice,
    sizeBytes: slices.reduce((sum, slice) => sum + slice.byteLength, 0),
    receivedUnixMs: systemClock.unixMs(),
  };
}

export interface LogLine {
  message: string;
  fields: LogFields | undefined;
}

export function recordingSettings(id: string): { settings: ComponentSettings; lines: LogLine[] } {
  const lines: LogLine[] = [];
  const note = (message: string, fields?: LogFields) => void lines.push({ message, fields });
  const logger: Logger = { debug: note, info: note, warn: note, error: note, child: () => logger };
  const meter = new ThreadMeter();
  return { settings: { id, logger, meter, clock: systemClock }, lines };
}

/** Counts its calls, adds a credential and tries to break the framing. */
export function testAuth(requiresTlsForGrpc: boolean): ClientAuthenticator {
  let calls = 0;
  return {
    requiresTlsForGrpc,
    start: async () => {},
    shutdown: async () => {},
    apply: async (headers) => {
      calls++;
      if (calls === 3) {
        throw new PipelineError('EXPORT_UNAVAILABLE', 'no token now', { permanent: false });
      }
      headers.authorization = `Bearer ${calls}`;
      headers['content-type'] = 'text/plain';
      headers['content-length'] = '1';
    },
  };
}

/** What an export ended with: the receipt, or the error's facts. */
export async function outcomeOf(
  exporter: Exporter,
  batch: ExportBatch,
  signal: AbortSignal = AbortSignal.timeout(20_000),
): Promise<ExportReceipt | PipelineError> {
  try {
    return (await exporter.export(batch, signal)) ?? { rejectedCount: 0 };
  } catch (error) {
    if (error instanceof PipelineError) return error;
    throw error;
  }
}

export interface TakenHttp {
  url: string | undefined;
  headers: IncomingMessage['headers'];
  body: Buffer;
}

export interface HttpBackend {
  url: string;
  taken: TakenHttp[];
  connectionCount: number;
}

/** Reads whole requests and lets the test answer. */
export async function startHttpBackend(
  t: TestContext,
  answer: (response: ServerResponse, request: TakenHttp) => void,
): Promise<HttpBackend> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const taken = { url: request.url, headers: request.headers, body: Buffer.concat(chunks) };
      backend.taken.push(taken);
      answer(response, taken);
    });
  });
  const backend: HttpBackend = { url: '', taken: [], connectionCount: 0 };
  server.on('connection', () => {
    backend.connectionCount++;
  });
  backend.url = `http://127.0.0.1:${await listen(t, server)}`;
  return backend;
}

async function listen(t: TestContext, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A server below HTTP: `serve` gets every socket. @returns its port. */
export async function startTcpBackend(t: TestContext, serve: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    serve(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}
