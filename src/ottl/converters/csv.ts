import { EvaluationError } from '../errors.ts';

/**
 * Fields of one row (RFC 4180). A field in quotes may hold delimiters, line ends and doubled quotes.
 * @param isLazy takes quotes inside other fields, and single ones inside quoted ones, as they are.
 */
export function readCsvRow(row: string, delimiter: string, isLazy: boolean): string[] {
  const text = row.replace(/\r?\n$/, '');
  if (text === '') throw new EvaluationError('there is no row');
  const fields: string[] = [];
  let at = 0;
  while (true) {
    const isQuoted = text[at] === '"';
    const read = isQuoted
      ? quotedField(text, at + 1, delimiter, isLazy)
      : plainField(text, at, delimiter, isLazy);
    fields.push(read.field);
    if (read.end >= text.length) return fields;
    at = read.end + delimiter.length;
    if (at >= text.length) return [...fields, ''];
  }
}

interface ReadField {
  readonly field: string;
  /** Where the delimiter is, or the end. */
  readonly end: number;
}

function plainField(text: string, start: number, delimiter: string, isLazy: boolean): ReadField {
  const found = text.indexOf(delimiter, start);
  const end = found < 0 ? text.length : found;
  const field = text.slice(start, end);
  if (!isLazy && field.includes('"')) throw new EvaluationError('a quote in a field that is not in quotes');
  return { field, end };
}

function quotedField(text: string, start: number, delimiter: string, isLazy: boolean): ReadField {
  let field = '';
  let at = start;
  while (at < text.length) {
    if (text[at] !== '"') {
      field += text[at++];
      continue;
    }
    if (text[at + 1] === '"') {
      field += '"';
      at += 2;
    } else if (at + 1 >= text.length || text.startsWith(delimiter, at + 1)) return { field, end: at + 1 };
    else if (isLazy) field += text[at++];
    else throw new EvaluationError('a quote inside a field in quotes');
  }
  if (isLazy) return { field, end: text.length };
  throw new EvaluationError('a quote is not closed');
}
