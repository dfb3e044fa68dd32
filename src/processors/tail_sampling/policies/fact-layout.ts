/** Gives out the words of a trace's facts: only what some policy asked for has a place. */
import type { Atom, FactGatherer } from './policy-compiler.ts';
import type { TraceStateTest } from './trace-state.ts';
import type { ValueTest } from './value-tests.ts';

const WORD_BITS = 32;
/** Earliest start and latest end, two words each. */
export const TIMES_WORDS = 4;

export interface AttributeAtom extends Atom {
  readonly key: string;
  readonly test: ValueTest;
}

export interface TraceStateAtom extends Atom {
  readonly test: TraceStateTest;
}

export interface GatheredWords {
  readonly word: number;
  readonly gatherer: FactGatherer;
}

export class FactLayout {
  stateWords = 0;
  /** Offsets of words, -1 where nobody asked. */
  spanCountWord = -1;
  timesWord = -1;
  sizeWord = -1;
  sampledFlag: Atom | undefined;
  readonly attributes: AttributeAtom[] = [];
  readonly traceStates: TraceStateAtom[] = [];
  readonly gathered: GatheredWords[] = [];
  /** By status code. */
  readonly statuses: (Atom | undefined)[] = [undefined, undefined, undefined];
  /** Words that hold bits. */
  readonly bitWords: number[] = [];
  readonly #places = new Map<string, Atom>();
  #bitCount = 0;

  needSpanCount(): number {
    if (this.spanCountWord < 0) this.spanCountWord = this.#takeWords(1);
    return this.spanCountWord;
  }

  needTimes(): number {
    if (this.timesWord < 0) this.timesWord = this.#takeWords(TIMES_WORDS);
    return this.timesWord;
  }

  needSize(): number {
    if (this.sizeWord < 0) this.sizeWord = this.#takeWords(1);
    return this.sizeWord;
  }

  attributeAtom(key: string, identity: string, makeTest: () => ValueTest): Atom {
    return this.#placeOf(`attribute ${JSON.stringify(key)} ${identity}`, () => {
      const atom = { ...this.#takeBit(), key, test: makeTest() };
      this.attributes.push(atom);
      return atom;
    });
  }

  traceStateAtom(identity: string, makeTest: () => TraceStateTest): Atom {
    return this.#placeOf(`tracestate ${identity}`, () => {
      const atom = { ...this.#takeBit(), test: makeTest() };
      this.traceStates.push(atom);
      return atom;
    });
  }

  statusAtom(code: number): Atom {
    this.statuses[code] ??= this.#takeBit();
    return this.statuses[code];
  }

  sampledFlagAtom(): Atom {
    this.sampledFlag ??= this.#takeBit();
    return this.sampledFlag;
  }

  gather(identity: string, wordCount: number, makeGatherer: () => FactGatherer): number {
    return this.#placeOf(`gathered ${identity}`, () => {
      const word = this.#takeWords(wordCount);
      this.gathered.push({ word, gatherer: makeGatherer() });
      return { word, mask: 0 };
    }).word;
  }

  #placeOf(identity: string, take: () => Atom): Atom {
    const known = this.#places.get(identity);
    if (known !== undefined) return known;
    const place = take();
    this.#places.set(identity, place);
    return place;
  }

  #takeWords(wordCount: number): number {
    const word = this.stateWords;
    this.stateWords += wordCount;
    return word;
  }

  #takeBit(): Atom {
    const bit = this.#bitCount++ % WORD_BITS;
    if (bit === 0) this.bitWords.push(this.#takeWords(1));
    return { word: this.bitWords.at(-1)!, mask: (1 << bit) >>> 0 };
  }
}
