import * as tags from '../../../otlp/tags.ts';
import { lengthEnd, malformed, skipField, WireReader } from '../../../otlp/wire-reader.ts';
import type { Column } from './block-writer.ts';
import { HexColumn, StringColumn, Words64Column, wordAt } from './columns.ts';
import type { EncodedTable, SignalEncoder } from './encoder.ts';
import { LowCardinalityColumn } from './low-cardinality.ts';
import { MapColumn } from './map-column.ts';
import { OriginColumns } from './origin-columns.ts';
import { contentStart, type ItemVisitor, type Origin, skipUnknown, walkRequest } from './request-walk.ts';
import { EventColumns, LinkColumns } from './span-lists.ts';
import { WordColumn } from './word-column.ts';

const TRACE_ID = tags.TAG_SPAN_TRACE_ID;
const SPAN_ID = tags.TAG_SPAN_SPAN_ID;
const TRACE_STATE = tags.TAG_SPAN_TRACE_STATE;
const PARENT_SPAN_ID = tags.TAG_SPAN_PARENT_SPAN_ID;
const NAME = tags.TAG_SPAN_NAME;
const KIND = tags.TAG_SPAN_KIND;
const START_TIME = tags.TAG_SPAN_START_TIME_UNIX_NANO;
const END_TIME = tags.TAG_SPAN_END_TIME_UNIX_NANO;
const ATTRIBUTES = tags.TAG_SPAN_ATTRIBUTES;
const EVENTS = tags.TAG_SPAN_EVENTS;
const LINKS = tags.TAG_SPAN_LINKS;
const STATUS = tags.TAG_SPAN_STATUS;
const STATUS_MESSAGE = tags.TAG_STATUS_MESSAGE;
const STATUS_CODE = tags.TAG_STATUS_CODE;

const NO_TEXT = new Uint8Array(0);
/** Words of the Collector's tables, by enum number; other numbers are an empty string, as there. */
const KINDS = ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'];
const STATUSES = ['Unset', 'Ok', 'Error'];

/** Spans to one block of the traces table. Not reentrant; its memory is reused by the next batch. */
export class TracesEncoder implements SignalEncoder, ItemVisitor {
  readonly #timestamp = new Words64Column('Timestamp', 'DateTime64(9)');
  readonly #duration = new Words64Column('Duration', 'UInt64');
  readonly #traceId = new HexColumn('TraceId');
  readonly #spanId = new HexColumn('SpanId');
  readonly #parentSpanId = new HexColumn('ParentSpanId');
  readonly #traceState = new StringColumn('TraceState');
  readonly #spanName = new LowCardinalityColumn('SpanName');
  readonly #spanKind = new WordColumn('SpanKind', KINDS);
  readonly #statusCode = new WordColumn('StatusCode', STATUSES);
  readonly #statusMessage = new StringColumn('StatusMessage');
  readonly #attributes = new MapColumn('SpanAttributes');
  readonly #events = new EventColumns();
  readonly #links = new LinkColumns();
  readonly #origin = new OriginColumns({
    hasSchemaUrls: false,
    hasScopeAttributes: false,
    hasScopeDroppedCount: false,
  });
  readonly #reader = new WireReader(NO_TEXT);
  readonly #columns: readonly Column[];
  #rows = 0;
  #statusNumber = 0;
  #messageAt = 0;
  #messageEnd = 0;

  constructor() {
    this.#columns = [
      this.#timestamp,
      this.#traceId,
      this.#spanId,
      this.#parentSpanId,
      this.#traceState,
      this.#spanName,
      this.#spanKind,
      this.#duration,
      this.#statusCode,
      this.#statusMessage,
      this.#attributes,
      ...this.#origin.columns,
      ...this.#events.columns,
      ...this.#links.columns,
    ];
  }

  encode(slices: readonly Uint8Array[]): EncodedTable[] {
    for (const wire of slices) walkRequest(wire, this);
    return [{ table: 'traces', columns: this.#columns, rowCount: this.#rows }];
  }

  reset(): void {
    this.#rows = 0;
    this.#origin.reset();
    this.#links.reset();
    for (const column of this.#columns) column.reset();
  }

  visitItem(wire: Uint8Array, from: number, end: number): void {
    let traceAt = 0,
      traceEnd = 0,
      spanAt = 0,
      spanEnd = 0,
      parentAt = 0,
      parentEnd = 0;
    let nameAt = 0,
      nameEnd = 0,
      stateAt = 0,
      stateEnd = 0,
      startAt = -1,
      endAt = -1,
      kind = 0;
    this.#statusNumber = this.#messageAt = this.#messageEnd = 0;
    let pos = from;
    while (pos < end) {
      const tag = wire[pos]!;
      if ((tag & 7) === 2 && tag < 128) {
        const next = lengthEnd(wire, pos + 1, end);
        const start = wire[pos + 1]! < 128 ? pos + 2 : contentStart(wire, pos + 1, end);
        if (tag === ATTRIBUTES) this.#attributes.appendKeyValue(wire, start, next);
        else if (tag === TRACE_ID) {
          traceAt = start;
          traceEnd = next;
        } else if (tag === SPAN_ID) {
          spanAt = start;
          spanEnd = next;
        } else if (tag === PARENT_SPAN_ID) {
          parentAt = start;
          parentEnd = next;
        } else if (tag === NAME) {
          nameAt = start;
          nameEnd = next;
        } else if (tag === STATUS) this.#readStatus(wire, start, next);
        else if (tag === EVENTS) this.#events.appendEvent(wire, start, next);
        else if (tag === LINKS) this.#links.appendLink(wire, start, next);
        else if (tag === TRACE_STATE) {
          stateAt = start;
          stateEnd = next;
        }
        pos = next;
      } else if (tag === START_TIME) {
        startAt = pos + 1;
        pos += 9;
      } else if (tag === END_TIME) {
        endAt = pos + 1;
        pos += 9;
      } else if (tag === KIND) {
        this.#reader.reset(wire, pos + 1, end);
        kind = this.#reader.readInt32();
        pos = this.#reader.pos;
      } else pos = skipUnknown(wire, pos, end);
    }
    if (pos !== end) throw malformed('span runs past its end', end);
    this.#traceId.append(wire, traceAt, traceEnd - traceAt);
    this.#spanId.append(wire, spanAt, spanEnd - spanAt);
    this.#parentSpanId.append(wire, parentAt, parentEnd - parentAt);
    this.#spanName.append(wire, nameAt, nameEnd - nameAt);
    this.#traceState.append(wire, stateAt, stateEnd - stateAt);
    this.#appendTimes(wire, startAt, endAt);
    this.#endRow(wire, kind);
  }

  #endRow(wire: Uint8Array, kind: number): void {
    this.#spanKind.append(kind);
    this.#statusCode.append(this.#statusNumber);
    this.#statusMessage.append(wire, this.#messageAt, this.#messageEnd - this.#messageAt);
    this.#attributes.endRow();
    this.#events.endRow();
    this.#links.endRow();
    this.#rows += 1;
  }

  /** Timestamp and duration by words: nanoseconds since 1970 do not fit a double. */
  #appendTimes(wire: Uint8Array, startAt: number, endAt: number): void {
    const startLow = startAt < 0 ? 0 : wordAt(wire, startAt);
    const startHigh = startAt < 0 ? 0 : wordAt(wire, startAt + 4);
    const endLow = endAt < 0 ? 0 : wordAt(wire, endAt);
    const endHigh = endAt < 0 ? 0 : wordAt(wire, endAt + 4);
    this.#timestamp.append(startLow, startHigh);
    const isNegative = endHigh < startHigh || (endHigh === startHigh && endLow < startLow);
    // An unsigned column cannot hold an end before the start; 0 keeps it out of every maximum and sum.
    if (isNegative) this.#duration.append(0, 0);
    else this.#duration.append(endLow - startLow, endHigh - startHigh - (endLow < startLow ? 1 : 0));
  }

  #readStatus(wire: Uint8Array, from: number, end: number): void {
    let pos = from;
    while (pos < end) {
      const tag = wire[pos]!;
      const next = tag > 127 ? skipUnknown(wire, pos, end) : skipField(wire, tag, pos + 1, end, 0);
      if (tag === STATUS_CODE) {
        this.#reader.reset(wire, pos + 1, end);
        this.#statusNumber = this.#reader.readInt32();
      } else if (tag === STATUS_MESSAGE) {
        this.#messageAt = contentStart(wire, pos + 1, end);
        this.#messageEnd = next;
      }
      pos = next;
    }
  }

  endScope(wire: Uint8Array, origin: Origin): void {
    this.#origin.endScope(wire, origin, this.#rows);
  }

  endResource(wire: Uint8Array, origin: Origin): void {
    this.#origin.endResource(wire, origin, this.#rows);
  }
}
