/** Reads a list of Zipkin v2 spans in JSON (zipkin-api, ListOfSpans). Unknown members are passed over. */
import type { PlainValue } from '../otlp/any-value-write.ts';
import { encodingFailed } from './guard.ts';
import { ipText, parseIp } from './ip-address.ts';
import { parseJson } from './logs-decode.ts';
import {
  isZeroId,
  parseHexId,
  SPAN_ID_BYTES,
  TRACE_ID_BYTES,
  ZIPKIN_KINDS,
  type ZipkinAnnotation,
  type ZipkinEndpoint,
  type ZipkinSpan,
} from './zipkin-model.ts';

const PORT_MAX = 0xffff;

export type JsonObject = Readonly<Record<string, PlainValue | undefined>>;

/** Elements of a list of objects at the top of a record, without the nulls among them. */
export function parseObjects(record: Uint8Array): JsonObject[] {
  return objectsOf(parseJson(record), 'the record');
}

export function objectsOf(value: PlainValue | undefined, what: string): JsonObject[] {
  if (value === null || value === undefined) return [];
  if (!Array.isArray(value)) throw encodingFailed(`${what} is not a list`);
  const objects: JsonObject[] = [];
  for (const item of value as readonly PlainValue[]) {
    const object = objectOf(item, `an element of ${what}`);
    if (object !== undefined) objects.push(object);
  }
  return objects;
}

export function objectOf(value: PlainValue | undefined, what: string): JsonObject | undefined {
  if (value === null || value === undefined) return undefined;
  if (typeof value !== 'object' || Array.isArray(value)) throw encodingFailed(`${what} is not an object`);
  return value as JsonObject;
}

/** Empty when absent. */
export function stringOf(object: JsonObject, key: string): string {
  const value = object[key] ?? '';
  if (typeof value !== 'string') throw encodingFailed(`"${key}" is not a string`);
  return value;
}

/** 0 when absent. */
export function wholeOf(object: JsonObject, key: string, min = 0): number {
  const value = object[key] ?? 0;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min) {
    throw encodingFailed(`"${key}" is not a whole number`);
  }
  return value;
}

export function parseZipkinJson(record: Uint8Array): ZipkinSpan[] {
  return parseObjects(record).map(parseSpan);
}

function parseSpan(json: JsonObject): ZipkinSpan {
  const traceId = stringOf(json, 'traceId');
  const id = stringOf(json, 'id');
  const parentId = stringOf(json, 'parentId');
  const kind = stringOf(json, 'kind');
  const start = wholeOf(json, 'timestamp');
  const span: ZipkinSpan = {
    // Without one the span is refused by itself, as any span without one is.
    traceId: traceId === '' ? new Uint8Array(TRACE_ID_BYTES) : parseHexId(traceId, TRACE_ID_BYTES),
    id: parseHexId(id, SPAN_ID_BYTES),
    parentId: parentId === '' ? undefined : parseHexId(parentId, SPAN_ID_BYTES),
    name: stringOf(json, 'name'),
    kind: ZIPKIN_KINDS.find((each) => each === kind) ?? '',
    startMicros: start === 0 ? undefined : start,
    durationMicros: wholeOf(json, 'duration'),
    localEndpoint: parseEndpoint(json.localEndpoint),
    remoteEndpoint: parseEndpoint(json.remoteEndpoint),
    annotations: objectsOf(json.annotations, '"annotations"').map(parseAnnotation),
    tags: parseTags(json.tags),
  };
  if (isZeroId(span.id)) throw encodingFailed('"id" is zero');
  return span;
}

function parseAnnotation(json: JsonObject): ZipkinAnnotation {
  return { micros: wholeOf(json, 'timestamp', 1), value: stringOf(json, 'value') };
}

function parseTags(value: PlainValue | undefined): Map<string, string> {
  const json = objectOf(value, '"tags"') ?? {};
  return new Map(Object.keys(json).map((key) => [key, stringOf(json, key)]));
}

function parseEndpoint(value: PlainValue | undefined): ZipkinEndpoint | undefined {
  const json = objectOf(value, 'an endpoint');
  if (json === undefined) return undefined;
  const port = wholeOf(json, 'port');
  if (port > PORT_MAX) throw encodingFailed('"port" is over 65535');
  return {
    serviceName: stringOf(json, 'serviceName'),
    ipv4: parseAddress(stringOf(json, 'ipv4')),
    ipv6: parseAddress(stringOf(json, 'ipv6')),
    port,
  };
}

/** The usual form of an address, whatever form it came in. */
function parseAddress(text: string): string {
  if (text === '') return '';
  const bytes = parseIp(text);
  if (bytes === undefined) throw encodingFailed(`"${text.slice(0, 64)}" is no IP address`);
  return ipText(bytes);
}
