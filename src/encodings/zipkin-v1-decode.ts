/**
 * `zipkin_thrift`, a list of zipkincore.Span in Thrift's binary protocol, and the list in JSON that came before version 2.
 */

import { base64 } from '../otlp/any-value-text.ts';
import { Double, type PlainValue } from '../otlp/any-value-write.ts';
import { decodeUtf8 } from '../otlp/wire-reader.ts';
import type { RecordDecoder } from './encoding.ts';
import { encodingFailed, recordDecoder } from './guard.ts';
import { ipText } from './ip-address.ts';
import { parseTag } from './string-tags.ts';
import * as thrift from './thrift-reader.ts';
import { type JsonObject, objectOf, objectsOf, parseObjects, stringOf, wholeOf } from './zipkin-json.ts';
import { isZeroId, parseHexId, SPAN_ID_BYTES, TRACE_ID_BYTES } from './zipkin-model.ts';
import {
  type V1Annotation,
  type V1BinaryAnnotation,
  type V1Endpoint,
  type V1Span,
  writeV1Spans,
} from './zipkin-v1-model.ts';

const SHORT_TRACE_DIGITS = 16;
const PORT_MAX = 0x7fff_ffff;
const TOO_SHORT = '<not enough bytes representing the number>';

/* AnnotationType of zipkincore.thrift. */
const BOOL = 0;
const BYTES = 1;
const I16 = 2;
const I32 = 3;
const I64 = 4;
const DOUBLE = 5;
const STRING = 6;

export const zipkinThriftDecoder: RecordDecoder = recordDecoder('traces', 'zipkin_thrift', (record, out) => {
  const reader = new thrift.ThriftReader(record);
  const spans: V1Span[] = [];
  for (let left = reader.readListCount(); left > 0; left--) spans.push(readSpan(reader));
  writeV1Spans(spans, { absentTimeMs: undefined, takesEmptyNames: true }, out);
});

/** @param parsesStringTags values that are numbers, true or false become such attributes. */
export function zipkinV1JsonDecoderOf(parsesStringTags: boolean): RecordDecoder {
  return recordDecoder('traces', 'zipkin_v1_json', (record, out, nowUnixMs) => {
    const spans = parseObjects(record).map((json) => parseSpan(json, parsesStringTags));
    writeV1Spans(spans, { absentTimeMs: nowUnixMs, takesEmptyNames: false }, out);
  });
}

export const zipkinV1JsonDecoder: RecordDecoder = zipkinV1JsonDecoderOf(false);

function readSpan(reader: thrift.ThriftReader): V1Span {
  const traceId = new Uint8Array(TRACE_ID_BYTES);
  const annotations: V1Annotation[] = [];
  const binaryAnnotations: V1BinaryAnnotation[] = [];
  const span = {
    traceId,
    id: new Uint8Array(SPAN_ID_BYTES),
    parentId: undefined as Uint8Array | undefined,
    name: '',
    startMicros: undefined as number | undefined,
    durationMicros: 0,
    annotations,
    binaryAnnotations,
  };
  reader.readStruct((id, type) => {
    if (id === 1 && type === thrift.I64) traceId.set(reader.readBytes(SPAN_ID_BYTES), SPAN_ID_BYTES);
    else if (id === 12 && type === thrift.I64) traceId.set(reader.readBytes(SPAN_ID_BYTES));
    else if (id === 3 && type === thrift.STRING) span.name = reader.readText();
    else if (id === 4 && type === thrift.I64) span.id = reader.readBytes(SPAN_ID_BYTES).slice();
    else if (id === 5 && type === thrift.I64) span.parentId = reader.readBytes(SPAN_ID_BYTES).slice();
    else if (id === 6 && type === thrift.LIST) {
      for (let left = reader.readListCount(); left > 0; left--) annotations.push(readAnnotation(reader));
    } else if (id === 8 && type === thrift.LIST) {
      for (let left = reader.readListCount(); left > 0; left--) binaryAnnotations.push(readBinary(reader));
    } else if (id === 10 && type === thrift.I64) span.startMicros = reader.readI64();
    else if (id === 11 && type === thrift.I64) span.durationMicros = reader.readI64();
    else return false;
    return true;
  });
  if (span.parentId !== undefined && isZeroId(span.parentId)) span.parentId = undefined;
  return span;
}

function readAnnotation(reader: thrift.ThriftReader): V1Annotation {
  const annotation: V1Annotation = { micros: 0, value: '', endpoint: undefined };
  reader.readStruct((id, type) => {
    if (id === 1 && type === thrift.I64) annotation.micros = reader.readI64();
    else if (id === 2 && type === thrift.STRING) annotation.value = reader.readText();
    else if (id === 3 && type === thrift.STRUCT) annotation.endpoint = readEndpoint(reader);
    else return false;
    return true;
  });
  return annotation;
}

function readBinary(reader: thrift.ThriftReader): V1BinaryAnnotation {
  let key = '';
  let bytes: Uint8Array = new Uint8Array(0);
  let valueType = BOOL;
  let endpoint: V1Endpoint | undefined;
  reader.readStruct((id, type) => {
    if (id === 1 && type === thrift.STRING) key = reader.readText();
    else if (id === 2 && type === thrift.STRING) bytes = reader.readBinary();
    else if (id === 3 && type === thrift.I32) valueType = reader.readI32();
    else if (id === 4 && type === thrift.STRUCT) endpoint = readEndpoint(reader);
    else return false;
    return true;
  });
  return {
    key,
    value: annotationValue(valueType, bytes),
    text: decodeUtf8(bytes, 0, bytes.length),
    endpoint,
  };
}

/** Integers of 2 and 4 bytes count without a sign, as in the Collector. */
function annotationValue(type: number, bytes: Uint8Array): PlainValue {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (type === BOOL) return bytes.length === 1 && bytes[0] === 1;
  if (type === BYTES) return base64(bytes, 0, bytes.length);
  if (type === STRING) return decodeUtf8(bytes, 0, bytes.length);
  if (type === I16) return bytes.length < 2 ? TOO_SHORT : view.getUint16(0);
  if (type === I32) return bytes.length < 4 ? TOO_SHORT : view.getUint32(0);
  if (type === I64) return bytes.length < 8 ? TOO_SHORT : view.getBigInt64(0);
  if (type === DOUBLE) return bytes.length < 8 ? TOO_SHORT : new Double(view.getFloat64(0));
  return `<unknown zipkin v1 binary annotation type (${type})>`;
}

function readEndpoint(reader: thrift.ThriftReader): V1Endpoint {
  const endpoint: V1Endpoint = { serviceName: '', ipv4: '', ipv6: '', port: 0 };
  reader.readStruct((id, type) => {
    if (id === 1 && type === thrift.I32) {
      const bytes = reader.readBytes(4);
      endpoint.ipv4 = bytes.some((byte) => byte !== 0) ? ipText(bytes) : '';
    } else if (id === 2 && type === thrift.I16) endpoint.port = reader.readI16();
    else if (id === 3 && type === thrift.STRING) endpoint.serviceName = reader.readText();
    else if (id === 4 && type === thrift.STRING) {
      const bytes = reader.readBinary();
      endpoint.ipv6 = bytes.length === 0 ? '' : ipText(bytes);
    } else return false;
    return true;
  });
  return endpoint;
}

function parseSpan(json: JsonObject, parsesStringTags: boolean): V1Span {
  const start = wholeOf(json, 'timestamp', Number.MIN_SAFE_INTEGER);
  const parentId = stringOf(json, 'parentId');
  return {
    traceId: parseTraceId(stringOf(json, 'traceId')),
    id: parseId(stringOf(json, 'id'), 'id'),
    parentId: parentId === '' ? undefined : parseId(parentId, 'parentId'),
    name: stringOf(json, 'name'),
    startMicros: start === 0 ? undefined : start,
    durationMicros: wholeOf(json, 'duration', Number.MIN_SAFE_INTEGER),
    annotations: objectsOf(json.annotations, '"annotations"').map((each) => ({
      micros: wholeOf(each, 'timestamp', Number.MIN_SAFE_INTEGER),
      value: stringOf(each, 'value'),
      endpoint: parseEndpoint(each.endpoint),
    })),
    binaryAnnotations: objectsOf(json.binaryAnnotations, '"binaryAnnotations"').map((each) => {
      const text = stringOf(each, 'value');
      const value = parsesStringTags ? parseTag(text) : text;
      return { key: stringOf(each, 'key'), value, text, endpoint: parseEndpoint(each.endpoint) };
    }),
  };
}

function parseTraceId(text: string): Uint8Array {
  if (text.length !== SHORT_TRACE_DIGITS && text.length !== TRACE_ID_BYTES * 2) {
    throw encodingFailed('"traceId" has neither 16 nor 32 digits');
  }
  const id = parseHexId(text, TRACE_ID_BYTES);
  if (isZeroId(id)) throw encodingFailed('"traceId" is zero');
  return id;
}

function parseId(text: string, name: string): Uint8Array {
  if (text.length !== SPAN_ID_BYTES * 2) throw encodingFailed(`"${name}" does not have 16 digits`);
  const id = parseHexId(text, SPAN_ID_BYTES);
  if (isZeroId(id)) throw encodingFailed(`"${name}" is zero`);
  return id;
}

function parseEndpoint(value: PlainValue | undefined): V1Endpoint | undefined {
  const json = objectOf(value, 'an endpoint');
  if (json === undefined) return undefined;
  const port = wholeOf(json, 'port', -PORT_MAX);
  if (port > PORT_MAX) throw encodingFailed('"port" is over 31 bits');
  return {
    serviceName: stringOf(json, 'serviceName'),
    ipv4: stringOf(json, 'ipv4'),
    ipv6: stringOf(json, 'ipv6'),
    port,
  };
}
