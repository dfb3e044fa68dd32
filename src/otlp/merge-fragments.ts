/**
 * Joins singular messages that came in several parts, as a protobuf decoder does: a resource, a scope or the data
 * of a metric. The concatenation of the parts is the merged message, so nothing inside them is decoded.
 * No known encoder writes such requests; this keeps every other reader free of the case.
 */
import type { Signal } from '../component/signal.ts';
import {
  FieldCursor,
  isChildTag,
  isMetricDataTag,
  itemLevel,
  LEVEL_METRIC,
  LEVEL_REQUEST,
  LEVEL_RESOURCE,
  LEVEL_SCOPE,
} from './levels.ts';
import { TAG_RESOURCE_SPANS_RESOURCE } from './tags.ts';
import { varint32Bytes, WireWriter } from './wire-writer.ts';

/**
 * Copies the request in bytes [start, end) with each singular message in one part.
 * @param bytes a request that `scanRequest` accepted.
 * @returns private memory; the same items in the same order as the index has them.
 */
export function mergeFragments(signal: Signal, bytes: Uint8Array, start: number, end: number): Uint8Array {
  const writer = new WireWriter(end - start + 16);
  copyLevel(writer, bytes, start, end, LEVEL_REQUEST, itemLevel(signal));
  return writer.view();
}

function copyLevel(
  writer: WireWriter,
  bytes: Uint8Array,
  start: number,
  end: number,
  level: number,
  lastLevel: number,
): void {
  const singular = singularTag(bytes, start, end, level);
  let isWritten = false;
  const cursor = new FieldCursor(bytes, start, end);
  while (cursor.next()) {
    if (level === LEVEL_METRIC && isMetricDataTag(cursor.tag)) {
      if (!isWritten) writeMergedData(writer, bytes, start, end, singular);
      isWritten = true;
    } else if (cursor.tag === singular) {
      if (!isWritten) writeMerged(writer, bytes, start, end, singular, start);
      isWritten = true;
    } else if (level < lastLevel && level < LEVEL_METRIC && isChildTag(level, cursor.tag)) {
      const mark = writer.beginMessage(cursor.tag, varint32Bytes(cursor.fieldEnd - cursor.contentStart));
      copyLevel(writer, bytes, cursor.contentStart, cursor.fieldEnd, level + 1, lastLevel);
      writer.endMessage(mark);
    } else writer.writeRaw(bytes, cursor.fieldStart, cursor.fieldEnd);
  }
}

/** Tag of the message that a container holds at most once; for a metric the last member of its oneof. */
function singularTag(bytes: Uint8Array, start: number, end: number, level: number): number {
  if (level === LEVEL_RESOURCE || level === LEVEL_SCOPE) return TAG_RESOURCE_SPANS_RESOURCE;
  if (level !== LEVEL_METRIC) return 0;
  let last = 0;
  const cursor = new FieldCursor(bytes, start, end);
  while (cursor.next()) if (isMetricDataTag(cursor.tag)) last = cursor.tag;
  return last;
}

/** Only the parts behind the last other member of the oneof count: that one had cleared the earlier parts. */
function writeMergedData(
  writer: WireWriter,
  bytes: Uint8Array,
  start: number,
  end: number,
  tag: number,
): void {
  let from = start;
  const cursor = new FieldCursor(bytes, start, end);
  while (cursor.next()) if (isMetricDataTag(cursor.tag) && cursor.tag !== tag) from = cursor.fieldEnd;
  writeMerged(writer, bytes, start, end, tag, from);
}

function writeMerged(
  writer: WireWriter,
  bytes: Uint8Array,
  start: number,
  end: number,
  tag: number,
  from: number,
): void {
  const mark = writer.beginMessage(tag, varint32Bytes(end - start));
  const cursor = new FieldCursor(bytes, start, end);
  while (cursor.next()) {
    if (cursor.tag === tag && cursor.fieldStart >= from) {
      writer.writeRaw(bytes, cursor.contentStart, cursor.fieldEnd);
    }
  }
  writer.endMessage(mark);
}
