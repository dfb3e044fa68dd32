/** Records of other systems through the Go Collector's Kafka receiver: it makes the same items of them as src/encodings. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Signal } from '../../component/signal.ts';
import { findDecoder } from '../../encodings/decoders.ts';
import { WireWriter } from '../../otlp/wire-writer.ts';
import { foreignType } from '../foreign-protos.ts';
import { encodeJaeger, encodeZipkin, jaegerSpan, zipkinList } from '../foreign-records.ts';
import { thriftSpans } from '../foreign-thrift.ts';
import type { Message } from '../otlp-arbitraries.ts';
import { flattenRequest } from '../otlp-flatten.ts';
import { type EncodingNames, EncodingsBed } from '../services/encodings-bed.ts';
import { plainItem, sortItems } from '../services/plain-items.ts';
import { installPrograms } from '../services/programs.ts';

const RECORDS = 150;
const UTF8 = new TextEncoder();
const UNASSIGNED = new Set([0x81, 0x8d, 0x8f, 0x90, 0x9d]);
const jaegerJson = { longs: String, enums: String, bytes: String, defaults: false } as const;

function json(value: unknown): Uint8Array {
  return UTF8.encode(JSON.stringify(value));
}

const anyJson = fc.dictionary(
  fc.string({ maxLength: 8 }).filter((key) => key !== '__proto__'),
  fc.jsonValue({ maxDepth: 3, noUnicodeString: false }),
);

/** Valid records of each encoding. */
const RECORDS_OF: Record<Signal, Record<string, fc.Arbitrary<Uint8Array>>> = {
  traces: {
    jaeger_proto: jaegerSpan.map(encodeJaeger),
    jaeger_json: jaegerSpan.map((span) => json(jaegerToJson(span))),
    zipkin_proto: zipkinList.map(encodeZipkin),
    zipkin_json: zipkinList.map(json),
    zipkin_thrift: thriftSpans,
  },
  logs: {
    raw: fc.uint8Array({ minLength: 1, maxLength: 60 }),
    text: fc.oneof(
      fc.string({ unit: 'grapheme', minLength: 1 }).map((text) => UTF8.encode(text)),
      fc.uint8Array({ minLength: 1, maxLength: 20 }),
    ),
    'text_utf-16': fc
      .uint8Array({ minLength: 2, maxLength: 20 })
      .map((bytes) => bytes.subarray(0, bytes.length & ~1)),
    'text_iso-8859-1': fc.uint8Array({ minLength: 1, maxLength: 20 }),
    // Five bytes have no letter: browsers, and so TextDecoder, make control characters of them and Go U+FFFD.
    'text_windows-1252': fc
      .uint8Array({ minLength: 1, maxLength: 20 })
      .map((bytes) => bytes.map((byte) => (UNASSIGNED.has(byte) ? 0x80 : byte))),
    text_shift_jis: fc.string({ minLength: 1 }).map((text) => UTF8.encode(text)),
    json: anyJson.map(json),
    azure_resource_logs: fc
      .array(azureLog(), { minLength: 1, maxLength: 4 })
      .map((records) => json({ records })),
  },
  metrics: {},
};

function azureLog(): fc.Arbitrary<unknown> {
  const text = fc.string({ maxLength: 10 });
  return fc.record(
    {
      time: fc
        .date({ min: new Date('1990-01-01'), max: new Date('2030-01-01'), noInvalidDate: true })
        .map((date) => date.toISOString().replace('Z', '1234Z')),
      resourceId: fc.constantFrom('/a', '/b'),
      tenantId: text,
      operationName: text,
      operationVersion: text,
      category: text,
      resultType: text,
      resultSignature: text,
      resultDescription: text,
      durationMs: fc.oneof(fc.nat(), fc.nat().map(String)),
      callerIpAddress: text,
      correlationId: text,
      identity: fc.jsonValue({ maxDepth: 2 }),
      Level: fc.constantFrom('Informational', 'Warning', 'Error', 'Critical', 'Odd', 3, 17),
      location: text,
      properties: fc.jsonValue({ maxDepth: 2 }),
    },
    { requiredKeys: ['time', 'resourceId'] },
  );
}

/** JSON of protobuf, with the forms that protobufjs does not know: times as text, base64 as it is. */
function jaegerToJson(span: Message): unknown {
  const type = foreignType('jaeger.Span');
  const plain = type.toObject(type.fromObject(span), jaegerJson) as Message;
  return camel(plain);
}

function camel(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(camel);
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [
      key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      key === 'start_time' || key === 'timestamp'
        ? timeText(each)
        : key === 'duration'
          ? durationText(each)
          : camel(each),
    ]),
  );
}

function timeText({ seconds = 0, nanos = 0 }: { seconds?: number; nanos?: number }): string {
  const date = new Date(Number(seconds) * 1000).toISOString().slice(0, -5);
  return `${date}.${String(nanos).padStart(9, '0')}Z`;
}

function durationText({ seconds = 0, nanos = 0 }: { seconds?: number; nanos?: number }): string {
  return `${seconds}.${String(nanos).padStart(9, '0')}s`;
}

test('the Collector makes the same items of records of every encoding', { timeout: 600_000 }, async (t) => {
  const programs = await installPrograms();
  const names = Object.fromEntries(
    Object.entries(RECORDS_OF).map(([signal, each]) => [signal, Object.keys(each)]),
  ) as EncodingNames;
  const bed = await EncodingsBed.start(programs, names, {});
  t.after(() => bed.stop());
  const seed = Date.now() % 2 ** 31;
  t.diagnostic(`seed ${seed}`);
  for (const signal of ['traces', 'logs'] as const) {
    for (const [encoding, arbitrary] of Object.entries(RECORDS_OF[signal])) {
      await t.test(`${signal} as ${encoding}`, async () => {
        const records = fc.sample(arbitrary, { seed, numRuns: RECORDS });
        const wanted = records.flatMap((record) => sortItems(itemsOf(signal, encoding, record)));
        assert.ok(wanted.length >= RECORDS);
        await bed.produce(signal, encoding, records);
        const requests = await bed.decoded(
          signal,
          encoding,
          (all) => all.flatMap(({ bytes }) => flattenRequest(signal, bytes)).length >= wanted.length,
        );
        const items = requests.flatMap(({ bytes }) =>
          sortItems(flattenRequest(signal, bytes).map(plainItem)),
        );
        for (const [at, item] of items.entries()) assert.deepEqual(wanted[at], item, `item ${at}`);
        assert.equal(items.length, wanted.length);
      });
    }
  }
});

function itemsOf(signal: Signal, encoding: string, record: Uint8Array): Message[] {
  const out = new WireWriter();
  findDecoder(signal, encoding)!.decode(record, out, Date.now());
  return flattenRequest(signal, out.toBytes()).map(plainItem);
}
