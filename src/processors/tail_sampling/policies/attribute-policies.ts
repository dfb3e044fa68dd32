/** Policies over one attribute of resources and spans. */
import { boolean, count, ignored, number, string, stringList } from '../../../config/field-kinds.ts';
import { type CheckIssue, defineShape } from '../../../config/schema.ts';
import { regexIssue } from '../../../ottl/regex.ts';
import {
  type Policy,
  type TraceFacts,
  VOTE_INVERT_NOT_SAMPLED,
  VOTE_INVERT_SAMPLED,
  VOTE_NOT_SAMPLED,
  VOTE_SAMPLED,
  type Vote,
} from './policy.ts';
import type { Atom, PolicyCompiler } from './policy-compiler.ts';
import type { PolicyType } from './policy-type.ts';
import { BooleanTest, NumberTest, RegexTest, TextSetTest } from './value-tests.ts';

export interface StringAttributeBlock {
  key: string;
  values: string[];
  isRegex: boolean;
  isInverted: boolean;
}

export interface NumericAttributeBlock {
  key: string;
  /** Inclusive; 0 or undefined: no bound. */
  minValue: number | undefined;
  maxValue: number | undefined;
  isInverted: boolean;
}

export interface BooleanAttributeBlock {
  key: string;
  value: boolean;
  isInverted: boolean;
}

const key = string('key', { required: true, doc: 'Name of the attribute.' });
const isInverted = boolean('invert_match', {
  default: false,
  doc: 'Sample the traces in which nothing matches.',
});

function checkKey(text: string): CheckIssue[] {
  return text === '' ? [{ key: 'key', message: 'must not be empty' }] : [];
}

export const stringAttributePolicy: PolicyType<'string_attribute', StringAttributeBlock> = {
  type: 'string_attribute',
  doc: 'An attribute that is text has one of the values.',
  isNestable: true,
  block: defineShape<StringAttributeBlock>(
    {
      key,
      values: stringList('values', { required: true, doc: 'Texts, or RE2 expressions to be found in it.' }),
      isRegex: boolean('enabled_regex_matching', {
        default: false,
        doc: 'Whether the values are expressions.',
      }),
      isInverted,
    },
    (block) => {
      const issues = checkKey(block.key);
      if (block.values.length === 0) issues.push({ key: 'values', message: 'must not be empty' });
      if (!block.isRegex) return issues;
      block.values.forEach((pattern, index) => {
        const message = regexIssue(pattern);
        if (message !== undefined) issues.push({ key: `values.${index}`, message });
      });
      return issues;
    },
    [
      ignored(
        count('cache_max_size', { default: 128, doc: 'Results of expressions that are kept.' }),
        'results for short texts are always kept, in a table of fixed size',
      ),
    ],
  ),
  needsWholeTrace: () => false,
  compile: (block, compiler) => {
    const values = [...new Set(block.values)].sort();
    const identity = `string ${block.isRegex} ${JSON.stringify(values)}`;
    const atom = compiler.attributeAtom(block.key, identity, () =>
      block.isRegex ? new RegexTest(values) : new TextSetTest(values),
    );
    return attributePolicy(atom, block.isInverted, compiler);
  },
};

/** From here on numbers of YAML are no longer whole numbers of 64 bits; a bound that far out is none. */
const BOUND_MAX = 2 ** 63;

function checkBound(name: string, value: number | undefined): CheckIssue[] {
  if (value === undefined || Number.isSafeInteger(value) || Math.abs(value) >= BOUND_MAX) return [];
  const message = Number.isInteger(value)
    ? 'must be within 2^53, or at least 2^63 for no bound'
    : 'must be an integer';
  return [{ key: name, message }];
}

export const numericAttributePolicy: PolicyType<'numeric_attribute', NumericAttributeBlock> = {
  type: 'numeric_attribute',
  doc: 'An attribute that is an integer lies within bounds.',
  isNestable: true,
  block: defineShape<NumericAttributeBlock>(
    {
      key,
      minValue: number('min_value', { doc: 'Smallest value that matches; 0 or none: no bound.' }),
      maxValue: number('max_value', { doc: 'Largest value that matches; 0 or none: no bound.' }),
      isInverted,
    },
    (block) => {
      const bounds = [...checkBound('min_value', block.minValue), ...checkBound('max_value', block.maxValue)];
      const issues = [...checkKey(block.key), ...bounds];
      if (!block.minValue && !block.maxValue) {
        issues.push({ key: '', message: 'needs "min_value", "max_value" or both, other than 0' });
      }
      return issues;
    },
  ),
  needsWholeTrace: () => false,
  compile: (block, compiler) => {
    const min = block.minValue || Number.NEGATIVE_INFINITY;
    const max = block.maxValue || Number.POSITIVE_INFINITY;
    const atom = compiler.attributeAtom(block.key, `number ${min} ${max}`, () => new NumberTest(min, max));
    return attributePolicy(atom, block.isInverted, compiler);
  },
};

export const booleanAttributePolicy: PolicyType<'boolean_attribute', BooleanAttributeBlock> = {
  type: 'boolean_attribute',
  doc: 'An attribute that is true or false has the value.',
  isNestable: true,
  block: defineShape<BooleanAttributeBlock>(
    {
      key,
      value: boolean('value', { default: false, doc: 'The value that matches.' }),
      isInverted,
    },
    (block) => checkKey(block.key),
  ),
  needsWholeTrace: () => false,
  compile: (block, compiler) => {
    const { value } = block;
    const atom = compiler.attributeAtom(block.key, `boolean ${value}`, () => new BooleanTest(value));
    return attributePolicy(atom, block.isInverted, compiler);
  },
};

function attributePolicy(atom: Atom, isTurned: boolean, { usesOldInversion }: PolicyCompiler): Policy {
  if (!isTurned) return new AtomPolicy(atom, VOTE_SAMPLED, VOTE_NOT_SAMPLED);
  return usesOldInversion
    ? new AtomPolicy(atom, VOTE_INVERT_NOT_SAMPLED, VOTE_INVERT_SAMPLED)
    : new AtomPolicy(atom, VOTE_NOT_SAMPLED, VOTE_SAMPLED);
}

class AtomPolicy implements Policy {
  readonly #word: number;
  readonly #mask: number;
  readonly #ifSet: Vote;
  readonly #otherwise: Vote;

  constructor({ word, mask }: Atom, ifSet: Vote, otherwise: Vote) {
    this.#word = word;
    this.#mask = mask;
    this.#ifSet = ifSet;
    this.#otherwise = otherwise;
  }

  vote({ words, at }: TraceFacts): Vote {
    return (words[at + this.#word]! & this.#mask) !== 0 ? this.#ifSet : this.#otherwise;
  }
}
