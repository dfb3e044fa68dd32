/**
 * The Collector's own generator sends all three signals over both transports. Straight to the engine, the rows must
 * be what its flags say; through a Collector, exactly what that one wrote to a file on the way.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { until } from '../engine-process.ts';
import { installPrograms, type Programs, runTelemetrygen } from '../services/programs.ts';
import { Relay, type RelayedRow } from '../services/relay.ts';
import {
  assertSameRows,
  METRIC_TABLES,
  missingStore,
  type Row,
  StoredEngine,
  TABLES,
  type Table,
} from '../services/stored-engine.ts';

const WORKERS = 2;
const PER_WORKER = 150;
const CHILDREN = 2;
const TRACE_ID = '5b8efff798038103d269b633813fc60c';
const SPAN_ID = '0011223344556677';
const METRIC_KINDS = {
  gauge: 'Gauge',
  sum: 'Sum',
  histogram: 'Histogram',
  exponential_histogram: 'ExponentialHistogram',
} as const;
const ROW_COUNTS: Record<Table, number> = {
  traces: WORKERS * PER_WORKER * (1 + CHILDREN),
  logs: WORKERS * PER_WORKER,
  gauge: WORKERS * PER_WORKER,
  sum: WORKERS * PER_WORKER,
  histogram: WORKERS * PER_WORKER,
  exponential_histogram: WORKERS * PER_WORKER,
  summary: 0,
};
const ITEM_PAIRS = [
  ['a.bool', 'true'],
  ['a.int', '-5'],
  ['a.list', '["p","q"]'],
  ['a.text', 'x y'],
];

interface Target {
  service: string;
  port: number;
  isHttp: boolean;
}

async function generateAll(programs: Programs, { service, port, isHttp }: Target): Promise<void> {
  const common = [
    ...['--service', service, '--otlp-endpoint', `127.0.0.1:${port}`, ...(isHttp ? ['--otlp-http'] : [])],
    ...['--rate', '0', '--workers', String(WORKERS)],
    ...['--otlp-attributes', 'deployment.environment="test"', '--otlp-attributes', 'cpus=8'],
    ...['--telemetry-attributes', 'a.text="x y"', '--telemetry-attributes', 'a.int=-5'],
    ...['--telemetry-attributes', 'a.bool=true', '--telemetry-attributes', 'a.list=["p","q"]'],
  ];
  const context = ['--trace-id', TRACE_ID, '--span-id', SPAN_ID];
  await runTelemetrygen(programs, [
    ...['traces', ...common, '--traces', String(PER_WORKER), '--child-spans', String(CHILDREN)],
    ...['--span-links', '1', '--status-code', 'Error', '--span-duration', '1ms'],
  ]);
  await runTelemetrygen(programs, [
    ...['logs', ...common, ...context, '--logs', String(PER_WORKER), '--body', 'it is said'],
    ...['--severity-text', 'Warn', '--severity-number', '13'],
  ]);
  for (const kind of Object.values(METRIC_KINDS)) {
    await runTelemetrygen(programs, [
      ...['metrics', ...common, ...context, '--metrics', String(PER_WORKER), '--metric-type', kind],
      ...['--otlp-metric-name', 'generated', '--aggregation-temporality', 'delta'],
    ]);
  }
}

/** The generator's attributes come from a map of Go: their order differs from run to run. */
const inOrder = (pairs: unknown): string[][] =>
  (pairs as string[][]).toSorted(([a], [b]) => (a! < b! ? -1 : 1));
const resourcePairs = (service: string) => [
  ['cpus', '8'],
  ['deployment.environment', 'test'],
  ['service.name', service],
];

function assertSpans(rows: readonly Row[], service: string): void {
  const byId = new Map(rows.map((row) => [row.SpanId, row]));
  assert.equal(byId.size, rows.length, 'every span has an id of its own');
  const traces = groupByTrace(rows);
  assert.equal(traces.size, WORKERS * PER_WORKER);
  for (const [traceId, spans] of traces) {
    assert.match(traceId, /^[0-9a-f]{32}$/);
    const names = spans.map((span) => span.SpanName as string).sort();
    assert.deepEqual(names, ['lets-go', 'okey-dokey-0', 'okey-dokey-1']);
    for (const span of spans) {
      const isRoot = span.SpanName === 'lets-go';
      const parent = byId.get(span.ParentSpanId);
      assert.equal(parent?.TraceId, isRoot ? undefined : traceId, 'a child is in the trace of its parent');
      assert.deepEqual(
        { ...told(span), SpanAttributes: inOrder(span.SpanAttributes) },
        {
          ServiceName: service,
          ResourceAttributes: resourcePairs(service),
          ScopeName: 'telemetrygen',
          SpanKind: isRoot ? 'Client' : 'Server',
          SpanAttributes: [
            ...ITEM_PAIRS,
            ['network.peer.address', '1.2.3.4'],
            ['service.peer.name', isRoot ? 'telemetrygen-server' : 'telemetrygen-client'],
          ],
          Duration: isRoot ? String(CHILDREN * 1_000_000) : '1000000',
          StatusCode: 'Error',
        },
      );
    }
  }
  assertLinks(rows, byId);
}

/** Each span is linked with one that was made before; the first ones find none. */
function assertLinks(rows: readonly Row[], byId: ReadonlyMap<unknown, Row>): void {
  let unlinked = 0;
  for (const row of rows) {
    const [spanId] = row['Links.SpanId'] as string[];
    if (spanId === undefined) unlinked += 1;
    else {
      assert.deepEqual(row['Links.TraceId'], [byId.get(spanId)?.TraceId]);
      const attributes = [
        ['link.type', 'random'],
        ['link.index', '0'],
      ];
      assert.deepEqual(row['Links.Attributes'], [attributes]);
    }
  }
  assert.ok(unlinked <= WORKERS, `${unlinked} spans have no link`);
}

function groupByTrace(rows: readonly Row[]): Map<string, Row[]> {
  const traces = new Map<string, Row[]>();
  for (const row of rows) {
    const traceId = row.TraceId as string;
    const spans = traces.get(traceId);
    if (spans === undefined) traces.set(traceId, [row]);
    else spans.push(row);
  }
  return traces;
}

/** The columns of a span that flags decide about. */
function told(span: Row): Row {
  const { ServiceName, ScopeName, SpanKind, Duration, StatusCode } = span;
  return {
    ServiceName,
    ResourceAttributes: inOrder(span.ResourceAttributes),
    ScopeName,
    SpanKind,
    Duration,
    StatusCode,
  };
}

function assertLogs(rows: readonly Row[], service: string): void {
  for (const { Timestamp, ResourceSchemaUrl, ResourceAttributes, LogAttributes, ...row } of rows) {
    assert.match(ResourceSchemaUrl as string, /^https:\/\/opentelemetry\.io\/schemas\//);
    assert.ok(Math.abs(Number(Timestamp) / 1e6 - Date.now()) < 120_000, `logged at ${Timestamp}`);
    assert.deepEqual(inOrder(ResourceAttributes), resourcePairs(service));
    assert.deepEqual(inOrder(LogAttributes), [...ITEM_PAIRS, ['app', 'server']]);
    assert.deepEqual(row, {
      TraceId: TRACE_ID,
      SpanId: SPAN_ID,
      TraceFlags: 0,
      SeverityText: 'Warn',
      SeverityNumber: 13,
      ServiceName: service,
      Body: 'it is said',
      ScopeSchemaUrl: '',
      ScopeName: '',
      ScopeVersion: '',
      ScopeAttributes: [],
      EventName: '',
    });
  }
}

function assertPoints(table: keyof typeof METRIC_KINDS, rows: readonly Row[], service: string): void {
  for (const row of rows) {
    assert.equal(row.ServiceName, service);
    assert.equal(row.MetricName, 'generated');
    assert.deepEqual(inOrder(row.ResourceAttributes), resourcePairs(service));
    assert.deepEqual(inOrder(row.Attributes), ITEM_PAIRS);
    assert.deepEqual(row['Exemplars.TraceId'], [TRACE_ID]);
    assert.deepEqual(row['Exemplars.SpanId'], [SPAN_ID]);
    assert.deepEqual(row['Exemplars.Value'], [1]);
    if (table !== 'gauge') assert.equal(row.AggregationTemporality, 1);
    if (table === 'sum') assert.equal(row.IsMonotonic, true);
    const buckets = (row.BucketCounts ?? row.PositiveBucketCounts) as string[] | undefined;
    if (buckets !== undefined) {
      const inBuckets = buckets.reduce((sum, count) => sum + Number(count), Number(row.ZeroCount ?? 0));
      assert.equal(String(inBuckets), row.Count, 'buckets hold what is counted');
    }
  }
  if (table !== 'gauge' && table !== 'sum') return;
  // Each worker numbers what it sends.
  const values = rows.map((row) => row.Value as number).sort((a, b) => a - b);
  const numbers = Array.from({ length: WORKERS * PER_WORKER }, (_, index) => Math.floor(index / WORKERS));
  assert.deepEqual(values, numbers);
}

describe('telemetrygen', { skip: missingStore(), timeout: 900_000 }, () => {
  let programs: Programs;
  let engine: StoredEngine;
  before(async () => {
    programs = await installPrograms();
    engine = await StoredEngine.start();
  });
  after(() => engine?.stop());

  for (const isHttp of [false, true]) {
    const service = isHttp ? 'direct-http' : 'direct-grpc';
    test(`${service}: the rows are what the flags say`, async () => {
      const port = isHttp ? engine.ports.http : engine.ports.grpc;
      await generateAll(programs, { service, port, isHttp });
      const rows = (table: Table) => engine.rowsOnceStored(table, service, ROW_COUNTS[table]);
      const spans = await rows('traces');
      assertSpans(spans, service);
      assertLogs(await rows('logs'), service);
      for (const table of METRIC_TABLES) {
        if (table !== 'summary') assertPoints(table, await rows(table), service);
      }
      for (const table of Object.keys(TABLES) as Table[]) {
        assert.equal(await engine.count(table, service), ROW_COUNTS[table], `rows in ${table}`);
      }
    });
  }

  test('through a Collector: the rows are what the Collector wrote to a file', async (t) => {
    const relay = await Relay.start(programs, engine.ports, [
      { name: 'relayed-grpc', exporter: 'otlp_grpc' },
      { name: 'relayed-http', exporter: 'otlp_http' },
    ]);
    t.after(() => relay.stop());
    for (const service of ['relayed-grpc', 'relayed-http']) {
      await generateAll(programs, { service, port: relay.port(service), isHttp: true });
    }
    let taken: readonly RelayedRow[] = [];
    const total = 2 * Object.values(ROW_COUNTS).reduce((sum, count) => sum + count, 0);
    await until('the file of the Collector', () => {
      taken = relay.taken();
      return taken.length >= total;
    });
    for (const service of ['relayed-grpc', 'relayed-http']) {
      for (const table of Object.keys(TABLES) as Table[]) {
        const wanted = taken.filter((each) => each.table === table && each.service === service);
        assert.equal(wanted.length, ROW_COUNTS[table], `${service}: ${table} in the file`);
        const rows = await engine.rowsOnceStored(table, service, wanted.length);
        assertSameRows(
          rows,
          wanted.map(({ row }) => row),
          `${service}: ${table}`,
        );
      }
    }
  });
});
