/**
 * Events and links in Zipkin's annotations and tags, which hold text alone: fields between bars, their attributes as JSON.
 *
 *   event  name|{"key":"value"}|dropped
 *   link   trace id|span id|tracestate|{"key":"value"}|dropped
 */
import type { PlainValue } from '../otlp/any-value-write.ts';
import { VALUE_DEPTH_MAX } from './logs-decode.ts';
import { parseHexId, SPAN_ID_BYTES, TRACE_ID_BYTES } from './zipkin-model.ts';

const COUNT = /^\d{1,10}$/;
const COUNT_MAX = 0xffff_ffff;
const EVENT_HEAD = 1;
/** Each try reads the text again. */
const EVENT_HEADS_MAX = 8;
const LINK_HEAD = 3;
const ID_TEXT = /^(?:[\da-f]{2})*$/i;

export interface EventText {
  name: string;
  attributes: ReadonlyMap<string, PlainValue>;
  droppedCount: number;
}

export interface LinkText {
  /** Undefined for an empty one. */
  traceId: Uint8Array | undefined;
  spanId: Uint8Array | undefined;
  traceState: string;
  attributes: ReadonlyMap<string, PlainValue>;
  droppedCount: number;
}

const NO_ATTRIBUTES: ReadonlyMap<string, PlainValue> = new Map();

/** A text of any other form is the name. A name may have bars, which a Collector would stumble over. */
export function parseAnnotationText(text: string): EventText {
  const fields = text.split('|');
  for (let head = EVENT_HEAD; head <= EVENT_HEADS_MAX; head++) {
    const parsed = parseTail(fields, head);
    if (parsed === undefined) continue;
    const { attributes, droppedCount } = parsed;
    return { name: parsed.head.join('|'), attributes, droppedCount };
  }
  return { name: text, attributes: NO_ATTRIBUTES, droppedCount: 0 };
}

/** @returns undefined for a text of any other form. */
export function parseLinkText(text: string): LinkText | undefined {
  const parsed = parseTail(text.split('|'), LINK_HEAD);
  if (parsed === undefined) return undefined;
  const [trace = '', span = '', traceState = ''] = parsed.head;
  if (!isId(trace, TRACE_ID_BYTES) || !isId(span, SPAN_ID_BYTES)) return undefined;
  return {
    traceId: trace === '' ? undefined : parseHexId(trace, TRACE_ID_BYTES),
    spanId: span === '' ? undefined : parseHexId(span, SPAN_ID_BYTES),
    traceState,
    attributes: parsed.attributes,
    droppedCount: parsed.droppedCount,
  };
}

function isId(text: string, sizeBytes: number): boolean {
  return text === '' || (text.length === sizeBytes * 2 && ID_TEXT.test(text));
}

interface Tail {
  head: readonly string[];
  attributes: ReadonlyMap<string, PlainValue>;
  droppedCount: number;
}

/** JSON may hold bars itself, so it is everything between the head and the last field. */
function parseTail(fields: readonly string[], headCount: number): Tail | undefined {
  if (fields.length < headCount + 2) return undefined;
  const dropped = fields[fields.length - 1]!;
  if (!COUNT.test(dropped) || Number(dropped) > COUNT_MAX) return undefined;
  const attributes = parseAttributes(fields.slice(headCount, -1).join('|'));
  if (attributes === undefined) return undefined;
  return { head: fields.slice(0, headCount), attributes, droppedCount: Number(dropped) };
}

function parseAttributes(json: string): ReadonlyMap<string, PlainValue> | undefined {
  let value: PlainValue;
  try {
    value = JSON.parse(json) as PlainValue;
  } catch {
    return undefined;
  }
  if (value === null) return NO_ATTRIBUTES;
  if (typeof value !== 'object' || Array.isArray(value) || isTooDeep(value, 0)) return undefined;
  return new Map(
    Object.entries(value as Record<string, PlainValue>).map(([key, each]) => [key, exact(each)]),
  );
}

function isTooDeep(value: PlainValue, depth: number): boolean {
  if (value === null || typeof value !== 'object') return false;
  return (
    depth > VALUE_DEPTH_MAX || Object.values(value).some((each: PlainValue) => isTooDeep(each, depth + 1))
  );
}

/** A whole number that a double cannot hold exactly is still a whole number, as far as it fits 64 bits. */
function exact(value: PlainValue): PlainValue {
  if (typeof value !== 'number' || !Number.isInteger(value) || Number.isSafeInteger(value)) return value;
  const whole = BigInt(value);
  return BigInt.asIntN(64, whole) === whole ? whole : value;
}
