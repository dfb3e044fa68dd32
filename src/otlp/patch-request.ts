/**
 * Writes a request again with some of its items changed, left out, or with other resources. What stays the same is
 * copied in runs as long as possible; containers above a change are framed again, and a container that a change
 * leaves without an item goes. Nothing is written at all as long as nothing changes.
 */
import type { Signal } from '../component/signal.ts';
import { FieldCursor, isChildTag, itemLevel, LEVEL_DATA, LEVEL_REQUEST, LEVEL_RESOURCE } from './levels.ts';
import { TAG_RESOURCE_SPANS_RESOURCE as RESOURCE_TAG } from './tags.ts';
import { varint32Bytes, type WireWriter } from './wire-writer.ts';

export const ITEM_KEEP = 0;
export const ITEM_DROP = 1;
export const ITEM_EDIT = 2;
export type ItemDecision = typeof ITEM_KEEP | typeof ITEM_DROP | typeof ITEM_EDIT;

/** Says what becomes of each part. Called in wire order; a `write` comes right after its own decision. */
export interface RequestEditor {
  /**
   * @param item ordinal, as in the index of the same bytes.
   * @param start first byte of the item's message, [start, end).
   */
  decideItem(item: number, start: number, end: number): ItemDecision;
  /** Writes the message of the item that was just decided as ITEM_EDIT, without tag and length. */
  writeItem(writer: WireWriter): void;
  /** Whether resources may change; without it `decideResource` is never called. */
  readonly editsResources: boolean;
  /** @param start the Resource message, [start, end); both 0 for a container without one. */
  decideResource(start: number, end: number): boolean;
  writeResource(writer: WireWriter): void;
}

/** Room that an edited message may need beyond its size before its length takes another byte. */
const GROWTH_BYTES = 24;
const LEVELS = LEVEL_DATA + 1;

class Patcher {
  keptCount = 0;
  readonly #bytes: Uint8Array;
  readonly #writer: WireWriter;
  readonly #editor: RequestEditor;
  readonly #itemLevel: number;
  #nextItem = 0;
  /** Of the container that is being read on each level: first byte that is not in the writer yet. */
  readonly #runStart = new Uint32Array(LEVELS);
  /** And where the child that is being read begins, with its tag and the size of its message. */
  readonly #childStart = new Uint32Array(LEVELS);
  readonly #childTag = new Uint32Array(LEVELS);
  readonly #childBytes = new Uint32Array(LEVELS);
  /** Where the writer stood before the container's own tag, and the mark of its length. */
  readonly #openPos = new Uint32Array(LEVELS);
  readonly #openMark = new Uint32Array(LEVELS);
  /** Containers down to this level are open in the writer: something in them changed. */
  #openLevel = LEVEL_REQUEST;
  #isChanged = false;

  constructor(signal: Signal, bytes: Uint8Array, editor: RequestEditor, writer: WireWriter) {
    this.#bytes = bytes;
    this.#writer = writer;
    this.#editor = editor;
    this.#itemLevel = itemLevel(signal);
  }

  /** @returns false when nothing changed: then nothing was written. */
  run(start: number, end: number): boolean {
    const writerPos = this.#writer.pos;
    this.#readContainer(LEVEL_REQUEST, start, end);
    if (this.#isChanged) this.#copyRun(this.#runStart[LEVEL_REQUEST]!, end);
    else this.#writer.pos = writerPos;
    return this.#isChanged;
  }

  #readContainer(level: number, start: number, end: number): void {
    this.#runStart[level] = start;
    const editsResource = level === LEVEL_RESOURCE && this.#editor.editsResources;
    if (editsResource && !this.#hasResource(start, end)) this.#editResource(RESOURCE_TAG, start, 0, start);
    const cursor = new FieldCursor(this.#bytes, start, end);
    const isItemLevel = level === this.#itemLevel;
    while (cursor.next()) {
      if (isChildTag(level, cursor.tag)) {
        if (isItemLevel) this.#readItem(level, cursor);
        else this.#readChild(level, cursor);
      } else if (editsResource && cursor.tag === RESOURCE_TAG) {
        this.#editResource(cursor.tag, cursor.fieldStart, cursor.contentStart, cursor.fieldEnd);
      }
    }
  }

  #readItem(level: number, cursor: FieldCursor): void {
    const { contentStart, fieldEnd } = cursor;
    const decision = this.#editor.decideItem(this.#nextItem++, contentStart, fieldEnd);
    if (decision !== ITEM_DROP) this.keptCount++;
    if (decision === ITEM_KEEP) return;
    this.#open(level);
    this.#copyRun(this.#runStart[level]!, cursor.fieldStart);
    this.#runStart[level] = fieldEnd;
    if (decision === ITEM_DROP) return;
    const writer = this.#writer;
    const mark = writer.beginMessage(cursor.tag, varint32Bytes(fieldEnd - contentStart + GROWTH_BYTES));
    this.#editor.writeItem(writer);
    writer.endMessage(mark);
  }

  #readChild(level: number, cursor: FieldCursor): void {
    const { contentStart, fieldEnd } = cursor;
    const firstItem = this.#nextItem;
    const keptBefore = this.keptCount;
    this.#childStart[level] = cursor.fieldStart;
    this.#childTag[level] = cursor.tag;
    this.#childBytes[level] = fieldEnd - contentStart;
    this.#readContainer(level + 1, contentStart, fieldEnd);
    if (this.#openLevel <= level) return;
    this.#openLevel = level;
    this.#runStart[level] = fieldEnd;
    if (this.#nextItem > firstItem && this.keptCount === keptBefore) {
      this.#writer.pos = this.#openPos[level + 1]!;
      return;
    }
    this.#copyRun(this.#runStart[level + 1]!, fieldEnd);
    this.#writer.endMessage(this.#openMark[level + 1]!);
  }

  /** Writes what stands before the change that comes next: runs and heads of all containers above it. */
  #open(level: number): void {
    this.#isChanged = true;
    const writer = this.#writer;
    for (let above = this.#openLevel; above < level; above++) {
      this.#copyRun(this.#runStart[above]!, this.#childStart[above]!);
      this.#openPos[above + 1] = writer.pos;
      const lengthBytes = varint32Bytes(this.#childBytes[above]!);
      this.#openMark[above + 1] = writer.beginMessage(this.#childTag[above]!, lengthBytes);
    }
    if (level > this.#openLevel) this.#openLevel = level;
  }

  #editResource(tag: number, fieldStart: number, contentStart: number, fieldEnd: number): void {
    if (!this.#editor.decideResource(contentStart, contentStart === 0 ? 0 : fieldEnd)) return;
    this.#open(LEVEL_RESOURCE);
    this.#copyRun(this.#runStart[LEVEL_RESOURCE]!, fieldStart);
    this.#runStart[LEVEL_RESOURCE] = fieldEnd;
    const writer = this.#writer;
    const mark = writer.beginMessage(tag, varint32Bytes(fieldEnd - contentStart + GROWTH_BYTES));
    this.#editor.writeResource(writer);
    writer.endMessage(mark);
  }

  #hasResource(start: number, end: number): boolean {
    const cursor = new FieldCursor(this.#bytes, start, end);
    while (cursor.next()) if (cursor.tag === RESOURCE_TAG) return true;
    return false;
  }

  #copyRun(start: number, end: number): void {
    if (end > start) this.#writer.writeRaw(this.#bytes, start, end);
  }
}

/**
 * @param bytes one request in [start, end) that passed `scanRequest` without rejected items and fragments.
 * @param writer gets the changed request behind what it holds; left as it was when nothing changed.
 * @returns the number of items in the result, or -1 when nothing changed.
 */
export function patchRequest(
  signal: Signal,
  bytes: Uint8Array,
  start: number,
  end: number,
  editor: RequestEditor,
  writer: WireWriter,
): number {
  const patcher = new Patcher(signal, bytes, editor, writer);
  return patcher.run(start, end) ? patcher.keptCount : -1;
}
