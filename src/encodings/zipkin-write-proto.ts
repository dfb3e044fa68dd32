/** Writes a list of Zipkin v2 spans in protobuf (zipkin.proto3.ListOfSpans). */
import { WireWriter } from '../otlp/wire-writer.ts';
import { parseIp } from './ip-address.ts';
import { TimeWords } from './time-words.ts';
import { ZIPKIN_KINDS, type ZipkinEndpoint, type ZipkinSpan } from './zipkin-model.ts';
import * as tags from './zipkin-proto.ts';

const words = new TimeWords();

/** @returns private memory. */
export function zipkinProto(spans: readonly ZipkinSpan[]): Uint8Array {
  const out = new WireWriter();
  for (const span of spans) {
    const mark = out.beginMessage(tags.TAG_ZIPKIN_SPANS, 2);
    writeSpan(out, span);
    out.endMessage(mark);
  }
  return out.toBytes();
}

function writeSpan(out: WireWriter, span: ZipkinSpan): void {
  out.writeBytesField(tags.TAG_ZIPKIN_TRACE_ID, span.traceId);
  if (span.parentId !== undefined) out.writeBytesField(tags.TAG_ZIPKIN_PARENT_ID, span.parentId);
  out.writeBytesField(tags.TAG_ZIPKIN_ID, span.id);
  if (span.kind !== '') {
    out.writeVarint32(tags.TAG_ZIPKIN_KIND);
    out.writeVarint32(ZIPKIN_KINDS.indexOf(span.kind));
  }
  if (span.name !== '') out.writeStringField(tags.TAG_ZIPKIN_NAME, span.name);
  if (span.startMicros) writeMicros(out, tags.TAG_ZIPKIN_TIMESTAMP, span.startMicros);
  if (span.durationMicros !== 0) {
    words.setProduct(span.durationMicros, 1, 0);
    out.writeVarint32(tags.TAG_ZIPKIN_DURATION);
    out.writeVarint64(words.lo, words.hi);
  }
  writeEndpoint(out, tags.TAG_ZIPKIN_LOCAL_ENDPOINT, span.localEndpoint);
  writeEndpoint(out, tags.TAG_ZIPKIN_REMOTE_ENDPOINT, span.remoteEndpoint);
  for (const { micros, value } of span.annotations) {
    const mark = out.beginMessage(tags.TAG_ZIPKIN_ANNOTATIONS);
    if (micros !== 0) writeMicros(out, tags.TAG_ANNOTATION_TIMESTAMP, micros);
    if (value !== '') out.writeStringField(tags.TAG_ANNOTATION_VALUE, value);
    out.endMessage(mark);
  }
  for (const [key, value] of span.tags) {
    const mark = out.beginMessage(tags.TAG_ZIPKIN_TAGS);
    out.writeStringField(tags.TAG_ENTRY_KEY, key);
    out.writeStringField(tags.TAG_ENTRY_VALUE, value);
    out.endMessage(mark);
  }
}

function writeEndpoint(out: WireWriter, tag: number, endpoint: ZipkinEndpoint | undefined): void {
  if (endpoint === undefined) return;
  const { serviceName, ipv4, ipv6, port } = endpoint;
  const mark = out.beginMessage(tag);
  if (serviceName !== '') out.writeStringField(tags.TAG_ENDPOINT_SERVICE_NAME, serviceName);
  if (ipv4 !== '') out.writeBytesField(tags.TAG_ENDPOINT_IPV4, parseIp(ipv4)!);
  if (ipv6 !== '') out.writeBytesField(tags.TAG_ENDPOINT_IPV6, wideIp(parseIp(ipv6)!));
  if (port !== 0) {
    out.writeVarint32(tags.TAG_ENDPOINT_PORT);
    out.writeVarint32(port);
  }
  out.endMessage(mark);
}

/** 16 bytes, also of an IPv4 address in IPv6, whose text is that of IPv4. */
function wideIp(address: Uint8Array): Uint8Array {
  return address.length === 16 ? address : Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, ...address);
}

function writeMicros(out: WireWriter, tag: number, micros: number): void {
  words.setProduct(micros, 1, 0);
  out.writeVarint32(tag);
  out.writeFixed64(words.lo, words.hi);
}
