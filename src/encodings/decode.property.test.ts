/** Properties of the decoders: valid output for whatever they take, typed errors for the rest, and two ways to the same span. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PipelineError } from '../component/errors.ts';
import { scanRequest } from '../otlp/scan.ts';
import { WireWriter } from '../otlp/wire-writer.ts';
import { RequestIndex } from '../pdata/request-index.ts';
import { encodeJaeger, encodeZipkin, jaegerSpan, zipkinList } from '../testkit/foreign-records.ts';
import { thriftSpans } from '../testkit/foreign-thrift.ts';
import { flattenRequest } from '../testkit/otlp-flatten.ts';
import { findDecoder } from './decoders.ts';
import type { RecordDecoder } from './encoding.ts';
import { jaegerProtoToJson } from './jaeger-json-write.ts';
import { zipkinV1JsonDecoder } from './zipkin-v1-decode.ts';

const RUNS = 120;
const NOW = 1_790_000_000_000;
const UTF8 = new TextEncoder();
const json = (value: unknown) => UTF8.encode(JSON.stringify(value));

const endpoint = fc.record(
  { serviceName: fc.string(), ipv4: fc.string(), port: fc.nat() },
  { requiredKeys: [] },
);
const v1Span = fc.record(
  {
    traceId: fc.constantFrom('463ac35c9f6413ad48485a3953bb6124', 'a2fb4a1d1a96d312', 'x'),
    id: fc.constant('a2fb4a1d1a96d312'),
    name: fc.string(),
    timestamp: fc.integer(),
    duration: fc.integer(),
    annotations: fc.array(
      fc.record({ timestamp: fc.integer(), value: fc.constantFrom('cs', 'sr', 'x'), endpoint }),
    ),
    binaryAnnotations: fc.array(
      fc.record({ key: fc.constantFrom('lc', 'error', 'a'), value: fc.string(), endpoint }),
    ),
  },
  { requiredKeys: ['traceId', 'id'] },
);

const RECORDS: readonly (readonly [RecordDecoder, fc.Arbitrary<Uint8Array>])[] = [
  [find('jaeger_proto'), jaegerSpan.map(encodeJaeger)],
  [find('jaeger_json'), jaegerSpan.map((span) => UTF8.encode(jaegerProtoToJson(encodeJaeger(span))))],
  [find('zipkin_proto'), zipkinList.map(encodeZipkin)],
  [find('zipkin_json'), zipkinList.map(json)],
  [find('zipkin_thrift'), thriftSpans],
  [zipkinV1JsonDecoder, fc.array(v1Span).map(json)],
  [findDecoder('logs', 'json')!, fc.dictionary(fc.string(), fc.jsonValue()).map(json)],
  [findDecoder('logs', 'azure_resource_logs')!, azure()],
  [findDecoder('logs', 'text')!, fc.uint8Array()],
  [findDecoder('logs', 'raw')!, fc.uint8Array()],
];

function find(encoding: string): RecordDecoder {
  return findDecoder('traces', encoding)!;
}

function azure(): fc.Arbitrary<Uint8Array> {
  const log = fc.record(
    {
      time: fc.constantFrom('2022-11-11T04:48:27.6767145Z', '2022-11-11', 'never'),
      resourceId: fc.string(),
      durationMs: fc.oneof(fc.double(), fc.string()),
      Level: fc.jsonValue(),
      properties: fc.jsonValue(),
    },
    { requiredKeys: [] },
  );
  return fc.array(log).map((records) => json({ records }));
}

/** The request, or undefined when the record was refused; everything else fails the test. */
function decodeOrRefuse(decoder: RecordDecoder, record: Uint8Array): Uint8Array | undefined {
  const out = new WireWriter(8);
  out.writeRaw(Uint8Array.of(1, 2, 3));
  try {
    decoder.decode(record, out, NOW);
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
    assert.equal(error.code, 'ENCODING_FAILED');
    assert.equal(error.permanent, true);
    assert.ok(error.message.startsWith(`${decoder.encoding}: `));
    assert.equal(out.pos, 3, 'nothing of a refused record stays');
    return undefined;
  }
  assert.deepEqual([...out.bytes.subarray(0, 3)], [1, 2, 3]);
  return out.toBytes().subarray(3);
}

for (const [decoder, records] of RECORDS) {
  test(`${decoder.encoding}: what is decoded passes the scan, whole and cut and with bytes exchanged`, () => {
    const index = new RequestIndex();
    const edits = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
    const accept = (record: Uint8Array) => {
      const request = decodeOrRefuse(decoder, record);
      if (request !== undefined) scanRequest(decoder.signal, request, 0, request.length, index);
      return request;
    };
    fc.assert(
      fc.property(records, edits, fc.nat(), (record, changes, cut) => {
        accept(record);
        if (record.length === 0) return;
        accept(record.subarray(0, cut % record.length));
        const changed = record.slice();
        for (const [at, byte] of changes) changed[at % changed.length] = byte;
        accept(changed);
      }),
      { numRuns: RUNS },
    );
  });
}

test('records that are anything at all are taken or refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (record) => {
      for (const [decoder] of RECORDS) decodeOrRefuse(decoder, record);
    }),
    { numRuns: RUNS * 4 },
  );
});

test('a Jaeger span is the same from protobuf and from JSON, and a Zipkin span nearly so', () => {
  const items = (decoder: RecordDecoder, record: Uint8Array) =>
    flattenRequest('traces', decodeOrRefuse(decoder, record)!);
  fc.assert(
    fc.property(jaegerSpan, (span) => {
      const proto = encodeJaeger(span);
      assert.deepEqual(
        items(find('jaeger_json'), UTF8.encode(jaegerProtoToJson(proto))),
        items(find('jaeger_proto'), proto),
      );
    }),
    { numRuns: RUNS },
  );
  fc.assert(
    fc.property(zipkinList, (spans) => {
      // A span without a time says so in JSON alone.
      const timed = spans.map((span) => ({ timestamp: 1, ...span }));
      assert.deepEqual(
        items(find('zipkin_json'), json(timed)),
        items(find('zipkin_proto'), encodeZipkin(timed)),
      );
    }),
    { numRuns: RUNS },
  );
});

test('values are nested as deeply as a request may be, or refused', () => {
  const index = new RequestIndex();
  let accepted = 0;
  for (let depth = 1; depth < 60; depth++) {
    const value = `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
    const span = {
      traceId: 'a2fb4a1d1a96d312',
      id: 'a2fb4a1d1a96d312',
      annotations: [{ timestamp: 1, value: `x|${value}|0` }],
    };
    for (const [decoder, record] of [
      [findDecoder('logs', 'json')!, UTF8.encode(value)],
      [find('zipkin_json'), json([span])],
    ] as const) {
      const request = decodeOrRefuse(decoder, record);
      if (request === undefined) continue;
      scanRequest(decoder.signal, request, 0, request.length, index);
      accepted++;
    }
  }
  assert.ok(accepted > 40, `${accepted} were accepted`);
});

test('nesting without an end is refused at once', () => {
  const deep = UTF8.encode(`{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}`);
  assert.equal(decodeOrRefuse(findDecoder('logs', 'json')!, deep), undefined);
  const skipped = Uint8Array.from([
    ...[15, 0, 0, 0, 1],
    ...Array.from({ length: 50_000 }, () => [12, 0, 99]).flat(),
  ]);
  assert.equal(decodeOrRefuse(find('zipkin_thrift'), skipped), undefined);
});
