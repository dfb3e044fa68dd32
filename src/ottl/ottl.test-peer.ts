/** Evaluates conditions and values over one item that a test describes. */
import type { Signal } from '../component/signal.ts';
import { RepeatedCursor } from '../otlp/item-view.ts';
import { scanRequest } from '../otlp/scan.ts';
import { TAG_SPAN_EVENTS } from '../otlp/tags.ts';
import { RequestIndex } from '../pdata/request-index.ts';
import type { Message } from '../testkit/otlp-arbitraries.ts';
import { requestType } from '../testkit/otlp-root.ts';
import { compileCondition } from './condition.ts';
import { OttlCursor } from './cursor.ts';
import type { OttlContext } from './fields.ts';

const IDS = { trace_id: new Uint8Array(16).fill(1), span_id: new Uint8Array(8).fill(2) };

export type Plain =
  | string
  | number
  | boolean
  | bigint
  | null
  | Uint8Array
  | Plain[]
  | { [key: string]: Plain };

/** An AnyValue: a number is an int when it is whole; `{ $double: 1 }` is a double whatever it is. */
export function any(value: Plain): Message {
  if (value === null) return {};
  if (typeof value === 'string') return { string_value: value };
  if (typeof value === 'boolean') return { bool_value: value };
  if (typeof value === 'bigint') return { int_value: value.toString() };
  if (typeof value === 'number')
    return Number.isInteger(value) ? { int_value: value } : { double_value: value };
  if (value instanceof Uint8Array) return { bytes_value: value };
  if (Array.isArray(value)) return { array_value: { values: value.map(any) } };
  if (Object.hasOwn(value, '$double')) return { double_value: value.$double };
  return { kvlist_value: { values: pairs(value) } };
}

export const pairs = (plain: { [key: string]: Plain }) =>
  Object.entries(plain).map(([key, value]) => ({ key, value: any(value) }));

export interface Place {
  resource?: Message;
  scope?: Message;
  span?: Message;
  event?: Message;
  log?: Message;
  /** One metric; its first point is the place for `datapoint`. */
  metric?: Message;
  schemaUrl?: string;
}

function encoded(place: Place): [Signal, Uint8Array] {
  const { resource = {}, scope = {}, schemaUrl: schema_url = '' } = place;
  const encode = (signal: Signal, items: string, item: Message, name: string) => {
    const type = requestType(signal);
    const scopes = [{ scope, schema_url, [items]: [item] }];
    const request = { [`resource_${name}`]: [{ resource, schema_url, [`scope_${name}`]: scopes }] };
    return new Uint8Array(type.encode(type.fromObject(request)).finish());
  };
  if (place.log !== undefined) return ['logs', encode('logs', 'log_records', place.log, 'logs')];
  if (place.metric !== undefined) return ['metrics', encode('metrics', 'metrics', place.metric, 'metrics')];
  const events = place.event === undefined ? {} : { events: [place.event] };
  return ['traces', encode('traces', 'spans', { ...IDS, ...place.span, ...events }, 'spans')];
}

/** A cursor at the item. */
export function cursorAt(place: Place): OttlCursor {
  const [signal, bytes] = encoded(place);
  const index = new RequestIndex();
  scanRequest(signal, bytes, 0, bytes.length, index);
  const cursor = new OttlCursor();
  cursor.begin(signal, bytes, index);
  if (signal === 'metrics') cursor.moveToPoint(0, 0);
  else cursor.moveToItem(0);
  if (place.event !== undefined) {
    const events = new RepeatedCursor();
    events.reset(bytes, index.itemBody[0]!, index.itemEnd[0]!, TAG_SPAN_EVENTS);
    events.next();
    cursor.moveToEvent(0, events.start, events.end);
  }
  return cursor;
}

export function contextOf(place: Place): OttlContext {
  if (place.log !== undefined) return 'log';
  if (place.metric !== undefined) return 'datapoint';
  return place.event !== undefined ? 'spanevent' : 'span';
}

/** The answer of both compiled forms, `error: ...` when there is none, `differs: ...` when they disagree. */
export function answer(text: string, place: Place, context = contextOf(place)): boolean | string {
  const cursor = cursorAt(place);
  const [fast, generic] = [false, true].map((isGeneric) => {
    const condition = compileCondition(text, { context, isGeneric });
    try {
      return condition.evaluate(cursor);
    } catch (error) {
      return `error: ${(error as Error).message}`;
    }
  });
  return fast === generic ? fast! : `differs: ${fast} and ${generic}`;
}
