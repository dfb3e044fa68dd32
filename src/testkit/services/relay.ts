/**
 * A Go Collector between a sender and the engine: one lane for each way of sending, and a file in which the Collector
 * writes down everything it took.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SIGNALS } from '../../component/signal.ts';
import { type ExpectedRow, expectedRows } from '../../exporters/clickhouse/expected-rows.test-peer.ts';
import { type EnginePorts, freePort } from '../engine-process.ts';
import { CollectorFile, type WrittenRequest } from './collector-json.ts';
import { CollectorProcess, type Programs } from './programs.ts';

export interface Lane {
  /** Senders use it as the service's name, so that it tells which way a row has come. */
  name: string;
  /** Type in the Collector's configuration; `otlp` and `otlphttp` are the older names of these. */
  exporter: 'otlp_grpc' | 'otlp_http';
  options?: Record<string, unknown>;
}

export interface RelayedRow extends ExpectedRow {
  service: string;
}

export class Relay {
  readonly #directory: string;
  readonly #inPorts: ReadonlyMap<string, number>;
  readonly #collector: CollectorProcess;
  readonly #file: CollectorFile;
  readonly #taken: RelayedRow[] = [];
  readonly #requests: WrittenRequest[] = [];

  private constructor(directory: string, inPorts: ReadonlyMap<string, number>, collector: CollectorProcess) {
    this.#directory = directory;
    this.#inPorts = inPorts;
    this.#collector = collector;
    this.#file = new CollectorFile(fileIn(directory));
  }

  /** @param engine where the lanes end; nothing needs to listen there yet. */
  static async start(programs: Programs, engine: EnginePorts, lanes: readonly Lane[]): Promise<Relay> {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-relay-'));
    const inPorts = new Map<string, number>();
    for (const { name } of lanes) inPorts.set(name, await freePort());
    const config = {
      receivers: Object.fromEntries(
        lanes.map(({ name }) => [
          `otlp/${name}`,
          { protocols: { http: { endpoint: `127.0.0.1:${inPorts.get(name)}` } } },
        ]),
      ),
      exporters: {
        file: { path: fileIn(directory), flush_interval: '100ms' },
        ...Object.fromEntries(lanes.map((lane) => [exporterId(lane), exporterConfig(lane, engine)])),
      },
      service: {
        telemetry: { metrics: { level: 'none' } },
        pipelines: Object.fromEntries(
          lanes.flatMap((lane) =>
            SIGNALS.map((signal) => [
              `${signal}/${lane.name}`,
              { receivers: [`otlp/${lane.name}`], exporters: ['file', exporterId(lane)] },
            ]),
          ),
        ),
      },
    };
    return new Relay(directory, inPorts, await CollectorProcess.start(programs, config));
  }

  /** Everything the Collector wrote to stderr so far. */
  get log(): string {
    return this.#collector.log;
  }

  /** Where a lane takes OTLP/HTTP. */
  port(lane: string): number {
    return this.#inPorts.get(lane)!;
  }

  /** The rows that what it has taken so far must become. */
  taken(): readonly RelayedRow[] {
    for (const request of this.#file.readNew()) {
      this.#requests.push(request);
      const { signal, bytes, service } = request;
      for (const each of expectedRows(signal, bytes)) this.#taken.push({ ...each, service });
    }
    return this.#taken;
  }

  /** The requests that `taken` has read so far. */
  get requests(): readonly WrittenRequest[] {
    return this.#requests;
  }

  async stop(): Promise<void> {
    await this.#collector.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

const fileIn = (directory: string): string => join(directory, 'taken.json');
const exporterId = ({ exporter, name }: Lane): string => `${exporter}/${name}`;

function exporterConfig({ exporter, options }: Lane, engine: EnginePorts): unknown {
  const isGrpc = exporter === 'otlp_grpc';
  const endpoint = isGrpc ? `127.0.0.1:${engine.grpc}` : `http://127.0.0.1:${engine.http}`;
  return { endpoint, tls: { insecure: true }, ...options };
}
