import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SIGNALS, type Signal } from '../component/signal.ts';
import { ITEM_REJECTED, RequestIndex } from '../pdata/request-index.ts';
import { encodedRequest } from '../testkit/otlp-arbitraries.ts';
import { flattenRequest } from '../testkit/otlp-flatten.ts';
import { requestType } from '../testkit/otlp-root.ts';
import { scanRequest } from './scan.ts';
import { countItems, sliceItems, withoutRejected } from './slice.ts';
import { WireWriter } from './wire-writer.ts';

const RUNS = 150;

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

function encode(signal: Signal, request: Record<string, unknown>): Uint8Array {
  const type = requestType(signal);
  return new Uint8Array(type.encode(type.fromObject(request)).finish());
}

/** Containers in a decoded request that hold no list of children, which is what an emptied one would look like. */
function emptyContainers(signal: Signal, bytes: Uint8Array): number {
  const type = requestType(signal);
  const names = ['scope_spans', 'spans', 'scope_logs', 'log_records', 'scope_metrics', 'metrics'];
  const count = (level: unknown, depth: number): number =>
    Object.values(level as object)
      .filter(Array.isArray)
      .flat()
      .reduce((sum: number, child: object) => {
        const isEmpty = !names.some((name) => name in child);
        return sum + (isEmpty ? 1 : depth > 0 ? count(child, depth - 1) : 0);
      }, 0);
  return count(type.toObject(type.decode(bytes)), 1);
}

for (const signal of SIGNALS) {
  test(`${signal}: slices of any partition hold the same items in order under the same headers`, () => {
    const cuts = fc.array(fc.nat(60), { maxLength: 6 });
    fc.assert(
      fc.property(fc.array(encodedRequest(signal), { maxLength: 3 }), cuts, (requests, positions) => {
        // Several requests back to back, as a record of the log holds them.
        const bytes = concat(requests);
        const expected = flattenRequest(signal, bytes);
        assert.equal(countItems(signal, bytes), expected.length);
        const bounds = [0, ...positions.map((cut) => Math.min(cut, expected.length)), expected.length];
        bounds.sort((left, right) => left - right);
        const slices: Uint8Array[] = [];
        for (let cut = 1; cut < bounds.length; cut++) {
          const [first, end] = [bounds[cut - 1]!, bounds[cut]!];
          const slice = sliceItems(signal, bytes, first, end);
          assert.deepEqual(flattenRequest(signal, slice), expected.slice(first, end));
          assert.ok(slice.length <= bytes.length);
          slices.push(slice);
        }
        assert.deepEqual(flattenRequest(signal, concat(slices)), expected);
      }),
      { numRuns: RUNS },
    );
  });

  test(`${signal}: withoutRejected keeps exactly the accepted items and drops emptied containers`, () => {
    const index = new RequestIndex();
    const again = new RequestIndex();
    fc.assert(
      fc.property(encodedRequest(signal), fc.nat(20), (encoded, margin) => {
        const bytes = new Uint8Array(margin + encoded.length + 3).fill(0xff);
        bytes.set(encoded, margin);
        const end = margin + encoded.length;
        scanRequest(signal, bytes, margin, end, index);
        const kept = withoutRejected(signal, bytes, margin, end, index);
        const expected = flattenRequest(signal, encoded).filter(
          (_, item) => (index.itemFlags[item]! & ITEM_REJECTED) === 0,
        );
        assert.deepEqual(flattenRequest(signal, kept), expected);
        scanRequest(signal, kept, 0, kept.length, again);
        assert.equal(again.itemCount, index.acceptedCount);
        assert.equal(again.needsRewrite, false);
        assert.ok(emptyContainers(signal, kept) <= emptyContainers(signal, encoded), 'an emptied one stayed');
      }),
      { numRuns: RUNS },
    );
  });
}

test('an untouched container is copied byte for byte, unknown fields included', () => {
  const span = { trace_id: new Uint8Array(16).fill(1), span_id: new Uint8Array(8).fill(2), name: 'a' };
  const bytes = encode('traces', { resource_spans: [{ scope_spans: [{ spans: [span, span] }] }] });
  const writer = new WireWriter();
  const mark = writer.beginMessage(0x0a);
  writer.writeRaw(bytes, 2);
  writer.writeBytesField((900 << 3) | 2, new Uint8Array(300).fill(7));
  writer.endMessage(mark);
  const extended = writer.toBytes();
  assert.deepEqual(sliceItems('traces', extended, 0, 2), extended);
  const half = sliceItems('traces', extended, 1, 2);
  assert.equal(countItems('traces', half), 1);
  assert.ok(Buffer.from(half).includes(Buffer.alloc(300, 7)), 'the unknown field stays with its resource');
});

test('an empty range is an empty request, and a range past the end holds what is there', () => {
  const record = { severity_text: 'x' };
  const bytes = encode('logs', { resource_logs: [{ scope_logs: [{ log_records: [record, record] }] }] });
  assert.equal(sliceItems('logs', bytes, 1, 1).length, 0);
  assert.equal(countItems('logs', sliceItems('logs', bytes, 1, 99)), 1);
});

test('C7: a resource, scope or sum in several parts is merged before it is stored', () => {
  const part = (value: string) => ({ attributes: [{ key: value, value: { string_value: value } }] });
  const points = (count: number) => Array.from({ length: count }, (_, item) => ({ as_double: item }));
  const one = (resource: object, scope: object, metric: object) =>
    encode('metrics', { resource_metrics: [{ resource, scope_metrics: [{ scope, metrics: [metric] }] }] });
  // Bodies back to back inside one ResourceMetrics > ScopeMetrics > Metric: what protobuf calls a merge.
  const join = (tags: readonly number[], requests: readonly Uint8Array[]): Uint8Array => {
    const [tag, ...rest] = tags;
    if (tag === undefined) return concat(requests);
    const writer = new WireWriter();
    const mark = writer.beginMessage(tag);
    const bodies = requests.map((request) => requestBody(request));
    writer.writeRaw(rest.length === 0 ? concat(bodies) : join(rest, bodies));
    writer.endMessage(mark);
    return writer.toBytes();
  };
  const merged = join(
    [0x0a],
    [
      one(part('a'), { name: 'n' }, { name: 'm', sum: { data_points: points(2), is_monotonic: true } }),
      one(part('b'), { version: 'v' }, { sum: { data_points: points(1), aggregation_temporality: 2 } }),
    ],
  );
  const index = new RequestIndex();
  scanRequest('metrics', merged, 0, merged.length, index);
  assert.equal(index.isFragmented, true);
  const stored = withoutRejected('metrics', merged, 0, merged.length, index);
  assert.deepEqual(flattenRequest('metrics', stored), flattenRequest('metrics', merged));
  scanRequest('metrics', stored, 0, stored.length, index);
  assert.equal(index.isFragmented, false);
  assert.equal(index.itemCount, 3);
});

/** Content of the only field of a message. */
function requestBody(bytes: Uint8Array): Uint8Array {
  const lengthBytes = bytes[1]! < 0x80 ? 1 : 2;
  return bytes.subarray(1 + lengthBytes);
}

test('C7: of two members of the oneof in a metric the last one counts, as in any protobuf decoder', () => {
  const writer = new WireWriter();
  const open = [0x0a, 0x12, 0x12].map((tag) => writer.beginMessage(tag));
  writer.writeStringField(0x0a, 'm');
  for (const [tag, value] of [
    [0x2a, 1],
    [0x3a, 2],
    [0x2a, 3],
    [0x2a, 4],
  ] as const) {
    const data = writer.beginMessage(tag);
    const point = writer.beginMessage(0x0a);
    writer.writeVarint32(0x21);
    writer.writeDouble(value);
    writer.endMessage(point);
    writer.endMessage(data);
  }
  for (const mark of open.reverse()) writer.endMessage(mark);
  const bytes = writer.toBytes();
  const index = new RequestIndex();
  scanRequest('metrics', bytes, 0, bytes.length, index);
  assert.equal(index.itemCount, 2);
  const stored = withoutRejected('metrics', bytes, 0, bytes.length, index);
  const values = flattenRequest('metrics', stored).map(({ item }) => item.as_double);
  assert.deepEqual(values, [3, 4]);
});
