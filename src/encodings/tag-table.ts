/**
 * Typed tags of one message while they become attributes: keys are unique, the last value of a key wins at the place of
 * the first, and tags with a meaning of their own are taken out. Nothing is copied or decoded until it is written.
 */
import { ANY_BOOL, ANY_BYTES, ANY_DOUBLE, ANY_INT, ANY_STRING } from '../otlp/any-value-view.ts';
import * as otlp from '../otlp/tags.ts';
import { decodeUtf8 } from '../otlp/wire-reader.ts';
import type { WireWriter } from '../otlp/wire-writer.ts';

/** From here on a map of texts finds keys faster than comparing bytes with every one before. */
const LINEAR_MAX = 48;
const UTF8 = new TextEncoder();

export class TagTable {
  /** Buffer that all ranges are in. */
  bytes: Uint8Array = new Uint8Array(0);
  count = 0;
  /** ANY_* of the value; ANY_EMPTY stands for a text of the caller's in `texts`. */
  readonly kinds: number[] = [];
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  /** Words of numbers, 0 and 1 for bools. */
  readonly los: number[] = [];
  readonly his: number[] = [];
  readonly texts: string[] = [];
  readonly #keyStarts: number[] = [];
  readonly #keyEnds: number[] = [];
  /** Keys that stand elsewhere. */
  readonly #keys: (Uint8Array | undefined)[] = [];
  readonly #isRemoved: boolean[] = [];
  #slots: Map<string, number> | undefined;

  reset(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.count = 0;
    this.#slots = undefined;
  }

  /** Slot for a tag whose key is [start, end) of `bytes`: a new one, or the one that has this key. */
  slot(start: number, end: number): number {
    const found = this.#find(this.bytes, start, end);
    if (found >= 0) return found;
    return this.#append(start, end, undefined);
  }

  /** The same for a key of the caller's. */
  slotOf(key: Uint8Array): number {
    const found = this.#find(key, 0, key.length);
    return found >= 0 ? found : this.#append(0, 0, key);
  }

  /** @returns -1 when no tag has this key any more. */
  find(key: Uint8Array): number {
    const slot = this.#find(key, 0, key.length);
    return slot >= 0 && !this.#isRemoved[slot] ? slot : -1;
  }

  remove(slot: number): void {
    this.#isRemoved[slot] = true;
  }

  setText(slot: number, text: string): void {
    this.kinds[slot] = 0;
    this.texts[slot] = text;
  }

  /** Text of a string tag; of any other kind nothing, as a Collector reads it. */
  text(slot: number): string {
    if (this.kinds[slot] !== ANY_STRING) return '';
    return decodeUtf8(this.bytes, this.starts[slot]!, this.ends[slot]!);
  }

  /** A bool tag that says yes. */
  isTrue(slot: number): boolean {
    return this.kinds[slot] === ANY_BOOL && this.los[slot] !== 0;
  }

  /** Writes a KeyValue field for each tag that is left. */
  write(out: WireWriter, tag: number): void {
    for (let slot = 0; slot < this.count; slot++) {
      if (this.#isRemoved[slot]) continue;
      const key = this.#keys[slot];
      const pair = out.beginMessage(tag);
      if (key !== undefined) out.writeBytesField(otlp.TAG_KEY_VALUE_KEY, key);
      else
        out.writeBytesField(otlp.TAG_KEY_VALUE_KEY, this.bytes, this.#keyStarts[slot]!, this.#keyEnds[slot]!);
      const value = out.beginMessage(otlp.TAG_KEY_VALUE_VALUE);
      this.#writeValue(out, slot);
      out.endMessage(value);
      out.endMessage(pair);
    }
  }

  #writeValue(out: WireWriter, slot: number): void {
    const lo = this.los[slot]!;
    const hi = this.his[slot]!;
    switch (this.kinds[slot]) {
      case ANY_STRING:
        out.writeBytesField(otlp.TAG_ANY_STRING_VALUE, this.bytes, this.starts[slot]!, this.ends[slot]!);
        break;
      case ANY_BYTES:
        out.writeBytesField(otlp.TAG_ANY_BYTES_VALUE, this.bytes, this.starts[slot]!, this.ends[slot]!);
        break;
      case ANY_BOOL:
        out.writeVarint32(otlp.TAG_ANY_BOOL_VALUE);
        out.writeVarint32(lo);
        break;
      case ANY_INT:
        out.writeVarint32(otlp.TAG_ANY_INT_VALUE);
        out.writeVarint64(lo, hi);
        break;
      case ANY_DOUBLE:
        out.writeVarint32(otlp.TAG_ANY_DOUBLE_VALUE);
        out.writeFixed64(lo, hi);
        break;
      default:
        out.writeStringField(otlp.TAG_ANY_STRING_VALUE, this.texts[slot]!);
    }
  }

  #append(start: number, end: number, key: Uint8Array | undefined): number {
    const slot = this.count++;
    this.#keyStarts[slot] = start;
    this.#keyEnds[slot] = end;
    this.#keys[slot] = key;
    this.#isRemoved[slot] = false;
    if (this.#slots !== undefined) this.#slots.set(this.#keyText(slot), slot);
    else if (this.count > LINEAR_MAX) {
      this.#slots = new Map();
      for (let each = 0; each <= slot; each++) this.#slots.set(this.#keyText(each), each);
    }
    return slot;
  }

  #keyText(slot: number): string {
    const key = this.#keys[slot];
    return key === undefined
      ? keyText(this.bytes, this.#keyStarts[slot]!, this.#keyEnds[slot]!)
      : keyText(key, 0, key.length);
  }

  #find(bytes: Uint8Array, start: number, end: number): number {
    if (this.#slots !== undefined) return this.#slots.get(keyText(bytes, start, end)) ?? -1;
    for (let slot = 0; slot < this.count; slot++) {
      const key = this.#keys[slot];
      const isSame =
        key === undefined
          ? sameBytes(this.bytes, this.#keyStarts[slot]!, this.#keyEnds[slot]!, bytes, start, end)
          : sameBytes(key, 0, key.length, bytes, start, end);
      if (isSame) return slot;
    }
    return -1;
  }
}

/** One letter a byte, so that keys that are not UTF-8 stay apart. */
function keyText(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at]!);
  return text;
}

function sameBytes(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): boolean {
  const length = aEnd - aStart;
  if (length !== bEnd - bStart) return false;
  for (let at = 0; at < length; at++) if (a[aStart + at] !== b[bStart + at]) return false;
  return true;
}

/** A key for `slotOf` and `find`. */
export function keyBytes(key: string): Uint8Array {
  return UTF8.encode(key);
}
