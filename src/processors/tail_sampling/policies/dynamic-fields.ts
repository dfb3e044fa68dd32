/**
 * The values that the spans of a trace have in some fields, summed up in two words a field.
 *
 * Each value is a hash of 32 bits; the words are the highest hash and the complement of the lowest, so that both only
 * grow and nothing is 0. What is gathered is a property of the set of values: how often each of them came, in which
 * order and through which worker makes no difference. Sets of one or two values are told apart from all others, as far as
 * 32 bits can; of larger sets only the two extremes count.
 */
import { AnyValueView } from '../../../otlp/any-value-view.ts';
import { skipLongField } from '../../../otlp/attribute-set.ts';
import { ItemView } from '../../../otlp/item-view.ts';
import * as tags from '../../../otlp/tags.ts';
import { lengthEnd, skipField, skipVarint, WIRE_LEN } from '../../../otlp/wire-reader.ts';
import { RequestIndex } from '../../../pdata/request-index.ts';
import { hashBytes, hashNumber, hashValue, type ValueTexts } from './dynamic-values.ts';
import type { FactGatherer } from './policy-compiler.ts';
import { isEqual } from './text-set.ts';

export const FIELD_WORDS = 2;
/** Read from spans without a parent only. */
export const ROOT_PREFIX = 'root.';
/** These names are fields of the span itself, whatever its attributes are called. */
export const OWN_FIELDS = ['name', 'span.kind', 'status_code'] as const;

interface WantedKey {
  readonly bytes: Uint8Array;
  readonly field: number;
}

const UTF8 = new TextEncoder();
const TAG_KEY = tags.TAG_KEY_VALUE_KEY;
const TAG_VALUE = tags.TAG_KEY_VALUE_VALUE;
/** Sizes that one length byte can say. */
const SHORT_SIZES = 0x80;

export class FieldGatherer implements FactGatherer {
  readonly #texts: ValueTexts;
  readonly #isRootOnly: Uint8Array;
  readonly #wanted: readonly WantedKey[];
  /** Whether some wanted key has the size. */
  readonly #hasSize = new Uint8Array(SHORT_SIZES);
  /** Fields of the span itself, -1 where nobody wants it. */
  readonly #nameFields: readonly number[];
  readonly #kindFields: readonly number[];
  readonly #statusFields: readonly number[];
  readonly #hasRoot: boolean;
  /** Hashes of the present resource and of the present span, by field; 0 without a value. */
  readonly #resourceHashes: Uint32Array;
  readonly #hashes: Uint32Array;
  readonly #keyValue = new ItemView();
  readonly #value = new AnyValueView();
  #bytes: Uint8Array = new Uint8Array(0);
  #index = new RequestIndex();
  #resource = -1;
  #hasParent = false;

  /** @param fields as configured; two words for each of them, in this order. */
  constructor(fields: readonly string[], texts: ValueTexts) {
    this.#texts = texts;
    const isRoot = (field: string) => field.startsWith(ROOT_PREFIX);
    const names = fields.map((field) => (isRoot(field) ? field.slice(ROOT_PREFIX.length) : field));
    this.#isRootOnly = Uint8Array.from(fields, (field) => (isRoot(field) ? 1 : 0));
    this.#hasRoot = fields.some(isRoot);
    const all = names.map((name, field) => ({ name, field }));
    const fieldsNamed = (wanted: string) =>
      all.filter(({ name }) => name === wanted).map(({ field }) => field);
    this.#nameFields = fieldsNamed('name');
    this.#kindFields = fieldsNamed('span.kind');
    this.#statusFields = fieldsNamed('status_code');
    this.#wanted = all
      .filter(({ name }) => !(OWN_FIELDS as readonly string[]).includes(name))
      .map(({ name, field }) => ({ bytes: UTF8.encode(name), field }));
    for (const { bytes } of this.#wanted) if (bytes.length < SHORT_SIZES) this.#hasSize[bytes.length] = 1;
    this.#resourceHashes = new Uint32Array(fields.length);
    this.#hashes = new Uint32Array(fields.length);
  }

  begin(bytes: Uint8Array, index: RequestIndex): void {
    this.#bytes = bytes;
    this.#index = index;
    this.#resource = -1;
  }

  observe(item: number, words: Uint32Array, at: number): void {
    const index = this.#index;
    const resource = index.scopeResource[index.itemScope[item]!]!;
    if (resource !== this.#resource) this.#enterResource(resource);
    const hashes = this.#hashes;
    hashes.fill(0);
    this.#readSpan(index.itemBody[item]!, index.itemEnd[item]!);
    const isRoot = this.#hasRoot && !this.#hasParent;
    for (let field = 0; field < hashes.length; field++) {
      if (this.#isRootOnly[field] === 1 && !isRoot) continue;
      const hash = hashes[field]! || this.#resourceHashes[field]!;
      if (hash !== 0) raise(words, at + field * FIELD_WORDS, hash, ~hash >>> 0);
    }
  }

  merge(words: Uint32Array, at: number, from: Uint32Array, fromAt: number): void {
    for (let word = 0; word < this.#hashes.length * FIELD_WORDS; word += FIELD_WORDS) {
      raise(words, at + word, from[fromAt + word]!, from[fromAt + word + 1]!);
    }
  }

  #enterResource(resource: number): void {
    this.#resource = resource;
    this.#resourceHashes.fill(0);
    const index = this.#index;
    const end = index.resourceInfoEnd[resource]!;
    const bytes = this.#bytes;
    for (let pos = index.resourceInfoStart[resource]!; pos < end; ) {
      const next = fieldEnd(bytes, pos, end);
      if (bytes[pos] === tags.TAG_RESOURCE_ATTRIBUTES) this.#readAttribute(pos, next, this.#resourceHashes);
      pos = next;
    }
  }

  #readSpan(start: number, end: number): void {
    const bytes = this.#bytes;
    this.#hasParent = false;
    let kind = 0;
    let status = 0;
    for (let pos = start; pos < end; ) {
      const next = fieldEnd(bytes, pos, end);
      switch (bytes[pos]) {
        case tags.TAG_SPAN_ATTRIBUTES:
          this.#readAttribute(pos, next, this.#hashes);
          break;
        case tags.TAG_SPAN_PARENT_SPAN_ID:
          this.#hasParent = hasNonZero(bytes, bodyStart(bytes, pos, next), next);
          break;
        case tags.TAG_SPAN_NAME:
          this.#readName(bodyStart(bytes, pos, next), next);
          break;
        case tags.TAG_SPAN_KIND:
          kind = bytes[pos + 1]!;
          break;
        case tags.TAG_SPAN_STATUS:
          if (this.#statusFields.length > 0)
            status = this.#readStatus(bodyStart(bytes, pos, next), next, status);
          break;
      }
      pos = next;
    }
    if (this.#kindFields.length > 0) this.#setOwn(this.#kindFields, hashNumber(kind));
    if (this.#statusFields.length > 0) this.#setOwn(this.#statusFields, hashNumber(status));
  }

  #setOwn(fields: readonly number[], hash: number): void {
    for (let i = 0; i < fields.length; i++) this.#hashes[fields[i]!] = hash;
  }

  #readName(start: number, end: number): void {
    if (this.#nameFields.length === 0) return;
    const hash = hashBytes(this.#bytes, start, end);
    this.#texts.learnText(hash, this.#bytes, start, end);
    this.#setOwn(this.#nameFields, hash);
  }

  #readStatus(start: number, end: number, known: number): number {
    this.#keyValue.reset(this.#bytes, start, end);
    return this.#keyValue.find(tags.TAG_STATUS_CODE) ? this.#keyValue.lo : known;
  }

  #readAttribute(fieldStart: number, end: number, hashes: Uint32Array): void {
    const bytes = this.#bytes;
    const start = bodyStart(bytes, fieldStart, end);
    // The form that SDKs send: key, then value, nothing else.
    if (start + 2 <= end && bytes[start] === TAG_KEY && bytes[start + 1]! < SHORT_SIZES) {
      const size = bytes[start + 1]!;
      const keyEnd = start + 2 + size;
      if (keyEnd + 2 <= end && bytes[keyEnd] === TAG_VALUE && lengthEnd(bytes, keyEnd + 1, end) === end) {
        if (this.#hasSize[size] === 0) return;
        const valueStart = bodyStart(bytes, keyEnd, end);
        this.#readValue(start + 2, keyEnd, valueStart, end, hashes);
        return;
      }
    }
    const fields = this.#keyValue;
    fields.reset(bytes, start, end);
    fields.find(TAG_KEY);
    const keyStart = fields.contentStart;
    const keyEnd = fields.contentEnd;
    fields.find(TAG_VALUE);
    this.#readValue(keyStart, keyEnd, fields.contentStart, fields.contentEnd, hashes);
  }

  /** Of duplicates the first one counts. */
  #readValue(keyStart: number, keyEnd: number, start: number, end: number, hashes: Uint32Array): void {
    const wanted = this.#wanted;
    for (let i = 0; i < wanted.length; i++) {
      const { bytes: key, field } = wanted[i]!;
      if (hashes[field] !== 0 || !isEqual(key, this.#bytes, keyStart, keyEnd)) continue;
      this.#value.reset(this.#bytes, start, end);
      const hash = hashValue(this.#value);
      if (hash !== 0) this.#texts.learn(hash, this.#value);
      hashes[field] = hash;
    }
  }
}

function raise(words: Uint32Array, at: number, highest: number, lowestComplement: number): void {
  if (highest > words[at]!) words[at] = highest;
  if (lowestComplement > words[at + 1]!) words[at + 1] = lowestComplement;
}

function fieldEnd(bytes: Uint8Array, pos: number, end: number): number {
  const tag = bytes[pos]!;
  if (tag >= 0x80) return skipLongField(bytes, pos, end);
  return (tag & 7) === WIRE_LEN ? lengthEnd(bytes, pos + 1, end) : skipField(bytes, tag, pos + 1, end, 0);
}

/** Content of a field with a short tag. */
function bodyStart(bytes: Uint8Array, pos: number, end: number): number {
  return bytes[pos + 1]! < 0x80 ? pos + 2 : skipVarint(bytes, pos + 1, end);
}

function hasNonZero(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at] !== 0) return true;
  return false;
}
