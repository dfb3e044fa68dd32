/**
 * Tests of one attribute's value. A value of another kind is read as the zero of the wanted kind, as the Collector
 * does it: a text is the integer 0 and the bool false, and whatever is no text is the empty text.
 */
import { ANY_BOOL, ANY_INT, ANY_STRING, type AnyValueView } from '../../../otlp/any-value-view.ts';
import { RegexList } from '../../../ottl/regex.ts';
import { TextSet } from './text-set.ts';

export interface ValueTest {
  /** @param isOfResource attributes of resources and of spans differ in small ways. */
  matches(value: AnyValueView, isOfResource: boolean): boolean;
}

/** Never the empty text. */
export class TextSetTest implements ValueTest {
  readonly #texts: TextSet;

  constructor(texts: readonly string[]) {
    this.#texts = new TextSet(texts.filter((text) => text !== ''));
  }

  matches(value: AnyValueView): boolean {
    return value.kind === ANY_STRING && this.#texts.has(value.bytes, value.start, value.end);
  }
}

/** An empty text is looked at in resources only. */
export class RegexTest implements ValueTest {
  readonly #regexes: RegexList;
  readonly #matchesEmpty: boolean;

  constructor(patterns: readonly string[]) {
    this.#regexes = new RegexList(patterns);
    this.#matchesEmpty = this.#regexes.matchesText('');
  }

  matches(value: AnyValueView, isOfResource: boolean): boolean {
    if (value.kind !== ANY_STRING || value.start === value.end) return isOfResource && this.#matchesEmpty;
    return this.#regexes.matches(value.bytes, value.start, value.end);
  }
}

/** Bounds are inclusive and within 2^53 or infinite, so that the rounding of greater values changes no answer. */
export class NumberTest implements ValueTest {
  readonly #min: number;
  readonly #max: number;

  constructor(min: number, max: number) {
    this.#min = min;
    this.#max = max;
  }

  matches(value: AnyValueView): boolean {
    const number = value.kind === ANY_INT ? value.hi * 2 ** 32 + (value.lo >>> 0) : 0;
    return number >= this.#min && number <= this.#max;
  }
}

export class BooleanTest implements ValueTest {
  readonly #value: boolean;

  constructor(value: boolean) {
    this.#value = value;
  }

  matches(value: AnyValueView): boolean {
    return (value.kind === ANY_BOOL && value.bool()) === this.#value;
  }
}
