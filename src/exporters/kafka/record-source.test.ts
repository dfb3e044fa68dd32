import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PipelineError } from '../../component/errors.ts';
import type { ExportBatch } from '../../component/exporter.ts';
import type { Signal } from '../../component/signal.ts';
import { scanRequest } from '../../otlp/scan.ts';
import { withoutRejected } from '../../otlp/slice.ts';
import { RequestIndex } from '../../pdata/request-index.ts';
import { encodedRequest } from '../../testkit/otlp-arbitraries.ts';
import { flattenRequest } from '../../testkit/otlp-flatten.ts';
import { requestType } from '../../testkit/otlp-root.ts';
import { xxhash64 } from '../helper/xxhash64.ts';
import { BatchPlan } from './batch-plan.ts';
import { kafkaExporterConfigSchema, signalConfig } from './config.ts';
import { BatchHeaders } from './record-headers.ts';
import { CHOSEN_TOPICS_MAX, RecordSource } from './record-source.ts';
import { fitSlices } from './record-values.ts';
import { attributeText, resourceGroups } from './resource-groups.ts';
import { ResourceKeys, resourceKey } from './resource-key.ts';
import { TraceGroups } from './trace-groups.ts';

const RUNS = 150;

/** As requests lie in the log. */
function stored(signal: Signal): fc.Arbitrary<Uint8Array> {
  return encodedRequest(signal).map((bytes) => {
    const index = new RequestIndex();
    scanRequest(signal, bytes, 0, bytes.length, index);
    return index.needsRewrite ? withoutRejected(signal, bytes, 0, bytes.length, index) : bytes;
  });
}

/** Items with their headers; what their order means is compared by whoever keeps it. */
function items(signal: Signal, requests: readonly Uint8Array[]): string[] {
  return flattenRequest(signal, Buffer.concat(requests)).map((item) => JSON.stringify(item));
}

for (const signal of ['traces', 'logs'] as const) {
  test(`${signal}: groups by trace hold every item once, under its headers, and those of one trace each`, () => {
    const groups = new TraceGroups(signal);
    fc.assert(
      fc.property(stored(signal), (request) => {
        const found: { key: string; part: Uint8Array }[] = [];
        // A part is there only until the next one is asked for.
        for (const { key, request: part } of groups.groups(request))
          found.push({ key: Buffer.from(key ?? []).toString(), part: part.slice() });
        const all = found.map(({ part }) => part);
        assert.deepEqual(items(signal, all).sort(), items(signal, [request]).sort());
        assert.equal(new Set(found.map(({ key }) => key)).size, found.length);
        const type = requestType(signal);
        for (const { key, part } of found) {
          const json = JSON.stringify(type.toObject(type.decode(part), { bytes: String }));
          const ids = new Set([...json.matchAll(/"trace_id":"([^"]*)"/g)].map(([, id]) => id));
          if (signal === 'traces') assert.ok(ids.has(Buffer.from(key, 'hex').toString('base64')), json);
        }
      }),
      { numRuns: RUNS },
    );
  });
}

for (const signal of ['traces', 'logs', 'metrics'] as const) {
  test(`${signal}: slices fit any bound, keep every item in order, or name the item that does not fit`, () => {
    fc.assert(
      fc.property(
        fc.array(stored(signal), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 3000 }),
        (requests, bytesMax) => {
          let lists: Uint8Array[][];
          try {
            lists = fitSlices(signal, requests, bytesMax);
          } catch (error) {
            assert.ok(error instanceof PipelineError && error.permanent && !error.isIndivisible);
            assert.ok(requests.some((request) => request.length > bytesMax));
            return;
          }
          for (const list of lists) assert.ok(list.reduce((sum, slice) => sum + slice.length, 0) <= bytesMax);
          assert.deepEqual(items(signal, lists.flat()), items(signal, requests));
        },
      ),
      { numRuns: RUNS },
    );
  });

  test(`${signal}: resources are requests of their own`, () => {
    fc.assert(
      fc.property(stored(signal), (request) => {
        const parts = [...resourceGroups([request])].map((group) => group.request);
        assert.deepEqual(items(signal, parts), items(signal, [request]));
      }),
      { numRuns: RUNS },
    );
  });
}

function resource(attributes: readonly Record<string, unknown>[]): Uint8Array {
  const type = requestType('traces');
  const spans = [{ trace_id: Buffer.alloc(16, 1), span_id: Buffer.alloc(8, 1) }];
  const request = { resource_spans: [{ resource: { attributes }, scope_spans: [{ spans }] }] };
  const bytes = type.encode(type.fromObject(request)).finish();
  return [...resourceGroups([bytes])][0]!.resource;
}

const text = (key: string, string_value: string) => ({ key, value: { string_value } });

test('attributes of a resource as text: the first of a name, scalars only', () => {
  const bytes = resource([
    text('a', 'x'),
    text('a', 'y'),
    { key: 'n', value: { int_value: 7 } },
    { key: 'e', value: {} },
  ]);
  assert.equal(attributeText(bytes, 'a'), 'x');
  assert.equal(attributeText(bytes, 'n'), '7');
  assert.equal(attributeText(bytes, 'e'), undefined);
  assert.equal(attributeText(bytes, 'b'), undefined);
});

test('XXH64 has the values of its specification', () => {
  assert.equal(xxhash64(Buffer.from('')), 0xef46db3751d8e999n);
  assert.equal(xxhash64(Buffer.from('a')), 0xd24ec4f1a98c6e5bn);
  assert.equal(xxhash64(Buffer.from('abc')), 0x44bc2cf5ad770999n);
  assert.equal(xxhash64(Buffer.from('Nobody inspects the spammish repetition')), 0xfbcea83c8a378bf1n);
});

test('keys of resources do not depend on order, and do on every name and value', () => {
  const one = resourceKey(resource([text('a', '1'), text('b', '2')]));
  assert.deepEqual(resourceKey(resource([text('b', '2'), text('a', '1')])), one);
  assert.notDeepEqual(resourceKey(resource([text('a', '1'), text('b', '3')])), one);
  assert.notDeepEqual(resourceKey(resource([text('a', '1'), text('c', '2')])), one);
  assert.notDeepEqual(resourceKey(resource([{ key: 'a', value: { int_value: 1 } }, text('b', '2')])), one);
  assert.deepEqual(resourceKey(resource([])), Buffer.alloc(16));
  const keys = new ResourceKeys();
  const bytes = resource([text('a', '1'), text('b', '2')]);
  assert.deepEqual(keys.keyOf(bytes), one);
  assert.equal(keys.keyOf(bytes.slice()), keys.keyOf(bytes));
});

function tracesRequest(first: number, count: number): Uint8Array {
  const spans = Array.from({ length: count }, (_, at) => ({
    trace_id: Buffer.alloc(16, first + at),
    span_id: Buffer.alloc(8, 1),
    name: `span ${first + at}`,
  }));
  const type = requestType('traces');
  return type.encode(type.fromObject({ resource_spans: [{ scope_spans: [{ spans }] }] })).finish();
}

test('batches that are made into records at the same time keep their traces apart', async () => {
  const config = kafkaExporterConfigSchema.parse({
    partition_traces_by_id: true,
    traces: { encoding: 'otlp_json' },
  }).value!;
  const source = new RecordSource(config, signalConfig(config, 'traces')!, 'traces');
  const plans = await Promise.all(
    [1, 51, 101].map(async (first) => {
      const headers = new BatchHeaders([], '', '');
      const plan = new BatchPlan({ headers, recordsMax: 0, hasher: 'murmur2', start: 0 });
      plan.openTopic('t', { partitionCount: 3, open: [0, 1, 2], bytesMax: 100_000 });
      await source.addTo(plan, { topic: 't', requests: [tracesRequest(first, 40)] }, undefined);
      return { first, plan };
    }),
  );
  for (const { first, plan } of plans) {
    const text = Buffer.concat(plan.sets.flatMap(({ records }) => records.chunks)).toString('latin1');
    const names = [...text.matchAll(/"span (\d+)"/g)]
      .map(([, number]) => Number(number))
      .sort((a, b) => a - b);
    assert.deepEqual(
      names,
      Array.from({ length: 40 }, (_, at) => first + at),
    );
  }
});

test('E9: names of topics in attributes are those that brokers take, and a bounded number of them', () => {
  const config = kafkaExporterConfigSchema.parse({ topic_from_attribute: 'team' }).value!;
  const source = new RecordSource(config, signalConfig(config, 'traces')!, 'traces');
  const type = requestType('traces');
  const span = { trace_id: Buffer.alloc(16, 1), span_id: Buffer.alloc(8, 1), name: 's' };
  const topics = (...names: string[]): string[] => {
    const resource_spans = names.map((name) => ({
      resource: { attributes: name === '' ? [] : [text('team', name)] },
      scope_spans: [{ spans: [span] }],
    }));
    const slices = [type.encode(type.fromObject({ resource_spans })).finish()];
    return source.topicParts({ slices } as unknown as ExportBatch).map(({ topic }) => topic);
  };
  const isRefused = (error: unknown): boolean =>
    error instanceof PipelineError && error.code === 'EXPORT_REJECTED' && error.permanent;
  for (const name of ['../x', '/etc/passwd', '..', 'a\0b', 'a\nb', '%2e%2e/', 'x'.repeat(10_000), 'аdmin'])
    assert.throws(() => topics(name), isRefused, name.slice(0, 20));
  for (let n = 0; n < CHOSEN_TOPICS_MAX; n++) assert.deepEqual(topics(`team-${n}`), [`team-${n}`]);
  assert.throws(() => topics('team-one-more'), isRefused);
  // Those of before, and what names no topic, go on.
  assert.deepEqual(topics('team-7', ''), ['team-7', 'otlp_spans']);
});
