import { decodeUtf8 } from '../otlp/wire-reader.ts';
import { syntaxError } from './errors.ts';

/**
 * | kind    | text                                                     |
 * | ------- | -------------------------------------------------------- |
 * | bytes   | hexadecimal digits behind `0x`                           |
 * | string  | without quotes, escapes resolved                         |
 * | upper   | name without lower-case letters: enum or function        |
 * | mixed   | name that begins with a capital: function                |
 * | lower   | name without capitals: path segment, editor              |
 * | camel   | any other name                                           |
 * | symbol  | operator or punctuation                                  |
 */
export type TokenKind =
  | 'bytes'
  | 'float'
  | 'int'
  | 'string'
  | 'upper'
  | 'mixed'
  | 'lower'
  | 'camel'
  | 'symbol'
  | 'end';

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  /** From 1. */
  readonly column: number;
}

const PATTERN =
  /\s+|(0x[0-9a-fA-F]+)|((?:\d+\.\d*|\.\d+)(?:[eE][-+]?\d+)?)|(\d+)|"((?:\\[\s\S]|[^\\"])*)"|([A-Za-z][A-Za-z0-9_]*)|(==|!=|>=|<=|=>|[-<>+*/=(){}:,.[\]])/uy;

const ESCAPES: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  '\\': 92,
  '"': 34,
};
const UTF8 = new TextEncoder();

/** @throws OttlSyntaxError at what belongs to no token. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    PATTERN.lastIndex = at;
    const match = PATTERN.exec(text);
    const column = at + 1;
    if (match === null) {
      if (text[at] === '"') throw syntaxError('text without a closing quote', column);
      if (text[at] === "'") throw syntaxError('texts stand in double quotes', column);
      throw syntaxError(`unexpected ${JSON.stringify(String.fromCodePoint(text.codePointAt(at)!))}`, column);
    }
    const [all, bytes, float, int, string, name, symbol] = match;
    at += all.length;
    if (bytes !== undefined) tokens.push({ kind: 'bytes', text: bytes.slice(2), column });
    else if (float !== undefined) tokens.push({ kind: 'float', text: float, column });
    else if (int !== undefined) tokens.push({ kind: 'int', text: int, column });
    else if (string !== undefined)
      tokens.push({ kind: 'string', text: unescaped(string, column + 1), column });
    else if (name !== undefined) tokens.push({ kind: nameKind(name), text: name, column });
    else if (symbol !== undefined) tokens.push({ kind: 'symbol', text: symbol, column });
  }
  tokens.push({ kind: 'end', text: 'the end', column: text.length + 1 });
  return tokens;
}

function nameKind(name: string): TokenKind {
  if (!/[A-Z]/.test(name)) return 'lower';
  if (!/^[A-Z]/.test(name)) return 'camel';
  return /[a-z]/.test(name) ? 'mixed' : 'upper';
}

/** Go's escapes; what `\x` and octal ones make is bytes, which have to be UTF-8 together. */
function unescaped(text: string, firstColumn: number): string {
  const lineEnd = text.indexOf('\n');
  if (lineEnd >= 0) throw syntaxError('a line end inside a text is written \\n', firstColumn + lineEnd);
  if (!text.includes('\\')) return text;
  const bytes: number[] = [];
  const pattern =
    /[^\\]+|\\(?:([abfnrtv\\"])|x([0-9a-fA-F]{2})|([0-3][0-7]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/uy;
  let at = 0;
  while (at < text.length) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match === null) {
      throw syntaxError(
        `unknown escape "${text.slice(at, at + 2)}" (a backslash itself is written \\\\)`,
        firstColumn + at,
      );
    }
    const [all, simple, hex, octal, short, long] = match;
    if (simple !== undefined) bytes.push(ESCAPES[simple]!);
    else if (hex !== undefined) bytes.push(Number.parseInt(hex, 16));
    else if (octal !== undefined) bytes.push(Number.parseInt(octal, 8));
    else if (short !== undefined || long !== undefined) {
      bytes.push(...UTF8.encode(codePoint(Number.parseInt((short ?? long)!, 16), firstColumn + at)));
    } else bytes.push(...UTF8.encode(all));
    at += all.length;
  }
  const utf8 = Uint8Array.from(bytes);
  return decodeUtf8(utf8, 0, utf8.length);
}

function codePoint(code: number, column: number): string {
  if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) throw syntaxError('no such character', column);
  return String.fromCodePoint(code);
}
