import * as tags from '../../../otlp/tags.ts';
import { malformed, skipField } from '../../../otlp/wire-reader.ts';
import type { Column } from './block-writer.ts';
import { ArrayColumn, HexColumn, OffsetsColumn, Words64Column, wordAt } from './columns.ts';
import { DoubleColumn } from './double-column.ts';
import { MapColumn } from './map-column.ts';
import { contentStart, skipUnknown } from './request-walk.ts';

const TIME = tags.TAG_EXEMPLAR_TIME_UNIX_NANO;
const AS_DOUBLE = tags.TAG_EXEMPLAR_AS_DOUBLE;
const AS_INT = tags.TAG_EXEMPLAR_AS_INT;
const SPAN_ID = tags.TAG_EXEMPLAR_SPAN_ID;
const TRACE_ID = tags.TAG_EXEMPLAR_TRACE_ID;
const ATTRIBUTES = tags.TAG_EXEMPLAR_FILTERED_ATTRIBUTES;

/** The Nested group `Exemplars` of the metric tables. */
export class ExemplarColumns {
  readonly #offsets = new OffsetsColumn();
  readonly #attributes = new MapColumn('');
  readonly #time = new Words64Column('', 'DateTime64(9)');
  readonly #value = new DoubleColumn('');
  readonly #spanId = new HexColumn('');
  readonly #traceId = new HexColumn('');
  readonly columns: readonly Column[] = [
    new ArrayColumn('Exemplars.FilteredAttributes', this.#offsets, this.#attributes),
    new ArrayColumn('Exemplars.TimeUnix', this.#offsets, this.#time),
    new ArrayColumn('Exemplars.Value', this.#offsets, this.#value),
    new ArrayColumn('Exemplars.SpanId', this.#offsets, this.#spanId),
    new ArrayColumn('Exemplars.TraceId', this.#offsets, this.#traceId),
  ];
  #count = 0;

  appendExemplar(wire: Uint8Array, from: number, end: number): void {
    let timeAt = -1;
    let valueAt = -1;
    let isInt = false;
    let spanAt = 0;
    let spanEnd = 0;
    let traceAt = 0;
    let traceEnd = 0;
    let pos = from;
    while (pos < end) {
      const tag = wire[pos]!;
      const next = tag > 127 ? skipUnknown(wire, pos, end) : skipField(wire, tag, pos + 1, end, 0);
      const start = (tag & 7) === 2 ? contentStart(wire, pos + 1, end) : pos + 1;
      if (tag === ATTRIBUTES) this.#attributes.appendKeyValue(wire, start, next);
      else if (tag === TIME) timeAt = start;
      else if (tag === AS_DOUBLE || tag === AS_INT) {
        valueAt = start;
        isInt = tag === AS_INT;
      } else if (tag === SPAN_ID) {
        spanAt = start;
        spanEnd = next;
      } else if (tag === TRACE_ID) {
        traceAt = start;
        traceEnd = next;
      }
      pos = next;
    }
    if (pos !== end) throw malformed('exemplar runs past its end', end);
    if (timeAt < 0) this.#time.append(0, 0);
    else this.#time.append(wordAt(wire, timeAt), wordAt(wire, timeAt + 4));
    this.#value.appendWire(wire, valueAt, isInt);
    this.#spanId.append(wire, spanAt, spanEnd - spanAt);
    this.#traceId.append(wire, traceAt, traceEnd - traceAt);
    this.#attributes.endRow();
    this.#count += 1;
  }

  /** Ends the point: all exemplars since the last end belong to it. */
  endRow(): void {
    this.#offsets.append(this.#count);
  }

  reset(): void {
    this.#count = 0;
  }
}
