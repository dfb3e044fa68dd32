/** Writes an ExportTraceServiceRequest from plain data (opentelemetry/proto/trace/v1/trace.proto): for own spans. */
import {
  type PlainAttributes,
  writeAttributes,
  writeResource,
  writeScope,
  writeTime,
} from './encode-common.ts';
import * as tags from './tags.ts';
import { WireWriter } from './wire-writer.ts';

const KIND_INTERNAL = 1;
const STATUS_ERROR = 2;

export interface PlainSpan {
  scope: { name: string; attributes: PlainAttributes };
  name: string;
  /** 16 and 8 bytes as hex digits. */
  traceId: string;
  spanId: string;
  /** Empty for a root. */
  parentSpanId: string;
  startUnixMs: number;
  endUnixMs: number;
  attributes: PlainAttributes;
  /** Makes its status an error; undefined when all went well. */
  error: string | undefined;
}

/** @returns a private buffer. */
export function encodeSpans(resource: PlainAttributes, spans: readonly PlainSpan[]): Uint8Array {
  const writer = new WireWriter(4096);
  const whole = writer.beginMessage(tags.TAG_REQUEST_RESOURCE_SPANS, 2);
  writeResource(writer, tags.TAG_RESOURCE_SPANS_RESOURCE, resource);
  for (const [key, group] of groupByScope(spans)) {
    const mark = writer.beginMessage(tags.TAG_RESOURCE_SPANS_SCOPE_SPANS, 2);
    writeScope(writer, tags.TAG_SCOPE_SPANS_SCOPE, JSON.parse(key) as PlainSpan['scope']);
    for (const span of group) writeSpan(writer, span);
    writer.endMessage(mark);
  }
  writer.endMessage(whole);
  return writer.toBytes();
}

function groupByScope(spans: readonly PlainSpan[]): Map<string, PlainSpan[]> {
  const groups = new Map<string, PlainSpan[]>();
  for (const span of spans) {
    const key = JSON.stringify(span.scope);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [span]);
    else group.push(span);
  }
  return groups;
}

function writeSpan(writer: WireWriter, span: PlainSpan): void {
  const mark = writer.beginMessage(tags.TAG_SCOPE_SPANS_SPANS, 2);
  writer.writeBytesField(tags.TAG_SPAN_TRACE_ID, hexBytes(span.traceId));
  writer.writeBytesField(tags.TAG_SPAN_SPAN_ID, hexBytes(span.spanId));
  if (span.parentSpanId !== '')
    writer.writeBytesField(tags.TAG_SPAN_PARENT_SPAN_ID, hexBytes(span.parentSpanId));
  writer.writeStringField(tags.TAG_SPAN_NAME, span.name);
  writer.writeVarint32(tags.TAG_SPAN_KIND);
  writer.writeVarint32(KIND_INTERNAL);
  writeTime(writer, tags.TAG_SPAN_START_TIME_UNIX_NANO, span.startUnixMs);
  writeTime(writer, tags.TAG_SPAN_END_TIME_UNIX_NANO, span.endUnixMs);
  writeAttributes(writer, tags.TAG_SPAN_ATTRIBUTES, span.attributes);
  if (span.error !== undefined) {
    const status = writer.beginMessage(tags.TAG_SPAN_STATUS);
    writer.writeStringField(tags.TAG_STATUS_MESSAGE, span.error);
    writer.writeVarint32(tags.TAG_STATUS_CODE);
    writer.writeVarint32(STATUS_ERROR);
    writer.endMessage(status);
  }
  writer.endMessage(mark);
}

function hexBytes(hex: string): Uint8Array {
  const bytes = new Uint8Array(hex.length / 2);
  for (let at = 0; at < bytes.length; at++) bytes[at] = Number.parseInt(hex.slice(at * 2, at * 2 + 2), 16);
  return bytes;
}
