/**
 * `zipkin_proto` and `zipkin_json` (version 2) to OTLP, as the Collector's translator reads them with its network
 * attributes of today (network.local.address, network.peer.address, service.peer.name).
 *
 * Unlike there, nothing gets lost on the way: spans of one service whose tags speak of different resources stay
 * apart; tags about the resource survive without a name of the service; an annotation or a link whose text only looks
 * like the form that exporters write stays what it was; lists and objects in the attributes of an event are kept.
 */
import type { PlainValue } from '../otlp/any-value-write.ts';
import * as otlp from '../otlp/tags.ts';
import type { WireWriter } from '../otlp/wire-writer.ts';
import type { RecordDecoder } from './encoding.ts';
import { sortedKeys } from './go-json.ts';
import { recordDecoder } from './guard.ts';
import * as parts from './span-parts.ts';
import { parseTag } from './string-tags.ts';
import { NANOS_PER_MICRO, TimeWords } from './time-words.ts';
import { parseZipkinJson } from './zipkin-json.ts';
import * as model from './zipkin-model.ts';
import { parseZipkinProto } from './zipkin-proto.ts';
import { parseAnnotationText, parseLinkText } from './zipkin-texts.ts';

const KINDS: Readonly<Record<string, number>> = {
  CLIENT: parts.KIND_CLIENT,
  SERVER: parts.KIND_SERVER,
  PRODUCER: parts.KIND_PRODUCER,
  CONSUMER: parts.KIND_CONSUMER,
};
/** The second spellings are those of an old exporter. */
const STATUS_CODES: Readonly<Record<string, number>> = {
  STATUS_CODE_OK: parts.STATUS_OK,
  STATUS_CODE_ERROR: parts.STATUS_ERROR,
  Ok: parts.STATUS_OK,
  Error: parts.STATUS_ERROR,
};

export const zipkinProtoDecoder: RecordDecoder = recordDecoder('traces', 'zipkin_proto', (record, out) =>
  writeZipkinSpans(parseZipkinProto(record), false, out),
);

export const zipkinJsonDecoder: RecordDecoder = zipkinJsonDecoderOf(false);

/** @param parsesStringTags tags that are numbers, true or false become such attributes. */
export function zipkinJsonDecoderOf(parsesStringTags: boolean): RecordDecoder {
  return recordDecoder('traces', 'zipkin_json', (record, out) =>
    writeZipkinSpans(parseZipkinJson(record), parsesStringTags, out),
  );
}

/** Appends a request with one resource for each service and set of resource tags, in the order of their first spans. */
export function writeZipkinSpans(
  spans: readonly model.ZipkinSpan[],
  parsesStringTags: boolean,
  out: WireWriter,
): void {
  for (const scopes of groupSpans(spans).values()) {
    const container = out.beginMessage(otlp.TAG_REQUEST_RESOURCE_SPANS, 3);
    const resource = out.beginMessage(otlp.TAG_RESOURCE_SPANS_RESOURCE, 2);
    parts.writeAttributeMap(out, otlp.TAG_RESOURCE_ATTRIBUTES, resourceOf(scopes.values().next().value![0]!));
    out.endMessage(resource);
    for (const group of scopes.values()) {
      const scope = out.beginMessage(otlp.TAG_RESOURCE_SPANS_SCOPE_SPANS, 3);
      writeScope(out, group[0]!.tags);
      for (const span of group) writeSpan(out, span, parsesStringTags);
      out.endMessage(scope);
    }
    out.endMessage(container);
  }
}

type Scopes = Map<string, model.ZipkinSpan[]>;

function groupSpans(spans: readonly model.ZipkinSpan[]): Map<string, Scopes> {
  const groups = new Map<string, Scopes>();
  for (const span of spans) {
    const resource = resourceOf(span);
    const key = JSON.stringify(sortedKeys(resource).map((each) => [each, resource.get(each)]));
    const [name, version] = scopeOf(span.tags);
    const scopes = groups.get(key) ?? new Map<string, model.ZipkinSpan[]>();
    const scopeKey = JSON.stringify([name, version]);
    const group = scopes.get(scopeKey) ?? [];
    group.push(span);
    scopes.set(scopeKey, group);
    groups.set(key, scopes);
  }
  return groups;
}

/** Attributes of the resource that a span belongs to. */
function resourceOf(span: model.ZipkinSpan): Map<string, string> {
  const attributes = new Map<string, string>();
  const service = span.localEndpoint?.serviceName ?? '';
  if (service !== '' && service !== model.NO_SERVICE_NAME) {
    attributes.set(span.tags.get(model.TAG_SERVICE_NAME_SOURCE) || 'service.name', service);
  }
  for (const [key, value] of span.tags) if (model.RESOURCE_TAGS.has(key)) attributes.set(key, value);
  return attributes;
}

function scopeOf(tags: ReadonlyMap<string, string>): readonly [string, string] {
  return [
    tags.get('otel.scope.name') ?? tags.get('otel.library.name') ?? '',
    tags.get('otel.scope.version') ?? tags.get('otel.library.version') ?? '',
  ];
}

function writeScope(out: WireWriter, tags: ReadonlyMap<string, string>): void {
  const [name, version] = scopeOf(tags);
  if (name === '' && version === '') return;
  const scope = out.beginMessage(otlp.TAG_SCOPE_SPANS_SCOPE);
  if (name !== '') out.writeStringField(otlp.TAG_SCOPE_NAME, name);
  if (version !== '') out.writeStringField(otlp.TAG_SCOPE_VERSION, version);
  out.endMessage(scope);
}

function writeSpan(out: WireWriter, span: model.ZipkinSpan, parsesStringTags: boolean): void {
  const tags = new Map(span.tags);
  const message = out.beginMessage(otlp.TAG_SCOPE_SPANS_SPANS, 2);
  out.writeBytesField(otlp.TAG_SPAN_TRACE_ID, span.traceId);
  out.writeBytesField(otlp.TAG_SPAN_SPAN_ID, span.id);
  const traceState = take(tags, 'w3c.tracestate');
  if (traceState) out.writeStringField(otlp.TAG_SPAN_TRACE_STATE, traceState);
  const parentId = model.parentOf(span);
  if (parentId !== undefined) out.writeBytesField(otlp.TAG_SPAN_PARENT_SPAN_ID, parentId);
  out.writeStringField(otlp.TAG_SPAN_NAME, span.name);
  out.writeVarint32(otlp.TAG_SPAN_KIND);
  out.writeVarint32(kindOf(span, tags));
  const startMicros = span.startMicros ?? 0;
  parts.writeMicros(out, otlp.TAG_SPAN_START_TIME_UNIX_NANO, startMicros);
  writeEnd(out, startMicros, span.durationMicros);
  const status = takeStatus(tags);
  writeLinks(out, tags);
  parts.writeAttributeMap(out, otlp.TAG_SPAN_ATTRIBUTES, attributesOf(span, tags, parsesStringTags));
  writeEvents(out, span.annotations);
  if (status !== undefined) parts.writeStatus(out, status);
  out.endMessage(message);
}

const end = new TimeWords();

/** The sum may be more than a double holds exactly, so it is made of words. */
function writeEnd(out: WireWriter, startMicros: number, durationMicros: number): void {
  end.setProduct(startMicros, NANOS_PER_MICRO, 0);
  const { lo, hi } = end;
  end.setProduct(durationMicros, NANOS_PER_MICRO, 0);
  end.add(lo, hi);
  out.writeVarint32(otlp.TAG_SPAN_END_TIME_UNIX_NANO);
  out.writeFixed64(end.lo, end.hi);
}

function take(tags: Map<string, string>, key: string): string | undefined {
  const value = tags.get(key);
  tags.delete(key);
  return value;
}

function kindOf(span: model.ZipkinSpan, tags: Map<string, string>): number {
  const kind = KINDS[span.kind];
  if (kind !== undefined) return kind;
  return take(tags, 'span.kind') === 'internal' ? parts.KIND_INTERNAL : parts.KIND_UNSPECIFIED;
}

/** Any `error` makes it an error; what it says beyond `true` stays an attribute. */
function takeStatus(tags: Map<string, string>): parts.SpanStatus | undefined {
  const codeText = take(tags, 'otel.status_code');
  const error = tags.get('error');
  if (codeText === undefined && error === undefined) return undefined;
  const message = codeText === undefined ? '' : (take(tags, 'otel.status_description') ?? '');
  if (error === 'true') tags.delete('error');
  const known = codeText !== undefined && Object.hasOwn(STATUS_CODES, codeText);
  const code = known ? STATUS_CODES[codeText]! : parts.STATUS_UNSET;
  return { code: error === undefined ? code : parts.STATUS_ERROR, message };
}

function attributesOf(
  span: model.ZipkinSpan,
  tags: ReadonlyMap<string, string>,
  parsesStringTags: boolean,
): Map<string, PlainValue> {
  const attributes = new Map<string, PlainValue>();
  const others = new Set<string>([...model.SCOPE_TAGS, model.TAG_SERVICE_NAME_SOURCE]);
  for (const [key, value] of tags) {
    if (others.has(key) || model.RESOURCE_TAGS.has(key)) continue;
    attributes.set(key, parsesStringTags ? parseTag(value) : value);
  }
  const { localEndpoint: local, remoteEndpoint: remote } = span;
  if (local !== undefined) addAddress(attributes, 'network.local.address', 'net.host.port', local);
  if (remote !== undefined) {
    if (remote.serviceName !== '') attributes.set('service.peer.name', remote.serviceName);
    addAddress(attributes, 'network.peer.address', 'net.peer.port', remote);
  }
  if (span.startMicros === undefined) attributes.set(model.START_TIME_ABSENT, true);
  return attributes;
}

/** Of two addresses the one of IPv6 remains. */
function addAddress(
  attributes: Map<string, PlainValue>,
  addressKey: string,
  portKey: string,
  endpoint: model.ZipkinEndpoint,
): void {
  const address = endpoint.ipv6 || endpoint.ipv4;
  if (address !== '') attributes.set(addressKey, address);
  if (endpoint.port > 0) attributes.set(portKey, endpoint.port);
}

function writeLinks(out: WireWriter, tags: Map<string, string>): void {
  for (let at = 0; at < model.LINKS_MAX; at++) {
    const key = `${model.TAG_LINK_PREFIX}${at}`;
    const text = tags.get(key);
    if (text === undefined) return;
    const parsed = parseLinkText(text);
    if (parsed === undefined) continue;
    tags.delete(key);
    const link = out.beginMessage(otlp.TAG_SPAN_LINKS, 2);
    if (parsed.traceId !== undefined) out.writeBytesField(otlp.TAG_LINK_TRACE_ID, parsed.traceId);
    if (parsed.spanId !== undefined) out.writeBytesField(otlp.TAG_LINK_SPAN_ID, parsed.spanId);
    if (parsed.traceState !== '') out.writeStringField(otlp.TAG_LINK_TRACE_STATE, parsed.traceState);
    parts.writeAttributeMap(out, otlp.TAG_LINK_ATTRIBUTES, parsed.attributes);
    parts.writeCount(out, otlp.TAG_LINK_DROPPED_ATTRIBUTES_COUNT, parsed.droppedCount);
    out.endMessage(link);
  }
}

function writeEvents(out: WireWriter, annotations: readonly model.ZipkinAnnotation[]): void {
  for (const { micros, value } of annotations) {
    const parsed = parseAnnotationText(value);
    const event = out.beginMessage(otlp.TAG_SPAN_EVENTS);
    parts.writeMicros(out, otlp.TAG_EVENT_TIME_UNIX_NANO, micros);
    out.writeStringField(otlp.TAG_EVENT_NAME, parsed.name);
    parts.writeAttributeMap(out, otlp.TAG_EVENT_ATTRIBUTES, parsed.attributes);
    parts.writeCount(out, otlp.TAG_EVENT_DROPPED_ATTRIBUTES_COUNT, parsed.droppedCount);
    out.endMessage(event);
  }
}
