/**
 * Finds the spans of a request again that passed `scanRequest` before it was stored, without looking into them.
 * Only for readers that check the stored bytes by a checksum.
 */
import type { RequestIndex } from '../pdata/request-index.ts';
import {
  TAG_REQUEST_RESOURCE_SPANS,
  TAG_RESOURCE_SPANS_RESOURCE,
  TAG_RESOURCE_SPANS_SCOPE_SPANS,
  TAG_SCOPE_SPANS_SPANS,
} from './tags.ts';
import { lengthEnd, skipVarint, WIRE_LEN } from './wire-reader.ts';

const CONTAINERS_TAG = TAG_REQUEST_RESOURCE_SPANS;
const HEADER_TAG = TAG_RESOURCE_SPANS_RESOURCE;
const SCOPES_TAG = TAG_RESOURCE_SPANS_SCOPE_SPANS;
const ITEMS_TAG = TAG_SCOPE_SPANS_SPANS;
const TRACE_ID_BYTES = 16;
const ONE_BYTE_TAG_MAX = 0x7f;

/**
 * Fills `index` with items, scopes and resources; the ranges of schema URLs and of scope messages stay empty. Of trace
 * ids that come twice in a span the first is noted, which `settleTraceIds` has made the one that counts.
 *
 * @param index reset first; its content is undefined after false.
 * @returns false where the shape is not the one that SDKs send: use `scanRequest` then.
 */
export function scanStoredSpans(bytes: Uint8Array, start: number, end: number, index: RequestIndex): boolean {
  index.reset();
  for (let pos = start; pos < end; ) {
    if (bytes[pos] !== CONTAINERS_TAG) return false;
    const containerEnd = lengthEnd(bytes, pos + 1, end);
    if (!findScopes(bytes, contentOf(bytes, pos + 1, end), containerEnd, index)) return false;
    pos = containerEnd;
  }
  return true;
}

/**
 * Makes a request ready for `scanStoredSpans`: where a span has several trace ids, of which the last one counts, the
 * first becomes the same. What the request says stays as it is.
 *
 * @param index of `bytes`, from `scanRequest`.
 */
export function settleTraceIds(bytes: Uint8Array, index: RequestIndex): void {
  const { itemBody, itemTraceId, itemCount } = index;
  for (let item = 0; item < itemCount; item++) {
    const body = itemBody[item]!;
    const at = itemTraceId[item]!;
    if (at === body + 2 || bytes[body] !== 0x0a || bytes[body + 1] !== TRACE_ID_BYTES) continue;
    bytes.copyWithin(body + 2, at, at + TRACE_ID_BYTES);
  }
}

function contentOf(bytes: Uint8Array, lengthAt: number, end: number): number {
  return bytes[lengthAt]! <= ONE_BYTE_TAG_MAX ? lengthAt + 1 : skipVarint(bytes, lengthAt, end);
}

function findScopes(bytes: Uint8Array, start: number, end: number, index: RequestIndex): boolean {
  const resource = index.addResource(start, end);
  let hasInfo = false;
  for (let pos = start; pos < end; ) {
    const tag = bytes[pos]!;
    if (tag > ONE_BYTE_TAG_MAX || (tag & 7) !== WIRE_LEN) return false;
    const fieldEnd = lengthEnd(bytes, pos + 1, end);
    const content = contentOf(bytes, pos + 1, end);
    if (tag === SCOPES_TAG) {
      if (!findSpans(bytes, content, fieldEnd, index)) return false;
    } else if (tag === HEADER_TAG) {
      if (hasInfo) return false;
      hasInfo = true;
      index.resourceInfoStart[resource] = content;
      index.resourceInfoEnd[resource] = fieldEnd;
    }
    pos = fieldEnd;
  }
  index.closeResource();
  return true;
}

function findSpans(bytes: Uint8Array, start: number, end: number, index: RequestIndex): boolean {
  index.addScope(start, end);
  for (let pos = start; pos < end; ) {
    const tag = bytes[pos]!;
    if (tag > ONE_BYTE_TAG_MAX || (tag & 7) !== WIRE_LEN) return false;
    let body = pos + 3;
    let fieldEnd = end + 1;
    // Most spans have 128 to 16,383 bytes.
    if (body < end && bytes[pos + 1]! > ONE_BYTE_TAG_MAX && bytes[pos + 2]! <= ONE_BYTE_TAG_MAX)
      fieldEnd = body + ((bytes[pos + 1]! & 0x7f) | (bytes[pos + 2]! << 7));
    if (fieldEnd > end) {
      fieldEnd = lengthEnd(bytes, pos + 1, end);
      body = contentOf(bytes, pos + 1, end);
    }
    if (tag === ITEMS_TAG) {
      // The id stands first.
      if (bytes[body] !== 0x0a || bytes[body + 1] !== TRACE_ID_BYTES) return false;
      index.addItem(pos, body, fieldEnd, body + 2, 0);
    }
    pos = fieldEnd;
  }
  index.closeScope();
  return true;
}
