import * as tags from '../../../otlp/tags.ts';
import { malformed, skipField } from '../../../otlp/wire-reader.ts';
import type { Column } from './block-writer.ts';
import { ArrayColumn, HexColumn, OffsetsColumn, StringColumn, Words64Column, wordAt } from './columns.ts';
import { LowCardinalityColumn } from './low-cardinality.ts';
import { MapColumn } from './map-column.ts';
import { contentStart, skipUnknown } from './request-walk.ts';

const EVENT_TIME = tags.TAG_EVENT_TIME_UNIX_NANO;
const EVENT_NAME = tags.TAG_EVENT_NAME;
const EVENT_ATTRIBUTES = tags.TAG_EVENT_ATTRIBUTES;
const LINK_TRACE_ID = tags.TAG_LINK_TRACE_ID;
const LINK_SPAN_ID = tags.TAG_LINK_SPAN_ID;
const LINK_TRACE_STATE = tags.TAG_LINK_TRACE_STATE;
const LINK_ATTRIBUTES = tags.TAG_LINK_ATTRIBUTES;

/** The Nested group `Events` of the traces table. */
export class EventColumns {
  readonly #offsets = new OffsetsColumn();
  readonly #timestamp = new Words64Column('', 'DateTime64(9)');
  readonly #name = new LowCardinalityColumn('');
  readonly #attributes = new MapColumn('');
  readonly columns: readonly Column[] = [
    new ArrayColumn('Events.Timestamp', this.#offsets, this.#timestamp),
    new ArrayColumn('Events.Name', this.#offsets, this.#name),
    new ArrayColumn('Events.Attributes', this.#offsets, this.#attributes),
  ];

  appendEvent(wire: Uint8Array, from: number, end: number): void {
    let timeAt = -1;
    let nameAt = 0;
    let nameEnd = 0;
    let pos = from;
    while (pos < end) {
      const tag = wire[pos]!;
      const next = tag > 127 ? skipUnknown(wire, pos, end) : skipField(wire, tag, pos + 1, end, 0);
      if (tag === EVENT_ATTRIBUTES)
        this.#attributes.appendKeyValue(wire, contentStart(wire, pos + 1, end), next);
      else if (tag === EVENT_TIME) timeAt = pos + 1;
      else if (tag === EVENT_NAME) {
        nameAt = contentStart(wire, pos + 1, end);
        nameEnd = next;
      }
      pos = next;
    }
    if (pos !== end) throw malformed('event runs past its end', end);
    if (timeAt < 0) this.#timestamp.append(0, 0);
    else this.#timestamp.append(wordAt(wire, timeAt), wordAt(wire, timeAt + 4));
    this.#name.append(wire, nameAt, nameEnd - nameAt);
    this.#attributes.endRow();
  }

  /** Ends the span: all events since the last end belong to it. */
  endRow(): void {
    this.#offsets.append(this.#name.used);
  }
}

/** The Nested group `Links` of the traces table. */
export class LinkColumns {
  readonly #offsets = new OffsetsColumn();
  readonly #traceId = new HexColumn('');
  readonly #spanId = new HexColumn('');
  readonly #traceState = new StringColumn('');
  readonly #attributes = new MapColumn('');
  readonly columns: readonly Column[] = [
    new ArrayColumn('Links.TraceId', this.#offsets, this.#traceId),
    new ArrayColumn('Links.SpanId', this.#offsets, this.#spanId),
    new ArrayColumn('Links.TraceState', this.#offsets, this.#traceState),
    new ArrayColumn('Links.Attributes', this.#offsets, this.#attributes),
  ];
  #count = 0;

  appendLink(wire: Uint8Array, from: number, end: number): void {
    let traceAt = 0;
    let traceEnd = 0;
    let spanAt = 0;
    let spanEnd = 0;
    let stateAt = 0;
    let stateEnd = 0;
    let pos = from;
    while (pos < end) {
      const tag = wire[pos]!;
      const next = tag > 127 ? skipUnknown(wire, pos, end) : skipField(wire, tag, pos + 1, end, 0);
      const start = (tag & 7) === 2 ? contentStart(wire, pos + 1, end) : next;
      if (tag === LINK_ATTRIBUTES) this.#attributes.appendKeyValue(wire, start, next);
      else if (tag === LINK_TRACE_ID) {
        traceAt = start;
        traceEnd = next;
      } else if (tag === LINK_SPAN_ID) {
        spanAt = start;
        spanEnd = next;
      } else if (tag === LINK_TRACE_STATE) {
        stateAt = start;
        stateEnd = next;
      }
      pos = next;
    }
    if (pos !== end) throw malformed('link runs past its end', end);
    this.#traceId.append(wire, traceAt, traceEnd - traceAt);
    this.#spanId.append(wire, spanAt, spanEnd - spanAt);
    this.#traceState.append(wire, stateAt, stateEnd - stateAt);
    this.#attributes.endRow();
    this.#count += 1;
  }

  /** Ends the span: all links since the last end belong to it. */
  endRow(): void {
    this.#offsets.append(this.#count);
  }

  reset(): void {
    this.#count = 0;
  }
}
