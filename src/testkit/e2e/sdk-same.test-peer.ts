/** What the OpenTelemetry SDK recorded once, for exporters that send the very same to several programs. */
import { SeverityNumber } from '@opentelemetry/api-logs';
import type { ExportResult } from '@opentelemetry/core';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  InMemoryLogRecordExporter,
  LoggerProvider,
  type LogRecordExporter,
  type ReadableLogRecord,
  SimpleLogRecordProcessor,
} from '@opentelemetry/sdk-logs';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-base';

export interface Recorded {
  spans: ReadableSpan[];
  records: ReadableLogRecord[];
  metrics: ResourceMetrics;
}

const ATTRIBUTES = { 'http.method': 'POST', 'user.email': 'ben@example.com', 'http.status_code': '200' };

/** @param service `service.name`, so that its items can be told from others. */
export async function recordOnce(service: string): Promise<Recorded> {
  const resource = resourceFromAttributes({ 'service.name': service, 'host.name': 'laptop' });
  const spans = new InMemorySpanExporter();
  const tracers = new BasicTracerProvider({ resource, spanProcessors: [new SimpleSpanProcessor(spans)] });
  for (const name of ['GET /healthz', 'POST /pay', 'SELECT']) {
    const span = tracers.getTracer('sdk').startSpan(name, { kind: 2, attributes: ATTRIBUTES });
    span.addEvent('retry', { count: 1 });
    span.end();
  }
  const records = new InMemoryLogRecordExporter();
  const loggers = new LoggerProvider({
    resource,
    processors: [new SimpleLogRecordProcessor({ exporter: records })],
  });
  for (const severityNumber of [SeverityNumber.DEBUG, SeverityNumber.ERROR]) {
    loggers.getLogger('sdk').emit({ severityNumber, body: { order: 7 }, attributes: ATTRIBUTES });
  }
  const metrics = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter: metrics, exportIntervalMillis: 3_600_000 });
  const meters = new MeterProvider({ resource, readers: [reader] });
  meters.getMeter('sdk').createCounter('orders').add(3, ATTRIBUTES);
  meters
    .getMeter('sdk')
    .createHistogram('http.server.request.duration')
    .record(0.25, { 'http.route': '/pay' });
  await reader.forceFlush();
  const recorded = {
    spans: spans.getFinishedSpans(),
    records: records.getFinishedLogRecords(),
    metrics: metrics.getMetrics()[0]!,
  };
  // Not `shutdown`, which would empty the exporters in memory.
  await reader.shutdown();
  return recorded;
}

interface Exporters {
  spans: SpanExporter;
  records: LogRecordExporter;
  metrics: PushMetricExporter;
}

/** @throws Error with what the SDK was told when one of the three was not taken. */
export async function exportRecorded(recorded: Recorded, exporters: Exporters): Promise<void> {
  const told = (result: ExportResult, resolve: () => void, reject: (error: Error) => void) =>
    result.code === 0 ? resolve() : reject(result.error ?? new Error('the export failed'));
  await new Promise<void>((resolve, reject) => {
    exporters.spans.export(recorded.spans, (result) => told(result, resolve, reject));
  });
  await new Promise<void>((resolve, reject) => {
    exporters.records.export(recorded.records, (result) => told(result, resolve, reject));
  });
  await new Promise<void>((resolve, reject) => {
    exporters.metrics.export(recorded.metrics, (result) => told(result, resolve, reject));
  });
  await Promise.all([exporters.spans.shutdown(), exporters.records.shutdown(), exporters.metrics.shutdown()]);
}
