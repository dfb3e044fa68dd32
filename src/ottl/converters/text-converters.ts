/** Texts to texts, and their tests. */
import { EvaluationError } from '../errors.ts';
import type { Value } from '../value.ts';
import { type Converter, type Converters, optional, param } from './converter.ts';
import { formatGo } from './format.ts';

const UTF8 = new TextEncoder();
const isStart = (byte: number) => (byte & 0xc0) !== 0x80;

function substring(text: string, start: Value, length: Value, isSafe: boolean): string {
  const utf8 = UTF8.encode(text);
  const first = Number(start);
  const count = Number(length);
  if (first < 0 || count <= 0 || first + count > utf8.length) {
    throw new EvaluationError(`there are no ${count} bytes from ${first} on in a text of ${utf8.length}`);
  }
  let from = first;
  let to = first + count;
  if (isSafe) {
    while (from < utf8.length && !isStart(utf8[from]!)) from++;
    while (from < to && to < utf8.length && !isStart(utf8[to]!)) to--;
    to = Math.max(from, to);
  }
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(utf8.subarray(from, to));
}

/** Each character by itself, as long as it stays one. */
function cased(text: string, change: (character: string) => string): string {
  let result = '';
  for (const character of text) {
    const changed = change(character);
    result += [...changed].length === 1 ? changed : character;
  }
  return result;
}
const lower = (text: string) => cased(text, (character) => character.toLowerCase());
const upper = (text: string) => cased(text, (character) => character.toUpperCase());

const isUpper = (character: string | undefined) => character !== undefined && /^[A-Z]$/.test(character);
const isLower = (character: string | undefined) => character !== undefined && /^[a-z]$/.test(character);
const isDigit = (character: string | undefined) => character !== undefined && /^[0-9]$/.test(character);
const isSeparator = (character: string) => /^[ _.-]$/.test(character);

/** Words end where the kind of character changes; a run of capitals is one word up to the one that begins the next. */
function snake(text: string): string {
  const characters = [...text.trim()];
  let result = '';
  characters.forEach((character, at) => {
    const next = characters[at + 1];
    const own = isUpper(character) ? character.toLowerCase() : character;
    const isChange =
      (isUpper(character) && (isLower(next) || isDigit(next))) ||
      (isLower(character) && (isUpper(next) || isDigit(next))) ||
      (isDigit(character) && (isUpper(next) || isLower(next)));
    if (!isChange) {
      result += isSeparator(character) ? '_' : own;
      return;
    }
    if (isUpper(character) && isLower(next) && isUpper(characters[at - 1])) result += '_';
    result += own;
    if (isLower(character) || isDigit(character) || isDigit(next)) result += '_';
  });
  return result;
}

/** `MyMetric`: only letters and digits stay; a letter behind a separator or a digit is a capital. */
function camel(text: string): string {
  const trimmed = text.trim();
  let result = '';
  let isNextCapital = true;
  let wasCapital = false;
  for (const character of trimmed === 'ID' ? 'id' : trimmed) {
    let own = character;
    if (isNextCapital && isLower(character)) own = character.toUpperCase();
    else if (!isNextCapital && wasCapital && isUpper(character)) own = character.toLowerCase();
    wasCapital = isUpper(character);
    if (isUpper(own) || isLower(own)) {
      result += own;
      isNextCapital = false;
    } else if (isDigit(own)) {
      result += own;
      isNextCapital = true;
    } else isNextCapital = isSeparator(own);
  }
  return result;
}

const CASES: Readonly<Record<string, (text: string) => string>> = { lower, upper, snake, camel };

const ofText = (change: (text: string) => string): Converter => ({
  params: [param('target', 'string')],
  apply: ([target]) => change(target as string),
});

const ofTwo = (name: string, change: (text: string, other: string) => Value): Converter => ({
  params: [param('target', 'string'), param(name, 'string')],
  apply: ([target, other]) => change(target as string, other as string),
});

function trim(text: string, cutset: string): string {
  const cut = new Set(cutset);
  const characters = [...text];
  let from = 0;
  let to = characters.length;
  while (from < to && cut.has(characters[from]!)) from++;
  while (to > from && cut.has(characters[to - 1]!)) to--;
  return characters.slice(from, to).join('');
}

export const TEXT_CONVERTERS: Converters = {
  Concat: {
    params: [param('vals', 'string-like-list'), param('delimiter', 'string')],
    apply: ([values, delimiter]) =>
      (values as readonly Value[]).map((value) => value ?? '<nil>').join(delimiter as string),
  },
  Split: ofTwo('delimiter', (text, delimiter) => (delimiter === '' ? [...text] : text.split(delimiter))),
  Substring: {
    params: [
      param('target', 'string'),
      param('start', 'int'),
      param('length', 'int'),
      optional('utf8_safe', 'bool'),
    ],
    apply: ([text, start, length, isSafe = false]) =>
      substring(text as string, start, length, isSafe as boolean),
  },
  ConvertCase: {
    params: [param('target', 'string'), param('to_case', 'string')],
    check: ([, name]) =>
      typeof name === 'string' && !Object.hasOwn(CASES, name)
        ? `no case "${name}": lower, upper, snake, camel are`
        : undefined,
    apply: ([text, name]) => CASES[name as string]!(text as string),
  },
  ToLowerCase: ofText(lower),
  ToUpperCase: ofText(upper),
  ToSnakeCase: ofText(snake),
  ToCamelCase: ofText(camel),
  Trim: {
    params: [param('target', 'string'), optional('replacement', 'string')],
    apply: ([text, cutset = ' ']) => trim(text as string, cutset as string),
  },
  TrimPrefix: ofTwo('prefix', (text, prefix) => (text.startsWith(prefix) ? text.slice(prefix.length) : text)),
  TrimSuffix: ofTwo('suffix', (text, suffix) =>
    text.endsWith(suffix) ? text.slice(0, text.length - suffix.length) : text,
  ),
  HasPrefix: ofTwo('prefix', (text, prefix) => text.startsWith(prefix)),
  HasSuffix: ofTwo('suffix', (text, suffix) => text.endsWith(suffix)),
  Format: {
    params: [param('format', 'string'), param('vals', 'any-list')],
    apply: ([format, values]) => formatGo(format as string, values as readonly Value[]),
  },
};
