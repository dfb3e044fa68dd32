/**
 * Measures what one request costs the process that receives it: CPU time of the server alone, with a client of
 * bare sockets or bare HTTP/2 in another process, the variants one after the other in each round.
 *
 *   node dist/src/receivers/otlp/intake-cost.test-peer.js [rounds] [seconds] [variants]
 */
import { type ChildProcess, fork } from 'node:child_process';
import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Server, ServerCredentials, type ServiceDefinition } from '@grpc/grpc-js';
import type { RequestConsumer, RequestDone } from '../../component/consumer.ts';
import { startHttpBed } from './bed.test-peer.ts';
import { startGrpcBed, TRACES_PATH } from './grpc-bed.test-peer.ts';
import { frameMessage } from './grpc-frames.ts';

const VARIANTS = ['uws', 'node', 'http2', 'grpc-js'] as const;
type Variant = (typeof VARIANTS)[number];
/** 512 and 50 spans of about 410 bytes. */
const SIZES = [
  { sizeBytes: 210_000, spans: 512 },
  { sizeBytes: 20_500, spans: 50 },
];
const WARM_UP_MS = 1200;
const BODY_BYTES_MAX = 1 << 20;
const OK = { code: 0, itemCount: 512, rejectedCount: 0, message: '', retryAfterMs: 0 } as const;

/** Copies bodies as a ring would, and answers in groups a millisecond apart as a group commit would. */
class CopyingEngine {
  readonly #ring = new Uint8Array(new SharedArrayBuffer(32 << 20));
  #offset = 0;
  #waiting: (() => void)[] = [];
  count = 0;

  take(chunks: readonly Uint8Array[], answer: () => void): void {
    this.count += 1;
    for (const chunk of chunks) {
      if (this.#offset + chunk.byteLength > this.#ring.byteLength) this.#offset = 0;
      this.#ring.set(chunk, this.#offset);
      this.#offset += chunk.byteLength;
    }
    if (this.#waiting.push(answer) === 1) setTimeout(() => this.#flush(), 1);
  }

  #flush(): void {
    for (const answer of this.#waiting.splice(0)) answer();
  }
}

async function startVariant(variant: Variant, engine: CopyingEngine): Promise<number> {
  if (variant === 'grpc-js') return startGrpcJs(engine);
  const limits = { assemblyBytesMax: 64 << 20, inFlightBytesMax: 256 << 20 };
  const bed =
    variant === 'http2'
      ? await startGrpcBed({ limits })
      : await startHttpBed(variant, { limits, bodyBytesMax: BODY_BYTES_MAX });
  const consumer: RequestConsumer = bed.consumer;
  consumer.tryConsume = ({ chunks }, done: RequestDone): boolean => {
    engine.take(chunks, () => done(OK));
    return true;
  };
  return bed.port;
}

function startGrpcJs(engine: CopyingEngine): Promise<number> {
  const asIs = (bytes: Buffer): Buffer => bytes;
  const method = {
    path: TRACES_PATH,
    requestStream: false,
    responseStream: false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  } as const;
  const definition: ServiceDefinition = { Export: method };
  const server = new Server({ 'grpc.max_receive_message_length': BODY_BYTES_MAX });
  server.addService(definition, {
    Export: (call: { request: Buffer }, respond: (error: null, response: Buffer) => void) =>
      engine.take([call.request], () => respond(null, Buffer.alloc(0))),
  });
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
}

/** Child: starts the server, then measures between two messages of the parent. */
async function runServer(variant: Variant): Promise<void> {
  const engine = new CopyingEngine();
  const port = await startVariant(variant, engine);
  let from = { cpu: process.cpuUsage(), count: 0 };
  process.on('message', (message) => {
    if (message === 'start') {
      from = { cpu: process.cpuUsage(), count: engine.count };
      return;
    }
    const { user, system } = process.cpuUsage(from.cpu);
    process.send?.({ cpuUs: user + system, count: engine.count - from.count });
  });
  process.send?.({ port });
}

/** Child: keeps 16 requests of one size open until it is killed. */
function runClient(variant: Variant, port: number, sizeBytes: number): void {
  const body = Buffer.alloc(sizeBytes, 0x5a);
  if (variant === 'uws' || variant === 'node') {
    const head = `POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUser-Agent: OTel-OTLP-Exporter/1.0\r\nContent-Type: application/x-protobuf\r\nAccept-Encoding: gzip\r\nContent-Length: ${sizeBytes}\r\n\r\n`;
    const bytes = Buffer.concat([Buffer.from(head), body]);
    for (let i = 0; i < 16; i++) {
      const socket = connectTcp({ port, host: '127.0.0.1', noDelay: true }, () => socket.write(bytes));
      socket.on('data', () => socket.write(bytes));
    }
    return;
  }
  const frame = frameMessage(body);
  const headers = {
    ':method': 'POST',
    ':path': TRACES_PATH,
    'content-type': 'application/grpc',
    te: 'trailers',
  };
  for (let i = 0; i < 4; i++) {
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    const call = (): void => {
      const stream = session.request(headers);
      stream.on('close', call);
      stream.resume();
      stream.end(frame);
    };
    session.on('connect', () => Array.from({ length: 4 }, call));
  }
}

function nextMessage<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve) => child.once('message', (message) => resolve(message as T)));
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** @returns CPU microseconds of the server for one request. */
async function measure(variant: Variant, sizeBytes: number, seconds: number): Promise<number> {
  const self = fileURLToPath(import.meta.url);
  const server = fork(self, ['server', variant]);
  const { port } = await nextMessage<{ port: number }>(server);
  const client = fork(self, ['client', variant, String(port), String(sizeBytes)]);
  await sleep(WARM_UP_MS);
  server.send('start');
  await sleep(seconds * 1000);
  server.send('stop');
  const { cpuUs, count } = await nextMessage<{ cpuUs: number; count: number }>(server);
  client.kill();
  server.kill();
  return cpuUs / count;
}

async function compare(rounds: number, seconds: number, variants: readonly Variant[]): Promise<void> {
  for (const { sizeBytes, spans } of SIZES) {
    const costs = new Map<Variant, number[]>(variants.map((variant) => [variant, []]));
    for (let round = 0; round < rounds; round++) {
      for (const variant of variants) costs.get(variant)?.push(await measure(variant, sizeBytes, seconds));
    }
    for (const [variant, values] of costs) {
      const sorted = values.sort((a, b) => a - b);
      const median = sorted[sorted.length >> 1]!;
      process.stdout.write(
        `${variant.padEnd(8)} ${spans} spans: median ${median.toFixed(1)}, least ${sorted[0]!.toFixed(1)} CPU-us a request\n`,
      );
    }
  }
}

const [role, variant, port, sizeBytes] = process.argv.slice(2);
if (role === 'server') await runServer(variant as Variant);
else if (role === 'client') runClient(variant as Variant, Number(port), Number(sizeBytes));
else {
  const [rounds, seconds, names] = process.argv.slice(2);
  const variants =
    names === undefined ? VARIANTS : VARIANTS.filter((name) => names.split(',').includes(name));
  await compare(Number(rounds ?? 3), Number(seconds ?? 2), variants);
}
