/**
 * One pass over an export request: validates all of it and notes where its items are.
 *
 * The three signals share the levels request (0), ResourceX (1), ScopeX (2) and their field numbers:
 * ResourceX has 1 resource, 2 scopes, 3 schema_url; ScopeX has 1 scope, 2 items or metrics, 3 schema_url.
 */
import type { Signal } from '../component/signal.ts';
import { ITEM_REJECTED, type RequestIndex } from '../pdata/request-index.ts';
import {
  contentStart,
  ScanState,
  SPAN_ID_BYTES,
  scanLongTag,
  scanMessage,
  skipUnknown,
  TRACE_ID_BYTES,
} from './scan-message.ts';
import { scanMetric } from './scan-metrics.ts';
import { MESSAGE_LOG, MESSAGE_RESOURCE, MESSAGE_SCOPE, MESSAGE_SPAN } from './scan-tables.ts';
import {
  TAG_REQUEST_RESOURCE_SPANS,
  TAG_RESOURCE_SPANS_RESOURCE,
  TAG_RESOURCE_SPANS_SCHEMA_URL,
  TAG_RESOURCE_SPANS_SCOPE_SPANS,
  TAG_SCOPE_SPANS_SPANS,
} from './tags.ts';
import { lengthEnd, malformed } from './wire-reader.ts';

const CONTAINERS_TAG = TAG_REQUEST_RESOURCE_SPANS;
const HEADER_TAG = TAG_RESOURCE_SPANS_RESOURCE;
const SCOPES_TAG = TAG_RESOURCE_SPANS_SCOPE_SPANS;
const ITEMS_TAG = TAG_SCOPE_SPANS_SPANS;
const SCHEMA_TAG = TAG_RESOURCE_SPANS_SCHEMA_URL;
/** Highest field number of ResourceX and ScopeX. */
const HEADER_FIELD_MAX = 3;

const REQUEST_DEPTH = 0;
const RESOURCE_DEPTH = 1;
const SCOPE_DEPTH = 2;
const ITEM_DEPTH = 3;

/** Item type when the scope holds metrics, whose points are one level further down. */
const METRICS = 0;
const ITEM_TYPES: Record<Signal, number> = { traces: MESSAGE_SPAN, logs: MESSAGE_LOG, metrics: METRICS };

// The scan is synchronous and not re-entrant, so one state per thread is enough.
const STATE = new ScanState();

/**
 * Validates the Export<Signal>ServiceRequest in bytes [start, end) and fills `index`.
 *
 * Checked: every varint, length, group, wire type of a known field, nesting up to 100, up to 1 000 000 elements.
 * Items that are well formed and wrong by themselves get ITEM_REJECTED and stay in the index: spans without a
 * 16-byte trace id or 8-byte span id that is not all zero, ids of any other length, histogram points whose bucket
 * counts and bounds do not fit or are negative. Unknown fields are skipped. Not checked: UTF-8, enum ranges, times.
 *
 * @param bytes may be a view over shared memory as long as nobody writes to it meanwhile; it is not kept.
 * @param index reset first; its content is undefined after an error.
 * @throws PipelineError OTLP_MALFORMED or OTLP_LIMIT_EXCEEDED, permanent, with the byte offset.
 */
export function scanRequest(
  signal: Signal,
  bytes: Uint8Array,
  start: number,
  end: number,
  index: RequestIndex,
): void {
  // A Buffer has another hidden class than a Uint8Array: one class keeps the loops below monomorphic.
  const plain =
    bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  index.reset();
  STATE.elementCount = 0;
  const itemType = ITEM_TYPES[signal];
  let pos = start;
  while (pos < end) {
    const tag = readTag(plain, pos, end);
    pos = TAG.next;
    if (tag === CONTAINERS_TAG) {
      const containerEnd = lengthEnd(plain, pos, end);
      STATE.addElements(1, pos);
      scanResource(plain, itemType, contentStart(plain, pos, end), containerEnd, index);
      pos = containerEnd;
    } else {
      if (tag >>> 3 === CONTAINERS_TAG >>> 3) throw wrongWireType(tag, pos);
      pos = skipUnknown(plain, tag, pos, end, REQUEST_DEPTH);
    }
  }
  index.elementCount = STATE.elementCount;
}

/** Second result of readTag. */
const TAG = { next: 0 };

function readTag(bytes: Uint8Array, pos: number, end: number): number {
  const tag = bytes[pos]!;
  if (tag < 0x80) {
    TAG.next = pos + 1;
    return tag;
  }
  TAG.next = scanLongTag(bytes, pos, end, STATE);
  return STATE.longTag;
}

function wrongWireType(tag: number, offset: number): Error {
  return malformed(`field ${tag >>> 3} with wire type ${tag & 7}`, offset);
}

/** A field of ResourceX or ScopeX that is not one of theirs. */
function skipHeaderField(bytes: Uint8Array, tag: number, pos: number, end: number, depth: number): number {
  const field = tag >>> 3;
  if (field !== 0 && field <= HEADER_FIELD_MAX) throw wrongWireType(tag, pos);
  return skipUnknown(bytes, tag, pos, end, depth);
}

function scanResource(
  bytes: Uint8Array,
  itemType: number,
  start: number,
  end: number,
  index: RequestIndex,
): void {
  const resource = index.addResource(start, end);
  let hasInfo = false;
  let pos = start;
  while (pos < end) {
    const tag = readTag(bytes, pos, end);
    pos = TAG.next;
    if (tag !== SCOPES_TAG && tag !== HEADER_TAG && tag !== SCHEMA_TAG) {
      pos = skipHeaderField(bytes, tag, pos, end, RESOURCE_DEPTH);
      continue;
    }
    const fieldEnd = lengthEnd(bytes, pos, end);
    const content = contentStart(bytes, pos, end);
    if (tag === SCOPES_TAG) {
      STATE.addElements(1, pos);
      scanScope(bytes, itemType, content, fieldEnd, index);
    } else if (tag === HEADER_TAG) {
      scanMessage(bytes, MESSAGE_RESOURCE, content, fieldEnd, SCOPE_DEPTH, STATE);
      if (hasInfo) index.isFragmented = true;
      hasInfo = true;
      index.resourceInfoStart[resource] = content;
      index.resourceInfoEnd[resource] = fieldEnd;
    } else {
      index.resourceSchemaStart[resource] = content;
      index.resourceSchemaEnd[resource] = fieldEnd;
    }
    pos = fieldEnd;
  }
  index.closeResource();
}

function scanScope(
  bytes: Uint8Array,
  itemType: number,
  start: number,
  end: number,
  index: RequestIndex,
): void {
  const scope = index.addScope(start, end);
  let hasInfo = false;
  let pos = start;
  while (pos < end) {
    const fieldStart = pos;
    const tag = readTag(bytes, pos, end);
    pos = TAG.next;
    if (tag !== ITEMS_TAG && tag !== HEADER_TAG && tag !== SCHEMA_TAG) {
      pos = skipHeaderField(bytes, tag, pos, end, SCOPE_DEPTH);
      continue;
    }
    const fieldEnd = lengthEnd(bytes, pos, end);
    const content = contentStart(bytes, pos, end);
    if (tag === ITEMS_TAG) {
      STATE.addElements(1, pos);
      if (itemType === METRICS) scanMetric(bytes, fieldStart, content, fieldEnd, index, STATE);
      else scanItem(bytes, itemType, fieldStart, content, fieldEnd, index);
    } else if (tag === HEADER_TAG) {
      scanMessage(bytes, MESSAGE_SCOPE, content, fieldEnd, ITEM_DEPTH, STATE);
      if (hasInfo) index.isFragmented = true;
      hasInfo = true;
      index.scopeInfoStart[scope] = content;
      index.scopeInfoEnd[scope] = fieldEnd;
    } else {
      index.scopeSchemaStart[scope] = content;
      index.scopeSchemaEnd[scope] = fieldEnd;
    }
    pos = fieldEnd;
  }
  index.closeScope();
}

/** A span or log record. */
function scanItem(
  bytes: Uint8Array,
  itemType: number,
  fieldStart: number,
  start: number,
  end: number,
  index: RequestIndex,
): void {
  const state = STATE;
  state.resetItem();
  const rest = itemType === MESSAGE_SPAN ? scanLeadingIds(bytes, start, end, state) : start;
  scanMessage(bytes, itemType, rest, end, ITEM_DEPTH, state);
  const hasTraceId = state.traceIdBytes === TRACE_ID_BYTES;
  const isGood =
    !state.isItemBad &&
    (itemType === MESSAGE_SPAN
      ? hasTraceId &&
        state.spanIdBytes === SPAN_ID_BYTES &&
        !isZero(bytes, state.traceIdAt, state.traceIdAt + TRACE_ID_BYTES) &&
        !isZero(bytes, state.spanIdAt, state.spanIdAt + SPAN_ID_BYTES)
      : (hasTraceId || state.traceIdBytes === 0) &&
        (state.spanIdBytes === SPAN_ID_BYTES || state.spanIdBytes === 0));
  index.addItem(fieldStart, start, end, hasTraceId ? state.traceIdAt : 0, isGood ? 0 : ITEM_REJECTED);
}

/** The 28 bytes that nearly every span begins with: trace id, then span id. @returns the offset behind them. */
function scanLeadingIds(bytes: Uint8Array, start: number, end: number, state: ScanState): number {
  if (start + 28 > end) return start;
  if (bytes[start] !== 0x0a || bytes[start + 1] !== TRACE_ID_BYTES) return start;
  if (bytes[start + 18] !== 0x12 || bytes[start + 19] !== SPAN_ID_BYTES) return start;
  state.traceIdAt = start + 2;
  state.traceIdBytes = TRACE_ID_BYTES;
  state.spanIdAt = start + 20;
  state.spanIdBytes = SPAN_ID_BYTES;
  return start + 28;
}

function isZero(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at] !== 0) return false;
  return true;
}
