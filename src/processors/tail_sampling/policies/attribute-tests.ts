/** All tests of attributes in one walk: a key is compared once, whatever the number of policies that want it. */
import { AnyValueView } from '../../../otlp/any-value-view.ts';
import { ItemView } from '../../../otlp/item-view.ts';
import { TAG_KEY_VALUE_KEY, TAG_KEY_VALUE_VALUE } from '../../../otlp/tags.ts';
import { lengthEnd, skipVarint } from '../../../otlp/wire-reader.ts';
import type { AttributeAtom } from './fact-layout.ts';
import { isEqual } from './text-set.ts';

const TAG_KEY = TAG_KEY_VALUE_KEY;
const TAG_VALUE = TAG_KEY_VALUE_VALUE;
/** Sizes that one length byte can say. */
const SHORT_SIZES = 128;

interface WantedKey {
  readonly bytes: Uint8Array;
  readonly atoms: readonly AttributeAtom[];
  /** Number of the last message that had it: of duplicates the first one counts. */
  seenIn: number;
}

export class AttributeTests {
  /** Grouped by the size of their key; an empty list where no key has the size. */
  readonly #bySize: (readonly WantedKey[])[];
  readonly #hasSize = new Uint8Array(SHORT_SIZES);
  readonly #long: readonly WantedKey[];
  readonly #value = new AnyValueView();
  readonly #fields = new ItemView();
  #message = 0;

  constructor(atoms: readonly AttributeAtom[]) {
    const wanted = [...new Set(atoms.map(({ key }) => key))].map((key): WantedKey => {
      const bytes = new TextEncoder().encode(key);
      return { bytes, atoms: atoms.filter((atom) => atom.key === key), seenIn: 0 };
    });
    this.#bySize = Array.from(this.#hasSize, (_, size) =>
      wanted.filter(({ bytes }) => bytes.length === size),
    );
    this.#long = wanted.filter(({ bytes }) => bytes.length >= SHORT_SIZES);
    for (const { bytes } of wanted) if (bytes.length < SHORT_SIZES) this.#hasSize[bytes.length] = 1;
  }

  /** Starts on another span or resource. */
  begin(): void {
    // Numbers stay exact for centuries of spans.
    this.#message++;
  }

  /**
   * Tests one attribute and sets the bits of what it passes.
   * @param lengthAt of the KeyValue, behind its tag; the message ends at `end`.
   */
  test(
    bytes: Uint8Array,
    lengthAt: number,
    end: number,
    words: Uint32Array,
    at: number,
    isOfResource: boolean,
  ): void {
    const start = bytes[lengthAt]! < 0x80 ? lengthAt + 1 : skipVarint(bytes, lengthAt, end);
    // The form that SDKs send: key, then value, nothing else.
    if (start + 2 <= end && bytes[start] === TAG_KEY && bytes[start + 1]! < 0x80) {
      const keyStart = start + 2;
      const keyEnd = keyStart + bytes[start + 1]!;
      if (keyEnd + 2 <= end && bytes[keyEnd] === TAG_VALUE) {
        const isShort = bytes[keyEnd + 1]! < 0x80;
        const valueEnd = isShort ? keyEnd + 2 + bytes[keyEnd + 1]! : lengthEnd(bytes, keyEnd + 1, end);
        if (valueEnd === end) {
          if (this.#hasSize[keyEnd - keyStart] === 0) return;
          const valueStart = isShort ? keyEnd + 2 : skipVarint(bytes, keyEnd + 1, end);
          this.#testKey(bytes, keyStart, keyEnd, valueStart, end, words, at, isOfResource);
          return;
        }
      }
    }
    const fields = this.#fields;
    fields.reset(bytes, start, end);
    fields.find(TAG_KEY);
    const keyStart = fields.contentStart;
    const keyEnd = fields.contentEnd;
    fields.find(TAG_VALUE);
    const { contentStart, contentEnd } = fields;
    this.#testKey(bytes, keyStart, keyEnd, contentStart, contentEnd, words, at, isOfResource);
  }

  #testKey(
    bytes: Uint8Array,
    keyStart: number,
    keyEnd: number,
    valueStart: number,
    valueEnd: number,
    words: Uint32Array,
    at: number,
    isOfResource: boolean,
  ): void {
    const size = keyEnd - keyStart;
    const candidates = size < SHORT_SIZES ? this.#bySize[size]! : this.#long;
    for (let i = 0; i < candidates.length; i++) {
      const wanted = candidates[i]!;
      if (!isEqual(wanted.bytes, bytes, keyStart, keyEnd)) continue;
      if (wanted.seenIn === this.#message) return;
      wanted.seenIn = this.#message;
      const { atoms } = wanted;
      let isRead = false;
      for (let j = 0; j < atoms.length; j++) {
        const { word, mask, test } = atoms[j]!;
        // A bit that is set stays set, so there is nothing to find out.
        if ((words[at + word]! & mask) !== 0) continue;
        if (!isRead) this.#value.reset(bytes, valueStart, valueEnd);
        isRead = true;
        if (test.matches(this.#value, isOfResource)) words[at + word]! |= mask;
      }
      return;
    }
  }
}
