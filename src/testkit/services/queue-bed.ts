/** A bucket whose new objects a queue tells of, and an engine that reads them by the receiver `awss3`. Against moto. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { afterwards, startEngine, tempDirectory } from '../e2e/storage.test-peer.ts';
import { type EnginePorts, type EngineProcess, freePorts, metricSum } from '../engine-process.ts';
import { deliveredSpans } from '../file-sink.ts';
import { ledgerRequest, SPANS_PER_REQUEST } from '../ledger-client.ts';
import { AWS_ACCOUNT, AWS_REGION, AwsServer } from './aws-server.ts';

export const BUCKET = 'archive';
const QUEUE = 'new-objects';

export interface QueueBedOptions {
  /** Seconds after which a message comes back that nobody deleted. */
  visibilitySeconds: number;
  /** S3 tells of new objects by itself. */
  isNotified?: boolean;
}

export class QueueBed {
  readonly aws: AwsServer;
  readonly ports: EnginePorts;
  readonly queueUrl: string;
  readonly sink: string;
  readonly #directory: string;
  readonly #t: TestContext;
  #sequence = 0;
  readonly #keys: string[] = [];

  private constructor(t: TestContext, aws: AwsServer, ports: EnginePorts) {
    this.#t = t;
    this.aws = aws;
    this.ports = ports;
    this.#directory = tempDirectory(t);
    this.sink = join(this.#directory, 'sink');
    this.queueUrl = `${aws.endpoint}/${AWS_ACCOUNT}/${QUEUE}`;
  }

  static async create(t: TestContext, options: QueueBedOptions): Promise<QueueBed> {
    const aws = await AwsServer.start();
    afterwards(t, () => aws.stop());
    await aws.createBucket(BUCKET);
    const bed = new QueueBed(t, aws, await freePorts());
    await bed.createQueue(QUEUE, options.visibilitySeconds);
    if (options.isNotified === true) await bed.#notify();
    return bed;
  }

  async createQueue(name: string, visibilitySeconds: number): Promise<void> {
    await this.aws.call('sqs', 'CreateQueue', {
      QueueName: name,
      'Attribute.1.Name': 'VisibilityTimeout',
      'Attribute.1.Value': String(visibilitySeconds),
    });
  }

  async #notify(): Promise<void> {
    const queue = `<Queue>arn:aws:sqs:${AWS_REGION}:${AWS_ACCOUNT}:${QUEUE}</Queue>`;
    const events = '<Event>s3:ObjectCreated:*</Event>';
    const body = `<NotificationConfiguration><QueueConfiguration><Id>new</Id>${queue}${events}</QueueConfiguration></NotificationConfiguration>`;
    const answer = await this.aws.request('s3', 'PUT', `/${BUCKET}`, {
      query: { notification: '' },
      body: Buffer.from(body),
    });
    assert.equal(answer.status, 200, await answer.text());
  }

  /** @returns keys of the spans of these requests, which the next object has. */
  requests(count: number): { body: Buffer; spans: string[] } {
    const spans: string[] = [];
    const bodies = Array.from({ length: count }, () => {
      const sequence = this.#sequence++;
      for (let span = 0; span < SPANS_PER_REQUEST; span++) spans.push(`1/${sequence}/${span}`);
      return ledgerRequest(1, sequence);
    });
    return { body: Buffer.concat(bodies), spans };
  }

  /** Writes an object of so many requests; the bed remembers what has to arrive. */
  async put(key: string, count: number): Promise<void> {
    const { body, spans } = this.requests(count);
    await this.putBytes(key, key.endsWith('.gz') ? gzipSync(body) : body);
    this.#keys.push(...spans);
  }

  async putBytes(key: string, body: Uint8Array): Promise<void> {
    const answer = await this.aws.request('s3', 'PUT', `/${BUCKET}/${key}`, { body });
    assert.equal(answer.status, 200, await answer.text());
  }

  async send(message: string, queueUrl = this.queueUrl): Promise<void> {
    await this.aws.call('sqs', 'SendMessage', { QueueUrl: queueUrl, MessageBody: message });
  }

  /** Messages that are in the queue, and of these the ones that somebody has received. */
  async depth(): Promise<{ all: number; held: number }> {
    const xml = await this.aws.call('sqs', 'GetQueueAttributes', {
      QueueUrl: this.queueUrl,
      'AttributeName.1': 'All',
    });
    const count = (name: string) =>
      Number(new RegExp(`<Name>${name}</Name>\\s*<Value>(\\d+)</Value>`).exec(xml)?.[1]);
    const held = count('ApproximateNumberOfMessagesNotVisible');
    return { all: held + count('ApproximateNumberOfMessages'), held };
  }

  /** @param keys of the receiver, `sqs` and `s3downloader` apart. */
  config(queue: object = {}, downloader: object = {}, keys: object = {}): string {
    const { endpoint } = this.aws;
    const receiver = {
      ...{ sqs: { queue_url: this.queueUrl, region: AWS_REGION, endpoint, wait_time_seconds: 1, ...queue } },
      s3downloader: { endpoint, s3_bucket: BUCKET, s3_force_path_style: true, ...downloader },
      ...keys,
    };
    const readers = [{ pull: { exporter: { prometheus: { host: '127.0.0.1', port: this.ports.metrics } } } }];
    return JSON.stringify({
      receivers: { awss3: receiver },
      exporters: { file: { path: this.sink, format: 'proto', append: true } },
      service: {
        telemetry: { metrics: { readers } },
        pipelines: { traces: { receivers: ['awss3'], exporters: ['file'] } },
      },
    });
  }

  start(config = this.config(), env = this.aws.environment()): Promise<EngineProcess> {
    return startEngine(this.#t, { config, dataDir: join(this.#directory, 'data'), env });
  }

  /** Also of files that a kill tore, which the next start moves aside. */
  delivered(): Map<string, number> {
    const counts = new Map<string, number>();
    const files = readdirSync(dirname(this.sink)).filter((file) => file.startsWith(basename(this.sink)));
    for (const file of files) {
      for (const [key, count] of deliveredSpans(join(dirname(this.sink), file)))
        counts.set(key, (counts.get(key) ?? 0) + count);
    }
    return counts;
  }

  get spans(): readonly string[] {
    return this.#keys;
  }

  /** Every span that was written is in the sink, and nothing else is. @returns how many are there more than once. */
  assertDelivered(): number {
    const delivered = this.delivered();
    const missing = this.#keys.filter((key) => !delivered.has(key));
    assert.deepEqual(missing, [], 'spans of objects that were not delivered');
    assert.equal(delivered.size, this.#keys.length);
    return [...delivered.values()].filter((count) => count > 1).length;
  }

  async metric(engine: EngineProcess, name: string, ...labels: string[]): Promise<number> {
    return metricSum(await engine.metrics(this.ports.metrics), `millrace_awss3_receiver_${name}`, labels);
  }
}

/** As S3 writes it into a queue. */
export function eventNotification(...records: { key: string; bucket?: string; event?: string }[]): string {
  return JSON.stringify({
    Records: records.map(({ key, bucket = BUCKET, event = 'ObjectCreated:Put' }) => ({
      ...{ eventVersion: '2.1', eventSource: 'aws:s3', awsRegion: AWS_REGION, eventName: event },
      s3: {
        s3SchemaVersion: '1.0',
        bucket: { name: bucket, arn: `arn:aws:s3:::${bucket}` },
        object: { key: encodeURIComponent(key).replaceAll('%20', '+').replaceAll('%2F', '/'), size: 1024 },
      },
    })),
  });
}
