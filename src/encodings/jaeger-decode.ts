/**
 * `jaeger_proto` and `jaeger_json` to OTLP: the inverse of what OpenTelemetry's specification says of its Jaeger
 * exporters, with the details of the Collector's translator.
 *
 * Unlike there, tags of a process survive whose service has no name. `warnings` and `process_id` have no place in OTLP
 * and are left out in both.
 */
import * as otlp from '../otlp/tags.ts';
import { decodeUtf8 } from '../otlp/wire-reader.ts';
import { WireWriter } from '../otlp/wire-writer.ts';
import type { RecordDecoder } from './encoding.ts';
import { recordDecoder } from './guard.ts';
import * as jaeger from './jaeger-fields.ts';
import { jaegerJsonToProto } from './jaeger-json.ts';
import {
  JaegerSpanReader,
  JaegerTagReader,
  type Ranges,
  readLog,
  readProcess,
  readReference,
} from './jaeger-reader.ts';
import {
  isSameId,
  type SpanStatus,
  STATUS_ERROR,
  STATUS_OK,
  STATUS_UNSET,
  writeStatus,
} from './span-parts.ts';
import { spanKindOf, statusOfHttpTag } from './span-tags.ts';
import { keyBytes, TagTable } from './tag-table.ts';
import { TimeWords } from './time-words.ts';

const NO_SERVICE_NAME = 'OTLPResourceNoServiceName';
const SAMPLED = 1;
const KEY_SERVICE_NAME = keyBytes('service.name');
const KEY_HOSTNAME = keyBytes('hostname');
const KEY_HOST_NAME = keyBytes('host.name');
const KEY_JAEGER_VERSION = keyBytes('jaeger.version');
const KEY_EXPORTER_VERSION = keyBytes('opencensus.exporterversion');
const KEY_SCOPE_NAME = keyBytes('otel.scope.name');
const KEY_SCOPE_VERSION = keyBytes('otel.scope.version');
const KEY_SPAN_KIND = keyBytes('span.kind');
const KEY_ERROR = keyBytes('error');
const KEY_STATUS_CODE = keyBytes('otel.status_code');
const KEY_STATUS_DESCRIPTION = keyBytes('otel.status_description');
const KEY_HTTP_STATUS_CODE = keyBytes('http.status_code');
const KEY_HTTP_RESPONSE_STATUS_CODE = keyBytes('http.response.status_code');
const KEY_HTTP_STATUS_MESSAGE = keyBytes('http.status_message');
const KEY_TRACE_STATE = keyBytes('w3c.tracestate');
const KEY_EVENT = keyBytes('event');
const KEY_REF_TYPE = keyBytes('opentracing.ref_type');

export const jaegerProtoDecoder: RecordDecoder = recordDecoder('traces', 'jaeger_proto', decodeSpan);
const converted = new WireWriter();

export const jaegerJsonDecoder: RecordDecoder = recordDecoder('traces', 'jaeger_json', (record, out) => {
  converted.reset();
  jaegerJsonToProto(record, converted);
  decodeSpan(converted.view(), out);
});

// Decoding is synchronous, so a thread needs each of these once.
const span = new JaegerSpanReader();
const tag = new JaegerTagReader();
const table = new TagTable();
const time = new TimeWords();
const ranges: Ranges = [];
const refTraceId = new Uint8Array(16);
const refSpanId = new Uint8Array(8);
const parentId = new Uint8Array(8);

function decodeSpan(record: Uint8Array, out: WireWriter): void {
  span.read(record);
  // An empty message is no span, for the Collector either.
  if (record.length === 0) return;
  const container = out.beginMessage(otlp.TAG_REQUEST_RESOURCE_SPANS, 2);
  writeResource(out);
  const scope = out.beginMessage(otlp.TAG_RESOURCE_SPANS_SCOPE_SPANS, 2);
  fillTags(span.tags, writeScope(out));
  writeSpan(out);
  out.endMessage(scope);
  out.endMessage(container);
}

function writeResource(out: WireWriter): void {
  const { bytes, processes } = span;
  let service: readonly [number, number] = [0, 0];
  ranges.length = 0;
  for (let at = 0; at < processes.length; at += 2) {
    service = readProcess(bytes, processes[at]!, processes[at + 1]!, ranges) ?? service;
  }
  table.reset(bytes);
  const [start, end] = service;
  if (end > start && decodeUtf8(bytes, start, end) !== NO_SERVICE_NAME) {
    const slot = table.slotOf(KEY_SERVICE_NAME);
    tag.read(bytes, 0, 0);
    tag.store(table, slot);
    table.starts[slot] = start;
    table.ends[slot] = end;
  }
  addTags(ranges, NONE);
  renameHost();
  const version = table.find(KEY_JAEGER_VERSION);
  if (version >= 0 && table.find(KEY_EXPORTER_VERSION) < 0) {
    table.setText(table.slotOf(KEY_EXPORTER_VERSION), `Jaeger-${table.text(version)}`);
    table.remove(version);
  }
  const resource = out.beginMessage(otlp.TAG_RESOURCE_SPANS_RESOURCE, 2);
  table.write(out, otlp.TAG_RESOURCE_ATTRIBUTES);
  out.endMessage(resource);
}

function renameHost(): void {
  const hostname = table.find(KEY_HOSTNAME);
  if (hostname < 0 || table.find(KEY_HOST_NAME) >= 0) return;
  const slot = table.slotOf(KEY_HOST_NAME);
  for (const column of [table.kinds, table.starts, table.ends, table.los, table.his]) {
    column[slot] = column[hostname]!;
  }
  table.texts[slot] = table.texts[hostname]!;
  table.remove(hostname);
}

/** Two tags, by where they begin, that are no attributes; -1 for none. */
type LeftOut = readonly [number, number];
const NONE: LeftOut = [-1, -1];

/** The first tag with the scope's name and, if there is one, the first with its version name the scope. */
function writeScope(out: WireWriter): LeftOut {
  const nameAt = firstTag(KEY_SCOPE_NAME);
  if (nameAt < 0) return NONE;
  const scope = out.beginMessage(otlp.TAG_SCOPE_SPANS_SCOPE);
  out.writeBytesField(otlp.TAG_SCOPE_NAME, span.bytes, tag.stringStart, tag.stringEnd);
  const versionAt = firstTag(KEY_SCOPE_VERSION);
  if (versionAt >= 0) {
    out.writeBytesField(otlp.TAG_SCOPE_VERSION, span.bytes, tag.stringStart, tag.stringEnd);
  }
  out.endMessage(scope);
  return [nameAt, versionAt];
}

/** Where the first tag with this key begins, left in `tag`; -1 for none. */
function firstTag(key: Uint8Array): number {
  const { bytes, tags } = span;
  for (let at = 0; at < tags.length; at += 2) {
    tag.read(bytes, tags[at]!, tags[at + 1]!);
    if (isKey(key)) return tags[at]!;
  }
  return -1;
}

function isKey(key: Uint8Array): boolean {
  if (tag.keyEnd - tag.keyStart !== key.length) return false;
  for (let at = 0; at < key.length; at++) if (span.bytes[tag.keyStart + at] !== key[at]) return false;
  return true;
}

function fillTags(tags: Ranges, leftOut: LeftOut): void {
  table.reset(span.bytes);
  addTags(tags, leftOut);
}

function addTags(tags: Ranges, leftOut: LeftOut): void {
  for (let at = 0; at < tags.length; at += 2) {
    const start = tags[at]!;
    if (start === leftOut[0] || start === leftOut[1]) continue;
    tag.read(span.bytes, start, tags[at + 1]!);
    const slot =
      isKey(KEY_HTTP_RESPONSE_STATUS_CODE) || isKey(KEY_HTTP_STATUS_CODE)
        ? table.slotOf(KEY_HTTP_STATUS_CODE)
        : table.slot(tag.keyStart, tag.keyEnd);
    tag.store(table, slot);
  }
}

function writeSpan(out: WireWriter): void {
  const message = out.beginMessage(otlp.TAG_SCOPE_SPANS_SPANS, 2);
  out.writeBytesField(otlp.TAG_SPAN_TRACE_ID, span.traceId);
  out.writeBytesField(otlp.TAG_SPAN_SPAN_ID, span.spanId);
  findParent();
  if (parentId.some((byte) => byte !== 0)) out.writeBytesField(otlp.TAG_SPAN_PARENT_SPAN_ID, parentId);
  out.writeBytesField(otlp.TAG_SPAN_NAME, span.bytes, span.nameStart, span.nameEnd);
  const kindText = takeText(KEY_SPAN_KIND);
  const kind = kindText === undefined ? 0 : spanKindOf(kindText);
  out.writeVarint32(otlp.TAG_SPAN_KIND);
  out.writeVarint32(kind);
  writeTimeField(out, otlp.TAG_SPAN_START_TIME_UNIX_NANO, span.startTime);
  writeTimeField(out, otlp.TAG_SPAN_END_TIME_UNIX_NANO, span.endTime);
  const status = takeStatus(kind);
  const traceState = takeText(KEY_TRACE_STATE);
  if (traceState !== undefined) out.writeStringField(otlp.TAG_SPAN_TRACE_STATE, traceState);
  table.write(out, otlp.TAG_SPAN_ATTRIBUTES);
  writeEvents(out);
  writeLinks(out);
  if (status !== undefined) writeStatus(out, status);
  if ((span.flags & SAMPLED) !== 0) {
    out.writeVarint32(otlp.TAG_SPAN_FLAGS);
    out.writeFixed32(SAMPLED);
  }
  out.endMessage(message);
}

function writeTimeField(out: WireWriter, field: number, words: TimeWords): void {
  out.writeVarint32(field);
  out.writeFixed64(words.lo, words.hi);
}

/** Takes a tag out and gives its text; undefined when there is none. */
function takeText(key: Uint8Array): string | undefined {
  const slot = table.find(key);
  if (slot < 0) return undefined;
  table.remove(slot);
  return table.text(slot);
}

function textOf(key: Uint8Array): string | undefined {
  const slot = table.find(key);
  return slot < 0 ? undefined : table.text(slot);
}

/** A true `error` decides, then an explicit code, then what HTTP answered. */
function takeStatus(kind: number): SpanStatus | undefined {
  let status: SpanStatus | undefined;
  const error = table.find(KEY_ERROR);
  if (error >= 0 && table.isTrue(error)) {
    table.remove(error);
    const message = takeText(KEY_STATUS_DESCRIPTION) ?? textOf(KEY_HTTP_STATUS_MESSAGE) ?? '';
    status = { code: STATUS_ERROR, message };
  }
  const codeText = takeText(KEY_STATUS_CODE);
  if (codeText !== undefined) {
    return status ?? { code: codeOf(codeText), message: takeText(KEY_STATUS_DESCRIPTION) ?? '' };
  }
  if (status !== undefined) return status;
  const http = table.find(KEY_HTTP_STATUS_CODE);
  const code = http < 0 ? undefined : statusOfHttpTag(table, http, kind);
  if (code === undefined || code === STATUS_UNSET) return undefined;
  return { code, message: textOf(KEY_HTTP_STATUS_MESSAGE) ?? '' };
}

function codeOf(text: string): number {
  const upper = text.toUpperCase();
  if (upper === 'OK') return STATUS_OK;
  return upper === 'ERROR' ? STATUS_ERROR : STATUS_UNSET;
}

function writeEvents(out: WireWriter): void {
  const { bytes, logs } = span;
  for (let at = 0; at < logs.length; at += 2) {
    readLog(bytes, logs[at]!, logs[at + 1]!, time, ranges);
    const event = out.beginMessage(otlp.TAG_SPAN_EVENTS);
    writeTimeField(out, otlp.TAG_EVENT_TIME_UNIX_NANO, time);
    fillTags(ranges, NONE);
    const name = takeText(KEY_EVENT);
    if (name !== undefined) out.writeStringField(otlp.TAG_EVENT_NAME, name);
    table.write(out, otlp.TAG_EVENT_ATTRIBUTES);
    out.endMessage(event);
  }
}

/** The first CHILD_OF of the same trace, else the first FOLLOWS_FROM of it; zero for a root. */
function findParent(): void {
  parentId.fill(0);
  let isFound = false;
  for (let at = 0; at < span.references.length; at += 2) {
    const type = readRef(at);
    if (!isSameId(refTraceId, span.traceId)) continue;
    if (type === jaeger.JAEGER_CHILD_OF) {
      parentId.set(refSpanId);
      return;
    }
    if (type !== jaeger.JAEGER_FOLLOWS_FROM || isFound) continue;
    parentId.set(refSpanId);
    isFound = true;
  }
}

/** Every reference but that to the parent is a link. */
function writeLinks(out: WireWriter): void {
  for (let at = 0; at < span.references.length; at += 2) {
    const type = readRef(at);
    if (type === jaeger.JAEGER_CHILD_OF && isSameId(refSpanId, parentId)) continue;
    const link = out.beginMessage(otlp.TAG_SPAN_LINKS);
    out.writeBytesField(otlp.TAG_LINK_TRACE_ID, refTraceId);
    out.writeBytesField(otlp.TAG_LINK_SPAN_ID, refSpanId);
    table.reset(span.bytes);
    table.setText(table.slotOf(KEY_REF_TYPE), type === jaeger.JAEGER_CHILD_OF ? 'child_of' : 'follows_from');
    table.write(out, otlp.TAG_LINK_ATTRIBUTES);
    out.endMessage(link);
  }
}

function readRef(at: number): number {
  const { bytes, references } = span;
  return readReference(bytes, references[at]!, references[at + 1]!, refTraceId, refSpanId);
}
