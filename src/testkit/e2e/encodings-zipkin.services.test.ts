/** Zipkin's lists through the Go Collector's own receiver: version 1 in JSON, and tags that are read as numbers. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { RecordDecoder } from '../../encodings/encoding.ts';
import { zipkinJsonDecoderOf } from '../../encodings/zipkin-decode.ts';
import { zipkinV1JsonDecoderOf } from '../../encodings/zipkin-v1-decode.ts';
import { WireWriter } from '../../otlp/wire-writer.ts';
import { freePort, until } from '../engine-process.ts';
import { zipkinList } from '../foreign-records.ts';
import type { Message } from '../otlp-arbitraries.ts';
import { flattenRequest } from '../otlp-flatten.ts';
import { CollectorFile } from '../services/collector-json.ts';
import { plainItem, sortItems } from '../services/plain-items.ts';
import { CollectorProcess, installPrograms } from '../services/programs.ts';

const LISTS = 120;
const NOW_MICROS = 1_790_000_000_000_000;
const text = fc.oneof(fc.string({ maxLength: 10 }), fc.string({ unit: 'grapheme', maxLength: 20 }));
const hex = (digits: number) =>
  fc
    .string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: digits - 1, maxLength: digits - 1 })
    .map((each) => `${each}7`);
const number = fc.constantFrom('200', '404', '0', '-17', '1.5', 'true', 'false', '', '1e3', '[1]');
const endpoint = fc.record(
  {
    serviceName: fc.constantFrom('front', 'back', '', 'unknown-service'),
    ipv4: fc.constantFrom('127.0.0.1', ''),
    ipv6: fc.constantFrom('::1', ''),
    port: fc.nat(65_535),
  },
  { requiredKeys: [] },
);
const micros = fc.integer({ min: NOW_MICROS - 1e15, max: NOW_MICROS });
const KEYS = [
  ...[
    'lc',
    'error',
    'http.status_code',
    'http.status_message',
    'otel.status_code',
    'otel.status_description',
  ],
  ...['census.status_code', 'opencensus.status_description', 'a'],
];

/** Every one with a time: the Collector's clock gives it to those without. */
const v1Span = fc.record(
  {
    traceId: fc.oneof(hex(16), hex(32)),
    id: hex(16),
    parentId: hex(16),
    name: text,
    timestamp: micros,
    duration: fc.nat(1e9),
    annotations: fc.array(
      fc.record(
        {
          timestamp: micros,
          value: fc.oneof(fc.constantFrom('cs', 'cr', 'sr', 'ss', 'ms', 'mr', ''), text),
          endpoint,
        },
        { requiredKeys: ['timestamp', 'value'] },
      ),
      { maxLength: 4 },
    ),
    binaryAnnotations: fc.array(
      fc.record(
        { key: fc.oneof(fc.constantFrom(...KEYS), text), value: fc.oneof(number, text), endpoint },
        { requiredKeys: ['key', 'value'] },
      ),
      { maxLength: 4 },
    ),
  },
  { requiredKeys: ['traceId', 'id', 'name', 'timestamp'] },
);
const v2List = zipkinList.chain((spans) =>
  fc
    .array(number, { minLength: spans.length, maxLength: spans.length })
    .map((values) =>
      spans.map((span, at) => ({ ...span, tags: { ...(span.tags as object), asked: values[at] } })),
    ),
);

const CASES: readonly (readonly [
  path: string,
  parsesStringTags: boolean,
  RecordDecoder,
  fc.Arbitrary<unknown>,
])[] = [
  ['api/v1/spans', false, zipkinV1JsonDecoderOf(false), fc.array(v1Span, { minLength: 1, maxLength: 4 })],
  ['api/v1/spans', true, zipkinV1JsonDecoderOf(true), fc.array(v1Span, { minLength: 1, maxLength: 4 })],
  ['api/v2/spans', true, zipkinJsonDecoderOf(true), v2List],
];

for (const [path, parsesStringTags, decoder, lists] of CASES) {
  const how = parsesStringTags ? 'numbers and booleans' : 'text';
  test(`the Collector makes the same spans of ${path}, tags as ${how}`, { timeout: 180_000 }, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-zipkin-'));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    const endpointText = `127.0.0.1:${await freePort()}`;
    const path1 = join(directory, 'spans.json');
    const collector = await CollectorProcess.start(await installPrograms(), {
      receivers: { zipkin: { endpoint: endpointText, parse_string_tags: parsesStringTags } },
      exporters: { file: { path: path1, flush_interval: '100ms' } },
      service: {
        telemetry: { metrics: { level: 'none' } },
        pipelines: { traces: { receivers: ['zipkin'], exporters: ['file'] } },
      },
    });
    t.after(() => collector.stop());
    const seed = Date.now() % 2 ** 31;
    t.diagnostic(`seed ${seed}`);
    const file = new CollectorFile(path1);
    const wanted: Message[] = [];
    const found: Message[] = [];
    for (const list of fc.sample(lists, { seed, numRuns: LISTS })) {
      const body = JSON.stringify(list);
      const out = new WireWriter();
      decoder.decode(Buffer.from(body), out, 0);
      wanted.push(...sortItems(flattenRequest('traces', out.toBytes()).map(plainItem)));
      const response = await fetch(`http://${endpointText}/${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
      assert.equal(response.status, 202, await response.text());
    }
    await until('all spans', () => {
      for (const { bytes } of file.readNew()) {
        found.push(...sortItems(flattenRequest('traces', bytes).map(plainItem)));
      }
      return found.length >= wanted.length;
    });
    for (const [at, item] of found.entries()) assert.deepEqual(wanted[at], item, `span ${at}`);
  });
}
