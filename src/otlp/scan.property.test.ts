import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SIGNALS, type Signal } from '../component/signal.ts';
import { ITEM_REJECTED, RequestIndex } from '../pdata/request-index.ts';
import { encodedRequest, type Message } from '../testkit/otlp-arbitraries.ts';
import { EXACT, type FlatItem, flattenRequest, METRIC_DATA } from '../testkit/otlp-flatten.ts';
import { otlpType } from '../testkit/otlp-root.ts';
import { scanRequest } from './scan.ts';

const RUNS = 150;

function decode(typeName: string, bytes: Uint8Array, start: number, end: number): unknown {
  const type = otlpType(`opentelemetry.proto.${typeName}`);
  return type.toObject(type.decode(bytes.subarray(start, end)), EXACT);
}

const POINT_TYPES: Record<number, string> = {
  5: 'metrics.v1.NumberDataPoint',
  7: 'metrics.v1.NumberDataPoint',
  9: 'metrics.v1.HistogramDataPoint',
  10: 'metrics.v1.ExponentialHistogramDataPoint',
  11: 'metrics.v1.SummaryDataPoint',
};
const KIND_NAMES: Record<number, string> = Object.fromEntries(
  METRIC_DATA.map((name) => [
    { gauge: 5, sum: 7, histogram: 9, exponential_histogram: 10, summary: 11 }[name],
    name,
  ]),
);

/** Bytes of a base64 text, undefined counting as empty. */
function idBytes(value: unknown): Buffer {
  return Buffer.from((value as string | undefined) ?? '', 'base64');
}

function isOptionalId(value: unknown, size: number): boolean {
  return [0, size].includes(idBytes(value).length);
}

/** The rules for single items, said once more over decoded objects. */
function isItemGood(signal: Signal, { item }: FlatItem): boolean {
  const optional = (part: Message) => isOptionalId(part.trace_id, 16) && isOptionalId(part.span_id, 8);
  if (signal === 'logs') return optional(item);
  if (signal === 'traces') {
    const isSet = (value: unknown, size: number) =>
      idBytes(value).length === size && idBytes(value).some((byte) => byte !== 0);
    const links = (item.links as Message[] | undefined) ?? [];
    return (
      isSet(item.trace_id, 16) &&
      isSet(item.span_id, 8) &&
      isOptionalId(item.parent_span_id, 8) &&
      links.every(optional)
    );
  }
  const counts = (item.bucket_counts as unknown[] | undefined)?.length ?? 0;
  const bounds = (item.explicit_bounds as unknown[] | undefined)?.length ?? 0;
  const isExponential = item.positive !== undefined || item.negative !== undefined;
  const exemplars = (item.exemplars as Message[] | undefined) ?? [];
  const hasShape = isExponential || (counts === 0 ? bounds === 0 : counts === bounds + 1);
  return hasShape && exemplars.every(optional);
}

function itemType(signal: Signal, index: RequestIndex, metric: number): string {
  if (signal === 'traces') return 'trace.v1.Span';
  return signal === 'logs' ? 'logs.v1.LogRecord' : POINT_TYPES[index.metricKind[metric]!]!;
}

function checkAbove(
  signal: Signal,
  bytes: Uint8Array,
  index: RequestIndex,
  item: number,
  want: FlatItem,
): void {
  const scope = index.itemScope[item]!;
  const resource = index.scopeResource[scope]!;
  const info = decode(
    'resource.v1.Resource',
    bytes,
    index.resourceInfoStart[resource]!,
    index.resourceInfoEnd[resource]!,
  );
  assert.deepEqual(info, want.resource ?? {});
  const name = decode(
    'common.v1.InstrumentationScope',
    bytes,
    index.scopeInfoStart[scope]!,
    index.scopeInfoEnd[scope]!,
  );
  assert.deepEqual(name, want.scope ?? {});
  const text = (start: number, end: number) => Buffer.from(bytes.subarray(start, end)).toString();
  assert.equal(text(index.scopeSchemaStart[scope]!, index.scopeSchemaEnd[scope]!), want.scopeSchemaUrl ?? '');
  assert.equal(
    text(index.resourceSchemaStart[resource]!, index.resourceSchemaEnd[resource]!),
    want.resourceSchemaUrl ?? '',
  );
  assert.ok(item >= index.scopeFirstItem[scope]! && item < index.scopeItemEnd(scope));
  assert.ok(signal === 'metrics' || index.itemStart[item]! >= index.scopeBody[scope]!);
}

function metricOf(index: RequestIndex, item: number): number {
  for (let metric = 0; metric < index.metricCount; metric++) {
    if (item >= index.metricFirstItem[metric]! && item < index.metricItemEnd(metric)) return metric;
  }
  return -1;
}

for (const signal of SIGNALS) {
  test(`${signal}: the index of a generated request equals its decode by protobufjs`, () => {
    const index = new RequestIndex();
    fc.assert(
      fc.property(encodedRequest(signal), fc.nat(40), (encoded, margin) => {
        // A request inside a larger buffer: offsets are absolute and the neighbours are not read.
        const bytes = new Uint8Array(encoded.length + 2 * margin).fill(0xff);
        bytes.set(encoded, margin);
        scanRequest(signal, bytes, margin, margin + encoded.length, index);
        const expected = flattenRequest(signal, encoded);
        assert.equal(index.itemCount, expected.length);
        assert.equal(index.isFragmented, false);
        let rejected = 0;
        expected.forEach((want, item) => {
          const metric = signal === 'metrics' ? metricOf(index, item) : -1;
          const type = itemType(signal, index, metric);
          assert.deepEqual(decode(type, bytes, index.itemBody[item]!, index.itemEnd[item]!), want.item);
          checkAbove(signal, bytes, index, item, want);
          const isRejected = (index.itemFlags[item]! & ITEM_REJECTED) !== 0;
          assert.equal(isRejected, !isItemGood(signal, want), JSON.stringify(want.item));
          if (isRejected) rejected++;
          if (metric >= 0) assert.ok(KIND_NAMES[index.metricKind[metric]!]! in (want.metric as Message));
          const traceId = index.itemTraceId[item]!;
          const wantId = idBytes(want.item.trace_id);
          assert.equal(traceId !== 0, wantId.length === 16);
          if (traceId !== 0) assert.deepEqual(Buffer.from(bytes.subarray(traceId, traceId + 16)), wantId);
        });
        assert.equal(index.rejectedCount, rejected);
      }),
      { numRuns: RUNS },
    );
  });
}
