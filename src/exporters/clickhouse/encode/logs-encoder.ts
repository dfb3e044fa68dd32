import * as tags from '../../../otlp/tags.ts';
import { lengthEnd, malformed, skipField, WireReader } from '../../../otlp/wire-reader.ts';
import { appendAnyValue } from './any-value.ts';
import type { Column } from './block-writer.ts';
import { HexColumn, IntColumn, StringColumn, Words64Column, wordAt } from './columns.ts';
import type { EncodedTable, SignalEncoder } from './encoder.ts';
import { LowCardinalityColumn } from './low-cardinality.ts';
import { MapColumn } from './map-column.ts';
import { OriginColumns } from './origin-columns.ts';
import { contentStart, type ItemVisitor, type Origin, skipUnknown, walkRequest } from './request-walk.ts';

const TIME = tags.TAG_LOG_TIME_UNIX_NANO;
const OBSERVED_TIME = tags.TAG_LOG_OBSERVED_TIME_UNIX_NANO;
const SEVERITY_NUMBER = tags.TAG_LOG_SEVERITY_NUMBER;
const SEVERITY_TEXT = tags.TAG_LOG_SEVERITY_TEXT;
const BODY = tags.TAG_LOG_BODY;
const ATTRIBUTES = tags.TAG_LOG_ATTRIBUTES;
const FLAGS = tags.TAG_LOG_FLAGS;
const TRACE_ID = tags.TAG_LOG_TRACE_ID;
const SPAN_ID = tags.TAG_LOG_SPAN_ID;
const EVENT_NAME = tags.TAG_LOG_EVENT_NAME;
/** Ranges of one record's length-delimited fields: pairs of start and end in a reused array. */
const SEVERITY_TEXT_AT = 0;
const BODY_AT = 2;
const TRACE_AT = 4;
const SPAN_AT = 6;
const EVENT_AT = 8;

/** Log records to one block of the logs table. Not reentrant; its memory is reused by the next batch. */
export class LogsEncoder implements SignalEncoder, ItemVisitor {
  readonly #timestamp = new Words64Column('Timestamp', 'DateTime64(9)');
  readonly #traceId = new HexColumn('TraceId');
  readonly #spanId = new HexColumn('SpanId');
  readonly #traceFlags = new IntColumn('TraceFlags', 'UInt8');
  readonly #severityText = new LowCardinalityColumn('SeverityText');
  readonly #severityNumber = new IntColumn('SeverityNumber', 'UInt8');
  readonly #body = new StringColumn('Body');
  readonly #eventName = new LowCardinalityColumn('EventName');
  readonly #attributes = new MapColumn('LogAttributes');
  readonly #origin = new OriginColumns({
    hasSchemaUrls: true,
    hasScopeAttributes: true,
    hasScopeDroppedCount: false,
  });
  readonly #columns: readonly Column[] = [
    this.#timestamp,
    this.#traceId,
    this.#spanId,
    this.#traceFlags,
    this.#severityText,
    this.#severityNumber,
    this.#body,
    this.#attributes,
    this.#eventName,
    ...this.#origin.columns,
  ];
  readonly #reader = new WireReader(new Uint8Array(0));
  readonly #ranges = new Uint32Array(EVENT_AT + 2);
  #rows = 0;

  encode(slices: readonly Uint8Array[]): EncodedTable[] {
    for (const wire of slices) walkRequest(wire, this);
    return [{ table: 'logs', columns: this.#columns, rowCount: this.#rows }];
  }

  reset(): void {
    this.#rows = 0;
    this.#origin.reset();
    for (const column of this.#columns) column.reset();
  }

  visitItem(wire: Uint8Array, from: number, end: number): void {
    this.#ranges.fill(0);
    let timeAt = -1;
    let observedAt = -1;
    let severity = 0;
    let flags = 0;
    let pos = from;
    while (pos < end) {
      const tag = wire[pos]!;
      if ((tag & 7) === 2 && tag < 128) {
        const next = lengthEnd(wire, pos + 1, end);
        const start = contentStart(wire, pos + 1, end);
        if (tag === ATTRIBUTES) this.#attributes.appendKeyValue(wire, start, next);
        else this.#noteRange(tag, start, next);
        pos = next;
        continue;
      }
      const next = tag > 127 ? skipUnknown(wire, pos, end) : skipField(wire, tag, pos + 1, end, 0);
      if (tag === TIME) timeAt = pos + 1;
      else if (tag === OBSERVED_TIME) observedAt = pos + 1;
      else if (tag === FLAGS) flags = wire[pos + 1]!;
      else if (tag === SEVERITY_NUMBER) {
        this.#reader.reset(wire, pos + 1, end);
        severity = this.#reader.readInt32();
      }
      pos = next;
    }
    if (pos !== end) throw malformed('log record runs past its end', end);
    this.#appendTime(wire, timeAt, observedAt);
    this.#severityNumber.append(severity & 255);
    this.#traceFlags.append(flags);
    this.#endRow(wire);
  }

  #noteRange(tag: number, start: number, next: number): void {
    const at =
      tag === BODY
        ? BODY_AT
        : tag === SEVERITY_TEXT
          ? SEVERITY_TEXT_AT
          : tag === TRACE_ID
            ? TRACE_AT
            : tag === SPAN_ID
              ? SPAN_AT
              : tag === EVENT_NAME
                ? EVENT_AT
                : -1;
    if (at < 0) return;
    this.#ranges[at] = start;
    this.#ranges[at + 1] = next;
  }

  #appendTime(wire: Uint8Array, timeAt: number, observedAt: number): void {
    const low = timeAt < 0 ? 0 : wordAt(wire, timeAt);
    const high = timeAt < 0 ? 0 : wordAt(wire, timeAt + 4);
    // A record without its own time happened when it was seen, as far as anyone knows.
    if ((low | high) === 0 && observedAt >= 0) {
      this.#timestamp.append(wordAt(wire, observedAt), wordAt(wire, observedAt + 4));
    } else this.#timestamp.append(low, high);
  }

  #endRow(wire: Uint8Array): void {
    const ranges = this.#ranges;
    const traceAt = ranges[TRACE_AT]!;
    const spanAt = ranges[SPAN_AT]!;
    const severityAt = ranges[SEVERITY_TEXT_AT]!;
    const eventAt = ranges[EVENT_AT]!;
    this.#traceId.append(wire, traceAt, ranges[TRACE_AT + 1]! - traceAt);
    this.#spanId.append(wire, spanAt, ranges[SPAN_AT + 1]! - spanAt);
    this.#severityText.append(wire, severityAt, ranges[SEVERITY_TEXT_AT + 1]! - severityAt);
    this.#eventName.append(wire, eventAt, ranges[EVENT_AT + 1]! - eventAt);
    this.#body.markContent();
    appendAnyValue(this.#body.sink, wire, ranges[BODY_AT]!, ranges[BODY_AT + 1]!);
    this.#attributes.endRow();
    this.#rows += 1;
  }

  endScope(wire: Uint8Array, origin: Origin): void {
    this.#origin.endScope(wire, origin, this.#rows);
  }

  endResource(wire: Uint8Array, origin: Origin): void {
    this.#origin.endResource(wire, origin, this.#rows);
  }
}
