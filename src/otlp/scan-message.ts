/**
 * Validates one message and everything in it, by table; the hot loop of the intake.
 *
 * Positions are numbers in registers, not fields of a reader, and nothing is allocated. The recursion is bounded by
 * NESTING_DEPTH_MAX. Text is not checked for UTF-8: exporters replace what is invalid.
 */
import {
  FIELD_I32,
  FIELD_I64,
  FIELD_KEY_VALUE,
  FIELD_LEN,
  FIELD_MESSAGE,
  FIELD_ONE_BOUND,
  FIELD_ONE_COUNT,
  FIELD_ONE_OF_VARINTS,
  FIELD_OTHER_SPAN_ID,
  FIELD_OTHER_TRACE_ID,
  FIELD_PACKED_BOUNDS,
  FIELD_PACKED_COUNTS,
  FIELD_PACKED_VARINTS,
  FIELD_SPAN_ID,
  FIELD_TABLE,
  FIELD_TRACE_ID,
  FIELD_VARINT,
  isRepeatedBit,
  MESSAGE_KEY_VALUE,
  nestedType,
  TABLE_TAGS,
} from './scan-tables.ts';
import {
  lengthEnd,
  limitExceeded,
  malformed,
  NESTING_DEPTH_MAX,
  skipField,
  skipVarint,
} from './wire-reader.ts';

/** Elements of repeated fields, packed numbers included, that one request may have. */
export const ELEMENTS_MAX = 1_000_000;

export const TRACE_ID_BYTES = 16;
export const SPAN_ID_BYTES = 8;

// Module-private copies become constants in optimized code; imported bindings are loads.
const VARINT = FIELD_VARINT;
const I64 = FIELD_I64;
const I32 = FIELD_I32;
const LEN = FIELD_LEN;
const KEY_VALUE = FIELD_KEY_VALUE;
const MESSAGE = FIELD_MESSAGE;
const TABLE = FIELD_TABLE;
const DEPTH_MAX = NESTING_DEPTH_MAX;

/** What the scan of one item leaves behind for the checks that need the whole item. */
export class ScanState {
  /** Of the whole request. */
  elementCount = 0;
  traceIdAt = 0;
  traceIdBytes = 0;
  spanIdAt = 0;
  spanIdBytes = 0;
  bucketCount = 0;
  boundCount = 0;
  /** The item is well formed and wrong by itself. */
  isItemBad = false;
  /** Full tag of the field that `scanLongTag` read. */
  longTag = 0;

  resetItem(): void {
    this.traceIdAt = 0;
    this.traceIdBytes = 0;
    this.spanIdAt = 0;
    this.spanIdBytes = 0;
    this.bucketCount = 0;
    this.boundCount = 0;
    this.isItemBad = false;
  }

  addElements(count: number, offset: number): void {
    this.elementCount += count;
    if (this.elementCount > ELEMENTS_MAX) throw limitExceeded('over 1000000 elements', offset);
  }
}

/**
 * Validates the message of a MESSAGE_* type in [start, end).
 * @param depth its nesting level.
 * @throws PipelineError OTLP_MALFORMED or OTLP_LIMIT_EXCEEDED, permanent.
 */
export function scanMessage(
  bytes: Uint8Array,
  type: number,
  start: number,
  end: number,
  depth: number,
  state: ScanState,
): void {
  if (depth > DEPTH_MAX) throw limitExceeded('nesting over 100 levels', start);
  const row = type << 8;
  let pos = start;
  let elements = 0;
  while (pos < end) {
    let tag = bytes[pos]!;
    if (tag < 0x80) pos++;
    else if (pos + 1 < end && bytes[pos + 1] === 1) {
      // Fields 16 to 31.
      tag = (tag & 0x7f) | 0x80;
      pos += 2;
    } else {
      pos = scanLongTag(bytes, pos, end, state);
      tag = state.longTag;
    }
    const entry = tag < TABLE_TAGS ? TABLE[row | tag]! : 0;
    elements += isRepeatedBit(entry);
    switch (entry & 0x7f) {
      case KEY_VALUE:
        pos = scanKeyValue(bytes, pos, end, depth + 1, state);
        // Attributes come in runs: the next one needs no look at the table.
        while (pos < end && bytes[pos] === tag) {
          elements++;
          pos = scanKeyValue(bytes, pos + 1, end, depth + 1, state);
        }
        break;
      case LEN:
        pos = lengthEnd(bytes, pos, end);
        break;
      case VARINT:
        if (pos < end && bytes[pos]! < 0x80) pos++;
        else pos = skipVarint(bytes, pos, end);
        break;
      case I64:
        pos += 8;
        if (pos > end) throw malformed('truncated fixed64', pos - 8);
        break;
      case I32:
        pos += 4;
        if (pos > end) throw malformed('truncated fixed32', pos - 4);
        break;
      case MESSAGE: {
        const nestedEnd = lengthEnd(bytes, pos, end);
        scanMessage(bytes, nestedType(entry), contentStart(bytes, pos, end), nestedEnd, depth + 1, state);
        pos = nestedEnd;
        break;
      }
      default:
        pos = scanSpecial(bytes, entry & 0x7f, tag, pos, end, depth, state);
    }
  }
  if (elements > 0) state.addElements(elements, start);
}

/** Start of the content of a length-delimited field whose length prefix is at `pos` and was checked. */
export function contentStart(bytes: Uint8Array, pos: number, end: number): number {
  return bytes[pos]! < 0x80 ? pos + 1 : skipVarint(bytes, pos, end);
}

/** Reads a tag of two and more bytes into `state.longTag`. @returns the offset behind it. */
export function scanLongTag(bytes: Uint8Array, pos: number, end: number, state: ScanState): number {
  const next = skipVarint(bytes, pos, end);
  if (next > pos + 5) throw malformed('tag over 5 bytes', pos);
  if (next === pos + 5 && bytes[pos + 4]! > 0x0f) throw malformed('tag over 32 bits', pos);
  let tag = 0;
  for (let at = pos, shift = 0; at < next; at++, shift += 7) tag |= (bytes[at]! & 0x7f) << shift;
  // Tags of field numbers above 2^28 would be negative here; the skip needs their low bits and identity only.
  state.longTag = tag >>> 0;
  return next;
}

/**
 * Validates one KeyValue whose length prefix is at `pos`. The shape that SDKs send (key, then one scalar, all
 * lengths in one byte) is checked in place; everything else goes through the tables.
 */
function scanKeyValue(bytes: Uint8Array, pos: number, end: number, depth: number, state: ScanState): number {
  // Seven bytes are the least that the shape needs (length, key tag and length, value tag and length, kind, value),
  // so no read below leaves the message.
  if (pos + 7 <= end && depth < DEPTH_MAX) {
    const valueEnd = pos + 1 + bytes[pos]!;
    const valueTag = pos + 3 + bytes[pos + 2]!;
    if (
      valueEnd <= end &&
      bytes[pos]! < 0x80 &&
      bytes[pos + 1] === 0x0a &&
      valueTag + 4 <= valueEnd &&
      bytes[pos + 2]! < 0x80 &&
      bytes[valueTag] === 0x12 &&
      valueTag + 2 + bytes[valueTag + 1]! === valueEnd
    ) {
      const kind = bytes[valueTag + 2]!;
      const first = bytes[valueTag + 3]!;
      if (kind === 0x0a) {
        // string_value that fills the AnyValue.
        if (valueTag + 4 + first === valueEnd) return valueEnd;
      } else if (kind === 0x18 || kind === 0x10) {
        // int_value or bool_value of one byte, or an int_value of two to nine.
        if (first < 0x80 && valueTag + 4 === valueEnd) return valueEnd;
        if (isVarint(bytes, valueTag + 3, valueEnd)) return valueEnd;
      } else if (kind === 0x21 && valueTag + 11 === valueEnd) return valueEnd;
    }
  }
  const textEnd = longTextEnd(bytes, pos, end);
  if (textEnd > 0 && depth < DEPTH_MAX) return textEnd;
  const messageEnd = lengthEnd(bytes, pos, end);
  scanMessage(bytes, MESSAGE_KEY_VALUE, contentStart(bytes, pos, end), messageEnd, depth, state);
  return messageEnd;
}

/** End of a KeyValue with a string whose three lengths take two bytes each (queries, stack traces), else 0. */
function longTextEnd(bytes: Uint8Array, pos: number, end: number): number {
  if (pos + 4 > end || bytes[pos]! < 0x80 || bytes[pos + 1]! >= 0x80) return 0;
  const messageEnd = pos + 2 + ((bytes[pos]! & 0x7f) | (bytes[pos + 1]! << 7));
  if (messageEnd > end || bytes[pos + 2] !== 0x0a || bytes[pos + 3]! >= 0x80) return 0;
  const valueTag = pos + 4 + bytes[pos + 3]!;
  if (valueTag + 6 > messageEnd || bytes[valueTag] !== 0x12) return 0;
  if (bytes[valueTag + 1]! < 0x80 || bytes[valueTag + 2]! >= 0x80) return 0;
  const valueEnd = valueTag + 3 + ((bytes[valueTag + 1]! & 0x7f) | (bytes[valueTag + 2]! << 7));
  if (valueEnd !== messageEnd || bytes[valueTag + 3] !== 0x0a) return 0;
  if (bytes[valueTag + 4]! < 0x80 || bytes[valueTag + 5]! >= 0x80) return 0;
  const textEnd = valueTag + 6 + ((bytes[valueTag + 4]! & 0x7f) | (bytes[valueTag + 5]! << 7));
  return textEnd === messageEnd ? messageEnd : 0;
}

/** Whether [start, end) is exactly one varint of at most nine bytes. */
function isVarint(bytes: Uint8Array, start: number, end: number): boolean {
  const last = end - 1;
  if (last - start > 8) return false;
  for (let at = start; at < last; at++) if (bytes[at]! < 0x80) return false;
  return bytes[last]! < 0x80;
}

/** Fields with a rule beyond their wire type, and unknown ones. @returns the offset behind the field. */
function scanSpecial(
  bytes: Uint8Array,
  kind: number,
  tag: number,
  pos: number,
  end: number,
  depth: number,
  state: ScanState,
): number {
  if (kind === 0) return skipUnknown(bytes, tag, pos, end, depth);
  if (kind === FIELD_ONE_OF_VARINTS) {
    const next = skipVarint(bytes, pos, end);
    // Ten bytes are a count of 2^63 or more, which only a negative number becomes.
    if (next - pos === 10) state.isItemBad = true;
    return next;
  }
  if (kind === FIELD_ONE_COUNT || kind === FIELD_ONE_BOUND) {
    if (pos + 8 > end) throw malformed('truncated fixed64', pos);
    if (kind === FIELD_ONE_BOUND) state.boundCount++;
    else noteCounts(bytes, pos, pos + 8, state);
    return pos + 8;
  }
  if (kind < FIELD_TRACE_ID || kind > FIELD_PACKED_VARINTS) {
    throw malformed(`field ${tag >>> 3} with wire type ${tag & 7}`, pos);
  }
  const fieldEnd = lengthEnd(bytes, pos, end);
  scanSpecialContent(bytes, kind, contentStart(bytes, pos, end), fieldEnd, state);
  return fieldEnd;
}

function scanSpecialContent(
  bytes: Uint8Array,
  kind: number,
  start: number,
  end: number,
  state: ScanState,
): void {
  const sizeBytes = end - start;
  if (kind === FIELD_TRACE_ID) {
    state.traceIdAt = start;
    state.traceIdBytes = sizeBytes;
  } else if (kind === FIELD_SPAN_ID) {
    state.spanIdAt = start;
    state.spanIdBytes = sizeBytes;
  } else if (kind === FIELD_OTHER_SPAN_ID) {
    if (sizeBytes !== 0 && sizeBytes !== SPAN_ID_BYTES) state.isItemBad = true;
  } else if (kind === FIELD_OTHER_TRACE_ID) {
    if (sizeBytes !== 0 && sizeBytes !== TRACE_ID_BYTES) state.isItemBad = true;
  } else if (kind === FIELD_PACKED_VARINTS) {
    scanPackedVarints(bytes, start, end, state);
  } else {
    if ((sizeBytes & 7) !== 0) throw malformed('packed fixed64 of odd size', start);
    state.addElements(sizeBytes >>> 3, start);
    if (kind === FIELD_PACKED_BOUNDS) state.boundCount += sizeBytes >>> 3;
    else if (kind === FIELD_PACKED_COUNTS) noteCounts(bytes, start, end, state);
  }
}

/** Counts fixed64 bucket counts; one of 2^63 and more was a negative number. */
function noteCounts(bytes: Uint8Array, start: number, end: number, state: ScanState): void {
  state.bucketCount += (end - start) >>> 3;
  for (let top = start + 7; top < end; top += 8) if (bytes[top]! >= 0x80) state.isItemBad = true;
}

function scanPackedVarints(bytes: Uint8Array, start: number, end: number, state: ScanState): void {
  let count = 0;
  let pos = start;
  while (pos < end) {
    const next = bytes[pos]! < 0x80 ? pos + 1 : skipVarint(bytes, pos, end);
    if (next - pos === 10) state.isItemBad = true;
    pos = next;
    count++;
  }
  state.addElements(count, start);
}

/** Skips a field that the message does not have. */
export function skipUnknown(bytes: Uint8Array, tag: number, pos: number, end: number, depth: number): number {
  if (tag >>> 3 === 0) throw malformed('field number 0', pos - 1);
  return skipField(bytes, tag, pos, end, depth);
}
