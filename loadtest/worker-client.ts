/** Builds a producer with its connections out of load options: what a worker thread runs. */
import { systemClock } from '../src/stdx/clock.ts';
import { RequestGenerator } from '../src/testkit/generators.ts';
import { createBodies } from './bodies.ts';
import type { Connection, ConnectionSettings } from './connection.ts';
import { GrpcConnection } from './grpc-connection.ts';
import { HttpConnection } from './http-connection.ts';
import { FileLedger } from './ledger.ts';
import type { LoadOptions } from './options.ts';
import { Producer } from './producer.ts';

/** What the controlling thread gives a worker; `startMs` follows in a message when all are connected. */
export interface WorkerTask {
  readonly options: LoadOptions;
  readonly producer: number;
}

const GRPC_SERVICES = {
  traces: 'opentelemetry.proto.collector.trace.v1.TraceService',
  logs: 'opentelemetry.proto.collector.logs.v1.LogsService',
  metrics: 'opentelemetry.proto.collector.metrics.v1.MetricsService',
};

function connectionSettings(options: LoadOptions): Omit<ConnectionSettings, 'done' | 'reopened'> {
  const { host, port, protocol, signal, encoding, compression, pipeline } = options;
  return {
    host,
    port,
    path: protocol === 'grpc' ? `/${GRPC_SERVICES[signal]}/Export` : `/v1/${signal}`,
    contentType: encoding === 'json' ? 'application/json' : 'application/x-protobuf',
    contentEncoding: compression === 'none' ? '' : compression,
    isTls: options.isTls,
    inFlightMax: pipeline,
  };
}

/** This worker's part of a number that all workers share: the first ones take the remainder. */
export function shareOf(total: number, workers: number, producer: number): number {
  return Math.floor(total / workers) + (producer < total % workers ? 1 : 0);
}

export interface Client {
  readonly connections: readonly Connection[];
  start(startMs: number): Producer;
}

/** Opens this worker's connections and prepares its requests. */
export async function openClient({ options, producer }: WorkerTask): Promise<Client> {
  const generator = new RequestGenerator({
    signal: options.signal,
    itemsPerRequest: options.itemsPerRequest,
    itemsPerTrace: options.itemsPerTrace,
    requestsPerTrace: options.requestsPerTrace,
    encoding: options.encoding,
    seed: options.seed,
    run: options.run,
    producer,
  });
  let running: Producer | undefined;
  const settings: ConnectionSettings = {
    ...connectionSettings(options),
    done: (ticket, outcome, code) => running?.done(ticket, outcome, code),
    reopened: () => running?.pump(),
  };
  const count = shareOf(options.connections, options.workers, producer);
  const connections = Array.from({ length: count }, () =>
    options.protocol === 'grpc' ? new GrpcConnection(settings) : new HttpConnection(settings),
  );
  await Promise.all(connections.map((connection) => connection.connect()));
  const [first] = connections;
  if (first === undefined) throw new RangeError('a worker needs a connection');
  const bodies = createBodies(generator, options.compression, options.ledger !== undefined, first);
  const ledger = options.ledger === undefined ? undefined : new FileLedger(options.ledger, options.run);
  const start = (startMs: number): Producer => {
    const { warmupMs, durationMs, timeoutMs, refusedPauseMs, workers, rate } = options;
    const itemsPerSecond = rate / workers;
    // Workers take turns inside one interval instead of sending together.
    const shiftMs = rate === 0 ? 0 : (producer * 1_000 * options.itemsPerRequest) / rate;
    const timing = { startMs: startMs + shiftMs, warmupMs, durationMs, timeoutMs, refusedPauseMs };
    running = new Producer({ ...timing, producer, itemsPerSecond }, systemClock, bodies, generator, ledger);
    for (const connection of connections) running.addTickets(connection, generator, options.pipeline);
    return running;
  };
  return { connections, start };
}
