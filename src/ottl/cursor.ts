import type { Signal } from '../component/signal.ts';
import { POINT_ATTRIBUTES_TAGS } from '../otlp/metric-kinds.ts';
import * as tags from '../otlp/tags.ts';
import type { RequestIndex } from '../pdata/request-index.ts';
import { MessageTable } from './message-table.ts';

/* The messages that fields are read from. */
export const HOLDER_RESOURCE = 0;
export const HOLDER_SCOPE = 1;
/** Span, log record or data point. */
export const HOLDER_ITEM = 2;
export const HOLDER_EVENT = 3;
export const HOLDER_METRIC = 4;
/** Gauge, Sum, Histogram, ...: what holds the points of a metric. */
export const HOLDER_DATA = 5;
const HOLDERS = 6;
export type Holder = 0 | 1 | 2 | 3 | 4 | 5;

/**
 * Where conditions look: one item of a scanned request with what is above it, or one event of a span.
 *
 * `begin` a request, `move...` to a place, evaluate any number of conditions, move on. Moving is cheap, a message is
 * read when a condition first needs it and once for all of them. Borrows bytes and index until the next `begin`;
 * the bytes must have passed `scanRequest` without fragments. Not re-entrant.
 */
export class OttlCursor {
  bytes: Uint8Array = new Uint8Array(0);
  /** Words that a typed reader leaves, int32 bits. */
  lo = 0;
  hi = 0;
  resource = -1;
  scope = -1;
  metric = -1;
  item = -1;
  eventIndex = -1;
  /** METRIC_*, 0 outside of metrics. */
  pointKind = 0;
  #index: RequestIndex | undefined;
  #itemAttributes = 0;
  readonly #starts = new Uint32Array(HOLDERS);
  readonly #ends = new Uint32Array(HOLDERS);
  readonly #isLoaded = new Uint8Array(HOLDERS);
  readonly #tables = Array.from({ length: HOLDERS }, () => new MessageTable());

  begin(signal: Signal, bytes: Uint8Array, index: RequestIndex): void {
    this.bytes = bytes;
    this.#index = index;
    this.resource = -1;
    this.scope = -1;
    this.metric = -1;
    this.item = -1;
    this.eventIndex = -1;
    this.pointKind = 0;
    this.#itemAttributes = signal === 'traces' ? tags.TAG_SPAN_ATTRIBUTES : tags.TAG_LOG_ATTRIBUTES;
  }

  get index(): RequestIndex {
    return this.#index!;
  }

  moveToResource(resource: number): void {
    if (resource === this.resource) return;
    const index = this.#index!;
    this.resource = resource;
    this.scope = -1;
    this.#place(HOLDER_RESOURCE, index.resourceInfoStart[resource]!, index.resourceInfoEnd[resource]!);
  }

  moveToScope(scope: number): void {
    if (scope === this.scope) return;
    const index = this.#index!;
    this.moveToResource(index.scopeResource[scope]!);
    this.scope = scope;
    this.metric = -1;
    this.#place(HOLDER_SCOPE, index.scopeInfoStart[scope]!, index.scopeInfoEnd[scope]!);
  }

  moveToMetric(metric: number): void {
    if (metric === this.metric) return;
    const index = this.#index!;
    this.moveToScope(index.metricScope[metric]!);
    this.metric = metric;
    this.pointKind = index.metricKind[metric]!;
    this.#itemAttributes = POINT_ATTRIBUTES_TAGS[this.pointKind]!;
    this.#place(HOLDER_METRIC, index.metricBody[metric]!, index.metricEnd[metric]!);
    this.#place(HOLDER_DATA, index.metricDataBody[metric]!, index.metricDataEnd[metric]!);
  }

  /** A span or log record. */
  moveToItem(item: number): void {
    const index = this.#index!;
    this.moveToScope(index.itemScope[item]!);
    this.item = item;
    this.#place(HOLDER_ITEM, index.itemBody[item]!, index.itemEnd[item]!);
  }

  /** @param metric that the data point belongs to. */
  moveToPoint(item: number, metric: number): void {
    this.moveToMetric(metric);
    this.item = item;
    this.#place(HOLDER_ITEM, this.#index!.itemBody[item]!, this.#index!.itemEnd[item]!);
  }

  /** An event of the span that the cursor is at; [start, end) is its message. */
  moveToEvent(eventIndex: number, start: number, end: number): void {
    this.eventIndex = eventIndex;
    this.#place(HOLDER_EVENT, start, end);
  }

  /** Fields and attributes of one of the messages. */
  table(holder: Holder): MessageTable {
    const table = this.#tables[holder]!;
    if (this.#isLoaded[holder] === 0) this.#load(holder, table);
    return table;
  }

  start(holder: Holder): number {
    return this.#starts[holder]!;
  }

  end(holder: Holder): number {
    return this.#ends[holder]!;
  }

  /** Tag of the repeated KeyValue field of a message. */
  attributesTag(holder: Holder): number {
    switch (holder) {
      case HOLDER_RESOURCE:
        return tags.TAG_RESOURCE_ATTRIBUTES;
      case HOLDER_SCOPE:
        return tags.TAG_SCOPE_ATTRIBUTES;
      case HOLDER_ITEM:
        return this.#itemAttributes;
      case HOLDER_EVENT:
        return tags.TAG_EVENT_ATTRIBUTES;
      case HOLDER_METRIC:
        return tags.TAG_METRIC_METADATA;
      default:
        return 0;
    }
  }

  #place(holder: Holder, start: number, end: number): void {
    this.#starts[holder] = start;
    this.#ends[holder] = end;
    this.#isLoaded[holder] = 0;
  }

  #load(holder: Holder, table: MessageTable): void {
    table.load(this.bytes, this.#starts[holder]!, this.#ends[holder]!, this.attributesTag(holder));
    this.#isLoaded[holder] = 1;
  }
}
