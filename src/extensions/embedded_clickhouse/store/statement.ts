/** What the HTTP interface must know of a statement before the engine sees it. */
import { QUOTED, type SqlToken, SYMBOL, sqlString, sqlTokens, WORD } from './sql-tokens.ts';
import { CODE_INTO_OUTFILE_NOT_ALLOWED, CODE_SYNTAX_ERROR, StoreError } from './store-error.ts';

/** An INSERT whose rows follow the statement. */
export interface InsertHead {
  /** Where `FROM INFILE` goes: before `SETTINGS`, `FORMAT` or `VALUES`. */
  fileClauseAt: number;
  /** End of the settings, where the format clause begins. */
  formatAt: number;
  format: string;
  /** First character of the rows. */
  dataAt: number;
}

export interface Statement {
  /** First word, upper case: SELECT, CREATE, ... `(` counts as SELECT. */
  verb: string;
  /** Without a final semicolon. */
  sql: string;
  /** Of a FORMAT clause at the end; undefined when there is none. */
  format: string | undefined;
  /** It changes the state of its session: USE, SET, temporary tables. */
  changesSession: boolean;
}

/** Verbs whose result the engine can hand out block by block. */
export function returnsStream(statement: Statement): boolean {
  return statement.verb === 'SELECT' || statement.verb === 'WITH';
}

/**
 * Looks for the head of an INSERT with rows at the start of `text`.
 *
 * @param text one character a byte or one a code unit; offsets are in the same unit.
 * @param isComplete no more input follows.
 * @returns the head, `none` for every other statement, `more` when that needs more input.
 */
export function findInsertHead(text: string, isComplete: boolean): InsertHead | 'none' | 'more' {
  const tokens = sqlTokens(text);
  const undecided = isComplete ? 'none' : 'more';
  const read = (): SqlToken | undefined => {
    const result = tokens.next();
    if (result.done === true) return undefined;
    // A token at the very end of the input may go on with the next chunk.
    return result.value.isOpen && !isComplete ? undefined : result.value;
  };
  const verb = read();
  if (verb === undefined) return undecided;
  if (verb.text !== 'INSERT') return 'none';
  let depth = 0;
  let settingsAt = -1;
  let isTargetSeen = false;
  let isAfterDot = false;
  for (let token = read(); token !== undefined; token = read()) {
    if (token.kind === SYMBOL) {
      if (token.text === ';') return 'none';
      if (token.text === '(') depth += 1;
      if (token.text === ')') depth -= 1;
      isAfterDot = token.text === '.';
      continue;
    }
    // The second half of `database.table`, even when it is called `format`.
    const isName = isAfterDot;
    isAfterDot = false;
    if (isName) continue;
    if (token.kind === WORD && (token.text === 'SELECT' || token.text === 'WITH')) {
      if (depth <= 1) return 'none';
    }
    if (depth > 0) continue;
    if (!isTargetSeen) {
      isTargetSeen = token.kind === QUOTED || !/^(INTO|TABLE|FUNCTION)$/.test(token.text);
      continue;
    }
    if (token.kind === QUOTED) continue;
    if (token.text === 'FROM' || token.text === 'WATCH' || token.text === 'EXPLAIN') return 'none';
    if (token.text === 'SETTINGS' && settingsAt < 0) settingsAt = token.start;
    const fileClauseAt = settingsAt < 0 ? token.start : settingsAt;
    if (token.text === 'VALUES') {
      return { fileClauseAt, formatAt: token.start, format: 'Values', dataAt: token.end };
    }
    if (token.text === 'FORMAT') {
      const name = read();
      if (name === undefined) return undecided;
      const format = text.slice(name.start, name.end);
      const dataAt = format.toUpperCase() === 'VALUES' ? name.end : dataStart(text, name.end, isComplete);
      return dataAt < 0 ? 'more' : { fileClauseAt, formatAt: token.start, format, dataAt };
    }
  }
  return undecided;
}

/** Rows begin behind one line break, with blanks before it, as ClickHouse's parser has it. */
function dataStart(text: string, formatEnd: number, isComplete: boolean): number {
  let at = formatEnd;
  if (text[at] === ';') at += 1;
  while (text[at] === ' ' || text[at] === '\t' || text[at] === '\f') at += 1;
  if (text[at] === '\r') at += 1;
  if (at >= text.length && !isComplete) return -1;
  return text[at] === '\n' ? at + 1 : at;
}

/** The statement that reads the rows of `head` from a file of the spool. */
export function insertFromFile(text: string, head: InsertHead, file: string, compression: string): string {
  const settings = text.slice(head.fileClauseAt, head.formatAt);
  return `${text.slice(0, head.fileClauseAt)} FROM INFILE ${sqlString(file)} COMPRESSION '${compression}' ${settings} FORMAT ${head.format}`;
}

/**
 * Checks that the text is one statement and finds its parts.
 *
 * @throws StoreError 62 for several statements or none, 358 for INTO OUTFILE: a server writes no files.
 */
export function parseStatement(text: string): Statement {
  let verb = '';
  let depth = 0;
  let end = -1;
  let format: string | undefined;
  let previous = '';
  let beforePrevious = '';
  let isTemporary = false;
  let words = 0;
  for (const token of sqlTokens(text)) {
    if (end >= 0) {
      if (token.text === ';') continue;
      throw new StoreError(CODE_SYNTAX_ERROR, 'Syntax error (Multi-statements are not allowed).');
    }
    if (token.kind === SYMBOL && token.text === ';') {
      end = token.start;
      continue;
    }
    if (verb === '') verb = token.text === '(' ? 'SELECT' : token.text;
    if (token.text === '(') depth += 1;
    if (token.text === ')') depth -= 1;
    if (token.kind === WORD) words += 1;
    if (words <= 4 && (token.text === 'TEMPORARY' || token.text === 'TEMP')) isTemporary = true;
    if (depth === 0) {
      if (token.text === 'OUTFILE' && previous === 'INTO') {
        throw new StoreError(CODE_INTO_OUTFILE_NOT_ALLOWED, 'INTO OUTFILE is not allowed.');
      }
      if (token.text === 'INFILE' && previous === 'FROM' && verb === 'INSERT') {
        throw new StoreError(CODE_SYNTAX_ERROR, 'FROM INFILE is for clients: send the rows as the body.');
      }
      // A clause, unless another token than SETTINGS follows: then it was a column of that name.
      if (previous === 'FORMAT' && token.kind === WORD && beforePrevious !== '') {
        format = text.slice(token.start, token.end);
      } else if (format !== undefined && token.text !== 'SETTINGS' && beforePrevious === 'FORMAT') {
        format = undefined;
      }
    }
    beforePrevious = previous;
    previous = token.kind === QUOTED ? 'quoted' : token.text;
  }
  if (verb === '') throw new StoreError(CODE_SYNTAX_ERROR, 'Empty query.');
  const changesSession = verb === 'USE' || verb === 'SET' || isTemporary;
  return { verb, sql: end < 0 ? text : text.slice(0, end), format, changesSession };
}

const KILL_WORDS: ReadonlyMap<string, string> = new Map([
  ['QUERY_ID', "extract(query, '/\\\\*id:(\\\\S+)\\\\*/$')"],
  ['SYNC', 'ASYNC'],
]);

/**
 * KILL QUERY names queries by the id that the client gave. The engine makes ids of its own, so requests carry
 * theirs in a comment at the end of the text, and the condition is turned into one on that text. SYNC becomes
 * ASYNC: waiting for the other query's end never ends in chDB.
 */
export function killByTag(sql: string): string {
  let result = '';
  let copied = 0;
  for (const token of sqlTokens(sql)) {
    const replacement = token.kind === WORD ? KILL_WORDS.get(token.text) : undefined;
    if (replacement === undefined) continue;
    result += sql.slice(copied, token.start) + replacement;
    copied = token.end;
  }
  return result + sql.slice(copied);
}

/**
 * The statement with the comment that carries its request's id; an id that does not fit into one is left out.
 * At the end, so that positions in error messages stay those of the client's text.
 */
export function withQueryTag(sql: string, queryId: string): string {
  return /^[\w.:-]{1,200}$/.test(queryId) ? `${sql}\n/*id:${queryId}*/` : sql;
}
