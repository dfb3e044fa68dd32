/** From OTLP to another system's records and back: what both can say is the same, and nothing gets lost on the way. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { WireWriter } from '../otlp/wire-writer.ts';
import { sayableRequest } from '../testkit/foreign-requests.ts';
import type { Message } from '../testkit/otlp-arbitraries.ts';
import { flattenRequest } from '../testkit/otlp-flatten.ts';
import { findDecoder } from './decoders.ts';
import { findEncoder } from './encoders.ts';
import type { EncodedRecord } from './encoding.ts';

const RUNS = 60;

/** Keys that mean something of their own to one of the formats, and so move. */
const MOVING =
  /^(?:error|event|span\.kind|otel\.|http\.|peer\.service|service\.peer|network\.|net\.|w3c|opentracing|faas|cloud|k8s|host|process)/;

function through(encoding: string, request: Uint8Array): { items: Message[]; records: EncodedRecord[] } {
  const records: EncodedRecord[] = [];
  assert.equal(findEncoder('traces', encoding)!.encode([request], records), 0);
  const out = new WireWriter();
  for (const { value } of records) findDecoder('traces', encoding)!.decode(value, out, 0);
  return { items: flattenRequest('traces', out.toBytes()).map(({ item }) => item), records };
}

/** Ids, times to the microsecond, kind and state of a span; the names are lower case in Zipkin's JSON. */
function identity(item: Message): Message {
  const micros = (key: string) => BigInt(String(item[key] ?? 0)) / 1000n;
  return {
    trace: item.trace_id,
    span: item.span_id,
    parent: item.parent_span_id || undefined,
    state: item.trace_state || undefined,
    kind: item.kind ?? 0,
    code: ((item.status as Message | undefined)?.code as number | undefined) ?? 0,
    start: micros('start_time_unix_nano'),
    events: ((item.events as unknown[] | undefined) ?? []).length,
  };
}

/** Attributes may say what a tag of the format says, of kind and status for example. */
function hasMoving(item: Message): boolean {
  return ((item.attributes as { key?: string }[] | undefined) ?? []).some(({ key: name }) =>
    MOVING.test(name ?? ''),
  );
}

function linksWithin(item: Message): boolean {
  const links = (item.links as Message[] | undefined) ?? [];
  return links.some((link) => link.trace_id === item.trace_id);
}

const key = (item: Message) => `${String(item.trace_id)}${String(item.span_id)}`;

for (const encoding of ['jaeger_proto', 'jaeger_json', 'zipkin_proto', 'zipkin_json']) {
  test(`${encoding}: spans come back as they were`, () => {
    fc.assert(
      fc.property(sayableRequest('traces'), (request) => {
        const wanted = flattenRequest('traces', request).map(({ item }) => item);
        fc.pre(new Set(wanted.map(key)).size === wanted.length);
        const { items, records } = through(encoding, request);
        const count = records.reduce((sum, { itemCount }) => sum + itemCount, 0);
        assert.equal(count, wanted.length);
        assert.equal(items.length, wanted.length);
        const found = new Map(items.map((item) => [key(item), item]));
        for (const item of wanted) {
          const back = found.get(key(item))!;
          const tolerant = encoding.startsWith('zipkin');
          const expected = identity(item);
          const actual = identity(back);
          // Jaeger has one list for parents and links, and its first entry of the same trace is the parent.
          if (!tolerant && linksWithin(item)) actual.parent = expected.parent;
          if (hasMoving(item))
            for (const side of [actual, expected]) Object.assign(side, { kind: 0, code: 0 });
          // Zipkin's start is rounded to the nearest microsecond.
          if (tolerant) assert.ok((actual.start as bigint) - (expected.start as bigint) <= 1n);
          assert.deepEqual({ ...actual, start: 0 }, { ...expected, start: 0 });
          if (!tolerant) {
            assert.equal(actual.start, expected.start);
            assert.equal(back.name ?? '', item.name ?? '');
            assert.equal(back.end_time_unix_nano, item.end_time_unix_nano);
          }
          const keys = new Set(((back.attributes as Message[] | undefined) ?? []).map((each) => each.key));
          for (const { key: name } of (item.attributes as { key: string }[] | undefined) ?? []) {
            if (!MOVING.test(name)) assert.ok(keys.has(name), `the attribute ${name} is gone`);
          }
        }
      }),
      { numRuns: RUNS },
    );
  });
}

test('records of Jaeger have the trace id as their key, lists of Zipkin none', () => {
  fc.assert(
    fc.property(sayableRequest('traces'), (request) => {
      const traces = flattenRequest('traces', request).map(({ item }) =>
        Buffer.from(item.trace_id as string, 'base64').toString('hex'),
      );
      const keys = through('jaeger_proto', request).records.map((record) =>
        Buffer.from(record.key!).toString().padStart(32, '0'),
      );
      assert.deepEqual(keys, traces);
      assert.equal(through('zipkin_proto', request).records[0]!.key, undefined);
    }),
    { numRuns: RUNS },
  );
});

test('several requests are one list', () => {
  const requests = fc.sample(sayableRequest('traces'), { numRuns: 3, seed: 1 });
  const records: EncodedRecord[] = [];
  findEncoder('traces', 'zipkin_json')!.encode(requests, records);
  assert.equal(records.length, 1);
  const spans = JSON.parse(Buffer.from(records[0]!.value).toString()) as unknown[];
  assert.equal(spans.length, requests.flatMap((request) => flattenRequest('traces', request)).length);
  assert.equal(records[0]!.itemCount, spans.length);
});
