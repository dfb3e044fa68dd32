/** `verbosity: detailed`: every field on a line of its own. Resources, scopes, spans and log records. */
import type { Signal } from '../../component/signal.ts';
import { attributeLines } from './attribute-lines.ts';
import { metricLines } from './detailed-metrics.ts';
import type { LogRecord, Metric, Span, SpanEvent, SpanLink } from './otlp-objects.ts';
import type { Part } from './request-parts.ts';
import { clean, timeText, typedValue } from './text.ts';

/** The two spellings of the resource level are the Collector's. */
const TITLES: Record<Signal, readonly [resource: string, scope: string]> = {
  traces: ['ResourceSpans', 'ScopeSpans'],
  metrics: ['ResourceMetrics', 'ScopeMetrics'],
  logs: ['ResourceLog', 'ScopeLogs'],
};
const SPAN_KINDS = ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'];
const STATUS_CODES = ['Unset', 'Ok', 'Error'];
const SEVERITIES = ['Trace', 'Debug', 'Info', 'Warn', 'Error', 'Fatal'];
const SEVERITY_MAX = 24;
const NAME_CHARS = 15;

/** Lines without their ends. */
export function* detailedLines(signal: Signal, part: Part): Generator<string> {
  const [resourceTitle, scopeTitle] = TITLES[signal];
  if (part.level === 'resource') {
    yield `${resourceTitle} #${part.index}`;
    yield `Resource SchemaURL: ${clean(part.head.schemaUrl)}`;
    yield* attributeLines('Resource attributes', part.head.resource?.attributes);
  } else if (part.level === 'scope') {
    const { scope, schemaUrl } = part.head;
    yield `${scopeTitle} #${part.index}`;
    yield `${scopeTitle} SchemaURL: ${clean(schemaUrl)}`;
    yield `InstrumentationScope ${clean(scope?.name)} ${clean(scope?.version)}`;
    yield* attributeLines('InstrumentationScope attributes', scope?.attributes);
  } else {
    let index = part.firstIndex;
    for (const item of part.items) {
      if (signal === 'traces') yield* spanLines(item as Span, index++);
      else if (signal === 'logs') yield* logLines(item as LogRecord, index++);
      else yield* metricLines(item as Metric, index++);
    }
  }
}

function field(name: string, value: string): string {
  return `    ${name.padEnd(NAME_CHARS)}: ${value}`;
}

function* spanLines(span: Span, index: number): Generator<string> {
  yield `Span #${index}`;
  yield field('Trace ID', span.traceId ?? '');
  yield field('Parent ID', span.parentSpanId ?? '');
  yield field('ID', span.spanId ?? '');
  yield field('Name', clean(span.name));
  yield field('Kind', SPAN_KINDS[span.kind ?? 0] ?? '');
  if (span.traceState !== undefined) yield field('TraceState', clean(span.traceState));
  yield field('Start time', timeText(span.startTimeUnixNano));
  yield field('End time', timeText(span.endTimeUnixNano));
  yield field('Status code', STATUS_CODES[span.status?.code ?? 0] ?? '');
  yield field('Status message', clean(span.status?.message));
  yield field('DroppedAttributesCount', String(span.droppedAttributesCount ?? 0));
  yield field('DroppedEventsCount', String(span.droppedEventsCount ?? 0));
  yield field('DroppedLinksCount', String(span.droppedLinksCount ?? 0));
  yield* attributeLines('Attributes', span.attributes);
  yield* eventLines(span.events);
  yield* linkLines(span.links);
}

function* eventLines(events: SpanEvent[] = []): Generator<string> {
  if (events.length > 0) yield 'Events:';
  for (const [index, event] of events.entries()) {
    yield `SpanEvent #${index}`;
    yield `     -> Name: ${clean(event.name)}`;
    yield `     -> Timestamp: ${timeText(event.timeUnixNano)}`;
    yield `     -> DroppedAttributesCount: ${event.droppedAttributesCount ?? 0}`;
    // Two colons, as the Collector has them.
    yield* attributeLines('Attributes:', event.attributes, '     -> ');
  }
}

function* linkLines(links: SpanLink[] = []): Generator<string> {
  if (links.length > 0) yield 'Links:';
  for (const [index, link] of links.entries()) {
    yield `SpanLink #${index}`;
    yield `     -> Trace ID: ${link.traceId ?? ''}`;
    yield `     -> ID: ${link.spanId ?? ''}`;
    yield `     -> TraceState: ${clean(link.traceState)}`;
    yield `     -> DroppedAttributesCount: ${link.droppedAttributesCount ?? 0}`;
    yield* attributeLines('Attributes:', link.attributes, '     -> ');
  }
}

function* logLines(record: LogRecord, index: number): Generator<string> {
  const severity = record.severityNumber ?? 0;
  yield `LogRecord #${index}`;
  yield `ObservedTimestamp: ${timeText(record.observedTimeUnixNano)}`;
  yield `Timestamp: ${timeText(record.timeUnixNano)}`;
  yield `SeverityText: ${clean(record.severityText)}`;
  yield `SeverityNumber: ${severityName(severity)}(${severity})`;
  if (record.eventName !== undefined) yield `EventName: ${clean(record.eventName)}`;
  yield `Body: ${typedValue(record.body)}`;
  yield* attributeLines('Attributes', record.attributes);
  yield `Trace ID: ${record.traceId ?? ''}`;
  yield `Span ID: ${record.spanId ?? ''}`;
  yield `Flags: ${record.flags ?? 0}`;
}

/** 9 is Info, 10 is Info2, ... */
function severityName(severity: number): string {
  if (severity === 0) return 'Unspecified';
  if (severity < 0 || severity > SEVERITY_MAX) return '';
  const step = (severity - 1) % 4;
  return `${SEVERITIES[Math.floor((severity - 1) / 4)]}${step === 0 ? '' : step + 1}`;
}
