/**
 * Cuts requests at item boundaries without decoding an item: whole containers are copied as they are, containers
 * at a cut are framed again with their headers (resource, scope, name and type of a metric, schema_url, unknown
 * fields), and containers that the cut leaves without an item go. A container that keeps all its items keeps
 * everything else too, empty neighbours inside it included.
 *
 * Requests of one signal need nothing to be joined: their bytes back to back are a request.
 */
import type { Signal } from '../component/signal.ts';
import { ITEM_REJECTED, RequestIndex } from '../pdata/request-index.ts';
import { assert } from '../stdx/assert.ts';
import { FieldCursor, isChildTag, itemLevel, LEVEL_REQUEST } from './levels.ts';
import { mergeFragments } from './merge-fragments.ts';
import { scanRequest } from './scan.ts';
import { varint32Bytes, WireWriter } from './wire-writer.ts';

/** A larger slice does not keep its buffer for the slices after it. */
const KEPT_SLICE_BYTES = 8 * 1024 * 1024;

// Slicing is synchronous, so a thread needs one buffer; fresh large ones cost more than the copy out of this one.
let scratch = new WireWriter(65_536);

/** Which items are kept, by ordinal. */
interface Selection {
  /** Nothing at or behind this ordinal is kept. */
  readonly endItem: number;
  /** How many of the items [first, first + count) are kept. */
  keptIn(first: number, count: number): number;
}

class RangeSelection implements Selection {
  readonly firstItem: number;
  readonly endItem: number;

  constructor(firstItem: number, endItem: number) {
    this.firstItem = firstItem;
    this.endItem = endItem;
  }

  keptIn(first: number, count: number): number {
    return Math.max(0, Math.min(first + count, this.endItem) - Math.max(first, this.firstItem));
  }
}

class AcceptedSelection implements Selection {
  readonly endItem: number;
  readonly #flags: Uint8Array;

  constructor(index: RequestIndex) {
    this.endItem = index.itemCount;
    this.#flags = index.itemFlags;
  }

  keptIn(first: number, count: number): number {
    let kept = 0;
    for (let item = first; item < first + count; item++)
      if ((this.#flags[item]! & ITEM_REJECTED) === 0) kept++;
    return kept;
  }
}

class OwnerSelection implements Selection {
  readonly endItem: number;
  readonly #owners: Int16Array;
  readonly #owner: number;

  constructor(owners: Int16Array, owner: number) {
    this.endItem = owners.length;
    this.#owners = owners;
    this.#owner = owner;
  }

  keptIn(first: number, count: number): number {
    let kept = 0;
    for (let item = first; item < first + count; item++) if (this.#owners[item] === this.#owner) kept++;
    return kept;
  }
}

class Slicer {
  readonly #bytes: Uint8Array;
  readonly #writer: WireWriter;
  readonly #selection: Selection;
  readonly #itemLevel: number;
  /** Ordinal of the next item in wire order. */
  #nextItem = 0;

  constructor(signal: Signal, bytes: Uint8Array, writer: WireWriter, selection: Selection) {
    this.#bytes = bytes;
    this.#writer = writer;
    this.#selection = selection;
    this.#itemLevel = itemLevel(signal);
  }

  /** Writes the kept part of a message; neighbours that stay are copied in one run. */
  copy(level: number, start: number, end: number): void {
    const cursor = new FieldCursor(this.#bytes, start, end);
    let runStart = start;
    while (cursor.next()) {
      if (!isChildTag(level, cursor.tag)) continue;
      const count = this.#countBelow(level, cursor.contentStart, cursor.fieldEnd);
      const kept = this.#selection.keptIn(this.#nextItem, count);
      if (kept === count && count > 0) {
        this.#nextItem += count;
        continue;
      }
      this.#copyRun(runStart, cursor.fieldStart);
      runStart = cursor.fieldEnd;
      if (kept === 0) this.#nextItem += count;
      else this.#reframe(level, cursor);
    }
    this.#copyRun(runStart, end);
  }

  #reframe(level: number, cursor: FieldCursor): void {
    const mark = this.#writer.beginMessage(cursor.tag, varint32Bytes(cursor.fieldEnd - cursor.contentStart));
    this.copy(level + 1, cursor.contentStart, cursor.fieldEnd);
    this.#writer.endMessage(mark);
  }

  #copyRun(start: number, end: number): void {
    if (end > start) this.#writer.writeRaw(this.#bytes, start, end);
  }

  /** Items in a child of a message of `level`; 0 behind the end of the selection, where it does not matter. */
  #countBelow(level: number, start: number, end: number): number {
    if (level === this.#itemLevel) return 1;
    if (this.#nextItem >= this.#selection.endItem) return 0;
    return countItemsIn(this.#bytes, level + 1, this.#itemLevel, start, end);
  }
}

function countItemsIn(
  bytes: Uint8Array,
  level: number,
  lastLevel: number,
  start: number,
  end: number,
): number {
  let count = 0;
  const cursor = new FieldCursor(bytes, start, end);
  while (cursor.next()) {
    if (!isChildTag(level, cursor.tag)) continue;
    count +=
      level === lastLevel
        ? 1
        : countItemsIn(bytes, level + 1, lastLevel, cursor.contentStart, cursor.fieldEnd);
  }
  return count;
}

/** Items of a stored request, by lengths alone. @throws PipelineError OTLP_MALFORMED when the framing is broken. */
export function countItems(signal: Signal, bytes: Uint8Array, start = 0, end = bytes.length): number {
  return countItemsIn(bytes, LEVEL_REQUEST, itemLevel(signal), start, end);
}

/**
 * A request that holds items [firstItem, endItem) of this one, in the same order, under the same headers.
 *
 * @param bytes one or several requests back to back, as scanned and stored (`withoutRejected` applied).
 * @returns private memory; empty when the range is. Its size is at most that of `bytes`.
 * @throws PipelineError OTLP_MALFORMED when the framing is broken.
 */
export function sliceItems(
  signal: Signal,
  bytes: Uint8Array,
  firstItem: number,
  endItem: number,
): Uint8Array<ArrayBuffer> {
  if (endItem <= firstItem) return new Uint8Array(0);
  return copySelected(signal, bytes, 0, bytes.length, new RangeSelection(firstItem, endItem));
}

/**
 * A request that holds the items of one owner, in the same order, under the same headers.
 *
 * @param bytes as of `sliceItems`.
 * @param owners by item.
 * @returns private memory; empty when the owner has none.
 * @throws PipelineError OTLP_MALFORMED when the framing is broken.
 */
export function itemsOf(
  signal: Signal,
  bytes: Uint8Array,
  owners: Int16Array,
  owner: number,
): Uint8Array<ArrayBuffer> {
  if (!owners.includes(owner)) return new Uint8Array(0);
  return copySelected(signal, bytes, 0, bytes.length, new OwnerSelection(owners, owner));
}

/**
 * The request as it may be stored: without its rejected items and with merged headers. Call it when
 * `index.needsRewrite`; the index describes `bytes`, not the result.
 *
 * @param index filled by `scanRequest(signal, bytes, start, end, index)`.
 * @returns private memory with exactly `index.acceptedCount` items; empty when that is 0.
 */
export function withoutRejected(
  signal: Signal,
  bytes: Uint8Array,
  start: number,
  end: number,
  index: RequestIndex,
): Uint8Array<ArrayBuffer> {
  if (index.isFragmented) {
    const merged = mergeFragments(signal, bytes, start, end);
    const mergedIndex = new RequestIndex();
    scanRequest(signal, merged, 0, merged.length, mergedIndex);
    assert(!mergedIndex.isFragmented && mergedIndex.itemCount === index.itemCount);
    return withoutRejected(signal, merged, 0, merged.length, mergedIndex);
  }
  if (index.acceptedCount === 0) return new Uint8Array(0);
  return copySelected(signal, bytes, start, end, new AcceptedSelection(index));
}

function copySelected(
  signal: Signal,
  bytes: Uint8Array,
  start: number,
  end: number,
  selection: Selection,
): Uint8Array<ArrayBuffer> {
  const writer = scratch;
  writer.reset();
  new Slicer(signal, bytes, writer, selection).copy(LEVEL_REQUEST, start, end);
  const copy = writer.toBytes();
  if (writer.bytes.length > KEPT_SLICE_BYTES) scratch = new WireWriter(65_536);
  return copy;
}
