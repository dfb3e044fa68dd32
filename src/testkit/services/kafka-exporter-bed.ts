/** The real program with a `kafka` exporter on a real broker, and what a client of others finds in its topics. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EnginePorts, EngineProcess, engineConfig, freePorts, metricSum } from '../engine-process.ts';
import { spanKey } from '../ledger-client.ts';
import { requestType } from '../otlp-root.ts';
import { kafkaClient } from './kafka-receiver-bed.ts';
import type { KafkaBrokers } from './kafka-server.ts';

export interface FoundRecord {
  partition: number;
  offset: number;
  key: Buffer | null;
  value: Buffer;
  headers: Record<string, string>;
}

interface DecodedTraces {
  resource_spans: { scope_spans: { spans: { trace_id: Uint8Array }[] }[] }[];
}

/** All records of a topic up to now, in the order of each partition. */
export async function readTopic(broker: KafkaBrokers, topic: string, partitions = 4): Promise<FoundRecord[]> {
  const ends = await broker.endOffsets(topic, partitions);
  const waiting = new Set(ends.flatMap((end, partition) => (end > 0 ? [partition] : [])));
  // By place: when its group moves to another broker, the reader begins anew.
  const records = new Map<string, FoundRecord>();
  if (waiting.size === 0) return [];
  const consumer = (await kafkaClient(broker)).consumer({ groupId: `reader-${Date.now()}-${Math.random()}` });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  try {
    await new Promise<void>((resolve, reject) => {
      setTimeout(() => reject(new Error(`topic ${topic} was not read in time`)), 30_000).unref();
      void consumer.run({
        eachMessage: async ({ partition, message }) => {
          const { offset, key, value, headers = {} } = message;
          const texts = Object.entries(headers).map(([name, content]) => [name, String(content)]);
          records.set(`${partition} ${offset}`, {
            partition,
            offset: Number(offset),
            key,
            value: value!,
            headers: Object.fromEntries(texts),
          });
          if (Number(offset) >= ends[partition]! - 1) waiting.delete(partition);
          if (waiting.size === 0) resolve();
        },
      });
    });
  } finally {
    await consumer.disconnect();
  }
  return [...records.values()].sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}

/** How often each span of a LedgerClient is in these records. */
export function spansOf(records: readonly Pick<FoundRecord, 'value'>[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { value } of records) {
    const { resource_spans } = requestType('traces').decode(value) as unknown as DecodedTraces;
    for (const { scope_spans } of resource_spans) {
      for (const { spans } of scope_spans) {
        for (const { trace_id } of spans)
          counts.set(spanKey(trace_id), (counts.get(spanKey(trace_id)) ?? 0) + 1);
      }
    }
  }
  return counts;
}

export interface ExporterBedOptions {
  /** Several with commas between them. */
  bootstrap: string;
  /** Keys of the exporter beside its brokers. */
  exporter?: Record<string, unknown>;
  /** Instead of one exporter `kafka`: their keys by id, beside the brokers. */
  exporters?: Record<string, Record<string, unknown>>;
  signals?: readonly string[];
  extensions?: Record<string, unknown>;
}

/** Short waits: a test must not sit out the pauses of a real outage. */
const RETRY = { initial_interval: '200ms', max_interval: '1s' };

function configOf(ports: EnginePorts, options: ExporterBedOptions): string {
  const { bootstrap, exporter = {}, exporters = { kafka: exporter }, signals, extensions } = options;
  const complete = Object.entries(exporters).map(([id, keys]) => [
    id,
    { brokers: bootstrap.split(','), retry_on_failure: RETRY, ...keys },
  ]);
  return engineConfig(ports, Object.fromEntries(complete), {
    ...(signals === undefined ? {} : { signals }),
    ...(extensions === undefined ? {} : { extensions }),
  });
}

export class ExporterBed {
  readonly ports: EnginePorts;
  config: string;
  readonly #directory = mkdtempSync(join(tmpdir(), 'millrace-kafka-exporter-'));
  engine: EngineProcess | undefined;

  private constructor(ports: EnginePorts, options: ExporterBedOptions) {
    this.ports = ports;
    this.config = configOf(ports, options);
  }

  /** For the next start of the engine. */
  reconfigure(options: ExporterBedOptions): void {
    this.config = configOf(this.ports, options);
  }

  static async start(options: ExporterBedOptions, failpoints = ''): Promise<ExporterBed> {
    const bed = new ExporterBed(await freePorts(), options);
    await bed.startEngine(failpoints);
    return bed;
  }

  /** On the data of the one before. */
  async startEngine(failpoints = ''): Promise<void> {
    const dataDir = join(this.#directory, 'data');
    this.engine = await EngineProcess.start({ config: this.config, dataDir, failpoints });
  }

  async metric(name: string, ...labels: string[]): Promise<number> {
    return metricSum(await this.engine!.metrics(this.ports.metrics), name, labels);
  }

  async post(signal: 'traces' | 'metrics' | 'logs', body: Uint8Array, headers: Record<string, string> = {}) {
    const response = await fetch(`http://127.0.0.1:${this.ports.http}/v1/${signal}`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-protobuf', ...headers },
      body: Buffer.from(body),
    });
    if (response.status !== 200) throw new Error(`the engine answered ${response.status}`);
  }

  async stop(): Promise<void> {
    if (this.engine?.hasExited === false) await this.engine.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
