/** Lexer for as much of ClickHouse SQL as is needed to see where a statement's parts begin. */

export const WORD = 0;
/** 'text', "identifier", `identifier` or $tag$heredoc$tag$. */
export const QUOTED = 1;
export const SYMBOL = 2;

export interface SqlToken {
  kind: typeof WORD | typeof QUOTED | typeof SYMBOL;
  start: number;
  end: number;
  /** Upper case for words, the character for symbols, empty for quoted text. */
  text: string;
  /** The text ends inside this token: with more input it may become another one. */
  isOpen: boolean;
}

const SPACE = /\s/;
const WORD_CHARACTER = /[\p{L}\p{N}_\u0080-\u00ff]/u;
const HEREDOC = /\$\w*\$/y;

/** Yields the tokens of `sql` from `from` on; blanks and comments are left out. */
export function* sqlTokens(sql: string, from = 0): Generator<SqlToken> {
  let at = from;
  while (at < sql.length) {
    const next = skipBlanks(sql, at);
    if (next > at) {
      at = next;
      continue;
    }
    const token = readToken(sql, at);
    yield token;
    at = token.end;
  }
}

function skipBlanks(sql: string, from: number): number {
  let at = from;
  while (at < sql.length && SPACE.test(sql[at]!)) at += 1;
  if (sql.startsWith('--', at) || sql.startsWith('#!', at) || sql.startsWith('# ', at)) {
    const end = sql.indexOf('\n', at);
    return end < 0 ? sql.length : end + 1;
  }
  if (sql.startsWith('/*', at)) {
    const end = sql.indexOf('*/', at + 2);
    return end < 0 ? sql.length : end + 2;
  }
  return at;
}

function readToken(sql: string, start: number): SqlToken {
  const first = sql[start]!;
  if (first === "'" || first === '"' || first === '`') return readQuoted(sql, start, first);
  if (first === '$') {
    HEREDOC.lastIndex = start;
    const tag = HEREDOC.exec(sql)?.[0];
    if (tag !== undefined) {
      const close = sql.indexOf(tag, start + tag.length);
      const end = close < 0 ? sql.length : close + tag.length;
      return { kind: QUOTED, start, end, text: '', isOpen: close < 0 };
    }
  }
  if (WORD_CHARACTER.test(first)) {
    let end = start + 1;
    while (end < sql.length && WORD_CHARACTER.test(sql[end]!)) end += 1;
    return {
      kind: WORD,
      start,
      end,
      text: sql.slice(start, end).toUpperCase(),
      isOpen: end === sql.length,
    };
  }
  return { kind: SYMBOL, start, end: start + 1, text: first, isOpen: false };
}

function readQuoted(sql: string, start: number, quote: string): SqlToken {
  let at = start + 1;
  while (at < sql.length) {
    if (sql[at] === '\\') at += 2;
    else if (sql[at] !== quote) at += 1;
    else if (sql[at + 1] === quote) at += 2;
    else return { kind: QUOTED, start, end: at + 1, text: '', isOpen: false };
  }
  return { kind: QUOTED, start, end: sql.length, text: '', isOpen: true };
}

/** A string literal with exactly this value. */
export function sqlString(value: string): string {
  return `'${value.replace(/[\\']/g, '\\$&')}'`;
}

/** An identifier with exactly this name. */
export function sqlIdentifier(name: string): string {
  return `\`${name.replace(/[\\`]/g, '\\$&')}\``;
}
