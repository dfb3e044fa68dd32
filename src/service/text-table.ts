/** Columns of text for people. */
export function tableText(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column]!))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

/** For texts of others that go to a terminal: one line without control characters. */
export function printableLine(text: string): string {
  return text.replace(/[\p{C}\s]+/gu, ' ').trim();
}
