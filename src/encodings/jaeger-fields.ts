/*
 * Fields of the messages that a Jaeger span consists of (jaeger.api_v2, model.proto), which a test compares with the
 * definition. Timestamp and Duration are google.protobuf's.
 *
 * The table serves JSON in both directions; readers and writers of protobuf use the tags below it.
 */
const VARINT = 0;
const I64 = 1;
const LEN = 2;

export const TAG_JAEGER_TRACE_ID = (1 << 3) | LEN;
export const TAG_JAEGER_SPAN_ID = (2 << 3) | LEN;
export const TAG_JAEGER_OPERATION_NAME = (3 << 3) | LEN;
export const TAG_JAEGER_REFERENCES = (4 << 3) | LEN;
export const TAG_JAEGER_FLAGS = (5 << 3) | VARINT;
export const TAG_JAEGER_START_TIME = (6 << 3) | LEN;
export const TAG_JAEGER_DURATION = (7 << 3) | LEN;
export const TAG_JAEGER_TAGS = (8 << 3) | LEN;
export const TAG_JAEGER_LOGS = (9 << 3) | LEN;
export const TAG_JAEGER_PROCESS = (10 << 3) | LEN;
export const TAG_JAEGER_REF_TRACE_ID = (1 << 3) | LEN;
export const TAG_JAEGER_REF_SPAN_ID = (2 << 3) | LEN;
export const TAG_JAEGER_REF_TYPE = (3 << 3) | VARINT;
export const TAG_JAEGER_PROCESS_SERVICE_NAME = (1 << 3) | LEN;
export const TAG_JAEGER_PROCESS_TAGS = (2 << 3) | LEN;
export const TAG_JAEGER_LOG_TIMESTAMP = (1 << 3) | LEN;
export const TAG_JAEGER_LOG_FIELDS = (2 << 3) | LEN;
export const TAG_JAEGER_KEY = (1 << 3) | LEN;
export const TAG_JAEGER_V_TYPE = (2 << 3) | VARINT;
export const TAG_JAEGER_V_STR = (3 << 3) | LEN;
export const TAG_JAEGER_V_BOOL = (4 << 3) | VARINT;
export const TAG_JAEGER_V_INT64 = (5 << 3) | VARINT;
export const TAG_JAEGER_V_FLOAT64 = (6 << 3) | I64;
export const TAG_JAEGER_V_BINARY = (7 << 3) | LEN;
export const TAG_TIME_SECONDS = (1 << 3) | VARINT;
export const TAG_TIME_NANOS = (2 << 3) | VARINT;

export const JAEGER_STRING = 0;
export const JAEGER_BOOL = 1;
export const JAEGER_INT64 = 2;
export const JAEGER_FLOAT64 = 3;
export const JAEGER_BINARY = 4;
export const JAEGER_CHILD_OF = 0;
export const JAEGER_FOLLOWS_FROM = 1;

const VALUE_TYPES = ['STRING', 'BOOL', 'INT64', 'FLOAT64', 'BINARY'] as const;
const REF_TYPES = ['CHILD_OF', 'FOLLOWS_FROM'] as const;

export type JaegerKind =
  | 'string'
  | 'bytes'
  | 'bool'
  | 'int64'
  | 'uint32'
  | 'double'
  | 'timestamp'
  | 'duration'
  | readonly string[]
  | JaegerMessage;

export interface JaegerField {
  /** As in the .proto file. */
  name: string;
  /** As in JSON. */
  jsonName: string;
  tag: number;
  /** An enumeration is the list of its names. */
  kind: JaegerKind;
  isRepeated: boolean;
  /** Written in JSON even when it is empty. */
  isAlways: boolean;
}

export interface JaegerMessage {
  name: string;
  fields: readonly JaegerField[];
}

const WIRE_TYPES: Readonly<Record<string, number>> = {
  bool: VARINT,
  int64: VARINT,
  uint32: VARINT,
  double: I64,
};

/** @param list name, number, kind; behind the name `*` for a repeated field and `!` for one that JSON always has. */
function message(name: string, list: readonly (readonly [string, number, JaegerKind])[]): JaegerMessage {
  const fields = list.map(([marked, number, kind]) => {
    const plain = marked.replace(/[*!]/g, '');
    const wire = Array.isArray(kind) ? VARINT : typeof kind === 'string' ? (WIRE_TYPES[kind] ?? LEN) : LEN;
    return {
      name: plain,
      jsonName: plain.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      tag: (number << 3) | wire,
      kind,
      isRepeated: marked.includes('*'),
      isAlways: marked.includes('!'),
    };
  });
  return { name, fields };
}

const KEY_VALUE = message('KeyValue', [
  ['key', 1, 'string'],
  ['v_type', 2, VALUE_TYPES],
  ['v_str', 3, 'string'],
  ['v_bool', 4, 'bool'],
  ['v_int64', 5, 'int64'],
  ['v_float64', 6, 'double'],
  ['v_binary', 7, 'bytes'],
]);
const LOG = message('Log', [
  ['timestamp!', 1, 'timestamp'],
  ['fields*!', 2, KEY_VALUE],
]);
const SPAN_REF = message('SpanRef', [
  ['trace_id!', 1, 'bytes'],
  ['span_id', 2, 'bytes'],
  ['ref_type', 3, REF_TYPES],
]);
const PROCESS = message('Process', [
  ['service_name', 1, 'string'],
  ['tags*', 2, KEY_VALUE],
]);

export const JAEGER_SPAN = message('Span', [
  ['trace_id!', 1, 'bytes'],
  ['span_id', 2, 'bytes'],
  ['operation_name', 3, 'string'],
  ['references*', 4, SPAN_REF],
  ['flags', 5, 'uint32'],
  ['start_time!', 6, 'timestamp'],
  ['duration', 7, 'duration'],
  ['tags*', 8, KEY_VALUE],
  ['logs*', 9, LOG],
  ['process', 10, PROCESS],
  ['process_id', 11, 'string'],
  ['warnings*', 12, 'string'],
]);
