import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Message } from '../../testkit/otlp-arbitraries.ts';
import { encodedRequest } from '../../testkit/otlp-arbitraries.ts';
import { flattenRequest } from '../../testkit/otlp-flatten.ts';
import { requestType } from '../../testkit/otlp-root.ts';
import { PARQUET_COLUMNS, POINT_KINDS, type PointKind } from './parquet-columns.ts';
import { expectedPoint } from './parquet-expected.test-peer.ts';
import { ParquetBed } from './parquet-query.test-peer.ts';

const RUNS = 25;

/** Every column as JSON shows it exactly; DuckDB's times with a zone are microseconds. */
function selectOf(kind: PointKind): string {
  const columns = PARQUET_COLUMNS[kind].map(([name, type]) => {
    if (type === 'time') return `epoch_us("${name}") as "${name}"`;
    if (name !== 'Exemplars') return `"${name}"`;
    return `list_transform(Exemplars, e -> struct_pack(FilteredAttributes := e.FilteredAttributes,
      TimeUnix := epoch_us(e.TimeUnix), Value := e.Value, SpanId := e.SpanId, TraceId := e.TraceId)) as Exemplars`;
  });
  return `select ${columns.join(', ')} from FILE`;
}

function encode(metrics: readonly Message[]): Uint8Array {
  const type = requestType('metrics');
  return type.encode(type.fromObject({ resource_metrics: [{ scope_metrics: [{ metrics }] }] })).finish();
}

test('every column of every point is what an independent decoder reads in the request', async (t) => {
  const bed = await ParquetBed.open(t);
  const roundTrip = async (requests: Uint8Array[]) => {
    const flat = requests.flatMap((request) => flattenRequest('metrics', request));
    for (const kind of POINT_KINDS) {
      const wanted = flat.filter(({ metric }) => kind in (metric as Message)).map(expectedPoint);
      const file = await bed.write(kind, requests);
      assert.deepEqual(file === undefined ? [] : await file.objects(selectOf(kind)), wanted, kind);
    }
  };
  await fc.assert(
    fc.asyncProperty(fc.array(encodedRequest('metrics'), { minLength: 1, maxLength: 6 }), roundTrip),
    { numRuns: RUNS },
  );
});

test('a batch without points of a kind has no file of that kind', async (t) => {
  const bed = await ParquetBed.open(t);
  const request = encode([
    { name: 'up', gauge: { data_points: [{ as_int: 1 }] } },
    { name: 'nothing', sum: { data_points: [] } },
    { name: 'no data at all' },
  ]);
  const written = await Promise.all(POINT_KINDS.map((kind) => bed.write(kind, [request])));
  assert.deepEqual(
    written.map((file) => file !== undefined),
    [true, false, false, false, false],
  );
});

test('numbers at the ends of what a double and 64 bits hold keep their bits', async (t) => {
  const bed = await ParquetBed.open(t);
  const doubles = [-0, 0, Number.MIN_VALUE, Number.MAX_VALUE, -Infinity, Infinity, NaN];
  const points = doubles.map((as_double) => ({ as_double }));
  const gauge = await bed.write('gauge', [encode([{ name: 'n', gauge: { data_points: points } }])]);
  assert.deepEqual((await gauge!.lists('select Value from FILE')).flat(), [
    -0,
    0,
    Number.MIN_VALUE,
    Number.MAX_VALUE,
    '-Infinity',
    'Infinity',
    'NaN',
  ]);
  const counts = ['18446744073709551615', '9223372036854775808', '9007199254740993'];
  const data_points = [{ count: counts[0], bucket_counts: counts, explicit_bounds: [-0, 1.5] }];
  const histogram = await bed.write('histogram', [encode([{ name: 'h', histogram: { data_points } }])]);
  assert.deepEqual(await histogram!.lists('select Count, BucketCounts, ExplicitBounds from FILE'), [
    [counts[0], counts, [-0, 1.5]],
  ]);
});

test('lists that are not packed, and data in several pieces, are read as the specification of the format has it', async (t) => {
  const bed = await ParquetBed.open(t);
  // A metric (name "m") with two pieces of an exponential histogram: a point whose positive side has offset -3 (zigzag 5)
  // and the counts 1 and 300, each with a tag of its own; behind it the temporality alone.
  const side = [0x08, 5, 0x10, 1, 0x10, 0xac, 0x02];
  const point = [0x42, side.length, ...side];
  const first = [0x0a, point.length, ...point];
  const metric = [0x0a, 1, 0x6d, 0x52, first.length, ...first, 0x52, 2, 0x10, 2];
  const wrap = (body: readonly number[], tag: number) => [tag, body.length, ...body];
  const request = Uint8Array.from(wrap(wrap(wrap(metric, 0x12), 0x12), 0x0a));
  const file = await bed.write('exponential_histogram', [request]);
  assert.deepEqual(
    await file!.lists(
      'select MetricName, PositiveOffset, PositiveBucketCounts, NegativeBucketCounts, AggregationTemporality from FILE',
    ),
    [['m', -3, ['1', '300'], [], 2]],
  );
});
