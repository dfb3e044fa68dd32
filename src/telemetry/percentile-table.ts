/** The table behind /debug/latency: loaded when somebody asks, because its package takes long to load. */
import * as hdr from 'hdr-histogram-js';
import { LATENCY_US_MAX, type LatencyCounts } from './latency-counts.ts';

/** HdrHistogram's own table of percentiles, in milliseconds. */
export function percentileTable(counts: LatencyCounts): string {
  const histogram = hdr.build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: LATENCY_US_MAX * 2,
    numberOfSignificantValueDigits: 3,
    bitBucketSize: 64,
  });
  counts.forEach((valueUs, count) => {
    histogram.recordValueWithCount(valueUs, count);
  });
  return histogram.outputPercentileDistribution(5, 1000);
}
