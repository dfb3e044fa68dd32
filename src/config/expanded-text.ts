import { WrittenNumber } from './written-number.ts';

/** What replaced a `${...}`; see the properties of ExpandedText. */
export interface Expansion {
  text: string;
  reference: string;
  problem?: string;
  isUnset?: true;
}

/**
 * A value that came out of `${...}`. It has two readings: the text as it was, for keys that want a string
 * (`0123` stays `0123`), and the YAML value of that text, for all others (`8080` is a number).
 * Field kinds choose; nothing behind them sees this class.
 */
export class ExpandedText {
  readonly value: unknown;
  readonly text: string;
  /** What the file says, e.g. `${env:PORT}`. Messages show this instead of the text, which may be a secret. */
  readonly reference: string;
  /** Where and why the file behind the reference is no YAML; no value of it is quoted. */
  readonly problem: string | undefined;

  /** It names a variable that is not set: nothing, where one that is empty is an empty text. */
  readonly isUnset: boolean;

  constructor(
    value: unknown,
    text: string,
    reference: string,
    more: Pick<Expansion, 'problem' | 'isUnset'> = {},
  ) {
    this.value = value;
    this.text = text;
    this.reference = reference;
    this.problem = more.problem;
    this.isUnset = more.isUnset === true;
  }
}

/**
 * Which reading a key wants; `members` is for lists and maps whose members are texts, `literal` is `yaml` with numbers as they
 * were written where that matters.
 */
export type Reading = 'text' | 'yaml' | 'members' | 'literal';

/** The value under one reading, without any ExpandedText in it. Never mutates. */
export function readAs(raw: unknown, reading: Reading): unknown {
  if (raw instanceof ExpandedText) {
    const isContainer =
      typeof raw.value === 'object' && raw.value !== null && !(raw.value instanceof WrittenNumber);
    if (reading === 'text' || (reading === 'members' && !isContainer)) return raw.text;
    if (reading === 'literal' && raw.value === null && raw.text === '' && !raw.isUnset) return '';
    return readAs(raw.value, reading);
  }
  if (raw instanceof WrittenNumber) return reading === 'literal' ? raw : raw.value;
  const below = reading === 'members' ? 'text' : reading;
  if (Array.isArray(raw)) return raw.map((item) => readAs(item, below));
  if (typeof raw !== 'object' || raw === null) return raw;
  return Object.fromEntries(Object.entries(raw).map(([key, value]) => [key, readAs(value, below)]));
}

/** The YAML reading, at the top only: members of lists and maps stay as they are. */
export function yamlValue(raw: unknown): unknown {
  if (raw instanceof ExpandedText) return yamlValue(raw.value);
  return raw instanceof WrittenNumber ? raw.value : raw;
}

/** How a message shows a value that is not wanted: cut short, and never what a reference gave. */
export function describeValue(raw: unknown): string {
  if (raw instanceof ExpandedText) {
    return `the value of ${raw.reference}${raw.problem === undefined ? '' : ` (${raw.problem})`}`;
  }
  if (raw instanceof WrittenNumber) return String(raw.value);
  if (raw === null || raw === undefined) return 'nothing';
  if (Array.isArray(raw)) return 'a list';
  if (typeof raw === 'object') return 'a map';
  if (typeof raw !== 'string') return String(raw);
  return JSON.stringify(raw.length > 60 ? `${raw.slice(0, 60)}...` : raw);
}
