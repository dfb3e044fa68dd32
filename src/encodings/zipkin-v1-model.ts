/**
 * Zipkin v1 spans to OTLP, whatever they came in. Such a span has no kind and no service of its own: both are told by
 * its annotations, whose endpoints name who made them.
 */
import type { PlainValue } from '../otlp/any-value-write.ts';
import * as otlp from '../otlp/tags.ts';
import type { WireWriter } from '../otlp/wire-writer.ts';
import * as parts from './span-parts.ts';
import { START_TIME_ABSENT } from './zipkin-model.ts';
import { ZipkinV1Status } from './zipkin-v1-status.ts';

const UNKNOWN_SERVICE = 'unknown-service';
const LOCAL_COMPONENT = 'lc';
const MICROS_PER_MS = 1000;
const KINDS: Readonly<Record<string, number>> = {
  cs: parts.KIND_CLIENT,
  cr: parts.KIND_CLIENT,
  ms: parts.KIND_PRODUCER,
  mr: parts.KIND_CONSUMER,
  ss: parts.KIND_SERVER,
  sr: parts.KIND_SERVER,
};

export interface V1Endpoint {
  serviceName: string;
  ipv4: string;
  ipv6: string;
  port: number;
}

export interface V1Annotation {
  micros: number;
  value: string;
  endpoint: V1Endpoint | undefined;
}

export interface V1BinaryAnnotation {
  key: string;
  value: PlainValue;
  /** The value as text, for the name of a local component. */
  text: string;
  endpoint: V1Endpoint | undefined;
}

export interface V1Span {
  traceId: Uint8Array;
  id: Uint8Array;
  parentId: Uint8Array | undefined;
  name: string;
  /** Undefined when the span says nothing of it; below 0 counts as 0. */
  startMicros: number | undefined;
  durationMicros: number;
  annotations: readonly V1Annotation[];
  binaryAnnotations: readonly V1BinaryAnnotation[];
}

/** What differs between the two forms, in the Collector and so here. */
export interface V1Options {
  /** A span without any time gets this one and an attribute that says so; undefined: it stays without. */
  absentTimeMs: number | undefined;
  /** An endpoint without a name still decides which service it is. */
  takesEmptyNames: boolean;
}

/** Appends a request with one resource for each endpoint, in the order of their first spans. */
export function writeV1Spans(spans: readonly V1Span[], options: V1Options, out: WireWriter): void {
  const groups = new Map<string, { endpoint: V1Endpoint; spans: V1Span[] }>();
  for (const span of spans) {
    const endpoint = endpointOf(span, options);
    const key = JSON.stringify([endpoint.serviceName, endpoint.ipv4, endpoint.ipv6, endpoint.port]);
    const group = groups.get(key) ?? { endpoint, spans: [] };
    group.spans.push(span);
    groups.set(key, group);
  }
  for (const { endpoint, spans: group } of groups.values()) {
    const container = out.beginMessage(otlp.TAG_REQUEST_RESOURCE_SPANS, 3);
    const resource = out.beginMessage(otlp.TAG_RESOURCE_SPANS_RESOURCE);
    parts.writeAttributeMap(out, otlp.TAG_RESOURCE_ATTRIBUTES, resourceOf(endpoint));
    out.endMessage(resource);
    const scope = out.beginMessage(otlp.TAG_RESOURCE_SPANS_SCOPE_SPANS, 3);
    for (const span of group) writeSpan(out, span, options);
    out.endMessage(scope);
    out.endMessage(container);
  }
}

function resourceOf(endpoint: V1Endpoint): Map<string, PlainValue> {
  const attributes = new Map<string, PlainValue>([['service.name', endpoint.serviceName]]);
  if (endpoint.ipv4 !== '') attributes.set('ipv4', endpoint.ipv4);
  if (endpoint.ipv6 !== '') attributes.set('ipv6', endpoint.ipv6);
  if (endpoint.port !== 0) attributes.set('port', String(endpoint.port));
  return attributes;
}

/** The first with a name among the annotations that tell a kind, else what the binary annotations say. */
function endpointOf(span: V1Span, { takesEmptyNames }: V1Options): V1Endpoint {
  const found = span.annotations.find(
    ({ value, endpoint }) => Object.hasOwn(KINDS, value) && isNamed(endpoint?.serviceName ?? ''),
  )?.endpoint;
  if (found !== undefined) return found;
  let fallback = '';
  let component = '';
  for (const { key, text, endpoint } of span.binaryAnnotations) {
    if (endpoint !== undefined && (takesEmptyNames || endpoint.serviceName !== '')) {
      fallback = endpoint.serviceName;
    }
    if (key === LOCAL_COMPONENT) component = text;
  }
  return { serviceName: fallback || component || UNKNOWN_SERVICE, ipv4: '', ipv6: '', port: 0 };
}

function isNamed(service: string): boolean {
  return service !== '' && service !== UNKNOWN_SERVICE;
}

function writeSpan(out: WireWriter, span: V1Span, options: V1Options): void {
  const told = span.annotations.filter(({ value }) => value !== '');
  const kindly = told.find(({ value }) => Object.hasOwn(KINDS, value));
  const times = told.map(({ micros }) => micros);
  const hasStart = span.startMicros !== undefined;
  let startMicros = hasStart ? span.startMicros! : Math.min(...times);
  let endMicros = hasStart ? span.startMicros! + span.durationMicros : Math.max(...times);
  if (!hasStart && times.length === 0) {
    startMicros = 0;
    endMicros = 0;
  }
  const attributes = new Map<string, PlainValue>();
  const status = new ZipkinV1Status();
  for (const { key, value } of span.binaryAnnotations) {
    if (!status.take(key, value)) attributes.set(key === LOCAL_COMPONENT ? 'component' : key, value);
  }
  if (startMicros <= 0 && options.absentTimeMs !== undefined) {
    startMicros = Math.round(options.absentTimeMs * MICROS_PER_MS);
    endMicros = startMicros;
    attributes.set(START_TIME_ABSENT, true);
  }
  const message = out.beginMessage(otlp.TAG_SCOPE_SPANS_SPANS, 2);
  out.writeBytesField(otlp.TAG_SPAN_TRACE_ID, span.traceId);
  out.writeBytesField(otlp.TAG_SPAN_SPAN_ID, span.id);
  if (span.parentId !== undefined) out.writeBytesField(otlp.TAG_SPAN_PARENT_SPAN_ID, span.parentId);
  out.writeStringField(otlp.TAG_SPAN_NAME, span.name);
  out.writeVarint32(otlp.TAG_SPAN_KIND);
  out.writeVarint32(kindly === undefined ? parts.KIND_UNSPECIFIED : KINDS[kindly.value]!);
  parts.writeMicros(out, otlp.TAG_SPAN_START_TIME_UNIX_NANO, bounded(startMicros));
  parts.writeMicros(out, otlp.TAG_SPAN_END_TIME_UNIX_NANO, bounded(endMicros));
  parts.writeAttributeMap(out, otlp.TAG_SPAN_ATTRIBUTES, attributes);
  for (const { micros, value } of told) {
    if (Object.hasOwn(KINDS, value)) continue;
    const event = out.beginMessage(otlp.TAG_SPAN_EVENTS);
    parts.writeMicros(out, otlp.TAG_EVENT_TIME_UNIX_NANO, bounded(micros));
    out.writeStringField(otlp.TAG_EVENT_NAME, value);
    out.endMessage(event);
  }
  const result = status.result();
  if (result !== undefined) parts.writeStatus(out, result);
  out.endMessage(message);
}

/** Times before the epoch are none. */
function bounded(micros: number): number {
  return Math.min(Math.max(micros, 0), Number.MAX_SAFE_INTEGER);
}
