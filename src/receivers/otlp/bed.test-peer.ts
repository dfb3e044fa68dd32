/** What the receiver's tests share: an engine that keeps what it is given, counters that can be read, servers to try. */
import type { ClientKeys } from '../../component/client-context.ts';
import type { RawRequest, RequestConsumer, RequestDone, RequestOutcome } from '../../component/consumer.ts';
import { OUTCOME_OK } from '../../component/consumer.ts';
import type { ComponentSettings, Labels, Logger, Meter } from '../../component/settings.ts';
import { SIGNALS, type Signal } from '../../component/signal.ts';
import { type Clock, systemClock } from '../../stdx/clock.ts';
import { Admission, type AdmissionLimits } from './admission.ts';
import type { AuthGate } from './auth-gate.ts';
import { ClientCapture } from './client-capture.ts';
import type { HttpExchangeContext } from './http-exchange.ts';
import { HttpReplies, type HttpRepliesConfig } from './http-replies.ts';
import type { HttpServer, HttpServerSettings } from './http-server.ts';
import { Http1Server } from './http1-server.ts';
import { NodeHttpServer } from './node-http-server.ts';
import { HttpServerMetrics } from './protocol-metrics.ts';
import { loadUws } from './uws-native.ts';
import { UwsServer } from './uws-server.ts';

export const OK_OUTCOME: RequestOutcome = {
  code: OUTCOME_OK,
  itemCount: 3,
  rejectedCount: 0,
  message: '',
  retryAfterMs: 0,
};

export interface TakenRequest extends Omit<RawRequest, 'chunks'> {
  body: Buffer;
  chunkCount: number;
  done: RequestDone;
}

/** Stands where the rings stand: copies the bytes before it returns, and answers when the test says. */
export class RecordingConsumer implements RequestConsumer {
  readonly signals: ReadonlySet<Signal>;
  readonly taken: TakenRequest[] = [];
  clientKeys: ClientKeys | undefined;
  isFull = false;
  /** undefined: the test calls `done` itself. */
  outcome: RequestOutcome | undefined = OK_OUTCOME;
  /** Before `tryConsume` returns, as no engine does: for tests that must not depend on time. */
  answersAtOnce = false;
  onTaken: ((request: TakenRequest) => void) | undefined;

  constructor(signals: readonly Signal[] = SIGNALS) {
    this.signals = new Set(signals);
  }

  tryConsume(request: RawRequest, done: RequestDone): boolean {
    if (this.isFull) return false;
    const { chunks, ...rest } = request;
    const taken = { ...rest, body: Buffer.concat(chunks), chunkCount: chunks.length, done };
    this.taken.push(taken);
    const { outcome } = this;
    if (outcome !== undefined && this.answersAtOnce) done(outcome);
    else if (outcome !== undefined) setImmediate(() => done(outcome));
    this.onTaken?.(taken);
    return true;
  }
}

/** Series in a map, keyed as Prometheus would print them. */
export class ReadableMeter implements Meter {
  readonly values = new Map<string, number>();
  readonly latencies: { series: string; latencyUs: number }[] = [];

  counter(name: string, labels: Labels = {}) {
    const series = printSeries(name, labels);
    return { add: (value: number) => void this.values.set(series, (this.values.get(series) ?? 0) + value) };
  }

  gauge(name: string, labels: Labels = {}) {
    const series = printSeries(name, labels);
    return { set: (value: number) => void this.values.set(series, value) };
  }

  latency(stage: string, labels: Labels = {}) {
    const series = printSeries(stage, labels);
    return { record: (latencyUs: number) => void this.latencies.push({ series, latencyUs }) };
  }

  /** Values of a histogram are read as its count and sum. */
  histogram(name: string, labels: Labels = {}) {
    const [count, sum] = [this.counter(`${name}_count`, labels), this.counter(`${name}_sum`, labels)];
    return {
      record: (value: number) => {
        count.add(1);
        sum.add(value);
      },
    };
  }

  value(series: string): number {
    return this.values.get(series) ?? 0;
  }
}

function printSeries(name: string, labels: Labels): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return `${name}{${pairs.join(',')}}`;
}

const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
};

export function testSettings(meter: Meter = new ReadableMeter(), clock = systemClock): ComponentSettings {
  return { id: 'otlp', logger: silentLogger, meter, clock };
}

/** The machine's clock, ahead by what the test says. */
export class ShiftedClock implements Clock {
  shiftMs = 0;

  unixMs(): number {
    return systemClock.unixMs() + this.shiftMs;
  }

  monotonicMs(): number {
    return systemClock.monotonicMs() + this.shiftMs;
  }
}

export interface HttpBed {
  port: number;
  server: HttpServer;
  consumer: RecordingConsumer;
  meter: ReadableMeter;
  admission: Admission;
  exchange: HttpExchangeContext;
  stop(): void;
}

export interface HttpBedOptions {
  signals?: readonly Signal[];
  bodyBytesMax?: number;
  limits?: AdmissionLimits;
  server?: Partial<HttpServerSettings>;
  replies?: HttpRepliesConfig;
  auth?: AuthGate;
  clock?: Clock;
  includesMetadata?: boolean;
}

export const TEST_BODY_BYTES_MAX = 300_000;

/** Starts one HTTP server of the given kind in front of a recording consumer. */
export async function startHttpBed(
  kind: HttpServer['implementation'],
  options: HttpBedOptions = {},
): Promise<HttpBed> {
  const meter = new ReadableMeter();
  const consumer = new RecordingConsumer(options.signals);
  const admission = new Admission(
    testSettings(meter, options.clock),
    consumer,
    options.limits ?? { assemblyBytesMax: 8 << 20, inFlightBytesMax: 8 << 20 },
  );
  const settings: HttpServerSettings = {
    host: '127.0.0.1',
    port: 0,
    readHeaderTimeoutMs: 0,
    readTimeoutMs: 0,
    writeTimeoutMs: 0,
    idleTimeoutMs: 0,
    connectionsMax: 100,
    connectionsPerAddressMax: 100,
    tls: undefined,
    exchange: {
      admission,
      auth: options.auth,
      client: new ClientCapture(admission, options.includesMetadata ?? false),
      metrics: new HttpServerMetrics(meter, { host: '127.0.0.1', port: 4318, isSecure: false }),
      replies: new HttpReplies(options.replies ?? { responseHeaders: [], cors: undefined }),
      paths: new Map([...consumer.signals].map((signal) => [`/v1/${signal}`, signal])),
      compressions: new Set(['gzip', 'zstd', 'deflate']),
      bodyBytesMax: options.bodyBytesMax ?? TEST_BODY_BYTES_MAX,
    },
    ...options.server,
  };
  const server = makeServer(kind, settings);
  const port = await server.start();
  const stop = (): void => {
    server.stopListening();
    server.close();
    admission.close();
  };
  return { port, server, consumer, meter, admission, exchange: settings.exchange, stop };
}

function makeServer(kind: HttpServer['implementation'], settings: HttpServerSettings): HttpServer {
  if (kind === 'http1') return new Http1Server(settings);
  return kind === 'uws' ? new UwsServer(loadUws()!, settings) : new NodeHttpServer(settings);
}

/** The servers that this Node version can run. */
export const HTTP_KINDS: readonly HttpServer['implementation'][] =
  loadUws() === undefined ? ['node', 'http1'] : ['node', 'http1', 'uws'];
