/** Paths of resources, scopes, spans, their events and log records; those of metrics are in metric-paths.ts. */
import { valueText } from '../otlp/any-value-text.ts';
import { AnyValueView } from '../otlp/any-value-view.ts';
import { RepeatedCursor } from '../otlp/item-view.ts';
import * as tags from '../otlp/tags.ts';
import { decodeUtf8 } from '../otlp/wire-reader.ts';
import { HOLDER_EVENT, HOLDER_ITEM, HOLDER_RESOURCE, HOLDER_SCOPE, type OttlCursor } from './cursor.ts';
import {
  attributes,
  computed,
  type Fields,
  id,
  int32,
  int64,
  type OttlContext,
  text,
  time,
  uint32,
} from './fields.ts';
import { DATAPOINT_FIELDS, METRIC_FIELDS } from './metric-paths.ts';
import { OpaqueValue } from './value.ts';

const SPAN_KINDS = ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'];

const RESOURCE_FIELDS: Fields = {
  attributes: attributes(HOLDER_RESOURCE),
  dropped_attributes_count: uint32(HOLDER_RESOURCE, tags.TAG_RESOURCE_DROPPED_ATTRIBUTES_COUNT),
  schema_url: computed((cursor) => {
    const { index, resource } = cursor;
    return decodeUtf8(cursor.bytes, index.resourceSchemaStart[resource]!, index.resourceSchemaEnd[resource]!);
  }),
};

const SCOPE_FIELDS: Fields = {
  name: text(HOLDER_SCOPE, tags.TAG_SCOPE_NAME),
  version: text(HOLDER_SCOPE, tags.TAG_SCOPE_VERSION),
  attributes: attributes(HOLDER_SCOPE),
  dropped_attributes_count: uint32(HOLDER_SCOPE, tags.TAG_SCOPE_DROPPED_ATTRIBUTES_COUNT),
  schema_url: computed((cursor) => {
    const { index, scope } = cursor;
    return decodeUtf8(cursor.bytes, index.scopeSchemaStart[scope]!, index.scopeSchemaEnd[scope]!);
  }),
};

function spanKind(cursor: OttlCursor): number {
  const table = cursor.table(HOLDER_ITEM);
  table.readWords(tags.TAG_SPAN_KIND);
  return table.lo;
}

/** How often a repeated field of the item is there; such fields are passed on and counted only. */
function countOf(typeName: string, tag: number) {
  const items = new RepeatedCursor();
  return computed((cursor) => {
    items.reset(cursor.bytes, cursor.start(HOLDER_ITEM), cursor.end(HOLDER_ITEM), tag);
    let count = 0;
    while (items.next()) count++;
    return new OpaqueValue(typeName, count);
  });
}

const SPAN_FIELDS: Fields = {
  trace_id: id(tags.TAG_SPAN_TRACE_ID, 16),
  span_id: id(tags.TAG_SPAN_SPAN_ID, 8),
  parent_span_id: id(tags.TAG_SPAN_PARENT_SPAN_ID, 8),
  trace_state: { type: 'trace_state' },
  name: text(HOLDER_ITEM, tags.TAG_SPAN_NAME),
  kind: {
    ...int32(HOLDER_ITEM, tags.TAG_SPAN_KIND),
    members: {
      string: computed((cursor) => SPAN_KINDS[spanKind(cursor)] ?? ''),
      deprecated_string: computed((cursor) => {
        const kind = SPAN_KINDS[spanKind(cursor)];
        return kind === undefined ? '' : `SPAN_KIND_${kind.toUpperCase()}`;
      }),
    },
  },
  start_time_unix_nano: int64(HOLDER_ITEM, tags.TAG_SPAN_START_TIME_UNIX_NANO),
  end_time_unix_nano: int64(HOLDER_ITEM, tags.TAG_SPAN_END_TIME_UNIX_NANO),
  start_time: time(HOLDER_ITEM, tags.TAG_SPAN_START_TIME_UNIX_NANO),
  end_time: time(HOLDER_ITEM, tags.TAG_SPAN_END_TIME_UNIX_NANO),
  attributes: attributes(HOLDER_ITEM),
  events: countOf('span events', tags.TAG_SPAN_EVENTS),
  links: countOf('span links', tags.TAG_SPAN_LINKS),
  dropped_attributes_count: uint32(HOLDER_ITEM, tags.TAG_SPAN_DROPPED_ATTRIBUTES_COUNT),
  dropped_events_count: uint32(HOLDER_ITEM, tags.TAG_SPAN_DROPPED_EVENTS_COUNT),
  dropped_links_count: uint32(HOLDER_ITEM, tags.TAG_SPAN_DROPPED_LINKS_COUNT),
  status: computed(() => new OpaqueValue('status'), {
    code: { ...int32(HOLDER_ITEM, tags.TAG_STATUS_CODE), outer: tags.TAG_SPAN_STATUS },
    message: { ...text(HOLDER_ITEM, tags.TAG_STATUS_MESSAGE), outer: tags.TAG_SPAN_STATUS },
  } as Fields),
  flags: uint32(HOLDER_ITEM, tags.TAG_SPAN_FLAGS),
  cache: { type: 'cache' },
};

const EVENT_FIELDS: Fields = {
  time_unix_nano: int64(HOLDER_EVENT, tags.TAG_EVENT_TIME_UNIX_NANO),
  time: time(HOLDER_EVENT, tags.TAG_EVENT_TIME_UNIX_NANO),
  name: text(HOLDER_EVENT, tags.TAG_EVENT_NAME),
  attributes: attributes(HOLDER_EVENT),
  dropped_attributes_count: uint32(HOLDER_EVENT, tags.TAG_EVENT_DROPPED_ATTRIBUTES_COUNT),
  event_index: computed((cursor) => BigInt(cursor.eventIndex)),
  cache: { type: 'cache' },
};

const bodyView = new AnyValueView();

function bodyText(cursor: OttlCursor): string {
  const table = cursor.table(HOLDER_ITEM);
  bodyView.reset(cursor.bytes, table.start(tags.TAG_LOG_BODY), table.end(tags.TAG_LOG_BODY));
  return valueText(bodyView);
}

const LOG_FIELDS: Fields = {
  time_unix_nano: int64(HOLDER_ITEM, tags.TAG_LOG_TIME_UNIX_NANO),
  observed_time_unix_nano: int64(HOLDER_ITEM, tags.TAG_LOG_OBSERVED_TIME_UNIX_NANO),
  time: time(HOLDER_ITEM, tags.TAG_LOG_TIME_UNIX_NANO),
  observed_time: time(HOLDER_ITEM, tags.TAG_LOG_OBSERVED_TIME_UNIX_NANO),
  severity_number: int32(HOLDER_ITEM, tags.TAG_LOG_SEVERITY_NUMBER),
  severity_text: text(HOLDER_ITEM, tags.TAG_LOG_SEVERITY_TEXT),
  body: {
    ...{ type: 'any', holder: HOLDER_ITEM, tag: tags.TAG_LOG_BODY },
    members: { string: computed(bodyText) },
  },
  attributes: attributes(HOLDER_ITEM),
  dropped_attributes_count: uint32(HOLDER_ITEM, tags.TAG_LOG_DROPPED_ATTRIBUTES_COUNT),
  flags: uint32(HOLDER_ITEM, tags.TAG_LOG_FLAGS),
  trace_id: id(tags.TAG_LOG_TRACE_ID, 16),
  span_id: id(tags.TAG_LOG_SPAN_ID, 8),
  event_name: text(HOLDER_ITEM, tags.TAG_LOG_EVENT_NAME),
  cache: { type: 'cache' },
};

export const FIELDS: Readonly<Record<OttlContext, Fields>> = {
  resource: { ...RESOURCE_FIELDS, cache: { type: 'cache' } },
  scope: { ...SCOPE_FIELDS, cache: { type: 'cache' } },
  span: SPAN_FIELDS,
  spanevent: EVENT_FIELDS,
  metric: METRIC_FIELDS,
  datapoint: DATAPOINT_FIELDS,
  log: LOG_FIELDS,
};

/** Contexts whose paths another one reaches, itself first. */
export const REACHES: Readonly<Record<OttlContext, readonly OttlContext[]>> = {
  resource: ['resource'],
  scope: ['scope', 'resource'],
  span: ['span', 'scope', 'resource'],
  spanevent: ['spanevent', 'span', 'scope', 'resource'],
  metric: ['metric', 'scope', 'resource'],
  datapoint: ['datapoint', 'metric', 'scope', 'resource'],
  log: ['log', 'scope', 'resource'],
};

/** Context of a path's first segment; undefined when it names none. */
export function contextOfPrefix(prefix: string): OttlContext | undefined {
  if (prefix === 'instrumentation_scope') return 'scope';
  return Object.hasOwn(FIELDS, prefix) ? (prefix as OttlContext) : undefined;
}
