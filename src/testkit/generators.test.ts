import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import type { GeneratedSignal } from './generators.ts';
import { GENERATED_SIGNALS, generateRequest, RequestGenerator } from './generators.ts';

const UNIX_MS = 1_760_000_000_000;

interface Json {
  [key: string]: JsonValue;
}
type JsonValue = string | number | boolean | null | Json | JsonValue[];

const TYPES: Record<GeneratedSignal, string> = {
  traces: 'opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest',
  logs: 'opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest',
  metrics: 'opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest',
};

/** protobufjs takes the first value of an enum as its default, and the file lists values by name. */
function sortEnums(node: Json): void {
  const values = node.values as Record<string, number> | undefined;
  if (values !== undefined)
    node.values = Object.fromEntries(Object.entries(values).sort((a, b) => a[1] - b[1]));
  for (const child of Object.values((node.nested as Json | undefined) ?? {})) sortEnums(child as Json);
}

/** The descriptors lie in the source tree; a compiled test looks for them from the project's root too. */
function loadRoot(): protobuf.Root {
  for (let dir = dirname(fileURLToPath(import.meta.url)); ; dir = dirname(dir)) {
    const path = join(dir, 'src/otlp/descriptors.json');
    if (dir !== dirname(dir) && !existsSync(path)) continue;
    const json = JSON.parse(readFileSync(path, 'utf8')) as Json;
    sortEnums(json);
    return protobuf.Root.fromJSON(json as protobuf.INamespace);
  }
}
const root = loadRoot();

function decode(signal: GeneratedSignal, bytes: Uint8Array): Json {
  const type = root.lookupType(TYPES[signal]);
  return type.toObject(type.decode(bytes), { longs: String, bytes: String }) as Json;
}

const list = (value: JsonValue | undefined): Json[] => (value ?? []) as Json[];

function itemsOf(signal: GeneratedSignal, request: Json): Json[] {
  if (signal === 'traces') {
    return list(request.resource_spans)
      .flatMap((r) => list(r.scope_spans))
      .flatMap((s) => list(s.spans));
  }
  if (signal === 'logs') {
    return list(request.resource_logs)
      .flatMap((r) => list(r.scope_logs))
      .flatMap((s) => list(s.log_records));
  }
  const kinds = ['gauge', 'sum', 'histogram', 'exponential_histogram', 'summary'];
  return list(request.resource_metrics)
    .flatMap((r) => list(r.scope_metrics))
    .flatMap((s) => list(s.metrics))
    .flatMap((m) => kinds.flatMap((kind) => list((m[kind] as Json | undefined)?.data_points)));
}

/** OTLP/JSON as protobufjs prints protobuf: snake case, ids in base64. */
function asProtoObject(value: JsonValue, key = ''): JsonValue {
  if (Array.isArray(value)) return value.map((one) => asProtoObject(one));
  if (typeof value === 'string' && /(trace|span)Id$|SpanId$/.test(key))
    return Buffer.from(value, 'hex').toString('base64');
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [
      name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      asProtoObject(one, name),
    ]),
  );
}

for (const signal of GENERATED_SIGNALS) {
  test(`${signal}: protobufjs reads the promised number of items, 410 bytes each within a tenth`, () => {
    for (const itemsPerRequest of [50, 512]) {
      const bytes = generateRequest({ signal, itemsPerRequest, seed: 3 });
      assert.equal(itemsOf(signal, decode(signal, bytes)).length, itemsPerRequest);
      const perItem = bytes.byteLength / itemsPerRequest;
      assert.ok(perItem > 369 && perItem < 451, `${itemsPerRequest} items: ${perItem} bytes each`);
    }
  });

  test(`${signal}: JSON and protobuf of one seed say the same`, () => {
    const settings = { signal, itemsPerRequest: 200, seed: 11, run: 'abc', producer: 7 };
    const fromProto = decode(signal, generateRequest(settings));
    const text = Buffer.from(generateRequest({ ...settings, encoding: 'json' })).toString();
    assert.deepEqual(asProtoObject(JSON.parse(text)), fromProto);
  });

  test(`${signal}: a slot that is filled again carries the next sequence number and the same text`, () => {
    const generator = new RequestGenerator({ signal, itemsPerRequest: 40, seed: 5, run: 'r1', producer: 2 });
    const slot = generator.createSlot(() => 100);
    const seqs: JsonValue[] = [];
    const sizes = new Set<number>();
    for (const seq of [0, 41, 12_345_678]) {
      generator.fill(slot, seq, UNIX_MS + seq);
      const request = decode(signal, slot.buffer.subarray(slot.bodyOffset));
      const [resource] = list(Object.values(request)[0]);
      const origin = new Map(
        list((resource?.resource as Json | undefined)?.attributes).map((pair) => [
          pair.key,
          pair.value as Json,
        ]),
      );
      assert.deepEqual(
        [origin.get('lt.run')?.string_value, origin.get('lt.producer')?.int_value],
        ['r1', '2'],
      );
      seqs.push(origin.get('lt.seq')?.string_value ?? '');
      sizes.add(slot.buffer.byteLength);
    }
    assert.deepEqual(seqs, ['00000000', '00000041', '12345678']);
    assert.equal(sizes.size, 1);
  });
}

test('traces: ten attributes a span, trees of eight spans, children inside their parents, some errors', () => {
  const spans = itemsOf(
    'traces',
    decode('traces', generateRequest({ signal: 'traces', itemsPerRequest: 512, seed: 1 })),
  );
  const byId = new Map(spans.map((span) => [span.span_id, span]));
  const traces = new Map<JsonValue, number>();
  assert.equal(byId.size, 512);
  for (const span of spans) {
    traces.set(span.trace_id ?? '', (traces.get(span.trace_id ?? '') ?? 0) + 1);
    assert.equal(list(span.attributes).length, 10);
    const [start, end] = [BigInt(String(span.start_time_unix_nano)), BigInt(String(span.end_time_unix_nano))];
    assert.ok(start < end && end < BigInt(UNIX_MS) * 1_000_000n);
    if (span.parent_span_id === undefined) continue;
    const parent = byId.get(span.parent_span_id);
    assert.equal(parent?.trace_id, span.trace_id);
    assert.ok(
      BigInt(String(parent?.start_time_unix_nano)) < start &&
        BigInt(String(parent?.end_time_unix_nano)) > end,
    );
  }
  assert.deepEqual([...new Set(traces.values())], [8]);
  assert.equal(spans.filter((span) => span.parent_span_id === undefined).length, 64);
  const failed = spans.filter((span) => (span.status as Json | undefined)?.code === 2);
  assert.ok(failed.length > 0 && failed.length < 50, `${failed.length} failed spans`);
});

test('traces longer than the shapes stay one tree', () => {
  const request = generateRequest({ signal: 'traces', itemsPerRequest: 60, itemsPerTrace: 20, seed: 1 });
  const spans = itemsOf('traces', decode('traces', request));
  const ids = new Set(spans.map((span) => `${span.trace_id}/${span.span_id}`));
  const roots = spans.filter((span) => span.parent_span_id === undefined);
  assert.equal(roots.length, 3);
  for (const span of spans) {
    if (span.parent_span_id !== undefined) assert.ok(ids.has(`${span.trace_id}/${span.parent_span_id}`));
  }
});

test('ids are fresh in every request, producer and run, and repeat with the seed', () => {
  const ids = new Set<JsonValue>();
  const collect = (run: string, producer: number): void => {
    const generator = new RequestGenerator({ signal: 'traces', itemsPerRequest: 80, seed: 9, run, producer });
    for (let seq = 0; seq < 5; seq += 1) {
      for (const span of itemsOf('traces', decode('traces', generator.next(seq, UNIX_MS))))
        ids.add(span.trace_id ?? '');
    }
  };
  collect('a', 0);
  collect('a', 1);
  collect('b', 0);
  assert.equal(ids.size, 3 * 5 * 10);
  collect('a', 0);
  assert.equal(ids.size, 3 * 5 * 10);
});

test('metrics: all five kinds, counts that agree with their buckets', () => {
  const request = decode('metrics', generateRequest({ signal: 'metrics', itemsPerRequest: 320, seed: 2 }));
  const kinds = new Set<string>();
  for (const metric of list(request.resource_metrics)
    .flatMap((r) => list(r.scope_metrics))
    .flatMap((s) => list(s.metrics))) {
    for (const kind of Object.keys(metric)) if (typeof metric[kind] === 'object') kinds.add(kind);
    for (const point of list((metric.histogram as Json | undefined)?.data_points)) {
      const counts = point.bucket_counts as string[];
      assert.equal(counts.length, (point.explicit_bounds as number[]).length + 1);
      assert.equal(
        counts.reduce((sum, count) => sum + Number(count), 0),
        Number(point.count),
      );
    }
  }
  assert.deepEqual([...kinds].sort(), ['exponential_histogram', 'gauge', 'histogram', 'sum', 'summary']);
});
