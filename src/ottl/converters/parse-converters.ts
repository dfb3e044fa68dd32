/** Texts with a structure: JSON, pairs, CSV, URLs, patterns, addresses, numbers with a check digit. */
import { BlockList, isIP } from 'node:net';
import { patternIssue, regexOf, regexText } from '../dynamic-regex.ts';
import { EvaluationError } from '../errors.ts';
import { groupNames } from '../regex.ts';
import type { Value } from '../value.ts';
import { plainAddress } from './address.ts';
import { delimiterIssue } from './collection-converters.ts';
import { type Converters, optional, param } from './converter.ts';
import { readCsvRow } from './csv.ts';
import { urlParts } from './url.ts';

const JSON_DEPTH_MAX = 500;
const KEPT_MAX = 64;
/** Longer lists, which only items can hold, are read again each time. */
const KEPT_TEXT_MAX = 4096;

function parseJson(text: string): Value {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new EvaluationError('the text is no JSON');
  }
  if (typeof parsed !== 'object' || parsed === null)
    throw new EvaluationError('JSON of neither a map nor a list');
  return valueOfJson(parsed, 0);
}

function valueOfJson(json: unknown, depth: number): Value {
  if (depth > JSON_DEPTH_MAX) throw new EvaluationError(`JSON of more than ${JSON_DEPTH_MAX} levels`);
  if (json === null) return undefined;
  if (typeof json !== 'object') return json as string | number | boolean;
  if (Array.isArray(json)) return json.map((element) => valueOfJson(element, depth + 1));
  return new Map(Object.entries(json).map(([key, member]) => [key, valueOfJson(member, depth + 1)]));
}

/** Pieces between delimiters; quotes keep what is inside them together and go. Empty pieces count for nothing. */
function splitQuoted(text: string, delimiter: string): string[] {
  const pieces: string[] = [];
  let piece = '';
  let quote = '';
  let isEscaped = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (quote === '' && text.startsWith(delimiter, at)) {
      if (piece !== '') pieces.push(piece);
      piece = '';
      at += delimiter.length - 1;
      continue;
    }
    if (!isEscaped && quote === '' && (character === '"' || character === "'")) {
      quote = character;
      continue;
    }
    if (!isEscaped && character === quote) {
      quote = '';
      continue;
    }
    isEscaped = !isEscaped && character === '\\';
    piece += character;
  }
  if (quote !== '') throw new EvaluationError('a quote is not closed');
  if (piece !== '') pieces.push(piece);
  return pieces;
}

function parseKeyValue(text: string, delimiter: string, pairDelimiter: string): Value {
  if (text === '') throw new EvaluationError('there is nothing to read pairs from');
  const map = new Map<string, Value>();
  for (const pair of splitQuoted(text, pairDelimiter)) {
    const at = pair.indexOf(delimiter);
    if (at < 0) throw new EvaluationError(`${JSON.stringify(pair)} has no ${JSON.stringify(delimiter)}`);
    map.set(pair.slice(0, at).trim(), pair.slice(at + delimiter.length).trim());
  }
  return map;
}

const CSV_MODES = ['strict', 'lazyQuotes', 'ignoreQuotes'];

function parseCsv(
  text: string,
  header: string,
  delimiter: string,
  headerDelimiter: string,
  mode: string,
): Value {
  if (header === '') throw new EvaluationError('the headers are empty');
  const names = header.split(headerDelimiter);
  const fields =
    mode === 'ignoreQuotes' ? text.split(delimiter) : readCsvRow(text, delimiter, mode === 'lazyQuotes');
  if (fields.length !== names.length) {
    throw new EvaluationError(`${fields.length} fields do not go with ${names.length} headers`);
  }
  return new Map(names.map((name, at) => [name, fields[at]]));
}

function extractPatterns(text: string, pattern: string): Value {
  const names = groupNames(pattern);
  const matcher = regexOf(pattern).matcher(regexText(text));
  const map = new Map<string, Value>();
  if (!matcher.find()) return map;
  names.forEach((name, at) => {
    if (name !== undefined) map.set(name, matcher.group(at + 1) ?? '');
  });
  return map;
}

function groupsIssue(pattern: unknown): string | undefined {
  const issue = patternIssue(pattern);
  if (issue !== undefined || typeof pattern !== 'string') return issue;
  return groupNames(pattern).some((name) => name !== undefined)
    ? undefined
    : 'the pattern needs a group with a name';
}

const networks = new Map<string, BlockList>();

function networkList(texts: readonly string[]): BlockList {
  const key = JSON.stringify(texts);
  const known = networks.get(key);
  if (known !== undefined) return known;
  const list = new BlockList();
  for (const text of texts) {
    const [address = '', bits = ''] = text.split('/');
    const kind = isIP(address);
    const isValid = kind !== 0 && /^[0-9]{1,3}$/.test(bits) && Number(bits) <= (kind === 4 ? 32 : 128);
    if (!isValid || text.split('/').length !== 2)
      throw new EvaluationError(`${JSON.stringify(text)} is no CIDR network`);
    list.addSubnet(address, Number(bits), kind === 4 ? 'ipv4' : 'ipv6');
  }
  if (networks.size === KEPT_MAX) networks.clear();
  if (key.length <= KEPT_TEXT_MAX) networks.set(key, list);
  return list;
}

function isInNetworks(text: string, texts: readonly string[]): boolean {
  const list = networkList(texts);
  const found = plainAddress(text);
  return found !== undefined && list.check(found.address, found.family);
}

/** The last digit makes the sum of the others, every second one doubled, a multiple of ten. */
function isValidLuhn(text: string): boolean {
  const digits = text.replaceAll(' ', '');
  if (digits === '') return false;
  if (!/^[0-9]+$/.test(digits)) throw new EvaluationError('only digits have a check digit');
  let sum = 0;
  for (let at = digits.length - 1, isDoubled = false; at >= 0; at--, isDoubled = !isDoubled) {
    const digit = Number(digits[at]) * (isDoubled ? 2 : 1);
    sum += digit > 9 ? digit - 9 : digit;
  }
  return sum % 10 === 0;
}

function orIssue(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

export const PARSE_CONVERTERS: Converters = {
  ParseJSON: { params: [param('target', 'string')], apply: ([text]) => parseJson(text as string) },
  ParseKeyValue: {
    params: [
      param('target', 'string'),
      optional('delimiter', 'string'),
      optional('pair_delimiter', 'string'),
    ],
    check: ([, delimiter, pairDelimiter]) => delimiterIssue(delimiter, pairDelimiter),
    apply: ([text, delimiter = '=', pairDelimiter = ' ']) =>
      parseKeyValue(text as string, delimiter as string, pairDelimiter as string),
  },
  ParseCSV: {
    params: [
      param('target', 'string'),
      param('header', 'string'),
      optional('delimiter', 'string'),
      optional('header_delimiter', 'string'),
      optional('mode', 'string'),
    ],
    check: ([, , delimiter, headerDelimiter, mode]) => {
      const isLong = (text: unknown) => typeof text === 'string' && [...text].length !== 1;
      if (isLong(delimiter) || isLong(headerDelimiter)) return 'a delimiter is one character';
      if (typeof mode !== 'string' || CSV_MODES.includes(mode)) return undefined;
      return `no mode ${JSON.stringify(mode)}: ${CSV_MODES.join(', ')} are`;
    },
    apply: ([text, header, delimiter = ',', headerDelimiter = delimiter, mode = 'strict']) =>
      parseCsv(
        text as string,
        header as string,
        delimiter as string,
        headerDelimiter as string,
        mode as string,
      ),
  },
  ExtractPatterns: {
    params: [param('target', 'string'), param('pattern', 'string')],
    check: ([, pattern]) => groupsIssue(pattern),
    apply: ([text, pattern]) => {
      const issue = groupsIssue(pattern);
      if (issue !== undefined) throw new EvaluationError(issue);
      return extractPatterns(text as string, pattern as string);
    },
  },
  URL: { params: [param('uri', 'string')], apply: ([text]) => urlParts(text as string) },
  IsInCIDR: {
    params: [param('target', 'string'), param('networks', 'string-list')],
    check: ([, list]) => (Array.isArray(list) ? orIssue(() => networkList(list as string[])) : undefined),
    apply: ([text, list]) => isInNetworks(text as string, list as readonly string[]),
  },
  IsValidLuhn: {
    params: [param('target', 'string-like')],
    apply: ([text]) => {
      if (text === undefined) throw new EvaluationError('nil has no check digit');
      return isValidLuhn(text as string);
    },
  },
};
