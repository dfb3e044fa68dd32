/** The engine's own Kafka receiver and exporter with the Go Collector on the other side of the topic, in every encoding that both speak. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Signal } from '../../component/signal.ts';
import { findDecoder } from '../../encodings/decoders.ts';
import { findEncoder } from '../../encodings/encoders.ts';
import type { EncodedRecord } from '../../encodings/encoding.ts';
import { WireWriter } from '../../otlp/wire-writer.ts';
import { EngineProcess, freePort, until } from '../engine-process.ts';
import { sayableRequest } from '../foreign-requests.ts';
import type { Message } from '../otlp-arbitraries.ts';
import { flattenRequest } from '../otlp-flatten.ts';
import { CollectorFile, type WrittenRequest } from '../services/collector-json.ts';
import { EncodingsBed, inTopic, outTopic, pairs } from '../services/encodings-bed.ts';
import { plainItem, sortItems } from '../services/plain-items.ts';
import { installPrograms } from '../services/programs.ts';

const REQUESTS = 30;
const ENCODINGS = {
  traces: ['jaeger_proto', 'jaeger_json', 'zipkin_proto', 'zipkin_json'],
  logs: ['raw'],
} as const;

test('the engine and the Collector read what the other one wrote', { timeout: 600_000 }, async (t) => {
  const bed = await EncodingsBed.start(await installPrograms(), ENCODINGS, ENCODINGS);
  t.after(() => bed.stop());
  const directory = mkdtempSync(join(tmpdir(), 'millrace-encodings-engine-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const port = await freePort();
  const config = engineConfig(bed.bootstrap, directory, port);
  const engine = await EngineProcess.start({ config, dataDir: join(directory, 'data') });
  t.after(() => engine.kill());
  const seed = Date.now() % 2 ** 31;
  t.diagnostic(`seed ${seed}`);
  for (const signal of ['traces', 'logs'] as const) {
    const requests = fc.sample(sayableRequest(signal), { seed, numRuns: REQUESTS });
    for (const request of requests) {
      await bed.post(signal, request);
      const response = await fetch(`http://127.0.0.1:${port}/v1/${signal}`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-protobuf' },
        body: new Uint8Array(request),
      });
      assert.equal(response.status, 200, await response.text());
    }
    for (const encoding of ENCODINGS[signal]) {
      const wanted = requests.flatMap((request) => itemsThrough(signal, encoding, request));
      const isComplete = (all: readonly WrittenRequest[]) => items(signal, all).length >= wanted.length;
      await t.test(`the engine reads ${signal} as ${encoding}`, async () => {
        const file = new CollectorFile(join(directory, `${signal}_${encoding}.json`));
        const found: WrittenRequest[] = [];
        await until(
          `${encoding} in the engine's file`,
          () => {
            found.push(...file.readNew());
            return isComplete(found);
          },
          60_000,
        );
        assert.deepEqual(sortItems(items(signal, found)), sortItems(wanted), engine.log);
      });
      await t.test(`the Collector reads ${signal} as ${encoding}`, async () => {
        const found = await bed.decoded(signal, encoding, isComplete);
        const seen = encoding.startsWith('zipkin') ? zipkinPart : (each: Message) => each;
        assert.deepEqual(sortItems(items(signal, found).map(seen)), sortItems(wanted.map(seen)));
      });
    }
  }
});

/**
 * What the Collector keeps of a list of Zipkin: it gives spans of one service the resource of any of them, and leaves lists
 * and maps out of the attributes of events and links.
 */
function zipkinPart({ item }: Message): Message {
  const { events = [], links = [], ...rest } = item as { events?: Message[]; links?: Message[] };
  const bare = (list: Message[]) => list.map(({ attributes: _, ...each }) => each);
  return { ...rest, events: bare(events), links: bare(links) };
}

/** What a request is behind an encoding. */
function itemsThrough(signal: Signal, encoding: string, request: Uint8Array): Message[] {
  const records: EncodedRecord[] = [];
  findEncoder(signal, encoding)!.encode([request], records);
  const out = new WireWriter();
  for (const { value } of records) findDecoder(signal, encoding)!.decode(value, out, 0);
  return flattenRequest(signal, out.toBytes()).map(plainItem);
}

function items(signal: Signal, requests: readonly WrittenRequest[]): Message[] {
  return requests.flatMap(({ bytes }) => flattenRequest(signal, bytes).map(plainItem));
}

function engineConfig(broker: string, directory: string, port: number): string {
  const receivers: Record<string, unknown> = {
    otlp: { protocols: { http: { endpoint: `127.0.0.1:${port}` } } },
  };
  const exporters: Record<string, unknown> = {};
  const pipelines: Record<string, { receivers: string[]; exporters: string[] }> = {};
  for (const [signal, encoding] of pairs(ENCODINGS)) {
    const id = `${signal}_${encoding}`;
    receivers[`kafka/${id}`] = {
      brokers: [broker],
      group_id: `engine-${id}`,
      initial_offset: 'earliest',
      [signal]: { topics: [outTopic(signal, encoding)], encoding },
    };
    exporters[`file/${id}`] = { path: join(directory, `${id}.json`) };
    pipelines[`${signal}/in_${encoding}`] = { receivers: [`kafka/${id}`], exporters: [`file/${id}`] };
    exporters[`kafka/${id}`] = {
      brokers: [broker],
      [signal]: { topic: inTopic(signal, encoding), encoding },
    };
    pipelines[signal] ??= { receivers: ['otlp'], exporters: [] };
    pipelines[signal].exporters.push(`kafka/${id}`);
  }
  const telemetry = { metrics: { level: 'none' } };
  return JSON.stringify({ receivers, exporters, service: { telemetry, pipelines } });
}
