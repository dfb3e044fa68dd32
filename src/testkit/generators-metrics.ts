/**
 * Metric requests: of 20 points 8 are sums, 6 gauges, 4 histograms, one an exponential histogram, one a summary.
 * An item is a data point.
 */
import { assert } from '../stdx/assert.ts';
import type { Prng } from '../stdx/prng.ts';
import type { AttributePair, Origin } from './generators-attributes.ts';
import { attributes, OPERATIONS, resourceModel, SERVICES } from './generators-attributes.ts';
import type { MessageModel } from './generators-schema.ts';

const TEMPORALITY_CUMULATIVE = 2;
/** Cumulative points started a few seconds before the request: far enough back for the rate to be defined. */
const START_BEFORE_NANOS = 4_200_000_000;
/** Points of one metric lie together, as an SDK groups them. */
const POINTS_PER_METRIC = 8;

const LATENCY_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5];
const QUANTILES = [0.5, 0.9, 0.99];

function pointAttributes(item: number, random: Prng): AttributePair[] {
  const operation = OPERATIONS[random.nextInt(OPERATIONS.length)];
  assert(operation !== undefined);
  return [
    ['http.request.method', operation.method],
    ['http.route', operation.route],
    ['http.response.status_code', operation.statusCode],
    ['server.address', 'shop.example.com'],
    ['network.protocol.version', '1.1'],
    ['app.tenant', `tenant-${String(item % 97).padStart(3, '0')}`],
  ];
}

/** Number points are short, so they carry what a scrape of many hosts adds. */
function hostAttributes(item: number): AttributePair[] {
  return [
    ['host.name', `node-${String(item % 40).padStart(2, '0')}.eu-central-1.compute.internal`],
    ['k8s.container.name', 'application'],
    ['k8s.deployment.name', 'shop-application'],
    ['server.port', 8443],
  ];
}

const times = (): MessageModel => ({
  startTimeUnixNano: { kind: 'time', index: START_BEFORE_NANOS },
  timeUnixNano: { kind: 'time', index: 2_000_000 },
});

function gaugePoint(item: number, random: Prng): MessageModel {
  return {
    timeUnixNano: { kind: 'time', index: 2_000_000 },
    asDouble: { kind: 'double', index: item },
    attributes: attributes([...pointAttributes(item, random), ...hostAttributes(item)]),
  };
}

function sumPoint(item: number, random: Prng): MessageModel {
  return {
    ...times(),
    asInt: { kind: 'counter', index: item },
    attributes: attributes([...pointAttributes(item, random), ...hostAttributes(item)]),
  };
}

function exemplar(item: number): MessageModel {
  return {
    timeUnixNano: { kind: 'time', index: 40_000_000 },
    asDouble: { kind: 'double', index: item },
    spanId: { kind: 'spanId', index: item },
    traceId: { kind: 'traceId', index: 0 },
  };
}

function histogramPoint(item: number, random: Prng): MessageModel {
  const bucketCounts = [...LATENCY_BOUNDS, 0].map(() => random.nextInt(5_000));
  return {
    ...times(),
    count: bucketCounts.reduce((sum, count) => sum + count, 0),
    sum: { kind: 'double', index: item },
    bucketCounts,
    explicitBounds: LATENCY_BOUNDS,
    exemplars: item % 4 === 0 ? [exemplar(item)] : undefined,
    attributes: attributes(pointAttributes(item, random).slice(0, 4)),
    min: 0.001,
    max: 7.25,
  };
}

function exponentialPoint(item: number, random: Prng): MessageModel {
  const positive = Array.from({ length: 96 }, () => random.nextInt(4_000));
  return {
    attributes: attributes(pointAttributes(item, random)),
    ...times(),
    count: positive.reduce((sum, count) => sum + count, 3),
    sum: { kind: 'double', index: item },
    scale: 3,
    zeroCount: 3,
    positive: { offset: -24, bucketCounts: positive },
    min: 0.001,
    max: 9.5,
  };
}

function summaryPoint(item: number, random: Prng): MessageModel {
  return {
    ...times(),
    count: 1_000 + random.nextInt(9_000),
    sum: { kind: 'double', index: item },
    quantileValues: QUANTILES.map((quantile) => ({ quantile, value: quantile * 2 })),
    attributes: attributes([...pointAttributes(item, random), ...hostAttributes(item)]),
  };
}

type PointKind = 'sum' | 'gauge' | 'histogram' | 'exponentialHistogram' | 'summary';

function pointKind(item: number): PointKind {
  const turn = Math.floor(item / POINTS_PER_METRIC) % 20;
  if (turn < 8) return 'sum';
  if (turn < 14) return 'gauge';
  if (turn < 18) return 'histogram';
  return turn === 18 ? 'exponentialHistogram' : 'summary';
}

const POINTS: Readonly<Record<PointKind, (item: number, random: Prng) => MessageModel>> = {
  sum: sumPoint,
  gauge: gaugePoint,
  histogram: histogramPoint,
  exponentialHistogram: exponentialPoint,
  summary: summaryPoint,
};

const METRICS: Readonly<Record<PointKind, MessageModel>> = {
  sum: {
    name: 'http.server.request.count',
    description: 'Requests served since the start.',
    unit: '{request}',
  },
  gauge: { name: 'process.cpu.utilization', description: 'Share of one core in use.', unit: '1' },
  histogram: { name: 'http.server.request.duration', description: 'Duration of served requests.', unit: 's' },
  exponentialHistogram: { name: 'rpc.client.duration', description: 'Duration of calls.', unit: 'ms' },
  summary: { name: 'jvm.gc.duration', description: 'Pauses of the collector.', unit: 's' },
};

function metricModel(kind: PointKind, dataPoints: readonly MessageModel[]): MessageModel {
  const isCumulative = kind === 'sum' || kind === 'histogram' || kind === 'exponentialHistogram';
  const data: MessageModel = {
    dataPoints,
    aggregationTemporality: isCumulative ? TEMPORALITY_CUMULATIVE : undefined,
    isMonotonic: kind === 'sum' ? true : undefined,
  };
  return { ...METRICS[kind], [kind]: data };
}

/** An ExportMetricsServiceRequest with `itemCount` data points in metrics of up to eight points each. */
export function metricsModel(
  random: Prng,
  itemCount: number,
  _itemsPerTrace: number,
  origin: Origin,
): MessageModel {
  const metrics: MessageModel[][] = SERVICES.map(() => []);
  for (let first = 0; first < itemCount; first += POINTS_PER_METRIC) {
    const kind = pointKind(first);
    const points: MessageModel[] = [];
    for (let item = first; item < Math.min(itemCount, first + POINTS_PER_METRIC); item += 1)
      points.push(POINTS[kind](item, random));
    metrics[(first / POINTS_PER_METRIC) % SERVICES.length]?.push(metricModel(kind, points));
  }
  const resourceMetrics = metrics.flatMap((list, service) =>
    list.length === 0
      ? []
      : [
          {
            resource: resourceModel(service, origin),
            scopeMetrics: [{ scope: { name: 'io.opentelemetry.runtime', version: '2.9.0' }, metrics: list }],
            schemaUrl: 'https://opentelemetry.io/schemas/1.30.0',
          },
        ],
  );
  return { resourceMetrics };
}
