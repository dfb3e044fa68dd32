/** An engine that sends its own metrics and spans by OTLP, and what has to arrive; for receivers of every make. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { type EnginePorts, EngineProcess, engineConfig, until } from './engine-process.ts';
import { LedgerClient, ledgerRequest, SPANS_PER_REQUEST } from './ledger-client.ts';

interface Attribute {
  key: string;
  value: Record<string, unknown>;
}

interface Point {
  attributes?: Attribute[];
  asInt?: string | number;
  asDouble?: number;
  count?: string | number;
  bucketCounts?: (string | number)[];
  explicitBounds?: number[];
}

interface Metric {
  scope: string;
  name: string;
  unit?: string;
  sum?: { dataPoints: Point[]; aggregationTemporality: number; isMonotonic: boolean };
  gauge?: { dataPoints: Point[] };
  histogram?: { dataPoints: Point[]; aggregationTemporality: number };
  summary?: { dataPoints: Point[] };
}

interface Span {
  name: string;
  traceId: string;
  parentSpanId?: string;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  kind: number;
  attributes?: Attribute[];
  status?: { code?: number; message?: string };
}

/** Everything in a file of OTLP/JSON lines, in the order of arrival. */
export class OwnTelemetryFile {
  readonly resources: Record<string, unknown>[] = [];
  readonly metrics = new Map<string, Metric[]>();
  readonly spans: Span[] = [];

  constructor(path: string) {
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    for (const line of text.split('\n').slice(0, -1)) this.#take(JSON.parse(line));
  }

  // biome-ignore lint/suspicious/noExplicitAny: OTLP/JSON of another program.
  #take(request: any): void {
    for (const { resource, scopeMetrics, scopeSpans } of [
      ...(request.resourceMetrics ?? []),
      ...(request.resourceSpans ?? []),
    ]) {
      this.resources.push(attributesOf(resource));
      for (const { scope, metrics } of scopeMetrics ?? []) {
        for (const metric of metrics) {
          const list = this.metrics.get(metric.name) ?? [];
          this.metrics.set(metric.name, [...list, { ...metric, scope: scope.name }]);
        }
      }
      for (const { spans } of scopeSpans ?? []) this.spans.push(...spans);
    }
  }

  /** The newest of a name. */
  metric(name: string): Metric {
    const found = this.metrics.get(name)?.at(-1);
    assert.ok(
      found !== undefined,
      `${name} has not arrived; there are ${[...this.metrics.keys()].join(' ')}`,
    );
    return found;
  }
}

export function attributesOf({ attributes = [] }: { attributes?: Attribute[] }): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}

export const PARENT = { traceId: '1'.repeat(32), spanId: '2'.repeat(16) };

/** @param target the keys of `otlp` in a reader or a processor. */
export function ownTelemetry(target: object): object {
  const exporter = { otlp: target };
  return {
    resource: { 'service.name': 'sender', 'deployment.environment': 'test' },
    metrics: {
      level: 'detailed',
      readers: [{ periodic: { interval: 300, exporter } }],
      views: [
        {
          selector: { instrument_name: 'millrace_memory_budget_bytes' },
          stream: { aggregation: { drop: {} } },
        },
        {
          selector: { instrument_name: 'otelcol_receiver_accepted_spans' },
          stream: { name: 'taken.spans', attribute_keys: { included: ['receiver'] } },
        },
      ],
    },
    traces: {
      propagators: ['tracecontext'],
      processors: [{ batch: { schedule_delay: 300, exporter } }],
    },
  };
}

/** Runs an engine that takes two requests, waits until its own telemetry is in the file, and checks it. */
export async function sendOwnTelemetry(
  ports: EnginePorts,
  dataDir: string,
  target: object,
  file: string,
): Promise<OwnTelemetryFile> {
  const config = JSON.parse(engineConfig(ports, { nop: {} }, { signals: ['traces'] }));
  config.service.telemetry = ownTelemetry(target);
  const engine = await EngineProcess.start({ config: JSON.stringify(config), dataDir });
  try {
    const client = new LedgerClient({ port: ports.http, producers: 1 });
    assert.equal(await client.send(ledgerRequest(0, 0)), 200);
    client.close();
    const answer = await fetch(`http://127.0.0.1:${ports.http}/v1/traces`, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-protobuf',
        traceparent: `00-${PARENT.traceId}-${PARENT.spanId}-01`,
      },
      body: Buffer.from(ledgerRequest(0, 1)),
    });
    assert.equal(answer.status, 200);
    await until(`own telemetry in ${file}\n${engine.log}`, () => {
      const { metrics, spans } = new OwnTelemetryFile(file);
      const sent = metrics.get('otelcol_exporter_sent_spans')?.at(-1)?.sum?.dataPoints[0];
      return Number(sent?.asInt) === 2 * SPANS_PER_REQUEST && spans.length >= 3;
    });
    assert.equal((await engine.kill('SIGTERM')).code, 0, engine.log);
    const arrived = new OwnTelemetryFile(file);
    checkMetrics(arrived);
    checkSpans(arrived);
    return arrived;
  } finally {
    await engine.kill();
  }
}

function checkMetrics(arrived: OwnTelemetryFile): void {
  for (const resource of arrived.resources) {
    assert.equal(resource['service.name'], 'sender');
    assert.equal(resource['deployment.environment'], 'test');
    assert.match(String(resource['service.instance.id']), /^[0-9a-f-]{36}$/);
  }
  const taken = arrived.metric('taken.spans').sum!;
  assert.deepEqual([Number(taken.aggregationTemporality), taken.isMonotonic], [2, true]);
  assert.equal(taken.dataPoints.length, 1);
  assert.deepEqual(attributesOf(taken.dataPoints[0]!), { receiver: 'otlp' });
  assert.equal(Number(taken.dataPoints[0]!.asInt), 2 * SPANS_PER_REQUEST);
  for (const name of ['otelcol_receiver_accepted_spans', 'millrace_memory_budget_bytes'])
    assert.ok(!arrived.metrics.has(name), name);

  const duration = arrived.metric('http.server.request.duration');
  assert.equal(duration.scope, 'go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp');
  assert.equal(duration.unit, 's');
  const [point] = duration.histogram!.dataPoints;
  assert.equal(Number(point!.count), 2);
  assert.equal(point!.bucketCounts!.length, point!.explicitBounds!.length + 1);
  assert.equal(attributesOf(point!)['http.route'], '/v1/traces');
  assert.equal(Number(attributesOf(point!)['http.response.status_code']), 200);
  const uptime = arrived.metric('otelcol_process_uptime').sum!.dataPoints[0]!;
  assert.ok(uptime.asDouble! > 0);
  const latency = arrived.metric('millrace_request_to_ack_seconds').summary!.dataPoints;
  assert.ok(latency.some((each) => Number(each.count) === 2));
  assert.ok(arrived.metric('millrace_log_size_bytes').gauge!.dataPoints.length > 0);
}

function checkSpans({ spans }: OwnTelemetryFile): void {
  for (const span of spans) {
    assert.match(span.name, /^(receiver\/otlp\/TraceDataReceived|exporter\/nop\/traces)$/);
    const tookNs = BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano);
    assert.ok(tookNs >= 0n && tookNs < 20_000_000_000n, `${tookNs} ns`);
    assert.equal(span.status?.code ?? 0, 0);
  }
  const received = spans.filter(({ name }) => name.startsWith('receiver/'));
  assert.equal(received.length, 2);
  for (const span of received) {
    const attributes = attributesOf(span);
    assert.equal(attributes.transport, 'http');
    assert.equal(attributes.format, 'protobuf');
    assert.equal(Number(attributes.accepted_spans), SPANS_PER_REQUEST);
    assert.equal(Number(attributes.refused_spans), 0);
  }
  const child = received.find(({ parentSpanId = '' }) => parentSpanId !== '');
  assert.deepEqual([child?.traceId, child?.parentSpanId], [PARENT.traceId, PARENT.spanId]);
  const exported = spans.filter(({ name }) => name.startsWith('exporter/'));
  const sent = exported.reduce((sum, span) => sum + Number(attributesOf(span)['items.sent']), 0);
  assert.equal(sent, 2 * SPANS_PER_REQUEST);
}
