/** Clients, sinks and a configuration for tests of what is known of clients. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { credentials, Metadata, Server, ServerCredentials } from '@grpc/grpc-js';
import { OTLPTraceExporter as GrpcTraces } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as ProtoTraces } from '@opentelemetry/exporter-trace-otlp-proto';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-base';
import { type EnginePorts, engineConfig, freePort } from '../engine-process.ts';
import { requestType } from '../otlp-root.ts';
import { LOADED_ROOT } from '../source-tree.ts';
import { afterwards } from './storage.test-peer.ts';

const METHOD = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

export interface SentRequest {
  headers: Record<string, string>;
  /** Span name to its attributes. */
  spans: Map<string, Record<string, string>>;
}

interface DecodedAttribute {
  key: string;
  value: { string_value?: string };
}

interface DecodedTraces {
  resource_spans: { scope_spans: { spans: { name: string; attributes: DecodedAttribute[] }[] }[] }[];
}

function readSpans(body: Uint8Array): SentRequest['spans'] {
  const decoded = requestType('traces').decode(body) as unknown as DecodedTraces;
  const spans = decoded.resource_spans.flatMap(({ scope_spans }) =>
    scope_spans.flatMap((scope) => scope.spans),
  );
  return new Map(
    spans.map(({ name, attributes }) => [
      name,
      Object.fromEntries(attributes.map(({ key, value }) => [key, value.string_value ?? ''])),
    ]),
  );
}

/** Takes requests over HTTP; `isDown` refuses them retryably, a tenant in `refused` for good. */
export async function startHttpSink(t: TestContext) {
  const sink = { requests: [] as SentRequest[], isDown: false, refused: '', port: 0 };
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const isRefused = sink.refused !== '' && request.headers['x-scope-orgid'] === sink.refused;
    if (!sink.isDown && !isRefused) {
      sink.requests.push({ headers: plainHeaders(request.headers), spans: readSpans(Buffer.concat(chunks)) });
    }
    response.writeHead(sink.isDown ? 503 : isRefused ? 400 : 200).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  afterwards(t, () => {
    server.closeAllConnections();
    server.close();
  });
  sink.port = (server.address() as { port: number }).port;
  return sink;
}

function plainHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}

export async function startGrpcSink(t: TestContext) {
  const sink = { requests: [] as SentRequest[], port: await freePort() };
  const server = new Server();
  const pass = (bytes: Buffer) => bytes;
  server.addService(
    {
      export: {
        path: METHOD,
        requestStream: false,
        responseStream: false,
        requestSerialize: pass,
        requestDeserialize: pass,
        responseSerialize: pass,
        responseDeserialize: pass,
      },
    },
    {
      export: (call: { metadata: Metadata; request: Buffer }, done: (error: null, reply: Buffer) => void) => {
        const headers = Object.fromEntries(
          Object.entries(call.metadata.getMap()).map(([k, v]) => [k, String(v)]),
        );
        sink.requests.push({ headers, spans: readSpans(call.request) });
        done(null, Buffer.alloc(0));
      },
    },
  );
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${sink.port}`, ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    );
  });
  afterwards(t, () => server.forceShutdown());
  return sink;
}

/** @returns what the SDK was told, '' for success. */
export async function sendSpans(exporter: SpanExporter, names: readonly string[]): Promise<string> {
  const memory = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(memory)] });
  for (const name of names) provider.getTracer('metadata').startSpan(name).end();
  const result = await new Promise<string>((resolve) => {
    exporter.export(memory.getFinishedSpans(), ({ code, error }) =>
      resolve(code === 0 ? '' : (error?.message ?? 'failed')),
    );
  });
  await exporter.shutdown();
  return result;
}

export const overHttp = ({ http }: EnginePorts, headers: Record<string, string>) =>
  new ProtoTraces({ url: `http://127.0.0.1:${http}/v1/traces`, headers, timeoutMillis: 3000 });

export function overGrpc(
  { grpc }: EnginePorts,
  values: readonly (readonly [string, string])[],
): SpanExporter {
  const metadata = new Metadata();
  for (const [name, value] of values) metadata.add(name, value);
  const url = `http://127.0.0.1:${grpc}`;
  return new GrpcTraces({ url, metadata, credentials: credentials.createInsecure(), timeoutMillis: 3000 });
}

/** The whole chain: metadata in, attributes and batches by client, headers out. */
export function configOf(
  ports: EnginePorts,
  exporters: Record<string, unknown>,
  options: {
    extensions?: Record<string, unknown>;
    processors?: Record<string, unknown>;
    auth?: string;
  },
): string {
  const { extensions = {}, processors = {}, auth } = options;
  const config = JSON.parse(engineConfig(ports, exporters, { signals: ['traces'], extensions }));
  const { protocols } = config.receivers.otlp;
  for (const protocol of [protocols.http, protocols.grpc]) {
    protocol.include_metadata = true;
    if (auth !== undefined) protocol.auth = { authenticator: auth };
  }
  config.processors = processors;
  config.service.pipelines.traces.processors = Object.keys(processors);
  return JSON.stringify(config);
}

/** Runs `millrace deadletter` beside this process, which serves the sink. @returns its output. */
export async function deadletter(args: readonly string[]): Promise<string> {
  const main = join(LOADED_ROOT, 'src', `main${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`);
  const child = spawn(process.execPath, ['--no-warnings', main, 'deadletter', ...args], { timeout: 30_000 });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
  }
  await once(child, 'close');
  return text;
}
