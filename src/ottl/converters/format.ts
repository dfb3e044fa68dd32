/** Go's `fmt.Sprintf` for the values there are: a verb that does not fit shows in the text, and is no error. */

import { hexOf } from '../fields.ts';
import { DurationValue, IdValue, TimeValue, type Value } from '../value.ts';
import { jsonOf } from './coerce.ts';
import { durationText } from './duration-text.ts';

const VERB = /%([-+# 0]*)([0-9]+|\*)?(?:\.([0-9]*|\*))?([a-zA-Z%]|$)/g;

/** Go's bound of width and precision, which items may set by `*`. */
const NUMBER_MAX = 1_000_000;

interface Flags {
  readonly isLeft: boolean;
  readonly isZero: boolean;
  readonly isPlus: boolean;
  readonly isBlank: boolean;
  readonly isAlternate: boolean;
  readonly precision: number | undefined;
}

export function formatGo(format: string, values: readonly Value[]): string {
  let next = 0;
  const text = format.replaceAll(VERB, (_, flagText: string, width, precision, verb: string) => {
    if (verb === '%') return '%';
    if (verb === '') return '%!(NOVERB)';
    const number = (digits: string | undefined) => {
      if (digits !== '*') return digits === undefined ? undefined : Number(digits);
      const value = values[next++];
      return typeof value === 'bigint' ? Number(value) : undefined;
    };
    const wide = number(width) ?? 0;
    const digits = number(precision) ?? -1;
    if (Math.abs(wide) > NUMBER_MAX) return '%!(BADWIDTH)';
    if (Math.abs(digits) > NUMBER_MAX) return '%!(BADPREC)';
    const flags: Flags = {
      isLeft: flagText.includes('-') || wide < 0,
      isZero: flagText.includes('0') && !flagText.includes('-'),
      isPlus: flagText.includes('+'),
      isBlank: flagText.includes(' '),
      isAlternate: flagText.includes('#'),
      precision: digits < 0 ? undefined : digits,
    };
    if (next >= values.length) return `%!${verb}(MISSING)`;
    return padded(formatValue(verb, values[next++], flags), Math.abs(wide), flags);
  });
  if (next >= values.length) return text;
  const extra = values
    .slice(next)
    .map((value) => (value === undefined ? '<nil>' : `${goType(value)}=${plain(value)}`));
  return `${text}%!(EXTRA ${extra.join(', ')})`;
}

function padded(text: string, width: number, { isLeft, isZero }: Flags): string {
  const missing = width - [...text].length;
  if (missing <= 0) return text;
  if (isLeft) return text + ' '.repeat(missing);
  if (!isZero) return ' '.repeat(missing) + text;
  const sign = /^[+-]/.test(text) ? text[0]! : '';
  return sign + '0'.repeat(missing) + text.slice(sign.length);
}

function goType(value: Value): string {
  switch (typeof value) {
    case 'bigint':
      return 'int64';
    case 'number':
      return 'float64';
    case 'boolean':
      return 'bool';
    case 'string':
      return 'string';
  }
  if (value instanceof Uint8Array) return '[]uint8';
  if (value instanceof TimeValue) return 'time.Time';
  if (value instanceof DurationValue) return 'time.Duration';
  if (value instanceof IdValue) return value.bytes.length === 16 ? 'pcommon.TraceID' : 'pcommon.SpanID';
  return Array.isArray(value) ? '[]interface {}' : 'pcommon.Map';
}

/** `%v`. */
function plain(value: Value): string {
  if (value === undefined) return '<nil>';
  if (typeof value === 'number') return shortest(value);
  if (typeof value !== 'object') return String(value);
  if (value instanceof Uint8Array) return `[${value.join(' ')}]`;
  if (Array.isArray(value)) return `[${(value as readonly Value[]).map(plain).join(' ')}]`;
  if (value instanceof DurationValue) return durationText(value.nanos);
  if (value instanceof IdValue) return hexOf(value.bytes);
  return jsonOf(value);
}

function formatValue(verb: string, value: Value, flags: Flags): string {
  const bad = () =>
    value === undefined ? `%!${verb}(<nil>)` : `%!${verb}(${goType(value)}=${plain(value)})`;
  if (verb === 'v')
    return signed(plain(value), typeof value === 'bigint' || typeof value === 'number', flags);
  if (verb === 'T') return value === undefined ? '<nil>' : goType(value);
  switch (typeof value) {
    case 'bigint':
      return formatInt(verb, value, flags) ?? bad();
    case 'number':
      return formatFloat(verb, value, flags) ?? bad();
    case 'boolean':
      return verb === 't' ? String(value) : bad();
    case 'string':
      return formatText(verb, value, flags) ?? bad();
  }
  if (value instanceof Uint8Array) {
    if (verb === 's') return Buffer.from(value).toString();
    if (verb === 'x' || verb === 'X')
      return formatText(verb, Buffer.from(value).toString('latin1'), flags, value) ?? bad();
  }
  if (verb === 's' && value !== undefined && !Array.isArray(value)) return plain(value);
  return bad();
}

function signed(text: string, isNumber: boolean, { isPlus, isBlank }: Flags): string {
  if (!isNumber || text.startsWith('-')) return text;
  if (isPlus) return `+${text}`;
  return isBlank ? ` ${text}` : text;
}

function formatInt(verb: string, value: bigint, flags: Flags): string | undefined {
  const radix = { d: 10, x: 16, X: 16, o: 8, b: 2 }[verb];
  if (verb === 'c') return character(value);
  if (verb === 'q') return `'${character(value)}'`;
  if (radix === undefined) return undefined;
  const isNegative = value < 0n;
  let digits = (isNegative ? -value : value).toString(radix);
  if (flags.precision !== undefined) digits = digits.padStart(flags.precision, '0');
  if (verb === 'X') digits = digits.toUpperCase();
  if (flags.isAlternate && radix === 16) digits = `0${verb}${digits}`;
  return signed(`${isNegative ? '-' : ''}${digits}`, true, flags);
}

function character(code: bigint): string {
  const isCharacter = code >= 0n && code <= 0x10ffffn && !(code >= 0xd800n && code < 0xe000n);
  return isCharacter ? String.fromCodePoint(Number(code)) : '\ufffd';
}

function formatFloat(verb: string, value: number, flags: Flags): string | undefined {
  if (!'feEgFG'.includes(verb)) return undefined;
  if (!Number.isFinite(value))
    return signed(Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf', true, flags);
  // Doubles have no more digits than these.
  const precision = flags.precision === undefined ? undefined : Math.min(flags.precision, 99);
  let text: string;
  if (verb === 'f' || verb === 'F') text = fixed(value, precision ?? 6);
  else if (verb === 'e' || verb === 'E') text = exponent(value.toExponential(precision ?? 6));
  else text = precision === undefined ? shortest(value) : general(value, precision || 1);
  if (verb === 'E' || verb === 'G') text = text.toUpperCase();
  return signed(text, true, flags);
}

function fixed(value: number, precision: number): string {
  const size = Math.abs(value);
  if (size >= 1e21)
    return precision > 0 ? `${BigInt(value)}.${'0'.repeat(precision)}` : String(BigInt(value));
  const digits = Math.min(precision, 99);
  const exact = size.toFixed(100);
  const cut = exact.slice(0, exact.indexOf('.') + 1 + digits).replace(/\.$/, '');
  // Exactly in the middle goes to the even neighbour here, and to the larger one in toFixed.
  const isTie = /^50*$/.test(exact.slice(exact.indexOf('.') + 1 + digits));
  const text = isTie && /[02468]$/.test(cut) ? cut : size.toFixed(digits);
  return value < 0 || Object.is(value, -0) ? `-${text}` : text;
}

/** Go writes at least two digits of an exponent. */
function exponent(text: string): string {
  return text.replace(/e([+-])([0-9])$/, 'e$10$2');
}

/** The fewest digits that give the value back; with an exponent below 1e-4 and from 1e21 on. */
function shortest(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (Object.is(value, -0)) return '-0';
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e21)) return exponent(value.toExponential());
  return String(value);
}

function general(value: number, precision: number): string {
  const at = Math.floor(Math.log10(Math.abs(value) || 1));
  if (at < -4 || at >= precision) {
    return exponent(value.toExponential(precision - 1)).replace(/\.?0+e/, 'e');
  }
  const text = value.toPrecision(precision);
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

function formatText(
  verb: string,
  value: string,
  { precision, isAlternate }: Flags,
  raw?: Uint8Array,
): string | undefined {
  const cut = precision === undefined ? value : [...value].slice(0, precision).join('');
  if (verb === 's') return cut;
  if (verb === 'q') return isAlternate && !cut.includes('`') ? `\`${cut}\`` : JSON.stringify(cut);
  if (verb !== 'x' && verb !== 'X') return undefined;
  const hex = hexOf(raw ?? Buffer.from(cut));
  return verb === 'x' ? hex : hex.toUpperCase();
}
