/** Measurements made with the SDK, and the rows they must become, written down by hand except for the clock's times. */
import { type HrTime, ValueType } from '@opentelemetry/api';
import { ExportResultCode } from '@opentelemetry/core';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AggregationType,
  MeterProvider,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics';
import type { Row, Table } from '../services/stored-engine.ts';
import { RESOURCE, RESOURCE_PAIRS } from './sdk-transports.test-peer.ts';

const SCHEMA_URL = 'https://opentelemetry.io/schemas/1.37.0';

export interface ExpectedPoint {
  table: Table;
  row: Row;
}

/** Records with every kind of instrument and sends once. @throws when the exporter reports a failure. */
export async function sendMetrics(
  exporter: PushMetricExporter,
  service: string,
  temporality: 1 | 2,
): Promise<ExpectedPoint[]> {
  let sent: ResourceMetrics | undefined;
  const reader = new PeriodicExportingMetricReader({
    exporter: {
      export: (metrics, done) => {
        // The reader collects once more when it ends; what nobody looks at is not sent.
        if (sent !== undefined) return done({ code: ExportResultCode.SUCCESS });
        sent = metrics;
        exporter.export(metrics, done);
      },
      selectAggregationTemporality: (kind) => exporter.selectAggregationTemporality!(kind),
      forceFlush: () => exporter.forceFlush(),
      shutdown: () => exporter.shutdown(),
    },
    exportIntervalMillis: 3_600_000,
  });
  const provider = new MeterProvider({
    resource: resourceFromAttributes(RESOURCE(service)),
    readers: [reader],
    views: [
      {
        instrumentName: 'queue.wait',
        aggregation: {
          type: AggregationType.EXPONENTIAL_HISTOGRAM,
          options: { maxSize: 4, recordMinMax: true },
        },
      },
    ],
  });
  record(provider);
  await provider.forceFlush();
  const points = expectedPoints(service, temporality, new Clock(sent!));
  await reader.shutdown();
  return points;
}

function record(provider: MeterProvider): void {
  const meter = provider.getMeter('shop', '2.0', { schemaUrl: SCHEMA_URL });
  const orders = meter.createCounter('orders', {
    description: 'Orders placed',
    unit: '{order}',
    valueType: ValueType.INT,
  });
  orders.add(3, { country: 'de', retry: false });
  orders.add(4, { country: 'de', retry: false });
  orders.add(9007199254740991, { country: 'fr', retry: true, attempt: 2 });
  meter.createCounter('revenue', { unit: 'EUR' }).add(12.75);
  const stock = meter.createUpDownCounter('stock', { valueType: ValueType.INT });
  stock.add(5);
  stock.add(-12);
  meter.createGauge('temperature', { unit: 'Cel' }).record(-0.125, { room: 'ü' });
  meter
    .createObservableGauge('threads', { valueType: ValueType.INT })
    .addCallback((result) => result.observe(8, { pool: 'io' }));
  const latency = meter.createHistogram('latency', {
    unit: 'ms',
    advice: { explicitBucketBoundaries: [0, 10, 100.5] },
  });
  for (const value of [5, 10, 50, 500]) latency.record(value, { route: '/cart' });
  const wait = meter.createHistogram('queue.wait', { unit: 's' });
  for (const value of [0, 1, 2, 4]) wait.record(value);
}

/** Start and end of each metric's points as the SDK put them into what it sent: each point has its own start. */
class Clock {
  readonly #times = new Map<string, { StartTimeUnix: string; TimeUnix: string }[]>();

  constructor(sent: ResourceMetrics) {
    for (const metric of sent.scopeMetrics.flatMap((scope) => scope.metrics)) {
      const times = metric.dataPoints.map((point) => ({
        StartTimeUnix: nanosOf(point.startTime),
        TimeUnix: nanosOf(point.endTime),
      }));
      this.#times.set(metric.descriptor.name, times);
    }
  }

  /** Of the metric's next point, in the order in which its attributes were first used. */
  next(name: string): Row {
    return { ...this.#times.get(name)!.shift()! };
  }
}

function nanosOf([seconds, nanoseconds]: HrTime): string {
  return (BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds)).toString();
}

const NO_EXEMPLARS: Row = {
  'Exemplars.FilteredAttributes': [],
  'Exemplars.TimeUnix': [],
  'Exemplars.Value': [],
  'Exemplars.SpanId': [],
  'Exemplars.TraceId': [],
};

type PointMaker = (table: Table, name: string, columns: Row) => ExpectedPoint;

/** Makes rows of a service from the columns in which they differ from an empty point. */
function pointMaker(service: string, clock: Clock): PointMaker {
  return (table, MetricName, columns) => ({
    table,
    row: {
      ResourceAttributes: RESOURCE_PAIRS(service),
      ResourceSchemaUrl: '',
      ScopeName: 'shop',
      ScopeVersion: '2.0',
      ScopeAttributes: [],
      ScopeDroppedAttrCount: 0,
      ScopeSchemaUrl: SCHEMA_URL,
      ServiceName: service,
      MetricName,
      MetricDescription: '',
      MetricUnit: '',
      Attributes: [],
      Flags: 0,
      ...clock.next(MetricName),
      ...NO_EXEMPLARS,
      ...columns,
    },
  });
}

function expectedPoints(service: string, AggregationTemporality: number, clock: Clock): ExpectedPoint[] {
  const point = pointMaker(service, clock);
  const sum = (name: string, columns: Row) =>
    point('sum', name, { AggregationTemporality, IsMonotonic: true, ...columns });
  const orders = { MetricDescription: 'Orders placed', MetricUnit: '{order}' };
  return [
    sum('orders', {
      ...orders,
      Value: 7,
      Attributes: [
        ['country', 'de'],
        ['retry', 'false'],
      ],
    }),
    sum('orders', {
      ...orders,
      Value: 9007199254740991,
      Attributes: [
        ['country', 'fr'],
        ['retry', 'true'],
        ['attempt', '2'],
      ],
    }),
    sum('revenue', { MetricUnit: 'EUR', Value: 12.75 }),
    // Delta is for what only grows: the SDK keeps up-down counters cumulative.
    sum('stock', { Value: -7, IsMonotonic: false, AggregationTemporality: 2 }),
    point('gauge', 'temperature', { MetricUnit: 'Cel', Value: -0.125, Attributes: [['room', 'ü']] }),
    point('gauge', 'threads', { Value: 8, Attributes: [['pool', 'io']] }),
    point('histogram', 'latency', {
      MetricUnit: 'ms',
      Attributes: [['route', '/cart']],
      Count: '4',
      Sum: 565,
      Min: 5,
      Max: 500,
      BucketCounts: ['0', '2', '1', '1'],
      ExplicitBounds: [0, 10, 100.5],
      AggregationTemporality,
    }),
    // Powers of two are upper bounds of buckets, and three of them fit into four buckets at scale 0.
    point('exponential_histogram', 'queue.wait', {
      MetricUnit: 's',
      Count: '4',
      Sum: 7,
      Min: 0,
      Max: 4,
      Scale: 0,
      ZeroCount: '1',
      PositiveOffset: -1,
      PositiveBucketCounts: ['1', '1', '1'],
      NegativeOffset: 0,
      NegativeBucketCounts: [],
      AggregationTemporality,
    }),
  ];
}
