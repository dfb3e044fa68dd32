/**
 * Spans as `zipkin_proto` and `zipkin_json`: one record for a batch, a list of Zipkin v2 spans. OpenTelemetry's
 * specification of Zipkin exporters, with the details of the Collector's translator.
 *
 * Unlike there, an address or a port that Zipkin cannot take stays a tag, what one scope says does not show in spans of the
 * next, and a protobuf span has an IPv4 address of 4 bytes and no parent when it is a root, as its definition wants.
 */
import { ItemView, RepeatedCursor } from '../otlp/item-view.ts';
import * as otlp from '../otlp/tags.ts';
import type { EncodedRecord, RecordEncoder } from './encoding.ts';
import { attributesJson, attributeTexts, plainText } from './go-json.ts';
import { encodingFailed, recordEncoder } from './guard.ts';
import { ipText, parseIp } from './ip-address.ts';
import { type RequestVisitor, walkItems } from './request-walk.ts';
import * as parts from './span-parts.ts';
import { NANOS_PER_MICRO, NANOS_PER_SECOND, TimeWords } from './time-words.ts';
import * as model from './zipkin-model.ts';
import { zipkinJson } from './zipkin-write-json.ts';
import { zipkinProto } from './zipkin-write-proto.ts';

type Tags = Map<string, string>;
type Kind = model.ZipkinSpan['kind'];

const UTF8 = new TextEncoder();
const KINDS: Readonly<Record<number, Kind>> = {
  [parts.KIND_SERVER]: 'SERVER',
  [parts.KIND_CLIENT]: 'CLIENT',
  [parts.KIND_PRODUCER]: 'PRODUCER',
  [parts.KIND_CONSUMER]: 'CONSUMER',
};
const STATUS_TEXTS = ['', 'STATUS_CODE_OK', 'STATUS_CODE_ERROR'];
/** Resource attributes that name a service, best first. */
const SERVICE_KEYS = ['service.name', 'faas.name', 'k8s.deployment.name', 'process.executable.name'] as const;
const PORT = /^\d{1,5}$/;
const PORT_MAX = 0xffff;

export const zipkinJsonEncoder: RecordEncoder = recordEncoder('traces', 'zipkin_json', (requests, records) =>
  encodeList(requests, records, true, (spans) => UTF8.encode(zipkinJson(spans))),
);

export const zipkinProtoEncoder: RecordEncoder = recordEncoder(
  'traces',
  'zipkin_proto',
  (requests, records) => encodeList(requests, records, false, zipkinProto),
);

function encodeList(
  requests: readonly Uint8Array[],
  records: EncodedRecord[],
  rounds: boolean,
  write: (spans: readonly model.ZipkinSpan[]) => Uint8Array,
): number {
  const visitor = new SpanVisitor(rounds);
  walkItems(requests, visitor);
  const { spans } = visitor;
  if (spans.length > 0) records.push({ key: undefined, value: write(spans), itemCount: spans.length });
  return 0;
}

class SpanVisitor implements RequestVisitor {
  readonly spans: model.ZipkinSpan[] = [];
  /** JSON rounds times to the nearest microsecond; protobuf does so for the start alone and cuts off the others. */
  readonly #rounds: boolean;
  #service = '';
  #resourceTags: Tags = new Map();
  #tags: Tags = new Map();
  readonly #scope = new ItemView();
  readonly #span = new ItemView();
  readonly #part = new ItemView();
  readonly #children = new RepeatedCursor();
  readonly #words = new TimeWords();

  constructor(rounds: boolean) {
    this.#rounds = rounds;
  }

  visitResource(bytes: Uint8Array, start: number, end: number): void {
    const tags = attributeTexts(bytes, start, end, otlp.TAG_RESOURCE_ATTRIBUTES, plainText);
    const cloudId = tags.get('cloud.resource_id');
    if (cloudId !== undefined) {
      // The name that Zipkin's users know, as long as the Collector writes it too.
      if (!tags.has('faas.id')) tags.set('faas.id', cloudId);
      tags.delete('cloud.resource_id');
    }
    const key = SERVICE_KEYS.find((each) => tags.has(each));
    this.#service = key === undefined ? model.NO_SERVICE_NAME : tags.get(key)!;
    if (key !== undefined) {
      tags.delete(key);
      if (key !== SERVICE_KEYS[0]) tags.set(model.TAG_SERVICE_NAME_SOURCE, key);
    }
    this.#resourceTags = tags;
  }

  visitScope(bytes: Uint8Array, start: number, end: number): void {
    const scope = this.#scope;
    const tags = new Map(this.#resourceTags);
    for (const [key, text] of attributeTexts(bytes, start, end, otlp.TAG_SCOPE_ATTRIBUTES, plainText)) {
      tags.set(key, text);
    }
    scope.reset(bytes, start, end);
    const name = scope.text(otlp.TAG_SCOPE_NAME);
    if (name !== '') tags.set('otel.library.name', name);
    const version = scope.text(otlp.TAG_SCOPE_VERSION);
    if (version !== '') tags.set('otel.library.version', version);
    this.#tags = tags;
  }

  visitItem(bytes: Uint8Array, start: number, end: number): void {
    const span = this.#span;
    span.reset(bytes, start, end);
    const tags = new Map(this.#tags);
    for (const [key, text] of attributeTexts(bytes, start, end, otlp.TAG_SPAN_ATTRIBUTES, plainText)) {
      tags.set(key, text);
    }
    const httpCode = tags.get('http.response.status_code');
    if (httpCode !== undefined && !tags.has('http.status_code')) tags.set('http.status_code', httpCode);
    const traceState = span.text(otlp.TAG_SPAN_TRACE_STATE);
    if (traceState !== '') tags.set('w3c.tracestate', traceState);
    const kind = span.int32(otlp.TAG_SPAN_KIND);
    if (kind === parts.KIND_INTERNAL) tags.set('span.kind', 'internal');
    const parentId = this.#id(otlp.TAG_SPAN_PARENT_SPAN_ID, model.SPAN_ID_BYTES);
    const localEndpoint = takeEndpoint(tags, this.#service, 'network.local.address', 'net.host.port');
    const remoteEndpoint = takeRemoteEndpoint(tags);
    this.#addStatus(tags);
    this.#addLinks(tags);
    this.spans.push({
      traceId: this.#id(otlp.TAG_SPAN_TRACE_ID, model.TRACE_ID_BYTES),
      id: this.#id(otlp.TAG_SPAN_SPAN_ID, model.SPAN_ID_BYTES),
      parentId: model.isZeroId(parentId) ? undefined : parentId,
      name: span.text(otlp.TAG_SPAN_NAME),
      kind: KINDS[kind] ?? '',
      startMicros: this.#startMicros(),
      durationMicros: this.#durationMicros(),
      localEndpoint,
      remoteEndpoint,
      annotations: this.#annotations(),
      tags,
    });
  }

  #id(tag: number, sizeBytes: number): Uint8Array {
    const id = new Uint8Array(sizeBytes);
    const span = this.#span;
    span.find(tag);
    if (span.contentEnd - span.contentStart === sizeBytes) {
      id.set(span.bytes.subarray(span.contentStart, span.contentEnd));
    }
    return id;
  }

  /** Undefined within the first second of 1970, which is how a time that nobody knows looks. */
  #startMicros(): number | undefined {
    const span = this.#span;
    const words = this.#words;
    span.find(otlp.TAG_SPAN_START_TIME_UNIX_NANO);
    if (span.hi < 0) throw encodingFailed('a span starts after the year 2262');
    words.setQuotient(span.lo, span.hi, NANOS_PER_SECOND);
    return words.number === 0 ? undefined : this.#micros(span.lo, span.hi, true);
  }

  #durationMicros(): number {
    const span = this.#span;
    const words = this.#words;
    span.find(otlp.TAG_SPAN_START_TIME_UNIX_NANO);
    const { lo, hi } = span;
    span.find(otlp.TAG_SPAN_END_TIME_UNIX_NANO);
    if ((span.lo | span.hi) === 0) return 0;
    words.set(span.lo, span.hi);
    words.subtract(lo, hi);
    if (words.hi < 0) throw encodingFailed('a span ends before it starts');
    const nanos = words.number;
    // Something is not nothing: Zipkin takes a duration of 0 for one that is not known.
    if (this.#rounds && nanos > 0 && nanos < NANOS_PER_MICRO) return 1;
    return this.#micros(words.lo, words.hi, this.#rounds);
  }

  #micros(lo: number, hi: number, rounds: boolean): number {
    const words = this.#words;
    words.setQuotient(lo, hi, NANOS_PER_MICRO);
    return words.number + (rounds && words.rest >= NANOS_PER_MICRO / 2 ? 1 : 0);
  }

  #addStatus(tags: Tags): void {
    const span = this.#span;
    const status = this.#part;
    // Zipkin takes any error tag for a failure.
    tags.delete('error');
    if (!span.find(otlp.TAG_SPAN_STATUS)) return;
    status.reset(span.bytes, span.contentStart, span.contentEnd);
    const code = status.int32(otlp.TAG_STATUS_CODE);
    if (code === parts.STATUS_ERROR) tags.set('error', 'true');
    if (code === parts.STATUS_UNSET) return;
    tags.set('otel.status_code', STATUS_TEXTS[code] ?? '');
    const message = status.text(otlp.TAG_STATUS_MESSAGE);
    if (message !== '') tags.set('otel.status_description', message);
  }

  #annotations(): model.ZipkinAnnotation[] {
    const span = this.#span;
    const event = this.#part;
    const annotations: model.ZipkinAnnotation[] = [];
    this.#children.reset(span.bytes, span.start, span.end, otlp.TAG_SPAN_EVENTS);
    while (this.#children.next()) {
      event.reset(span.bytes, this.#children.start, this.#children.end);
      const name = event.text(otlp.TAG_EVENT_NAME);
      const droppedCount = event.int32(otlp.TAG_EVENT_DROPPED_ATTRIBUTES_COUNT) >>> 0;
      const json = attributesJson(event.bytes, event.start, event.end, otlp.TAG_EVENT_ATTRIBUTES);
      event.find(otlp.TAG_EVENT_TIME_UNIX_NANO);
      if (event.hi < 0) throw encodingFailed('an event is later than the year 2262');
      annotations.push({
        micros: this.#micros(event.lo, event.hi, this.#rounds),
        value: json === '{}' && droppedCount === 0 ? name : `${name}|${json}|${droppedCount}`,
      });
    }
    return annotations;
  }

  #addLinks(tags: Tags): void {
    const span = this.#span;
    const link = this.#part;
    this.#children.reset(span.bytes, span.start, span.end, otlp.TAG_SPAN_LINKS);
    for (let at = 0; this.#children.next(); at++) {
      link.reset(span.bytes, this.#children.start, this.#children.end);
      const texts = [
        idText(link.hex(otlp.TAG_LINK_TRACE_ID)),
        idText(link.hex(otlp.TAG_LINK_SPAN_ID)),
        link.text(otlp.TAG_LINK_TRACE_STATE),
        attributesJson(link.bytes, link.start, link.end, otlp.TAG_LINK_ATTRIBUTES),
        link.int32(otlp.TAG_LINK_DROPPED_ATTRIBUTES_COUNT) >>> 0,
      ];
      tags.set(`${model.TAG_LINK_PREFIX}${at}`, texts.join('|'));
    }
  }
}

function idText(hex: string): string {
  return /^0*$/.test(hex) ? '' : hex;
}

function takeRemoteEndpoint(tags: Tags): model.ZipkinEndpoint | undefined {
  const key = ['service.peer.name', 'peer.service'].find((each) => tags.has(each));
  const service = key === undefined ? '' : tags.get(key)!;
  if (key !== undefined) tags.delete(key);
  return takeEndpoint(tags, service, 'network.peer.address', 'net.peer.port');
}

/** Takes the tags out that become an endpoint; none without a name and an address. */
function takeEndpoint(
  tags: Tags,
  serviceName: string,
  addressKey: string,
  portKey: string,
): model.ZipkinEndpoint | undefined {
  const addressText = tags.get(addressKey);
  const address = addressText === undefined ? undefined : parseIp(addressText);
  if (serviceName === '' && address === undefined) return undefined;
  const endpoint: model.ZipkinEndpoint = { serviceName, ipv4: '', ipv6: '', port: 0 };
  if (address !== undefined) {
    endpoint[addressText!.includes(':') ? 'ipv6' : 'ipv4'] = ipText(address);
    tags.delete(addressKey);
  }
  const port = tags.get(portKey);
  if (port !== undefined && PORT.test(port) && Number(port) <= PORT_MAX) {
    endpoint.port = Number(port);
    tags.delete(portKey);
  }
  return endpoint;
}
