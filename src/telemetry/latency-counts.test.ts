import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as hdr from 'hdr-histogram-js';
import { LATENCY_US_MAX, LatencyCounts } from './latency-counts.ts';
import { percentileTable } from './percentile-table.ts';

/** Every size of number alike, not only the large ones that a uniform choice gives. */
const latencies = fc.array(
  fc
    .tuple(fc.nat(29), fc.nat(2 ** 30 - 1))
    .map(([bits, value]) => Math.min(Math.max(value % 2 ** (bits + 1), 1), LATENCY_US_MAX)),
  { minLength: 1, maxLength: 200 },
);

function countsOf(values: readonly number[]): LatencyCounts {
  const counts = new LatencyCounts();
  for (const value of values) counts.record(value);
  return counts;
}

test('buckets are those of HdrHistogram with three digits', () => {
  const reference = hdr.build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: LATENCY_US_MAX,
    numberOfSignificantValueDigits: 3,
    bitBucketSize: 32,
  });
  const edges = [1, 2, 2046, 2047, 2048, 2049, 2050, 4095, 4096, 4097, 65_535, 65_536, LATENCY_US_MAX];
  fc.assert(
    fc.property(latencies, (random) => {
      for (const value of [...edges, ...random]) {
        reference.reset();
        reference.recordValue(value);
        assert.equal(countsOf([value]).maxUs, reference.getValueAtPercentile(100), String(value));
      }
    }),
  );
});

test('what is sent and added up is what was recorded, in any split', () => {
  fc.assert(
    fc.property(latencies, latencies, (some, others) => {
      const sum = countsOf([]);
      sum.add(structuredClone(countsOf(some).toSparse()));
      sum.add(structuredClone(countsOf(others).toSparse()));
      const whole = countsOf([...some, ...others]);
      assert.equal(sum.total, some.length + others.length);
      assert.deepEqual(sum.toSparse(), whole.toSparse());
    }),
  );
});

test('a cleared one is empty and may be used again', () => {
  fc.assert(
    fc.property(latencies, latencies, (before, after) => {
      const counts = countsOf(before);
      counts.clear();
      assert.equal(counts.isEmpty, true);
      assert.deepEqual(counts.quantiles([0, 0.5, 1]), [Number.NaN, Number.NaN, Number.NaN]);
      assert.ok(Number.isNaN(counts.maxUs));
      for (const value of after) counts.record(value);
      assert.deepEqual(counts.toSparse(), countsOf(after).toSparse());
    }),
  );
});

test('several quantiles of one pass are those of the sorted values', () => {
  const shares = [0, 0.5, 0.9, 0.99, 0.999, 1];
  fc.assert(
    fc.property(latencies, (values) => {
      const ordered = values.toSorted((a, b) => a - b);
      const expected = shares.map(
        (share) => ordered[Math.max(Math.ceil(share * ordered.length - 1e-6), 1) - 1]!,
      );
      for (const [index, found] of countsOf(values).quantiles(shares).entries()) {
        assert.ok(found >= expected[index]! && found <= expected[index]! * 1.001 + 1, `p${shares[index]}`);
      }
    }),
  );
});

test('the table of percentiles has the count and the slowest', () => {
  const table = percentileTable(countsOf([1000, 2000, 4000]));
  assert.match(table, /Value +Percentile +TotalCount/);
  assert.match(table, /\b4\.00\d? +1\.0+ +3\b/);
});
