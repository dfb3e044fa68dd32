/** Items of requests as rows of plain values, in the order of parquet-columns.ts. */
import { walkItems } from '../../encodings/request-walk.ts';
import { valueText } from '../../otlp/any-value-text.ts';
import { AnyValueView } from '../../otlp/any-value-view.ts';
import { ItemView } from '../../otlp/item-view.ts';
import * as tags from '../../otlp/tags.ts';
import { attributes, type Cell, type Surroundings, signed, structures } from './parquet-cells.ts';
import type { ParquetTable } from './parquet-columns.ts';
import { readPoints } from './parquet-points.ts';

const SPAN_KINDS = ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'];
const STATUS_CODES = ['Unset', 'Ok', 'Error'];
const SERVICE_NAME = 'service.name';

/** @param columns of the table, filled row by row; one list for each. */
export function appendRows(table: ParquetTable, requests: readonly Uint8Array[], columns: Cell[][]): void {
  const view = new ItemView();
  const around: Surroundings = {
    ...{ serviceName: '', resourceAttributes: [], resourceSchemaUrl: '', scopeSchemaUrl: '' },
    ...{ scopeName: '', scopeVersion: '', scopeAttributes: [], scopeDroppedCount: 0 },
  };
  const addRow = (cells: readonly Cell[]) => {
    for (const [index, cell] of cells.entries()) columns[index]!.push(cell);
  };
  walkItems(requests, {
    visitResource: (bytes, start, end, holder) => {
      around.resourceAttributes = attributes(bytes, start, end, tags.TAG_RESOURCE_ATTRIBUTES);
      around.serviceName = around.resourceAttributes.find(({ key }) => key === SERVICE_NAME)?.value ?? '';
      around.resourceSchemaUrl = holder.text(tags.TAG_RESOURCE_SPANS_SCHEMA_URL);
    },
    visitScope: (bytes, start, end, holder) => {
      view.reset(bytes, start, end);
      around.scopeName = view.text(tags.TAG_SCOPE_NAME);
      around.scopeVersion = view.text(tags.TAG_SCOPE_VERSION);
      around.scopeAttributes = attributes(bytes, start, end, tags.TAG_SCOPE_ATTRIBUTES);
      around.scopeDroppedCount = view.int32(tags.TAG_SCOPE_DROPPED_ATTRIBUTES_COUNT) >>> 0;
      around.scopeSchemaUrl = holder.text(tags.TAG_SCOPE_SPANS_SCHEMA_URL);
    },
    visitItem: (bytes, start, end) => {
      view.reset(bytes, start, end);
      if (table === 'traces') addRow(readSpan(view, around));
      else if (table === 'logs') addRow(readLog(view, around));
      else readPoints(table, view, around, addRow);
    },
  });
}

function readSpan(span: ItemView, around: Surroundings): Cell[] {
  const { bytes, start, end } = span;
  const startNano = signed(span.uint64(tags.TAG_SPAN_START_TIME_UNIX_NANO));
  const endNano = signed(span.uint64(tags.TAG_SPAN_END_TIME_UNIX_NANO));
  const status = new ItemView();
  if (span.find(tags.TAG_SPAN_STATUS)) status.reset(bytes, span.contentStart, span.contentEnd);
  return [
    startNano,
    span.hex(tags.TAG_SPAN_TRACE_ID),
    span.hex(tags.TAG_SPAN_SPAN_ID),
    span.hex(tags.TAG_SPAN_PARENT_SPAN_ID),
    span.text(tags.TAG_SPAN_TRACE_STATE),
    span.text(tags.TAG_SPAN_NAME),
    SPAN_KINDS[span.int32(tags.TAG_SPAN_KIND)] ?? '',
    around.serviceName,
    around.resourceAttributes,
    around.scopeName,
    around.scopeVersion,
    attributes(bytes, start, end, tags.TAG_SPAN_ATTRIBUTES),
    endNano > startNano ? endNano - startNano : 0n,
    STATUS_CODES[status.int32(tags.TAG_STATUS_CODE)] ?? '',
    status.text(tags.TAG_STATUS_MESSAGE),
    structures(span, tags.TAG_SPAN_EVENTS, (event) => ({
      Timestamp: signed(event.uint64(tags.TAG_EVENT_TIME_UNIX_NANO)),
      Name: event.text(tags.TAG_EVENT_NAME),
      Attributes: attributes(bytes, event.start, event.end, tags.TAG_EVENT_ATTRIBUTES),
    })),
    structures(span, tags.TAG_SPAN_LINKS, (link) => ({
      TraceId: link.hex(tags.TAG_LINK_TRACE_ID),
      SpanId: link.hex(tags.TAG_LINK_SPAN_ID),
      TraceState: link.text(tags.TAG_LINK_TRACE_STATE),
      Attributes: attributes(bytes, link.start, link.end, tags.TAG_LINK_ATTRIBUTES),
    })),
  ];
}

function readLog(log: ItemView, around: Surroundings): Cell[] {
  const { bytes, start, end } = log;
  const time = log.uint64(tags.TAG_LOG_TIME_UNIX_NANO);
  const body = new AnyValueView();
  if (log.find(tags.TAG_LOG_BODY)) body.reset(bytes, log.contentStart, log.contentEnd);
  return [
    // As in the table: a record without a time of its own has the one of its observation.
    signed(time === 0n ? log.uint64(tags.TAG_LOG_OBSERVED_TIME_UNIX_NANO) : time),
    log.hex(tags.TAG_LOG_TRACE_ID),
    log.hex(tags.TAG_LOG_SPAN_ID),
    log.int32(tags.TAG_LOG_FLAGS) & 0xff,
    log.text(tags.TAG_LOG_SEVERITY_TEXT),
    log.int32(tags.TAG_LOG_SEVERITY_NUMBER) & 0xff,
    around.serviceName,
    valueText(body),
    around.resourceSchemaUrl,
    around.resourceAttributes,
    around.scopeSchemaUrl,
    around.scopeName,
    around.scopeVersion,
    around.scopeAttributes,
    attributes(bytes, start, end, tags.TAG_LOG_ATTRIBUTES),
    log.text(tags.TAG_LOG_EVENT_NAME),
  ];
}
