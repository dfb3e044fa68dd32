/** Reads the columns of CREATE TABLE statements, so that a sink can describe the tables it was asked to create. */

export interface TableColumn {
  readonly name: string;
  readonly type: string;
}

export interface CreatedTable {
  /** As written, without quotes: `database.table` or `table`. */
  readonly name: string;
  readonly columns: readonly TableColumn[];
}

/** Position behind the parenthesis that closes the one at `open`; quoted text is skipped. */
function closingParenthesis(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at += 1) {
    const char = text[at];
    if (char === "'" || char === '`' || char === '"') {
      const end = text.indexOf(char, at + 1);
      if (end < 0) return text.length;
      at = end;
    } else if (char === '(') depth += 1;
    else if (char === ')') {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return text.length;
}

/** Splits at commas that are outside of parentheses. */
function splitTopLevel(text: string): string[] {
  const parts: string[] = [];
  let start = 0;
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '(') at = closingParenthesis(text, at) - 1;
    else if (text[at] === ',') {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
  }
  parts.push(text.slice(start));
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

const unquote = (name: string): string => name.replaceAll(/[`"]/g, '');

/** The type of a column is its first word with the parentheses that follow it. */
function parseType(text: string): string {
  const word = /^[A-Za-z0-9_]+/.exec(text)?.[0] ?? '';
  const open = word.length + (/^\s*/.exec(text.slice(word.length))?.[0].length ?? 0);
  return text[open] === '(' ? word + text.slice(open, closingParenthesis(text, open)) : word;
}

function parseColumn(text: string): TableColumn[] {
  const match = /^([`"]?[A-Za-z0-9_.]+[`"]?)\s+(.*)$/s.exec(text);
  const name = unquote(match?.[1] ?? '');
  const rest = match?.[2] ?? '';
  if (match === null || /^(INDEX|CONSTRAINT|PROJECTION|PRIMARY)$/i.test(name)) return [];
  const type = parseType(rest);
  if (!type.startsWith('Nested(')) return [{ name, type }];
  // DESCRIBE shows each part of a Nested column as an array of its own.
  return splitTopLevel(type.slice('Nested('.length, -1)).flatMap((part) =>
    parseColumn(part).map((column) => ({ name: `${name}.${column.name}`, type: `Array(${column.type})` })),
  );
}

/** @returns undefined when the statement creates no table with a column list. */
export function parseCreateTable(statement: string): CreatedTable | undefined {
  const start =
    /^\s*CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?([`"A-Za-z0-9_.]+)(?:\s+ON\s+CLUSTER\s+\S+)?\s*\(/i.exec(
      statement,
    );
  if (start === null) return undefined;
  const open = start[0].length - 1;
  const body = statement.slice(open + 1, closingParenthesis(statement, open) - 1);
  const withoutComments = body.replaceAll(/--[^\n]*/g, '');
  return { name: unquote(start[1] ?? ''), columns: splitTopLevel(withoutComments).flatMap(parseColumn) };
}
