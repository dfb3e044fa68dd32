/**
 * The part of a record that says which client sent which request; pure. Only records with such a request have it.
 * All numbers little-endian, behind the entry table:
 *
 * | type                    | field                                                      |
 * | ----------------------- | ---------------------------------------------------------- |
 * |                         | contexts back to back, then padding to 4                   |
 * | context count times u32 | end of each context, relative to the first                 |
 * | entry count times u32   | number of the entry's context, counted from 1; 0 for none  |
 * | u32                     | context count                                              |
 * | u32                     | bytes of all contexts, without padding                     |
 */
const TAIL_BYTES = 8;

function sectionBytes(contextBytes: number, contextCount: number, entryCount: number): number {
  return ((contextBytes + 3) & ~3) + (contextCount + entryCount) * 4 + TAIL_BYTES;
}

/** Contexts of a record that is being filled, each stored once. */
export class ContextCollector {
  readonly #numbers = new Map<string, number>();
  readonly #contexts: Uint8Array[] = [];
  #contextBytes = 0;
  /** Numbers of the entries; those before the first with a context are 0. */
  readonly #entries: number[] = [];

  /** Bytes of the section with one entry more. */
  bytesWith(entryCount: number, context: Uint8Array | undefined): number {
    const isNew = context !== undefined && !this.#numbers.has(keyOf(context));
    const moreBytes = isNew ? context.byteLength : 0;
    const contextCount = this.#contexts.length + (isNew ? 1 : 0);
    return sectionBytes(this.#contextBytes + moreBytes, contextCount, entryCount);
  }

  bytes(entryCount: number): number {
    return sectionBytes(this.#contextBytes, this.#contexts.length, entryCount);
  }

  /** @param context must stay as it is until the record is sealed. */
  set(entry: number, context: Uint8Array): void {
    const key = keyOf(context);
    let number = this.#numbers.get(key);
    if (number === undefined) {
      this.#contexts.push(context);
      this.#contextBytes += context.byteLength;
      number = this.#contexts.length;
      this.#numbers.set(key, number);
    }
    while (this.#entries.length < entry) this.#entries.push(0);
    this.#entries.push(number);
  }

  /** Writes the section into `section`, which has the size that `bytes` says, and old bytes. */
  write(section: Uint8Array, entryCount: number): void {
    const view = new DataView(section.buffer, section.byteOffset, section.byteLength);
    let at = 0;
    const ends: number[] = [];
    for (const context of this.#contexts) {
      section.set(context, at);
      at += context.byteLength;
      ends.push(at);
    }
    while (at % 4 !== 0) section[at++] = 0;
    const words = [...ends];
    for (let entry = 0; entry < entryCount; entry++) words.push(this.#entries[entry] ?? 0);
    words.push(this.#contexts.length, this.#contextBytes);
    for (const word of words) {
      view.setUint32(at, word, true);
      at += 4;
    }
  }
}

function keyOf(context: Uint8Array): string {
  return Buffer.from(context.buffer, context.byteOffset, context.byteLength).toString('latin1');
}

/** Whether bytes from `offset` to the end of the record can be a section. */
export function isContextSection(record: Uint8Array, offset: number, entryCount: number): boolean {
  const left = record.byteLength - offset;
  if (left < TAIL_BYTES) return false;
  const view = new DataView(record.buffer, record.byteOffset + record.byteLength - TAIL_BYTES, TAIL_BYTES);
  return left === sectionBytes(view.getUint32(4, true), view.getUint32(0, true), entryCount);
}

/** Opens a section whose checksum was verified; contexts are copies. */
export function readContextSection(
  record: Uint8Array,
  offset: number,
  entryCount: number,
): { contexts: Uint8Array[]; entryContexts: Uint32Array } {
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  const contextCount = view.getUint32(record.byteLength - TAIL_BYTES, true);
  let at = record.byteLength - TAIL_BYTES - (contextCount + entryCount) * 4;
  const contexts: Uint8Array[] = [];
  let start = offset;
  for (let context = 0; context < contextCount; context++, at += 4) {
    const end = offset + view.getUint32(at, true);
    contexts.push(record.slice(start, end));
    start = end;
  }
  const entryContexts = new Uint32Array(entryCount);
  for (let entry = 0; entry < entryCount; entry++, at += 4) entryContexts[entry] = view.getUint32(at, true);
  return { contexts, entryContexts };
}
