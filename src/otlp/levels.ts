/**
 * The levels of an export request between its outside and its items, and a cursor over the fields of one level.
 *
 * | level | traces and logs           | metrics                     | child field          |
 * | ----- | ------------------------- | --------------------------- | -------------------- |
 * | 0     | request                   | request                     | 1                    |
 * | 1     | ResourceSpans/-Logs       | ResourceMetrics             | 2                    |
 * | 2     | ScopeSpans/-Logs          | ScopeMetrics                | 2 (items or metrics) |
 * | 3     |                           | Metric                      | 5, 7, 9, 10, 11      |
 * | 4     |                           | Gauge, Sum, Histogram, ...  | 1 (data points)      |
 */
import type { Signal } from '../component/signal.ts';
import * as tags from './tags.ts';
import { lengthEnd, skipField, skipVarint, WIRE_LEN, WireReader } from './wire-reader.ts';

export const LEVEL_REQUEST = 0;
export const LEVEL_RESOURCE = 1;
export const LEVEL_SCOPE = 2;
export const LEVEL_METRIC = 3;
export const LEVEL_DATA = 4;

/** Level whose child fields are the items. */
export function itemLevel(signal: Signal): number {
  return signal === 'metrics' ? LEVEL_DATA : LEVEL_SCOPE;
}

export function isMetricDataTag(tag: number): boolean {
  return (
    tag === tags.TAG_METRIC_GAUGE ||
    tag === tags.TAG_METRIC_SUM ||
    tag === tags.TAG_METRIC_HISTOGRAM ||
    tag === tags.TAG_METRIC_EXPONENTIAL_HISTOGRAM ||
    tag === tags.TAG_METRIC_SUMMARY
  );
}

/** Whether a field of a message of this level leads to items or is one. */
export function isChildTag(level: number, tag: number): boolean {
  if (level === LEVEL_REQUEST) return tag === tags.TAG_REQUEST_RESOURCE_SPANS;
  if (level === LEVEL_RESOURCE) return tag === tags.TAG_RESOURCE_SPANS_SCOPE_SPANS;
  if (level === LEVEL_SCOPE) return tag === tags.TAG_SCOPE_SPANS_SPANS;
  return level === LEVEL_METRIC ? isMetricDataTag(tag) : tag === tags.TAG_GAUGE_DATA_POINTS;
}

/** Steps over the fields of one message; the message was validated by a scan, so depth is not watched. */
export class FieldCursor {
  tag = 0;
  /** Offset of the tag. */
  fieldStart = 0;
  /** Offset behind a length prefix, or behind the tag of a field without one. */
  contentStart = 0;
  fieldEnd = 0;
  readonly #bytes: Uint8Array;
  readonly #end: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#end = end;
    this.fieldEnd = start;
  }

  /** @returns false behind the last field. */
  next(): boolean {
    const bytes = this.#bytes;
    const end = this.#end;
    const start = this.fieldEnd;
    if (start >= end) return false;
    this.fieldStart = start;
    let tag = bytes[start]!;
    let pos = start + 1;
    if (tag >= 0x80 || tag < 8) {
      const reader = new WireReader(bytes, start, end);
      tag = reader.readTag();
      pos = reader.pos;
    }
    this.tag = tag;
    this.contentStart = pos;
    if ((tag & 7) === WIRE_LEN) {
      this.fieldEnd = lengthEnd(bytes, pos, end);
      this.contentStart = bytes[pos]! < 0x80 ? pos + 1 : skipVarint(bytes, pos, end);
    } else this.fieldEnd = skipField(bytes, tag, pos, end, 0);
    return true;
  }
}
