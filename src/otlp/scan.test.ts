import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ErrorCode, PipelineError } from '../component/errors.ts';
import { SIGNALS, type Signal } from '../component/signal.ts';
import { ITEM_REJECTED, RequestIndex } from '../pdata/request-index.ts';
import { Prng } from '../stdx/prng.ts';
import { encodedRequest, type Message } from '../testkit/otlp-arbitraries.ts';
import { flattenRequest } from '../testkit/otlp-flatten.ts';
import { requestType } from '../testkit/otlp-root.ts';
import { scanRequest } from './scan.ts';
import { sliceItems, withoutRejected } from './slice.ts';
import * as tags from './tags.ts';
import { WireWriter } from './wire-writer.ts';

const index = new RequestIndex();

function encode(signal: Signal, request: Message): Uint8Array {
  const type = requestType(signal);
  return new Uint8Array(type.encode(type.fromObject(request)).finish());
}

function scan(signal: Signal, bytes: Uint8Array): RequestIndex {
  scanRequest(signal, bytes, 0, bytes.length, index);
  return index;
}

function assertRefused(signal: Signal, bytes: Uint8Array, code: ErrorCode): void {
  assert.throws(
    () => scan(signal, bytes),
    (error: unknown) => {
      assert.ok(error instanceof PipelineError, String(error));
      const offset = Number(/at byte (\d+)$/.exec(error.message)?.[1]);
      assert.ok(error.permanent && offset >= 0 && offset <= bytes.length, error.message);
      return error.code === code;
    },
  );
}

const ID = { trace_id: new Uint8Array(16).fill(1), span_id: new Uint8Array(8).fill(2) };
const traces = (spans: Message[]): Message => ({ resource_spans: [{ scope_spans: [{ spans }] }] });
const logs = (records: Message[]): Message => ({
  resource_logs: [{ scope_logs: [{ log_records: records }] }],
});
const metrics = (list: Message[]): Message => ({
  resource_metrics: [{ scope_metrics: [{ metrics: list }] }],
});

/** A trace request whose only span has an id and then these bytes. */
function spanWith(body: Uint8Array | readonly number[]): Uint8Array {
  const writer = new WireWriter();
  const marks = [0x0a, 0x12, 0x12].map((tag) => writer.beginMessage(tag));
  writer.writeBytesField(tags.TAG_SPAN_TRACE_ID, ID.trace_id);
  writer.writeBytesField(tags.TAG_SPAN_SPAN_ID, ID.span_id);
  writer.writeRaw(Uint8Array.from(body));
  for (const mark of marks.reverse()) writer.endMessage(mark);
  return writer.toBytes();
}

function flagsOf(signal: Signal, request: Message): number[] {
  const { itemFlags, itemCount } = scan(signal, encode(signal, request));
  return Array.from(itemFlags.subarray(0, itemCount));
}

for (const signal of SIGNALS) {
  test(`${signal}: a request cut at any offset is malformed or a request with fewer items`, () => {
    const [bytes] = fc.sample(
      encodedRequest(signal).filter((request) => request.length > 600),
      {
        numRuns: 1,
        seed: 7,
      },
    );
    const whole = scan(signal, bytes!).itemCount;
    let refused = 0;
    for (let end = 0; end < bytes!.length; end++) {
      const cut = bytes!.slice(0, end);
      try {
        assert.ok(scan(signal, cut).itemCount <= whole);
        assert.equal(index.itemCount, flattenRequest(signal, cut).length);
      } catch (error) {
        assert.ok(error instanceof PipelineError && error.code === 'OTLP_MALFORMED', String(error));
        refused++;
      }
    }
    // A cut is invisible only between two elements of the outermost field.
    assert.ok(refused > bytes!.length - 10);
  });
}

test('C1: overlong, truncated and 11-byte varints in a span', () => {
  assert.equal(scan('traces', spanWith([tags.TAG_SPAN_KIND, 0x81, 0x80, 0x00])).acceptedCount, 1);
  assertRefused('traces', spanWith([tags.TAG_SPAN_KIND, 0x81]), 'OTLP_MALFORMED');
  assertRefused('traces', spanWith([tags.TAG_SPAN_KIND, ...new Array(10).fill(0x80), 0]), 'OTLP_MALFORMED');
  const attribute = [tags.TAG_SPAN_ATTRIBUTES, 9, 0x0a, 1, 0x61, 0x12, 4, 0x18];
  assert.equal(scan('traces', spanWith([...attribute, 0x81, 0x80, 0x00])).acceptedCount, 1);
  assertRefused('traces', spanWith([...attribute, 0x81, 0x80, 0x80]), 'OTLP_MALFORMED');
});

test('C2: lengths past the end of every level, negative and huge ones', () => {
  const huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
  for (const length of [[0x7f], [0xff, 0xff, 0xff, 0xff, 0x0f], huge]) {
    assertRefused('traces', spanWith([tags.TAG_SPAN_NAME, ...length, 0x61]), 'OTLP_MALFORMED');
    assertRefused('traces', spanWith([tags.TAG_SPAN_ATTRIBUTES, ...length, 0x0a, 0]), 'OTLP_MALFORMED');
    for (const signal of SIGNALS) {
      assertRefused(signal, Uint8Array.of(0x0a, ...length), 'OTLP_MALFORMED');
      assertRefused(signal, Uint8Array.of(0x0a, length.length + 1, 0x12, ...length), 'OTLP_MALFORMED');
    }
  }
  // Inside an attribute: the key, the value and the text of the value each claim too much.
  for (const inner of [
    [0x0a, 9, 0x61, 0x12, 2, 0x10, 1],
    [0x0a, 1, 0x61, 0x12, 3, 0x10, 1],
    [0x0a, 1, 0x61, 0x12, 3, 0x0a, 2, 0x61],
  ]) {
    assertRefused('traces', spanWith([tags.TAG_SPAN_ATTRIBUTES, inner.length, ...inner]), 'OTLP_MALFORMED');
  }
});

test('C3: unknown fields of every wire type are skipped at every level', () => {
  const unknown = new WireWriter();
  for (const field of [30, 1000, 536_870_911]) {
    unknown.writeVarint32((field << 3) >>> 0);
    unknown.writeVarint64(-1, -1);
    unknown.writeVarint32(((field << 3) | 1) >>> 0);
    unknown.writeFixed64(1, 2);
    unknown.writeBytesField(((field << 3) | 2) >>> 0, Uint8Array.of(0xff, 0xff));
    unknown.writeVarint32(((field << 3) | 3) >>> 0);
    unknown.writeStringField(0x0a, 'in a group');
    unknown.writeVarint32(((field << 3) | 4) >>> 0);
    unknown.writeVarint32(((field << 3) | 5) >>> 0);
    unknown.writeFixed32(3);
  }
  const writer = new WireWriter();
  const marks: number[] = [];
  for (const tag of [0x0a, 0x12, 0x12, tags.TAG_METRIC_SUM, 0x0a]) {
    writer.writeRaw(unknown.view());
    marks.push(writer.beginMessage(tag));
  }
  const attribute = writer.beginMessage(tags.TAG_NUMBER_POINT_ATTRIBUTES);
  writer.writeStringField(tags.TAG_KEY_VALUE_KEY, 'k');
  writer.writeRaw(unknown.view());
  const value = writer.beginMessage(tags.TAG_KEY_VALUE_VALUE);
  writer.writeRaw(unknown.view());
  writer.endMessage(value);
  writer.endMessage(attribute);
  for (const mark of marks.reverse()) {
    writer.writeRaw(unknown.view());
    writer.endMessage(mark);
  }
  const bytes = writer.toBytes();
  assert.equal(scan('metrics', bytes).acceptedCount, 1);
  assert.deepEqual(flattenRequest('metrics', bytes)[0]?.item, { attributes: [{ key: 'k', value: {} }] });
});

test('C4: groups nested 100 000 deep, unmatched, and with another number', () => {
  assertRefused('traces', spanWith(new Uint8Array(100_000).fill(0xf3)), 'OTLP_MALFORMED');
  assertRefused(
    'traces',
    spanWith(new Uint8Array(100_000).map((_, at) => [0xf3, 0x01][at & 1]!)),
    'OTLP_LIMIT_EXCEEDED',
  );
  assertRefused('traces', spanWith([0xf4, 0x01]), 'OTLP_MALFORMED');
  assertRefused('traces', spanWith([0xf3, 0x01, 0xfc, 0x01]), 'OTLP_MALFORMED');
  assert.equal(scan('traces', spanWith([0xf3, 0x01, 0xf4, 0x01])).acceptedCount, 1);
});

/** Span attribute with an AnyValue inside `levels` arrays. */
function nestedValue(levels: number): Uint8Array {
  let value: Uint8Array = Uint8Array.of(tags.TAG_ANY_BOOL_VALUE, 1);
  for (let level = 0; level < levels; level++) {
    const writer = new WireWriter(value.length + 16);
    const array = writer.beginMessage(tags.TAG_ANY_ARRAY_VALUE, 3);
    writer.writeBytesField(tags.TAG_ARRAY_VALUES, value);
    writer.endMessage(array);
    value = writer.toBytes();
  }
  const writer = new WireWriter();
  const attribute = writer.beginMessage(tags.TAG_SPAN_ATTRIBUTES);
  writer.writeBytesField(tags.TAG_KEY_VALUE_VALUE, value);
  writer.endMessage(attribute);
  return spanWith(writer.view());
}

test('C5: AnyValue nested 10 000 deep is refused, and the limit is level 100 exactly', () => {
  assertRefused('traces', nestedValue(10_000), 'OTLP_LIMIT_EXCEEDED');
  // The value of an attribute is level 5; each array adds two.
  assert.equal(scan('traces', nestedValue(47)).acceptedCount, 1);
  assertRefused('traces', nestedValue(48), 'OTLP_LIMIT_EXCEEDED');
  assert.equal(flattenRequest('traces', nestedValue(47)).length, 1);
});

test('C7: the last of duplicate scalars counts, and a known field with another wire type is malformed', () => {
  const short = [tags.TAG_SPAN_TRACE_ID, 1, 9];
  assert.equal(scan('traces', spanWith(short)).rejectedCount, 1);
  const again = [tags.TAG_SPAN_TRACE_ID, 16, ...ID.trace_id];
  assert.equal(scan('traces', spanWith([...short, ...again])).rejectedCount, 0);
  assertRefused('traces', spanWith([(5 << 3) | 0, 1]), 'OTLP_MALFORMED');
  assertRefused('traces', spanWith([(7 << 3) | 0, 1]), 'OTLP_MALFORMED');
  for (const signal of SIGNALS) assertRefused(signal, Uint8Array.of(0x08, 1), 'OTLP_MALFORMED');
});

test('C7: packed and unpacked bucket counts and bounds add up', () => {
  const point = new WireWriter();
  point.writeBytesField(tags.TAG_HISTOGRAM_POINT_BUCKET_COUNTS, new Uint8Array(16));
  point.writeVarint32((6 << 3) | 1);
  point.writeFixed64(3, 0);
  point.writeVarint32((7 << 3) | 1);
  point.writeDouble(1);
  point.writeBytesField(tags.TAG_HISTOGRAM_POINT_EXPLICIT_BOUNDS, new Uint8Array(8).fill(0x40));
  const writer = new WireWriter();
  const marks = [0x0a, 0x12, 0x12, tags.TAG_METRIC_HISTOGRAM].map((tag) => writer.beginMessage(tag));
  writer.writeBytesField(0x0a, point.view());
  for (const mark of marks.reverse()) writer.endMessage(mark);
  const bytes = writer.toBytes();
  assert.equal(scan('metrics', bytes).acceptedCount, 1);
  assert.deepEqual(flattenRequest('metrics', bytes)[0]?.item.bucket_counts, ['0', '0', '3']);
});

test('C8: spans with ids of 0, 8, 15, 17, 32 or zero bytes are rejected by themselves, neighbours stay', () => {
  const bad = [
    { span_id: ID.span_id },
    { trace_id: ID.trace_id },
    ...[0, 8, 15, 17, 32].map((size) => ({ ...ID, trace_id: new Uint8Array(size).fill(1) })),
    ...[0, 7, 9, 16].map((size) => ({ ...ID, span_id: new Uint8Array(size).fill(1) })),
    { ...ID, trace_id: new Uint8Array(16) },
    { ...ID, span_id: new Uint8Array(8) },
    { ...ID, parent_span_id: new Uint8Array(7) },
    { ...ID, links: [{ trace_id: new Uint8Array(15), span_id: ID.span_id }] },
  ];
  for (const span of bad) {
    const request = traces([{ ...ID, name: 'a' }, span, { ...ID, name: 'b' }]);
    const bytes = encode('traces', request);
    scan('traces', bytes);
    assert.deepEqual(flagsOf('traces', request), [0, ITEM_REJECTED, 0], JSON.stringify(span));
    const names = flattenRequest('traces', withoutRejected('traces', bytes, 0, bytes.length, index));
    assert.deepEqual(
      names.map(({ item }) => item.name),
      ['a', 'b'],
    );
  }
  assert.deepEqual(flagsOf('traces', traces([{ ...ID, parent_span_id: new Uint8Array(0) }])), [0]);
});

test('C8: log records may leave ids out, and are rejected for ids of another length', () => {
  const sizes = (trace: number, span: number) => ({
    trace_id: new Uint8Array(trace),
    span_id: new Uint8Array(span),
  });
  const records = [{}, sizes(0, 0), sizes(16, 8), sizes(15, 8), sizes(16, 9), sizes(32, 0)];
  assert.deepEqual(flagsOf('logs', logs(records)), [0, 0, 0, 1, 1, 1]);
});

test('C9: 10 000 attributes with duplicate and empty keys are accepted as they are', () => {
  const attributes = Array.from({ length: 10_000 }, (_, at) => ({
    key: ['', 'a'][at & 1],
    value: { int_value: at },
  }));
  const bytes = encode('traces', traces([{ ...ID, attributes }]));
  assert.equal(scan('traces', bytes).acceptedCount, 1);
  assert.equal(index.elementCount, 10_003);
});

test('C11: a histogram whose bounds and counts do not fit, or with negative buckets, is rejected by itself', () => {
  const point = (counts: number, bounds: number) => ({
    bucket_counts: new Array(counts).fill(1),
    explicit_bounds: Array.from({ length: bounds }, (_, at) => at),
  });
  const negative = { low: -5, high: -1, unsigned: true };
  const points = [
    point(3, 2),
    point(2, 2),
    point(0, 1),
    point(0, 0),
    point(1, 0),
    { ...point(0, 1), bucket_counts: [1, negative] },
  ];
  assert.deepEqual(flagsOf('metrics', metrics([{ histogram: { data_points: points } }])), [0, 1, 1, 0, 0, 1]);
  const exponential = [{ positive: { bucket_counts: [1, 2] } }, { negative: { bucket_counts: [negative] } }];
  const request = metrics([{ exponential_histogram: { data_points: exponential } }]);
  assert.deepEqual(flagsOf('metrics', request), [0, 1]);
});

test('C12: over a million empty elements of any kind are refused, one 19-MiB string is not', () => {
  const inSpans = new WireWriter();
  const marks = [0x0a, 0x12].map((tag) => inSpans.beginMessage(tag, 4));
  const millionTimes = (pair: readonly number[]) => new Uint8Array(2_000_002).map((_, at) => pair[at & 1]!);
  inSpans.writeRaw(millionTimes([0x12, 0x00]));
  for (const mark of marks.reverse()) inSpans.endMessage(mark);
  for (const signal of SIGNALS) assertRefused(signal, inSpans.view(), 'OTLP_LIMIT_EXCEEDED');
  for (const signal of SIGNALS) assertRefused(signal, millionTimes([0x0a, 0x00]), 'OTLP_LIMIT_EXCEEDED');
  assertRefused('traces', spanWith(millionTimes([tags.TAG_SPAN_ATTRIBUTES, 0x00])), 'OTLP_LIMIT_EXCEEDED');
  assertRefused('traces', spanWith(millionTimes([tags.TAG_SPAN_EVENTS, 0x00])), 'OTLP_LIMIT_EXCEEDED');
  const request = encode('traces', traces([{ ...ID, name: 'x'.repeat(19 * 1024 * 1024) }]));
  assert.equal(scan('traces', request).acceptedCount, 1);
  // What a flood made the index hold is given back with the next request.
  assert.ok(index.itemStart.length <= 131_072 && index.resourceBody.length <= 131_072);
});

test('C13: empty envelopes at each level are accepted and hold nothing', () => {
  for (const signal of SIGNALS) {
    for (const bytes of [
      [],
      [0x0a, 0],
      [0x0a, 2, 0x12, 0],
      [0x0a, 2, 0x0a, 0],
      [0x0a, 4, 0x12, 2, 0x0a, 0],
    ]) {
      assert.equal(scan(signal, Uint8Array.from(bytes)).itemCount, 0);
      assert.equal(index.needsRewrite, false);
    }
  }
  assert.equal(scan('metrics', encode('metrics', metrics([{ name: 'm' }, { gauge: {} }]))).itemCount, 0);
});

test('C18: a request that is stored and cut as a whole is the same bytes', () => {
  for (const signal of SIGNALS) {
    const whole = fc.sample(encodedRequest(signal), { numRuns: 30, seed: 11 });
    for (const bytes of whole.filter((request) => scan(signal, request).itemCount > 0)) {
      const { itemCount } = scan(signal, bytes);
      const kept = flattenRequest(signal, sliceItems(signal, bytes, 0, itemCount));
      assert.deepEqual(kept, flattenRequest(signal, bytes));
    }
  }
  const full = encode('traces', traces([ID, { ...ID, name: 'b' }]));
  assert.deepEqual(sliceItems('traces', full, 0, 2), full);
});

test('seeded mutation of one byte at a time never ends in anything but an index or a typed error', () => {
  const prng = new Prng(20_261_121);
  for (const signal of SIGNALS) {
    for (const bytes of fc.sample(encodedRequest(signal), { numRuns: 40, seed: 3 })) {
      for (let round = 0; round < 50 && bytes.length > 0; round++) {
        const mutated = bytes.slice();
        mutated[prng.nextInt(bytes.length)] = prng.nextInt(256);
        try {
          const { itemCount, rejectedCount } = scan(signal, mutated);
          assert.ok(rejectedCount <= itemCount);
        } catch (error) {
          assert.ok(error instanceof PipelineError && error.permanent, String(error));
        }
      }
    }
  }
});

test('a view over shared memory, a Buffer and a plain array give the same index', () => {
  const bytes = encode('traces', traces([ID, ID, { ...ID, name: 'x' }]));
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length + 8)).subarray(8);
  shared.set(bytes);
  for (const form of [bytes, shared, Buffer.from(bytes)]) {
    assert.equal(scan('traces', form).acceptedCount, 3);
    assert.deepEqual(Array.from(index.itemStart.subarray(0, 3)), [4, 34, 64]);
  }
});
