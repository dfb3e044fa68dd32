/** Reads a list of Zipkin v2 spans in protobuf (zipkin.proto3.ListOfSpans). */
import { WireReader } from '../otlp/wire-reader.ts';
import { encodingFailed } from './guard.ts';
import { ipText } from './ip-address.ts';
import { TimeWords } from './time-words.ts';
import {
  SPAN_ID_BYTES,
  TRACE_ID_BYTES,
  ZIPKIN_KINDS,
  type ZipkinEndpoint,
  type ZipkinSpan,
} from './zipkin-model.ts';

const VARINT = 0;
const I64 = 1;
const LEN = 2;

export const TAG_ZIPKIN_SPANS = (1 << 3) | LEN;
export const TAG_ZIPKIN_TRACE_ID = (1 << 3) | LEN;
export const TAG_ZIPKIN_PARENT_ID = (2 << 3) | LEN;
export const TAG_ZIPKIN_ID = (3 << 3) | LEN;
export const TAG_ZIPKIN_KIND = (4 << 3) | VARINT;
export const TAG_ZIPKIN_NAME = (5 << 3) | LEN;
export const TAG_ZIPKIN_TIMESTAMP = (6 << 3) | I64;
export const TAG_ZIPKIN_DURATION = (7 << 3) | VARINT;
export const TAG_ZIPKIN_LOCAL_ENDPOINT = (8 << 3) | LEN;
export const TAG_ZIPKIN_REMOTE_ENDPOINT = (9 << 3) | LEN;
export const TAG_ZIPKIN_ANNOTATIONS = (10 << 3) | LEN;
export const TAG_ZIPKIN_TAGS = (11 << 3) | LEN;
export const TAG_ENDPOINT_SERVICE_NAME = (1 << 3) | LEN;
export const TAG_ENDPOINT_IPV4 = (2 << 3) | LEN;
export const TAG_ENDPOINT_IPV6 = (3 << 3) | LEN;
export const TAG_ENDPOINT_PORT = (4 << 3) | VARINT;
export const TAG_ANNOTATION_TIMESTAMP = (1 << 3) | I64;
export const TAG_ANNOTATION_VALUE = (2 << 3) | LEN;
export const TAG_ENTRY_KEY = (1 << 3) | LEN;
export const TAG_ENTRY_VALUE = (2 << 3) | LEN;

const PORT_MASK = 0xffff;
const words = new TimeWords();

export function parseZipkinProto(record: Uint8Array): ZipkinSpan[] {
  const spans: ZipkinSpan[] = [];
  const reader = new WireReader(record);
  while (reader.pos < reader.end) {
    const tag = reader.readTag();
    if (tag === TAG_ZIPKIN_SPANS) spans.push(nested(reader, parseSpan));
    else reader.skip(tag);
  }
  return spans;
}

/** Reads the message behind a length with the same reader. */
function nested<T>(reader: WireReader, read: (reader: WireReader) => T): T {
  const sizeBytes = reader.readLength();
  const outerEnd = reader.end;
  reader.end = reader.pos + sizeBytes;
  const value = read(reader);
  reader.pos = reader.end;
  reader.end = outerEnd;
  return value;
}

function parseSpan(reader: WireReader): ZipkinSpan {
  const span: ZipkinSpan = {
    traceId: new Uint8Array(0),
    id: new Uint8Array(0),
    parentId: undefined,
    name: '',
    kind: '',
    // Absent is 0 in this form, which is a time.
    startMicros: 0,
    durationMicros: 0,
    localEndpoint: undefined,
    remoteEndpoint: undefined,
    annotations: [],
    tags: new Map(),
  };
  while (reader.pos < reader.end) readField(span, reader, reader.readTag());
  checkId(span.traceId, TRACE_ID_BYTES, 'trace id');
  checkId(span.id, SPAN_ID_BYTES, 'id');
  if (span.parentId !== undefined) checkId(span.parentId, SPAN_ID_BYTES, 'parent id');
  return span;
}

function readField(span: ZipkinSpan, reader: WireReader, tag: number): void {
  if (tag === TAG_ZIPKIN_TRACE_ID) span.traceId = reader.readBytes();
  else if (tag === TAG_ZIPKIN_ID) span.id = reader.readBytes();
  else if (tag === TAG_ZIPKIN_PARENT_ID) {
    const id = reader.readBytes();
    span.parentId = id.length === 0 ? undefined : id;
  } else if (tag === TAG_ZIPKIN_KIND) span.kind = ZIPKIN_KINDS[reader.readInt32()] ?? '';
  else if (tag === TAG_ZIPKIN_NAME) span.name = reader.readString();
  else if (tag === TAG_ZIPKIN_TIMESTAMP) {
    reader.readFixed64();
    span.startMicros = microsOf(reader);
  } else if (tag === TAG_ZIPKIN_DURATION) {
    reader.readVarint64();
    span.durationMicros = microsOf(reader);
  } else if (tag === TAG_ZIPKIN_LOCAL_ENDPOINT) span.localEndpoint = nested(reader, parseEndpoint);
  else if (tag === TAG_ZIPKIN_REMOTE_ENDPOINT) span.remoteEndpoint = nested(reader, parseEndpoint);
  else if (tag === TAG_ZIPKIN_ANNOTATIONS) span.annotations.push(nested(reader, parseAnnotation));
  else if (tag === TAG_ZIPKIN_TAGS) {
    const [key, value] = nested(reader, parseEntry);
    span.tags.set(key, value);
  } else reader.skip(tag);
}

function parseEndpoint(reader: WireReader): ZipkinEndpoint {
  const endpoint: ZipkinEndpoint = { serviceName: '', ipv4: '', ipv6: '', port: 0 };
  while (reader.pos < reader.end) {
    const tag = reader.readTag();
    if (tag === TAG_ENDPOINT_SERVICE_NAME) endpoint.serviceName = reader.readString();
    else if (tag === TAG_ENDPOINT_IPV4) endpoint.ipv4 = addressOf(reader.readBytes());
    else if (tag === TAG_ENDPOINT_IPV6) endpoint.ipv6 = addressOf(reader.readBytes());
    else if (tag === TAG_ENDPOINT_PORT) endpoint.port = reader.readInt32() & PORT_MASK;
    else reader.skip(tag);
  }
  return endpoint;
}

function addressOf(bytes: Uint8Array): string {
  return bytes.length === 0 ? '' : ipText(bytes);
}

function parseAnnotation(reader: WireReader): { micros: number; value: string } {
  const annotation = { micros: 0, value: '' };
  while (reader.pos < reader.end) {
    const tag = reader.readTag();
    if (tag === TAG_ANNOTATION_TIMESTAMP) {
      reader.readFixed64();
      annotation.micros = microsOf(reader);
    } else if (tag === TAG_ANNOTATION_VALUE) annotation.value = reader.readString();
    else reader.skip(tag);
  }
  return annotation;
}

function parseEntry(reader: WireReader): [string, string] {
  const entry: [string, string] = ['', ''];
  while (reader.pos < reader.end) {
    const tag = reader.readTag();
    if (tag === TAG_ENTRY_KEY) entry[0] = reader.readString();
    else if (tag === TAG_ENTRY_VALUE) entry[1] = reader.readString();
    else reader.skip(tag);
  }
  return entry;
}

function microsOf(reader: WireReader): number {
  words.set(reader.lo, reader.hi);
  if (!Number.isSafeInteger(words.number)) {
    throw encodingFailed(`a time that is too far away at byte ${reader.pos}`);
  }
  return words.number;
}

function checkId(id: Uint8Array, sizeBytes: number, what: string): void {
  if (id.length !== sizeBytes)
    throw encodingFailed(`a ${what} of ${id.length} bytes instead of ${sizeBytes}`);
}
