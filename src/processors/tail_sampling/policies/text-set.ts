const UTF8 = new TextEncoder();

/** FNV-1a with 32 bits. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5 | 0;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
  return hash;
}

/** Up to this many texts are compared one by one, which their sizes mostly settle. */
const COMPARED_MAX = 4;

/** A fixed set of texts that is asked for UTF-8 bytes. */
export class TextSet {
  readonly #texts: readonly Uint8Array[];
  /** Open addressing: ordinal + 1, or 0 for an empty slot; no slots for a short list. */
  readonly #slots: Uint32Array;

  constructor(texts: readonly string[]) {
    this.#texts = [...new Set(texts)].map((text) => UTF8.encode(text));
    const slotCount = this.#texts.length <= COMPARED_MAX ? 0 : 2 ** Math.ceil(Math.log2(texts.length * 2));
    this.#slots = new Uint32Array(slotCount);
    if (slotCount === 0) return;
    this.#texts.forEach((text, ordinal) => {
      let slot = hashOf(text, 0, text.length) & (slotCount - 1);
      while (this.#slots[slot] !== 0) slot = (slot + 1) & (slotCount - 1);
      this.#slots[slot] = ordinal + 1;
    });
  }

  has(bytes: Uint8Array, start: number, end: number): boolean {
    const slots = this.#slots;
    const texts = this.#texts;
    if (slots.length === 0) {
      for (let i = 0; i < texts.length; i++) if (isEqual(texts[i]!, bytes, start, end)) return true;
      return false;
    }
    let slot = hashOf(bytes, start, end) & (slots.length - 1);
    for (; slots[slot] !== 0; slot = (slot + 1) & (slots.length - 1)) {
      if (isEqual(texts[slots[slot]! - 1]!, bytes, start, end)) return true;
    }
    return false;
  }
}

/** Compares from the end: texts of one kind share their beginnings. */
export function isEqual(text: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (text.length !== end - start) return false;
  let at = text.length - 1;
  while (at >= 0 && text[at] === bytes[start + at]) at--;
  return at < 0;
}
