/**
 * Gathers the facts of traces out of encoded spans. One walk over the fields of a span serves all policies; what
 * depends on the resource alone is found out once for each resource of a request.
 */
import { ItemView } from '../../../otlp/item-view.ts';
import * as tags from '../../../otlp/tags.ts';
import { lengthEnd, skipField, skipVarint, WIRE_LEN } from '../../../otlp/wire-reader.ts';
import { RequestIndex } from '../../../pdata/request-index.ts';
import { OBSERVED_ROOT, OBSERVED_TOO_LARGE } from '../policy-set.ts';
import { AttributeTests } from './attribute-tests.ts';
import type { FactLayout } from './fact-layout.ts';
import type { Atom } from './policy-compiler.ts';

const TAG_ATTRIBUTES = tags.TAG_SPAN_ATTRIBUTES;
const TAG_START = tags.TAG_SPAN_START_TIME_UNIX_NANO;
const TAG_END = tags.TAG_SPAN_END_TIME_UNIX_NANO;
const TAG_KIND = tags.TAG_SPAN_KIND;
const TAG_STATUS = tags.TAG_SPAN_STATUS;
const TAG_PARENT = tags.TAG_SPAN_PARENT_SPAN_ID;
const TAG_TRACE_STATE = tags.TAG_SPAN_TRACE_STATE;
const TAG_RESOURCE_ATTRIBUTES = tags.TAG_RESOURCE_ATTRIBUTES;
const TAG_FLAGS = tags.TAG_SPAN_FLAGS;
/** The only tag of two bytes that matters: field 16. */
const FLAGS_TAG_BYTES = [(TAG_FLAGS & 0x7f) | 0x80, TAG_FLAGS >> 7] as const;
const FLAG_SAMPLED = 1;
const STATUS_CODES = 3;
const COUNT_MAX = 0xffff_ffff;
const NOWHERE = -1;
/** By tag: whether the field is a length and so many bytes that tell nothing. */
const SKIPPED = new Uint8Array(256);
for (const tag of [
  tags.TAG_SPAN_TRACE_ID,
  tags.TAG_SPAN_SPAN_ID,
  tags.TAG_SPAN_NAME,
  tags.TAG_SPAN_EVENTS,
  tags.TAG_SPAN_LINKS,
])
  SKIPPED[tag] = 1;
const SKIPPED_WITH_ATTRIBUTES = SKIPPED.slice();
SKIPPED_WITH_ATTRIBUTES[TAG_ATTRIBUTES] = 1;

export class SpanFacts {
  readonly stateWords: number;
  readonly #layout: FactLayout;
  readonly #attributes: AttributeTests;
  readonly #bitWords: Uint32Array;
  /** Bits that need the attributes of a span, and bits that need any of its fields, by their words. */
  readonly #attributeMasks: Uint32Array;
  readonly #fieldMasks: Uint32Array;
  readonly #wantsRoot: boolean;
  readonly #sizeMax: number;
  /** Bits that the present resource gives to each of its spans. */
  readonly #resourceWords: Uint32Array;
  readonly #status = new ItemView();
  #hasResourceBits = false;
  #bytes = new Uint8Array(0) as Uint8Array;
  #index = new RequestIndex();
  #scope = NOWHERE;
  #resource = NOWHERE;
  /* Of the span that is read. */
  /** Start and end, each its high and its low word: as numbers of the object the first large one changes its shape. */
  readonly #times = new Uint32Array(4);
  #statusCode = 0;
  #hasParent = false;
  #isFlagged = false;
  #traceStateStart = 0;
  #traceStateEnd = 0;

  /** @param sizeMax bytes that a trace may have, 0 for no bound; the layout has the word for it. */
  constructor(layout: FactLayout, wantsRoot: boolean, sizeMax: number) {
    this.stateWords = layout.stateWords;
    this.#layout = layout;
    this.#attributes = new AttributeTests(layout.attributes);
    this.#bitWords = Uint32Array.from(layout.bitWords);
    const masksOf = (atoms: readonly (Atom | undefined)[]) =>
      this.#bitWords.map((word) =>
        atoms.reduce((mask, atom) => (atom?.word === word ? mask | atom.mask : mask), 0),
      );
    const { attributes, traceStates, statuses, sampledFlag } = layout;
    this.#attributeMasks = masksOf(attributes);
    this.#fieldMasks = masksOf([...attributes, ...traceStates, ...statuses, sampledFlag]);
    this.#wantsRoot = wantsRoot;
    this.#sizeMax = sizeMax === 0 ? Number.POSITIVE_INFINITY : sizeMax;
    this.#resourceWords = new Uint32Array(layout.stateWords);
  }

  begin(bytes: Uint8Array, index: RequestIndex): void {
    this.#bytes = bytes;
    this.#index = index;
    this.#scope = NOWHERE;
    this.#resource = NOWHERE;
    for (const { gatherer } of this.#layout.gathered) gatherer.begin(bytes, index);
  }

  /** @returns OBSERVED_* flags. */
  observe(item: number, words: Uint32Array, at: number): number {
    const layout = this.#layout;
    const index = this.#index;
    const scope = index.itemScope[item]!;
    if (scope !== this.#scope) this.#enterScope(scope);
    if (this.#hasResourceBits) this.#addBits(words, at, this.#resourceWords, 0);
    if (layout.spanCountWord >= 0) add(words, at + layout.spanCountWord, 1);
    let flags = 0;
    if (layout.sizeWord >= 0) {
      const word = at + layout.sizeWord;
      add(words, word, index.itemEnd[item]! - index.itemStart[item]!);
      if (words[word]! > this.#sizeMax) flags = OBSERVED_TOO_LARGE;
    }
    if (layout.timesWord >= 0 || this.#wantsRoot || this.#misses(this.#fieldMasks, words, at)) {
      this.#read(index.itemBody[item]!, index.itemEnd[item]!, words, at);
      this.#addFields(words, at);
      if (this.#wantsRoot && !this.#hasParent) flags |= OBSERVED_ROOT;
    }
    const { gathered } = layout;
    for (let i = 0; i < gathered.length; i++) {
      gathered[i]!.gatherer.observe(item, words, at + gathered[i]!.word);
    }
    return flags;
  }

  merge(words: Uint32Array, at: number, from: Uint32Array, fromAt: number): void {
    const { spanCountWord, sizeWord, timesWord, gathered } = this.#layout;
    this.#addBits(words, at, from, fromAt);
    if (spanCountWord >= 0) add(words, at + spanCountWord, from[fromAt + spanCountWord]!);
    if (sizeWord >= 0) add(words, at + sizeWord, from[fromAt + sizeWord]!);
    if (timesWord >= 0) {
      const source = fromAt + timesWord;
      keepEarlier(words, at + timesWord, from[source]!, from[source + 1]!);
      keepLater(words, at + timesWord + 2, from[source + 2]!, from[source + 3]!);
    }
    for (const { word, gatherer } of gathered) gatherer.merge(words, at + word, from, fromAt + word);
  }

  /** Whether the trace is over `sizeMax`. */
  isTooLarge(words: Uint32Array, at: number): boolean {
    const { sizeWord } = this.#layout;
    return sizeWord >= 0 && words[at + sizeWord]! > this.#sizeMax;
  }

  /** Whether a bit of the masks is not set yet. */
  #misses(masks: Uint32Array, words: Uint32Array, at: number): boolean {
    const bitWords = this.#bitWords;
    for (let i = 0; i < bitWords.length; i++) {
      if ((masks[i]! & ~words[at + bitWords[i]!]!) !== 0) return true;
    }
    return false;
  }

  #addBits(words: Uint32Array, at: number, from: Uint32Array, fromAt: number): void {
    const bitWords = this.#bitWords;
    for (let i = 0; i < bitWords.length; i++) {
      words[at + bitWords[i]!]! |= from[fromAt + bitWords[i]!]!;
    }
  }

  #enterScope(scope: number): void {
    this.#scope = scope;
    const resource = this.#index.scopeResource[scope]!;
    if (resource === this.#resource) return;
    this.#resource = resource;
    const words = this.#resourceWords.fill(0);
    if (this.#layout.attributes.length === 0) return;
    const bytes = this.#bytes;
    let pos = this.#index.resourceInfoStart[resource]!;
    const end = this.#index.resourceInfoEnd[resource]!;
    this.#attributes.begin();
    while (pos < end) {
      const next = fieldEnd(bytes, pos, end);
      if (bytes[pos] === TAG_RESOURCE_ATTRIBUTES) this.#attributes.test(bytes, pos + 1, next, words, 0, true);
      pos = next;
    }
    this.#hasResourceBits = this.#bitWords.some((word) => words[word] !== 0);
  }

  /** Walks over the fields of a span; of a field that comes twice the last one counts. */
  #read(start: number, end: number, words: Uint32Array, at: number): void {
    const bytes = this.#bytes;
    const attributes = this.#misses(this.#attributeMasks, words, at) ? this.#attributes : undefined;
    attributes?.begin();
    const times = this.#times;
    times[0] = times[1] = times[2] = times[3] = 0;
    this.#statusCode = 0;
    this.#hasParent = this.#isFlagged = false;
    this.#traceStateStart = this.#traceStateEnd = 0;
    const skipped = attributes === undefined ? SKIPPED_WITH_ATTRIBUTES : SKIPPED;
    let pos = start;
    while (pos < end) {
      const tag = bytes[pos]!;
      // Most fields of a span are short and nobody asks for them (any more).
      if (skipped[tag] !== 0 && bytes[pos + 1]! < 0x80) {
        pos += 2 + bytes[pos + 1]!;
        continue;
      }
      if (tag === TAG_KIND && bytes[pos + 1]! < 0x80) {
        pos += 2;
        continue;
      }
      const next = fieldEnd(bytes, pos, end);
      switch (tag) {
        case TAG_ATTRIBUTES:
          if (attributes !== undefined) attributes.test(bytes, pos + 1, next, words, at, false);
          break;
        case TAG_START:
          times[0] = word32(bytes, pos + 5);
          times[1] = word32(bytes, pos + 1);
          break;
        case TAG_END:
          times[2] = word32(bytes, pos + 5);
          times[3] = word32(bytes, pos + 1);
          break;
        case TAG_STATUS:
          this.#readStatus(pos + 1, next);
          break;
        case TAG_PARENT:
          this.#hasParent = hasNonZero(bytes, contentStart(bytes, pos + 1, next), next);
          break;
        case TAG_TRACE_STATE:
          this.#traceStateStart = contentStart(bytes, pos + 1, next);
          this.#traceStateEnd = next;
          break;
        case FLAGS_TAG_BYTES[0]:
          if (bytes[pos + 1] === FLAGS_TAG_BYTES[1]) this.#isFlagged = (bytes[pos + 2]! & FLAG_SAMPLED) !== 0;
          break;
      }
      pos = next;
    }
  }

  /** Parts of a message that comes twice are merged, so a part without a code changes nothing. */
  #readStatus(lengthAt: number, end: number): void {
    const status = this.#status;
    status.reset(this.#bytes, contentStart(this.#bytes, lengthAt, end), end);
    if (status.find(tags.TAG_STATUS_CODE))
      this.#statusCode = status.hi === 0 ? status.lo >>> 0 : STATUS_CODES;
  }

  /** What the walk found, besides attributes. */
  #addFields(words: Uint32Array, at: number): void {
    const { timesWord, statuses, sampledFlag, traceStates } = this.#layout;
    if (timesWord >= 0) {
      const times = this.#times;
      keepEarlier(words, at + timesWord, times[0]!, times[1]!);
      keepLater(words, at + timesWord + 2, times[2]!, times[3]!);
    }
    const status = this.#statusCode < STATUS_CODES ? statuses[this.#statusCode] : undefined;
    if (status !== undefined) words[at + status.word]! |= status.mask;
    if (sampledFlag !== undefined && this.#isFlagged) words[at + sampledFlag.word]! |= sampledFlag.mask;
    if (this.#traceStateEnd === 0) return;
    for (let i = 0; i < traceStates.length; i++) {
      const { word, mask, test } = traceStates[i]!;
      if ((words[at + word]! & mask) !== 0) continue;
      if (test.matches(this.#bytes, this.#traceStateStart, this.#traceStateEnd)) words[at + word]! |= mask;
    }
  }
}

/** Sums stop at the largest number. */
function add(words: Uint32Array, at: number, amount: number): void {
  const sum = words[at]! + amount;
  words[at] = Math.min(sum, COUNT_MAX);
}

/** A span without a start time, 0, says nothing about the start of its trace. */
function keepEarlier(words: Uint32Array, at: number, high: number, low: number): void {
  if (high === 0 && low === 0) return;
  const knownHigh = words[at]!;
  const isKnown = knownHigh !== 0 || words[at + 1] !== 0;
  if (isKnown && (high > knownHigh || (high === knownHigh && low >= words[at + 1]!))) return;
  words[at] = high;
  words[at + 1] = low;
}

function keepLater(words: Uint32Array, at: number, high: number, low: number): void {
  const knownHigh = words[at]!;
  if (high < knownHigh || (high === knownHigh && low <= words[at + 1]!)) return;
  words[at] = high;
  words[at + 1] = low;
}

/** Little-endian, signed: whoever wants it unsigned stores it in unsigned words. */
function word32(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

/** Offset behind the field that begins at `pos`. The bytes passed the scan. */
function fieldEnd(bytes: Uint8Array, pos: number, end: number): number {
  const tag = bytes[pos]!;
  if (tag < 0x80) {
    return (tag & 7) === WIRE_LEN ? lengthEnd(bytes, pos + 1, end) : skipField(bytes, tag, pos + 1, end, 0);
  }
  if (tag === FLAGS_TAG_BYTES[0] && bytes[pos + 1] === FLAGS_TAG_BYTES[1] && pos + 6 <= end) return pos + 6;
  const bodyAt = skipVarint(bytes, pos, end);
  let wholeTag = 0;
  // Field numbers have 29 bits, so a tag has 32.
  for (let at = pos, shift = 0; at < bodyAt && shift < 35; at++, shift += 7) {
    wholeTag = (wholeTag | ((bytes[at]! & 0x7f) << shift)) >>> 0;
  }
  return skipField(bytes, wholeTag, bodyAt, end, 0);
}

/** Behind the length prefix at `pos`. */
function contentStart(bytes: Uint8Array, pos: number, end: number): number {
  return bytes[pos]! < 0x80 ? pos + 1 : skipVarint(bytes, pos, end);
}

function hasNonZero(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at] !== 0) return true;
  return false;
}
