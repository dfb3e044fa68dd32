/** The Go Collector between a Kafka broker and files, with one topic for each encoding: what it makes of records, and which it writes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Signal } from '../../component/signal.ts';
import type { Kafka } from '../../kafka/client.ts';
import { freePort, until } from '../engine-process.ts';
import { CollectorFile, type WrittenRequest } from './collector-json.ts';
import { KafkaServer } from './kafka-server.ts';
import { CollectorProcess, type Programs } from './programs.ts';

const load = createRequire(import.meta.url);
const WAIT_MS = 60_000;

/** Encodings of one signal. */
export type EncodingNames = Partial<Record<Signal, readonly string[]>>;

export interface TopicRecord {
  key: string | undefined;
  value: Buffer;
}

export class EncodingsBed {
  readonly #kafka: KafkaServer;
  readonly #client: Kafka;
  readonly #directory: string;
  #collector: CollectorProcess | undefined;
  readonly #otlpPort: number;

  private constructor(kafka: KafkaServer, otlpPort: number) {
    this.#kafka = kafka;
    this.#otlpPort = otlpPort;
    this.#directory = mkdtempSync(join(tmpdir(), 'millrace-encodings-'));
    const { Kafka: Client, logLevel } = load('kafkajs') as {
      Kafka: new (options: unknown) => Kafka;
      logLevel: { NOTHING: number };
    };
    this.#client = new Client({ brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING });
  }

  /**
   * @param read encodings that the Collector reads from topics `in_<signal>_<encoding>` into files.
   * @param written encodings that it writes to topics `out_<signal>_<encoding>` from what `post` gives it.
   */
  static async start(programs: Programs, read: EncodingNames, written: EncodingNames): Promise<EncodingsBed> {
    const bed = new EncodingsBed(await KafkaServer.start(), await freePort());
    try {
      for (const [signal, encoding] of pairs(read))
        await bed.#kafka.createTopic(inTopic(signal, encoding), 1);
      for (const [signal, encoding] of pairs(written)) {
        await bed.#kafka.createTopic(outTopic(signal, encoding), 1);
      }
      bed.#collector = await CollectorProcess.start(programs, bed.#config(read, written));
      return bed;
    } catch (error) {
      await bed.stop();
      throw error;
    }
  }

  /** `host:port` of the broker. */
  get bootstrap(): string {
    return this.#kafka.bootstrap;
  }

  async produce(signal: Signal, encoding: string, values: readonly Uint8Array[]): Promise<void> {
    const producer = this.#client.producer();
    await producer.connect();
    for (const value of values) {
      await producer.send({
        topic: inTopic(signal, encoding),
        messages: [{ key: null, value: Buffer.from(value) }],
      });
    }
    await producer.disconnect();
  }

  /** Requests that the Collector made of the records, once `isComplete` says that these are all. */
  async decoded(
    signal: Signal,
    encoding: string,
    isComplete: (requests: readonly WrittenRequest[]) => boolean,
  ): Promise<WrittenRequest[]> {
    const file = new CollectorFile(join(this.#directory, `${signal}_${encoding}.json`));
    const requests: WrittenRequest[] = [];
    await until(
      `${encoding} in a file (the Collector says ${this.#collector?.log.split('\n').slice(-3).join(' ')})`,
      () => {
        requests.push(...file.readNew());
        return isComplete(requests);
      },
      WAIT_MS,
    );
    return requests;
  }

  /** @throws Error unless the Collector took the request. */
  async post(signal: Signal, body: Uint8Array): Promise<void> {
    const response = await fetch(`http://127.0.0.1:${this.#otlpPort}/v1/${signal}`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-protobuf' },
      body: new Uint8Array(body),
    });
    if (response.status !== 200) throw new Error(`the Collector answered ${response.status}`);
  }

  /** The first `count` records of an encoding's topic. */
  async written(signal: Signal, encoding: string, count: number): Promise<TopicRecord[]> {
    const records: TopicRecord[] = [];
    const consumer = this.#client.consumer({ groupId: `reader-${signal}-${encoding}` });
    await consumer.connect();
    await consumer.subscribe({ topics: [outTopic(signal, encoding)], fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message }) => {
        records.push({ key: message.key?.toString(), value: message.value! });
      },
    });
    try {
      await until(`${count} records of ${encoding}`, () => records.length >= count, WAIT_MS);
    } catch (error) {
      throw new Error(`${(error as Error).message}: ${records.length}\n${this.#collector?.log.slice(-2000)}`);
    } finally {
      await consumer.disconnect();
    }
    return records;
  }

  async stop(): Promise<void> {
    await this.#collector?.stop();
    await this.#kafka.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #config(read: EncodingNames, written: EncodingNames): unknown {
    const brokers = [this.#kafka.bootstrap];
    const receivers: Record<string, unknown> = {};
    const exporters: Record<string, unknown> = {};
    const pipelines: Record<string, { receivers: string[]; exporters: string[] }> = {};
    for (const [signal, encoding] of pairs(read)) {
      const id = `${signal}_${encoding}`;
      receivers[`kafka/${id}`] = {
        brokers,
        group_id: id,
        initial_offset: 'earliest',
        [signal]: { topics: [inTopic(signal, encoding)], encoding },
      };
      exporters[`file/${id}`] = { path: join(this.#directory, `${id}.json`), flush_interval: '100ms' };
      pipelines[`${signal}/in_${encoding}`] = { receivers: [`kafka/${id}`], exporters: [`file/${id}`] };
    }
    for (const [signal, encoding] of pairs(written)) {
      const id = `${signal}_${encoding}`;
      exporters[`kafka/${id}`] = {
        brokers,
        sending_queue: { enabled: false },
        [signal]: { topic: outTopic(signal, encoding), encoding },
      };
      pipelines[signal] ??= { receivers: ['otlp'], exporters: [] };
      pipelines[signal].exporters.push(`kafka/${id}`);
    }
    const otlp = { protocols: { http: { endpoint: `127.0.0.1:${this.#otlpPort}` } } };
    return {
      receivers: Object.keys(written).length === 0 ? receivers : { otlp, ...receivers },
      exporters,
      service: { telemetry: { metrics: { level: 'none' } }, pipelines },
    };
  }
}

export function pairs(names: EncodingNames): [Signal, string][] {
  return (Object.entries(names) as [Signal, readonly string[]][]).flatMap(([signal, list]) =>
    list.map((encoding): [Signal, string] => [signal, encoding]),
  );
}

/** Encodings may have letters that topics may not. */
export function inTopic(signal: Signal, encoding: string): string {
  return `in_${signal}_${encoding.replace(/[^\w.-]/g, '_')}`;
}

export function outTopic(signal: Signal, encoding: string): string {
  return `out_${signal}_${encoding}`;
}
