/**
 * The Go Collector on the other side of the topic: it reads what the `kafka` exporter writes, in every compression and
 * encoding, and its own exporter gives the same records the same keys and partitions.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Signal } from '../../component/signal.ts';
import { CAN_WRITE_ZSTD } from '../../kafka/codecs.ts';
import { freePort, until } from '../engine-process.ts';
import { ledgerRequest, SPANS_PER_REQUEST } from '../ledger-client.ts';
import { CollectorFile } from '../services/collector-json.ts';
import { ExporterBed, type FoundRecord, readTopic, spansOf } from '../services/kafka-exporter-bed.ts';
import { KafkaServer } from '../services/kafka-server.ts';
import { CollectorProcess, installPrograms, type Programs } from '../services/programs.ts';
import { randomRequests } from '../services/random-requests.ts';

const CONSOLE_CONSUMER = 'org.apache.kafka.tools.consumer.ConsoleConsumer';
const REQUESTS = 60;

let broker: KafkaServer;
let programs: Programs;
let directory: string;

before(async () => {
  programs = await installPrograms();
  broker = await KafkaServer.start();
  directory = mkdtempSync(join(tmpdir(), 'millrace-kafka-collector-'));
});

after(async () => {
  await broker?.stop();
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
});

/** Keys of the exporter by the name of the topic. */
const READ: Readonly<Record<string, Record<string, unknown>>> = {
  none: {},
  gzip: { producer: { compression: 'gzip', compression_params: { level: 6 } } },
  snappy: { producer: { compression: 'snappy' } },
  lz4: { producer: { compression: 'lz4' } },
  ...(CAN_WRITE_ZSTD ? { zstd: { producer: { compression: 'zstd' } } } : {}),
  json: { traces: { topic: 'json', encoding: 'otlp_json' } },
  jaeger: { traces: { topic: 'jaeger', encoding: 'jaeger_proto' } },
  keyed: { partition_traces_by_id: true, producer: { compression: 'lz4', max_message_bytes: 2048 } },
  acks_1: { producer: { required_acks: 1 }, record_partitioner: { round_robin: {} } },
  acks_0: { producer: { required_acks: 0 } },
};
const ENCODINGS: Readonly<Record<string, string>> = { json: 'otlp_json', jaeger: 'jaeger_proto' };

test('the Collector reads all of it, whatever the compression and the encoding', {
  timeout: 180_000,
}, async (t) => {
  const names = Object.keys(READ);
  for (const name of names) await broker.createTopic(name, 4);
  const exporters = Object.fromEntries(
    names.map((name) => [`kafka/${name}`, { traces: { topic: name }, ...READ[name] }]),
  );
  const bed = await ExporterBed.start({ bootstrap: broker.bootstrap, exporters, signals: ['traces'] });
  t.after(() => bed.stop());
  const path = (name: string) => join(directory, `${name}.json`);
  const collector = await CollectorProcess.start(programs, {
    receivers: Object.fromEntries(
      names.map((name) => [
        `kafka/${name}`,
        {
          brokers: [broker.bootstrap],
          group_id: name,
          initial_offset: 'earliest',
          traces: { topics: [name], encoding: ENCODINGS[name] ?? 'otlp_proto' },
        },
      ]),
    ),
    exporters: Object.fromEntries(
      names.map((name) => [`file/${name}`, { path: path(name), flush_interval: '100ms' }]),
    ),
    service: {
      telemetry: { metrics: { level: 'none' } },
      pipelines: Object.fromEntries(
        names.map((name) => [
          `traces/${name}`,
          { receivers: [`kafka/${name}`], exporters: [`file/${name}`] },
        ]),
      ),
    },
  });
  t.after(() => collector.stop());
  for (let sequence = 0; sequence < REQUESTS; sequence++)
    await bed.post('traces', ledgerRequest(0, sequence));

  for (const name of names) {
    const file = new CollectorFile(path(name));
    const found: Pick<FoundRecord, 'value'>[] = [];
    await until(
      `all of ${name} (the Collector says ${collector.log.split('\n').slice(-4).join('\n')})`,
      () => {
        found.push(...file.readNew().map(({ bytes }) => ({ value: Buffer.from(bytes) })));
        return spansOf(found).size === REQUESTS * SPANS_PER_REQUEST;
      },
      30_000,
    );
    assert.deepEqual(new Set(spansOf(found).values()), new Set([1]), name);
  }
});

test('the Java client reads keys, headers and compressed batches', { timeout: 180_000 }, async () => {
  for (const topic of ['keyed', 'snappy', 'gzip', ...(CAN_WRITE_ZSTD ? ['zstd'] : [])]) {
    const ends = await broker.endOffsets(topic);
    const count = ends.reduce((sum, end) => sum + end, 0);
    const text = await broker.tool(CONSOLE_CONSUMER, [
      ...['--bootstrap-server', broker.bootstrap, '--topic', topic, '--from-beginning'],
      ...['--max-messages', String(count), '--timeout-ms', '20000'],
      ...['--property', 'print.key=true', '--property', 'print.value=false'],
      ...['--property', 'print.headers=true'],
    ]);
    const lines = text.trim().split('\n');
    assert.equal(lines.length, count, topic);
    const key = topic === 'keyed' ? '[0-9a-f]{32}' : 'null';
    for (const line of lines) assert.match(line, new RegExp(`^millrace\\.batch_id:\\S+/\\d+\\t${key}$`));
  }
});

interface KeyedCase {
  signal: Signal;
  keys: Record<string, unknown>;
}

const KEYED: Readonly<Record<string, KeyedCase>> = {
  traces_by_id: { signal: 'traces', keys: { partition_traces_by_id: true } },
  metrics_by_resource: { signal: 'metrics', keys: { partition_metrics_by_resource_attributes: true } },
  logs_by_resource: { signal: 'logs', keys: { partition_logs_by_resource_attributes: true } },
  logs_by_trace: { signal: 'logs', keys: { partition_logs_by_trace_id: true } },
};

/** Which keys are in which partitions; records without one may be anywhere. */
function places(records: readonly FoundRecord[]): string[] {
  const keyed = records.filter(({ key }) => key !== null && key.length > 0);
  return [...new Set(keyed.map(({ key, partition }) => `${key!.toString('hex')}@${partition}`))].sort();
}

test('keys and partitions are those of the Collector’s exporter', { timeout: 180_000 }, async (t) => {
  const port = await freePort();
  const names = Object.keys(KEYED);
  for (const name of names) {
    await broker.createTopic(`own_${name}`, 7);
    await broker.createTopic(`go_${name}`, 7);
  }
  const side = (prefix: string) =>
    Object.fromEntries(
      names.map((name) => {
        const { signal, keys } = KEYED[name]!;
        return [`kafka/${name}`, { ...keys, [signal]: { topic: `${prefix}_${name}` } }];
      }),
    );
  const exporters = Object.fromEntries(
    Object.entries(side('go')).map(([id, keys]) => [
      id,
      { brokers: [broker.bootstrap], sending_queue: { enabled: false }, ...keys },
    ]),
  );
  const of = (signal: Signal) =>
    names.filter((name) => KEYED[name]!.signal === signal).map((name) => `kafka/${name}`);
  const collector = await CollectorProcess.start(programs, {
    receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${port}` } } } },
    exporters,
    service: {
      telemetry: { metrics: { level: 'none' } },
      pipelines: Object.fromEntries(
        (['traces', 'metrics', 'logs'] as const).map((signal) => [
          signal,
          { receivers: ['otlp'], exporters: of(signal) },
        ]),
      ),
    },
  });
  t.after(() => collector.stop());

  for (const name of names) {
    const { signal, keys } = KEYED[name]!;
    const bed = await ExporterBed.start({
      bootstrap: broker.bootstrap,
      exporter: { ...keys, [signal]: { topic: `own_${name}` } },
      signals: [signal],
    });
    t.after(() => bed.stop());
    for (const body of randomRequests(signal, 'shop', 30, 7)) {
      await bed.post(signal, body);
      const answer = await fetch(`http://127.0.0.1:${port}/v1/${signal}`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-protobuf' },
        body: Buffer.from(body),
      });
      assert.equal(answer.status, 200);
    }
    await until('an empty queue', async () => (await bed.metric('otelcol_exporter_queue_size')) === 0);
    const own = places(await readTopic(broker, `own_${name}`, 7));
    assert.ok(own.length > 3, `${name}: ${own.length} keys`);
    assert.deepEqual(own, places(await readTopic(broker, `go_${name}`, 7)), name);
    await bed.engine!.kill();
  }
});
