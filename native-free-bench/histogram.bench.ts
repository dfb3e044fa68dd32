import { Prng } from '../src/stdx/prng.ts';
import { LatencySeries } from '../src/telemetry/latency.ts';
import type { Suite } from './harness.ts';

const VALUES = 10_000;
const random = new Prng(7);
const latenciesUs = Float64Array.from({ length: VALUES }, () => random.nextFloat() ** 3 * 1_000_000);
const series = new LatencySeries('bench', {});

/** Recording must cost less than keeping the values and sorting them, which is what one would do without it. */
const record: Suite = {
  name: 'histogram-record',
  item: 'value',
  itemsPerOp: VALUES,
  bytesPerOp: 0,
  variants: {
    LatencySeries: () => {
      for (let i = 0; i < VALUES; i += 1) series.record(latenciesUs[i] ?? 0);
      return series;
    },
    'copy+sort': () => latenciesUs.slice().sort()[Math.floor(VALUES * 0.99)],
  },
  gates: [{ fast: 'LatencySeries', slow: 'copy+sort', atLeast: 1 }],
};

export const suites: readonly Suite[] = [record];
