/**
 * Spans as `jaeger_proto` and `jaeger_json`: one record a span, which carries its Process; the key is the trace id.
 * The Collector's translator defines the details (pkg/translator/jaeger).
 */
import {
  ANY_BOOL,
  ANY_BYTES,
  ANY_DOUBLE,
  ANY_INT,
  ANY_STRING,
  type AnyValueView,
} from '../otlp/any-value-view.ts';
import { AttributeCursor, ItemView, RepeatedCursor } from '../otlp/item-view.ts';
import * as otlp from '../otlp/tags.ts';
import { WireWriter } from '../otlp/wire-writer.ts';
import type { EncodedRecord, RecordEncoder } from './encoding.ts';
import { plainText } from './go-json.ts';
import { recordEncoder } from './guard.ts';
import * as jaeger from './jaeger-fields.ts';
import { writeTimeMessage } from './jaeger-json.ts';
import { jaegerProtoToJson } from './jaeger-json-write.ts';
import { type RequestVisitor, walkItems } from './request-walk.ts';
import * as parts from './span-parts.ts';
import { keyBytes } from './tag-table.ts';
import { splitNanos } from './time-text.ts';
import { NANOS_PER_SECOND, TimeWords } from './time-words.ts';

const NO_SERVICE_NAME = 'OTLPResourceNoServiceName';
const KEY_SERVICE_NAME = keyBytes('service.name');
const KEY_HTTP_STATUS_CODE = keyBytes('http.status_code');
const KEY_HTTP_RESPONSE_STATUS_CODE = keyBytes('http.response.status_code');
const KEY_EVENT = keyBytes('event');
const KEY_REF_TYPE = keyBytes('opentracing.ref_type');
const KIND_TEXTS = ['', 'internal', 'server', 'client', 'producer', 'consumer'];
const STATUS_TEXTS = ['', 'OK', 'ERROR'];
const SAMPLED = 1;
const TRACE_ID_BYTES = 16;
const SPAN_ID_BYTES = 8;
const INT64_MIN_HI = -0x8000_0000;

const UTF8 = new TextEncoder();

export const jaegerProtoEncoder: RecordEncoder = recordEncoder(
  'traces',
  'jaeger_proto',
  (requests, records) => encodeSpans(requests, records, (bytes) => bytes.slice()),
);

export const jaegerJsonEncoder: RecordEncoder = recordEncoder('traces', 'jaeger_json', (requests, records) =>
  encodeSpans(requests, records, (bytes) => UTF8.encode(jaegerProtoToJson(bytes))),
);

function encodeSpans(
  requests: readonly Uint8Array[],
  records: EncodedRecord[],
  finish: (span: Uint8Array) => Uint8Array,
): number {
  walkItems(requests, new SpanVisitor(records, finish));
  return 0;
}

class SpanVisitor implements RequestVisitor {
  readonly #records: EncodedRecord[];
  readonly #finish: (span: Uint8Array) => Uint8Array;
  readonly #out = new WireWriter();
  readonly #process = new WireWriter();
  readonly #scope = new ItemView();
  readonly #span = new ItemView();
  readonly #part = new ItemView();
  readonly #attributes = new AttributeCursor();
  readonly #children = new RepeatedCursor();
  readonly #traceId = new Uint8Array(TRACE_ID_BYTES);
  readonly #parentId = new Uint8Array(SPAN_ID_BYTES);
  readonly #start = new TimeWords();
  readonly #duration = new TimeWords();

  constructor(records: EncodedRecord[], finish: (span: Uint8Array) => Uint8Array) {
    this.#records = records;
    this.#finish = finish;
  }

  visitResource(bytes: Uint8Array, start: number, end: number): void {
    const out = this.#process;
    const cursor = this.#attributes;
    out.reset();
    cursor.reset(bytes, start, end, otlp.TAG_RESOURCE_ATTRIBUTES);
    if (!cursor.next()) {
      out.writeStringField(jaeger.TAG_JAEGER_PROCESS_SERVICE_NAME, NO_SERVICE_NAME);
      return;
    }
    cursor.reset(bytes, start, end, otlp.TAG_RESOURCE_ATTRIBUTES);
    if (cursor.find(KEY_SERVICE_NAME)) {
      const name = plainText(cursor.value);
      if (name !== '') out.writeStringField(jaeger.TAG_JAEGER_PROCESS_SERVICE_NAME, name);
    }
    cursor.reset(bytes, start, end, otlp.TAG_RESOURCE_ATTRIBUTES);
    while (cursor.next()) {
      if (!cursor.isKey(KEY_SERVICE_NAME)) {
        writeTag(out, jaeger.TAG_JAEGER_PROCESS_TAGS, bytes, cursor.keyStart, cursor.keyEnd, cursor.value);
      }
    }
  }

  visitScope(bytes: Uint8Array, start: number, end: number): void {
    this.#scope.reset(bytes, start, end);
  }

  visitItem(bytes: Uint8Array, start: number, end: number): void {
    const span = this.#span;
    const out = this.#out;
    span.reset(bytes, start, end);
    out.reset();
    readId(span, otlp.TAG_SPAN_TRACE_ID, this.#traceId);
    out.writeBytesField(jaeger.TAG_JAEGER_TRACE_ID, this.#traceId);
    readId(span, otlp.TAG_SPAN_SPAN_ID, this.#parentId);
    out.writeBytesField(jaeger.TAG_JAEGER_SPAN_ID, this.#parentId);
    readId(span, otlp.TAG_SPAN_PARENT_SPAN_ID, this.#parentId);
    copyText(out, jaeger.TAG_JAEGER_OPERATION_NAME, span, otlp.TAG_SPAN_NAME);
    this.#writeReferences();
    span.find(otlp.TAG_SPAN_FLAGS);
    if ((span.lo & SAMPLED) !== 0) {
      out.writeVarint32(jaeger.TAG_JAEGER_FLAGS);
      out.writeVarint32(SAMPLED);
    }
    this.#writeTimes();
    this.#writeTags();
    this.#writeLogs();
    out.writeBytesField(jaeger.TAG_JAEGER_PROCESS, this.#process.bytes, 0, this.#process.pos);
    const value = this.#finish(out.view());
    this.#records.push({ key: traceKey(this.#traceId), value, itemCount: 1 });
  }

  /** The parent first, then the links; a link to the parent gives its type to that one reference. */
  #writeReferences(): void {
    const span = this.#span;
    const traceId = new Uint8Array(TRACE_ID_BYTES);
    const spanId = new Uint8Array(SPAN_ID_BYTES);
    const hasParent = this.#parentId.some((byte) => byte !== 0);
    const links: { traceId: Uint8Array; spanId: Uint8Array; type: number }[] = [];
    const parent = { traceId: this.#traceId, spanId: this.#parentId, type: jaeger.JAEGER_CHILD_OF };
    if (hasParent) links.push(parent);
    this.#children.reset(span.bytes, span.start, span.end, otlp.TAG_SPAN_LINKS);
    while (this.#children.next()) {
      const link = this.#part;
      link.reset(span.bytes, this.#children.start, this.#children.end);
      readId(link, otlp.TAG_LINK_TRACE_ID, traceId);
      readId(link, otlp.TAG_LINK_SPAN_ID, spanId);
      const type = this.#refType(link);
      if (hasParent && parts.isSameId(traceId, this.#traceId) && parts.isSameId(spanId, this.#parentId))
        parent.type = type;
      else links.push({ traceId: traceId.slice(), spanId: spanId.slice(), type });
    }
    for (const link of links) {
      const mark = this.#out.beginMessage(jaeger.TAG_JAEGER_REFERENCES);
      this.#out.writeBytesField(jaeger.TAG_JAEGER_REF_TRACE_ID, link.traceId);
      this.#out.writeBytesField(jaeger.TAG_JAEGER_REF_SPAN_ID, link.spanId);
      if (link.type !== 0) {
        this.#out.writeVarint32(jaeger.TAG_JAEGER_REF_TYPE);
        this.#out.writeVarint32(link.type);
      }
      this.#out.endMessage(mark);
    }
  }

  #refType(link: ItemView): number {
    const cursor = this.#attributes;
    cursor.reset(link.bytes, link.start, link.end, otlp.TAG_LINK_ATTRIBUTES);
    if (!cursor.find(KEY_REF_TYPE)) return jaeger.JAEGER_FOLLOWS_FROM;
    const { value } = cursor;
    return value.kind === ANY_STRING && value.text() === 'child_of'
      ? jaeger.JAEGER_CHILD_OF
      : jaeger.JAEGER_FOLLOWS_FROM;
  }

  #writeTimes(): void {
    const span = this.#span;
    const duration = this.#duration;
    span.find(otlp.TAG_SPAN_START_TIME_UNIX_NANO);
    this.#start.set(span.lo, span.hi);
    writeTimestamp(this.#out, jaeger.TAG_JAEGER_START_TIME, span.lo, span.hi);
    span.find(otlp.TAG_SPAN_END_TIME_UNIX_NANO);
    duration.set(span.lo, span.hi);
    duration.subtract(this.#start.lo, this.#start.hi);
    // The difference of two int64 stops at the bounds of int64.
    const endsEarlier = span.hi < 0;
    if (endsEarlier !== this.#start.hi < 0 && endsEarlier !== duration.hi < 0) {
      if (endsEarlier) duration.set(0, INT64_MIN_HI);
      else duration.set(-1, ~INT64_MIN_HI);
    }
    const isNegative = duration.hi < 0;
    if (isNegative) duration.negate();
    duration.setQuotient(duration.lo, duration.hi, NANOS_PER_SECOND);
    const sign = isNegative ? -1 : 1;
    writeTimeMessage(this.#out, jaeger.TAG_JAEGER_DURATION, duration.number * sign, duration.rest * sign);
  }

  #writeTags(): void {
    const span = this.#span;
    const out = this.#out;
    const scope = this.#scope;
    scope.find(otlp.TAG_SCOPE_NAME);
    writeTextTag(out, 'otel.scope.name', scope.bytes, scope.contentStart, scope.contentEnd);
    scope.find(otlp.TAG_SCOPE_VERSION);
    writeTextTag(out, 'otel.scope.version', scope.bytes, scope.contentStart, scope.contentEnd);
    this.#writeAttributes(jaeger.TAG_JAEGER_TAGS, span, otlp.TAG_SPAN_ATTRIBUTES);
    span.find(otlp.TAG_SPAN_KIND);
    const kind = KIND_TEXTS[span.hi === 0 ? span.lo : 0];
    if (kind) writeConstantTag(out, 'span.kind', kind);
    if (span.find(otlp.TAG_SPAN_STATUS)) this.#writeStatus(span.contentStart, span.contentEnd);
    span.find(otlp.TAG_SPAN_TRACE_STATE);
    writeTextTag(out, 'w3c.tracestate', span.bytes, span.contentStart, span.contentEnd);
  }

  #writeStatus(start: number, end: number): void {
    const status = this.#part;
    const out = this.#out;
    status.reset(this.#span.bytes, start, end);
    const code = status.int32(otlp.TAG_STATUS_CODE);
    const text = STATUS_TEXTS[code];
    if (text) writeConstantTag(out, 'otel.status_code', text);
    if (code === parts.STATUS_ERROR) {
      const mark = out.beginMessage(jaeger.TAG_JAEGER_TAGS);
      out.writeStringField(jaeger.TAG_JAEGER_KEY, 'error');
      out.writeVarint32(jaeger.TAG_JAEGER_V_TYPE);
      out.writeVarint32(jaeger.JAEGER_BOOL);
      out.writeVarint32(jaeger.TAG_JAEGER_V_BOOL);
      out.writeVarint32(1);
      out.endMessage(mark);
    }
    status.find(otlp.TAG_STATUS_MESSAGE);
    writeTextTag(out, 'otel.status_description', status.bytes, status.contentStart, status.contentEnd);
  }

  #writeLogs(): void {
    const span = this.#span;
    const out = this.#out;
    const event = this.#part;
    this.#children.reset(span.bytes, span.start, span.end, otlp.TAG_SPAN_EVENTS);
    while (this.#children.next()) {
      event.reset(span.bytes, this.#children.start, this.#children.end);
      const mark = out.beginMessage(jaeger.TAG_JAEGER_LOGS, 2);
      event.find(otlp.TAG_EVENT_TIME_UNIX_NANO);
      writeTimestamp(out, jaeger.TAG_JAEGER_LOG_TIMESTAMP, event.lo, event.hi);
      this.#attributes.reset(event.bytes, event.start, event.end, otlp.TAG_EVENT_ATTRIBUTES);
      if (!this.#attributes.find(KEY_EVENT)) {
        event.find(otlp.TAG_EVENT_NAME);
        const { bytes, contentStart, contentEnd } = event;
        writeTextTag(out, 'event', bytes, contentStart, contentEnd, jaeger.TAG_JAEGER_LOG_FIELDS);
      }
      this.#writeAttributes(jaeger.TAG_JAEGER_LOG_FIELDS, event, otlp.TAG_EVENT_ATTRIBUTES);
      out.endMessage(mark);
    }
  }

  #writeAttributes(tag: number, item: ItemView, attributesTag: number): void {
    const cursor = this.#attributes;
    cursor.reset(item.bytes, item.start, item.end, attributesTag);
    while (cursor.next()) {
      if (cursor.isKey(KEY_HTTP_RESPONSE_STATUS_CODE)) {
        const { length } = KEY_HTTP_STATUS_CODE;
        writeTag(this.#out, tag, KEY_HTTP_STATUS_CODE, 0, length, cursor.value);
      } else writeTag(this.#out, tag, item.bytes, cursor.keyStart, cursor.keyEnd, cursor.value);
    }
  }
}

/** Copies an id; zeros for one that is absent. */
function readId(item: ItemView, tag: number, id: Uint8Array): void {
  id.fill(0);
  item.find(tag);
  if (item.contentEnd - item.contentStart !== id.length) return;
  for (let at = 0; at < id.length; at++) id[at] = item.bytes[item.contentStart + at]!;
}

/** 32 digits, or 16 when the upper half is zero. */
function traceKey(traceId: Uint8Array): Uint8Array {
  let text = '';
  for (const byte of traceId) text += byte.toString(16).padStart(2, '0');
  return UTF8.encode(text.startsWith('0000000000000000') ? text.slice(16) : text);
}

function copyText(out: WireWriter, tag: number, item: ItemView, from: number): void {
  item.find(from);
  if (item.contentEnd > item.contentStart)
    out.writeBytesField(tag, item.bytes, item.contentStart, item.contentEnd);
}

function writeTimestamp(out: WireWriter, tag: number, lo: number, hi: number): void {
  const { seconds, nanos } = splitNanos(lo, hi);
  writeTimeMessage(out, tag, seconds, nanos);
}

/** A string tag; none for an empty text. */
function writeTextTag(
  out: WireWriter,
  key: string,
  bytes: Uint8Array,
  start: number,
  end: number,
  tag = jaeger.TAG_JAEGER_TAGS,
): void {
  if (start === end) return;
  const mark = out.beginMessage(tag);
  out.writeStringField(jaeger.TAG_JAEGER_KEY, key);
  out.writeBytesField(jaeger.TAG_JAEGER_V_STR, bytes, start, end);
  out.endMessage(mark);
}

function writeConstantTag(out: WireWriter, key: string, text: string): void {
  const mark = out.beginMessage(jaeger.TAG_JAEGER_TAGS);
  out.writeStringField(jaeger.TAG_JAEGER_KEY, key);
  out.writeStringField(jaeger.TAG_JAEGER_V_STR, text);
  out.endMessage(mark);
}

/** A tag of any type; lists and maps become JSON. */
function writeTag(
  out: WireWriter,
  tag: number,
  keys: Uint8Array,
  keyStart: number,
  keyEnd: number,
  value: AnyValueView,
): void {
  const mark = out.beginMessage(tag);
  if (keyEnd > keyStart) out.writeBytesField(jaeger.TAG_JAEGER_KEY, keys, keyStart, keyEnd);
  const type = TYPES[value.kind] ?? jaeger.JAEGER_STRING;
  if (type !== jaeger.JAEGER_STRING) {
    out.writeVarint32(jaeger.TAG_JAEGER_V_TYPE);
    out.writeVarint32(type);
  }
  if (type === jaeger.JAEGER_STRING) writeText(out, value);
  else if (type === jaeger.JAEGER_BINARY) {
    if (value.end > value.start)
      out.writeBytesField(jaeger.TAG_JAEGER_V_BINARY, value.bytes, value.start, value.end);
  } else if ((value.lo | value.hi) !== 0) {
    if (type === jaeger.JAEGER_FLOAT64) {
      out.writeVarint32(jaeger.TAG_JAEGER_V_FLOAT64);
      out.writeFixed64(value.lo, value.hi);
    } else {
      out.writeVarint32(type === jaeger.JAEGER_BOOL ? jaeger.TAG_JAEGER_V_BOOL : jaeger.TAG_JAEGER_V_INT64);
      out.writeVarint64(value.lo, value.hi);
    }
  }
  out.endMessage(mark);
}

const TYPES: Readonly<Record<number, number>> = {
  [ANY_BOOL]: jaeger.JAEGER_BOOL,
  [ANY_INT]: jaeger.JAEGER_INT64,
  [ANY_DOUBLE]: jaeger.JAEGER_FLOAT64,
  [ANY_BYTES]: jaeger.JAEGER_BINARY,
};

function writeText(out: WireWriter, value: AnyValueView): void {
  if (value.kind === ANY_STRING) {
    if (value.end > value.start)
      out.writeBytesField(jaeger.TAG_JAEGER_V_STR, value.bytes, value.start, value.end);
    return;
  }
  const text = plainText(value);
  if (text !== '') out.writeStringField(jaeger.TAG_JAEGER_V_STR, text);
}
