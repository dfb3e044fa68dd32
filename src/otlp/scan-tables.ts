/** What the scan does with each field of each message: one table lookup per field, wire type included. */
import * as tags from './tags.ts';

export const MESSAGE_RESOURCE = 1;
export const MESSAGE_ENTITY_REF = 2;
export const MESSAGE_SCOPE = 3;
export const MESSAGE_KEY_VALUE = 4;
export const MESSAGE_ANY = 5;
export const MESSAGE_ARRAY = 6;
export const MESSAGE_KVLIST = 7;
export const MESSAGE_SPAN = 8;
export const MESSAGE_EVENT = 9;
export const MESSAGE_LINK = 10;
export const MESSAGE_STATUS = 11;
export const MESSAGE_LOG = 12;
export const MESSAGE_NUMBER_POINT = 13;
export const MESSAGE_HISTOGRAM_POINT = 14;
export const MESSAGE_EXP_POINT = 15;
export const MESSAGE_SUMMARY_POINT = 16;
export const MESSAGE_BUCKETS = 17;
export const MESSAGE_QUANTILE = 18;
export const MESSAGE_EXEMPLAR = 19;
const MESSAGE_TYPES = 20;

/* What a field is; the low 7 bits of a table entry. 0 is a field that the message does not have. */
export const FIELD_VARINT = 1;
export const FIELD_I64 = 2;
export const FIELD_I32 = 3;
export const FIELD_LEN = 4;
export const FIELD_KEY_VALUE = 5;
export const FIELD_MESSAGE = 6;
/** trace_id and span_id of the item itself: their places are noted. */
export const FIELD_TRACE_ID = 7;
export const FIELD_SPAN_ID = 8;
/** Ids that point elsewhere (parent, link, exemplar): empty or of the right length. */
export const FIELD_OTHER_TRACE_ID = 9;
export const FIELD_OTHER_SPAN_ID = 10;
/** bucket_counts and explicit_bounds of a histogram point, packed and one by one. */
export const FIELD_PACKED_COUNTS = 11;
export const FIELD_ONE_COUNT = 12;
export const FIELD_PACKED_BOUNDS = 13;
export const FIELD_ONE_BOUND = 14;
/** bucket_counts of exponential buckets. */
export const FIELD_PACKED_VARINTS = 15;
export const FIELD_ONE_OF_VARINTS = 16;
/** A known field number with another wire type: the request is refused, as the Go Collector does. */
export const FIELD_WRONG_WIRE_TYPE = 17;

const REPEATED_SHIFT = 7;
const NESTED_SHIFT = 8;
/** Tags below this have a table entry: fields 1 to 31, which is more than OTLP has. */
export const TABLE_TAGS = 256;

/** Entry of (message type << 8 | tag): field kind, bit 7 for repeated fields, nested message type above. */
export const FIELD_TABLE = new Uint16Array(MESSAGE_TYPES * TABLE_TAGS);

export function isRepeatedBit(entry: number): number {
  return (entry >> REPEATED_SHIFT) & 1;
}

export function nestedType(entry: number): number {
  return entry >> NESTED_SHIFT;
}

function setField(message: number, tag: number, entry: number): void {
  const row = message * TABLE_TAGS;
  const field = tag & ~7;
  for (let wireType = 0; wireType < 8; wireType++) {
    const at = row + field + wireType;
    if (FIELD_TABLE[at] === 0) FIELD_TABLE[at] = FIELD_WRONG_WIRE_TYPE;
  }
  FIELD_TABLE[row + tag] = entry;
}

const REPEATED = 1 << REPEATED_SHIFT;
const KEY_VALUES = FIELD_KEY_VALUE | REPEATED | (MESSAGE_KEY_VALUE << NESTED_SHIFT);

function one(message: number): number {
  return FIELD_MESSAGE | (message << NESTED_SHIFT);
}

function many(message: number): number {
  return one(message) | REPEATED;
}

/** The kind that follows from the wire type alone. */
const SCALAR_KINDS = [FIELD_VARINT, FIELD_I64, FIELD_LEN, 0, 0, FIELD_I32];

/** Fields of one message: a bare tag is a singular scalar, a pair has its own entry. */
function setFields(
  message: number,
  fields: readonly (number | readonly [tag: number, entry: number])[],
): void {
  for (const field of fields) {
    if (typeof field === 'number') setField(message, field, SCALAR_KINDS[field & 7]!);
    else setField(message, field[0], field[1]);
  }
}

setFields(MESSAGE_RESOURCE, [
  [tags.TAG_RESOURCE_ATTRIBUTES, KEY_VALUES],
  tags.TAG_RESOURCE_DROPPED_ATTRIBUTES_COUNT,
  [tags.TAG_RESOURCE_ENTITY_REFS, many(MESSAGE_ENTITY_REF)],
]);
setFields(MESSAGE_ENTITY_REF, [
  tags.TAG_ENTITY_REF_SCHEMA_URL,
  tags.TAG_ENTITY_REF_TYPE,
  [tags.TAG_ENTITY_REF_ID_KEYS, FIELD_LEN | REPEATED],
  [tags.TAG_ENTITY_REF_DESCRIPTION_KEYS, FIELD_LEN | REPEATED],
]);
setFields(MESSAGE_SCOPE, [
  tags.TAG_SCOPE_NAME,
  tags.TAG_SCOPE_VERSION,
  [tags.TAG_SCOPE_ATTRIBUTES, KEY_VALUES],
  tags.TAG_SCOPE_DROPPED_ATTRIBUTES_COUNT,
]);
setFields(MESSAGE_KEY_VALUE, [
  tags.TAG_KEY_VALUE_KEY,
  [tags.TAG_KEY_VALUE_VALUE, one(MESSAGE_ANY)],
  tags.TAG_KEY_VALUE_KEY_STRINDEX,
]);
setFields(MESSAGE_ANY, [
  tags.TAG_ANY_STRING_VALUE,
  tags.TAG_ANY_BOOL_VALUE,
  tags.TAG_ANY_INT_VALUE,
  tags.TAG_ANY_DOUBLE_VALUE,
  [tags.TAG_ANY_ARRAY_VALUE, one(MESSAGE_ARRAY)],
  [tags.TAG_ANY_KVLIST_VALUE, one(MESSAGE_KVLIST)],
  tags.TAG_ANY_BYTES_VALUE,
  tags.TAG_ANY_STRING_VALUE_STRINDEX,
]);
setFields(MESSAGE_ARRAY, [[tags.TAG_ARRAY_VALUES, many(MESSAGE_ANY)]]);
setFields(MESSAGE_KVLIST, [[tags.TAG_KVLIST_VALUES, KEY_VALUES]]);
setFields(MESSAGE_SPAN, [
  [tags.TAG_SPAN_TRACE_ID, FIELD_TRACE_ID],
  [tags.TAG_SPAN_SPAN_ID, FIELD_SPAN_ID],
  tags.TAG_SPAN_TRACE_STATE,
  [tags.TAG_SPAN_PARENT_SPAN_ID, FIELD_OTHER_SPAN_ID],
  tags.TAG_SPAN_NAME,
  tags.TAG_SPAN_KIND,
  tags.TAG_SPAN_START_TIME_UNIX_NANO,
  tags.TAG_SPAN_END_TIME_UNIX_NANO,
  [tags.TAG_SPAN_ATTRIBUTES, KEY_VALUES],
  tags.TAG_SPAN_DROPPED_ATTRIBUTES_COUNT,
  [tags.TAG_SPAN_EVENTS, many(MESSAGE_EVENT)],
  tags.TAG_SPAN_DROPPED_EVENTS_COUNT,
  [tags.TAG_SPAN_LINKS, many(MESSAGE_LINK)],
  tags.TAG_SPAN_DROPPED_LINKS_COUNT,
  [tags.TAG_SPAN_STATUS, one(MESSAGE_STATUS)],
  tags.TAG_SPAN_FLAGS,
]);
setFields(MESSAGE_EVENT, [
  tags.TAG_EVENT_TIME_UNIX_NANO,
  tags.TAG_EVENT_NAME,
  [tags.TAG_EVENT_ATTRIBUTES, KEY_VALUES],
  tags.TAG_EVENT_DROPPED_ATTRIBUTES_COUNT,
]);
setFields(MESSAGE_LINK, [
  [tags.TAG_LINK_TRACE_ID, FIELD_OTHER_TRACE_ID],
  [tags.TAG_LINK_SPAN_ID, FIELD_OTHER_SPAN_ID],
  tags.TAG_LINK_TRACE_STATE,
  [tags.TAG_LINK_ATTRIBUTES, KEY_VALUES],
  tags.TAG_LINK_DROPPED_ATTRIBUTES_COUNT,
  tags.TAG_LINK_FLAGS,
]);
setFields(MESSAGE_STATUS, [tags.TAG_STATUS_MESSAGE, tags.TAG_STATUS_CODE]);
setFields(MESSAGE_LOG, [
  tags.TAG_LOG_TIME_UNIX_NANO,
  tags.TAG_LOG_SEVERITY_NUMBER,
  tags.TAG_LOG_SEVERITY_TEXT,
  [tags.TAG_LOG_BODY, one(MESSAGE_ANY)],
  [tags.TAG_LOG_ATTRIBUTES, KEY_VALUES],
  tags.TAG_LOG_DROPPED_ATTRIBUTES_COUNT,
  tags.TAG_LOG_FLAGS,
  [tags.TAG_LOG_TRACE_ID, FIELD_TRACE_ID],
  [tags.TAG_LOG_SPAN_ID, FIELD_SPAN_ID],
  tags.TAG_LOG_OBSERVED_TIME_UNIX_NANO,
  tags.TAG_LOG_EVENT_NAME,
]);
setFields(MESSAGE_NUMBER_POINT, [
  tags.TAG_NUMBER_POINT_START_TIME_UNIX_NANO,
  tags.TAG_NUMBER_POINT_TIME_UNIX_NANO,
  tags.TAG_NUMBER_POINT_AS_DOUBLE,
  [tags.TAG_NUMBER_POINT_EXEMPLARS, many(MESSAGE_EXEMPLAR)],
  tags.TAG_NUMBER_POINT_AS_INT,
  [tags.TAG_NUMBER_POINT_ATTRIBUTES, KEY_VALUES],
  tags.TAG_NUMBER_POINT_FLAGS,
]);
setFields(MESSAGE_HISTOGRAM_POINT, [
  tags.TAG_HISTOGRAM_POINT_START_TIME_UNIX_NANO,
  tags.TAG_HISTOGRAM_POINT_TIME_UNIX_NANO,
  tags.TAG_HISTOGRAM_POINT_COUNT,
  tags.TAG_HISTOGRAM_POINT_SUM,
  [tags.TAG_HISTOGRAM_POINT_BUCKET_COUNTS, FIELD_PACKED_COUNTS],
  [(tags.TAG_HISTOGRAM_POINT_BUCKET_COUNTS & ~7) | 1, FIELD_ONE_COUNT | REPEATED],
  [tags.TAG_HISTOGRAM_POINT_EXPLICIT_BOUNDS, FIELD_PACKED_BOUNDS],
  [(tags.TAG_HISTOGRAM_POINT_EXPLICIT_BOUNDS & ~7) | 1, FIELD_ONE_BOUND | REPEATED],
  [tags.TAG_HISTOGRAM_POINT_EXEMPLARS, many(MESSAGE_EXEMPLAR)],
  [tags.TAG_HISTOGRAM_POINT_ATTRIBUTES, KEY_VALUES],
  tags.TAG_HISTOGRAM_POINT_FLAGS,
  tags.TAG_HISTOGRAM_POINT_MIN,
  tags.TAG_HISTOGRAM_POINT_MAX,
]);
setFields(MESSAGE_EXP_POINT, [
  [tags.TAG_EXP_POINT_ATTRIBUTES, KEY_VALUES],
  tags.TAG_EXP_POINT_START_TIME_UNIX_NANO,
  tags.TAG_EXP_POINT_TIME_UNIX_NANO,
  tags.TAG_EXP_POINT_COUNT,
  tags.TAG_EXP_POINT_SUM,
  tags.TAG_EXP_POINT_SCALE,
  tags.TAG_EXP_POINT_ZERO_COUNT,
  [tags.TAG_EXP_POINT_POSITIVE, one(MESSAGE_BUCKETS)],
  [tags.TAG_EXP_POINT_NEGATIVE, one(MESSAGE_BUCKETS)],
  tags.TAG_EXP_POINT_FLAGS,
  [tags.TAG_EXP_POINT_EXEMPLARS, many(MESSAGE_EXEMPLAR)],
  tags.TAG_EXP_POINT_MIN,
  tags.TAG_EXP_POINT_MAX,
  tags.TAG_EXP_POINT_ZERO_THRESHOLD,
]);
setFields(MESSAGE_SUMMARY_POINT, [
  tags.TAG_SUMMARY_POINT_START_TIME_UNIX_NANO,
  tags.TAG_SUMMARY_POINT_TIME_UNIX_NANO,
  tags.TAG_SUMMARY_POINT_COUNT,
  tags.TAG_SUMMARY_POINT_SUM,
  [tags.TAG_SUMMARY_POINT_QUANTILE_VALUES, many(MESSAGE_QUANTILE)],
  [tags.TAG_SUMMARY_POINT_ATTRIBUTES, KEY_VALUES],
  tags.TAG_SUMMARY_POINT_FLAGS,
]);
setFields(MESSAGE_BUCKETS, [
  tags.TAG_BUCKETS_OFFSET,
  [tags.TAG_BUCKETS_BUCKET_COUNTS, FIELD_PACKED_VARINTS],
  [tags.TAG_BUCKETS_BUCKET_COUNTS & ~7, FIELD_ONE_OF_VARINTS | REPEATED],
]);
setFields(MESSAGE_QUANTILE, [tags.TAG_QUANTILE_QUANTILE, tags.TAG_QUANTILE_VALUE]);
setFields(MESSAGE_EXEMPLAR, [
  tags.TAG_EXEMPLAR_TIME_UNIX_NANO,
  tags.TAG_EXEMPLAR_AS_DOUBLE,
  [tags.TAG_EXEMPLAR_SPAN_ID, FIELD_OTHER_SPAN_ID],
  [tags.TAG_EXEMPLAR_TRACE_ID, FIELD_OTHER_TRACE_ID],
  tags.TAG_EXEMPLAR_AS_INT,
  [tags.TAG_EXEMPLAR_FILTERED_ATTRIBUTES, KEY_VALUES],
]);
