/** The real program with a `kafka` receiver on a real broker, and a file for each signal that shows what it stored. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Kafka, Partitioners, type Producer } from 'kafkajs';
import { EngineProcess, freePort, metricSum } from '../engine-process.ts';
import { deliveredSpans } from '../file-sink.ts';
import type { KafkaBrokers } from './kafka-server.ts';

export interface SentRecord {
  value: Buffer | string | null;
  partition?: number;
  headers?: Record<string, string | Buffer>;
}

/** Writes records with a client that is not the engine's, and returns when all replicas have them. */
export async function produce(
  broker: KafkaBrokers,
  topic: string,
  records: readonly SentRecord[],
): Promise<void> {
  const client = await kafkaClient(broker);
  const producer = client.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    allowAutoTopicCreation: false,
  });
  await producer.connect();
  try {
    await producer.send({ topic, acks: -1, messages: records.map((record) => ({ ...record })) });
  } finally {
    await producer.disconnect();
  }
}

export async function kafkaClient(broker: KafkaBrokers): Promise<Kafka> {
  const { Kafka: KafkaClass, logLevel } = await import('kafkajs').then((module) => module.default ?? module);
  return new KafkaClass({ brokers: broker.bootstrap.split(','), logLevel: logLevel.NOTHING });
}

/** By partition; -1 for what the group has never committed. */
export async function committedOffsets(
  broker: KafkaBrokers,
  group: string,
  topic: string,
): Promise<number[]> {
  const admin = (await kafkaClient(broker)).admin();
  await admin.connect();
  try {
    const [found] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
    const offsets: number[] = [];
    for (const { partition, offset } of found?.partitions ?? []) offsets[partition] = Number(offset);
    return offsets;
  } finally {
    await admin.disconnect();
  }
}

/** Writes numbered texts one after the other, over restarts of the broker, and remembers which the broker has confirmed. */
export class RecordWriter {
  readonly written = new Set<string>();
  readonly #producer: Producer;
  readonly #topic: string;
  readonly #partitions: number;
  #isRunning = true;
  #loop: Promise<void> | undefined;

  private constructor(producer: Producer, topic: string, partitions: number) {
    this.#producer = producer;
    this.#topic = topic;
    this.#partitions = partitions;
  }

  static async start(broker: KafkaBrokers, topic: string, partitions: number): Promise<RecordWriter> {
    const producer = (await kafkaClient(broker)).producer({
      createPartitioner: Partitioners.DefaultPartitioner,
      retry: { retries: 2 },
    });
    await producer.connect();
    const writer = new RecordWriter(producer, topic, partitions);
    writer.#loop = writer.#run();
    return writer;
  }

  async stop(): Promise<void> {
    if (!this.#isRunning) return;
    this.#isRunning = false;
    await this.#loop;
    await this.#producer.disconnect();
  }

  async #run(): Promise<void> {
    for (let sequence = 0; this.#isRunning; sequence++) {
      const value = `record ${sequence}`;
      const message = { value, partition: sequence % this.#partitions };
      const isWritten = await this.#producer.send({ topic: this.#topic, acks: -1, messages: [message] }).then(
        () => true,
        () => false,
      );
      if (isWritten) this.written.add(value);
      await new Promise((resolve) => setTimeout(resolve, isWritten ? 3 : 200));
    }
  }
}

export interface ReceiverBedOptions {
  broker: KafkaBrokers;
  signals?: readonly ('traces' | 'metrics' | 'logs')[];
  /** Keys of the receiver beside its brokers. */
  receiver?: Record<string, unknown>;
  processors?: Record<string, unknown>;
  extensions?: Record<string, unknown>;
  /** Instead of a directory of its own, which it deletes at the end. */
  directory?: string;
}

export class ReceiverBed {
  readonly directory: string;
  readonly config: string;
  readonly metricsPort: number;
  engine: EngineProcess | undefined;

  private constructor(directory: string, metricsPort: number, options: ReceiverBedOptions) {
    this.directory = directory;
    this.metricsPort = metricsPort;
    const signals = options.signals ?? ['traces'];
    const processors = options.processors ?? {};
    const extensions = options.extensions ?? {};
    this.config = JSON.stringify({
      receivers: {
        kafka: {
          brokers: options.broker.bootstrap.split(','),
          group_id: 'bed',
          initial_offset: 'earliest',
          session_timeout: '6s',
          heartbeat_interval: '500ms',
          ...options.receiver,
        },
      },
      processors,
      extensions,
      exporters: Object.fromEntries(
        signals.map((signal) => [
          `file/${signal}`,
          {
            path: join(directory, `${signal}.out`),
            format: signal === 'traces' ? 'proto' : 'json',
            append: true,
          },
        ]),
      ),
      service: {
        extensions: Object.keys(extensions),
        telemetry: {
          metrics: {
            readers: [{ pull: { exporter: { prometheus: { host: '127.0.0.1', port: metricsPort } } } }],
          },
        },
        pipelines: Object.fromEntries(
          signals.map((signal) => [
            signal,
            { receivers: ['kafka'], processors: Object.keys(processors), exporters: [`file/${signal}`] },
          ]),
        ),
      },
    });
  }

  static async create(options: ReceiverBedOptions): Promise<ReceiverBed> {
    const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'millrace-kafka-receiver-'));
    return new ReceiverBed(directory, await freePort(), options);
  }

  async start(failpoints = ''): Promise<EngineProcess> {
    this.engine = await EngineProcess.start({
      config: this.config,
      dataDir: join(this.directory, 'data'),
      failpoints,
    });
    return this.engine;
  }

  spans(): Map<string, number> {
    return deliveredSpans(join(this.directory, 'traces.out'));
  }

  /** Requests as JSON, one a line. */
  lines(signal: 'metrics' | 'logs'): string[] {
    try {
      return readFileSync(join(this.directory, `${signal}.out`), 'utf8')
        .trim()
        .split('\n')
        .filter((line) => line !== '');
    } catch {
      return [];
    }
  }

  async metric(name: string, ...labels: string[]): Promise<number> {
    return metricSum(await this.engine!.metrics(this.metricsPort), name, labels);
  }

  async stop(): Promise<void> {
    if (this.engine?.hasExited === false) await this.engine.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
