/**
 * Formats in which a result may be sent in blocks that the engine formats one by one. All others (JSON, Parquet,
 * ...) frame the whole result, so it is formatted in one piece.
 */

const WITHOUT_HEADER: ReadonlySet<string> = new Set(
  [
    ...['JSONEachRow', 'NDJSON', 'JSONLines', 'JSONStringsEachRow', 'JSONCompactEachRow'],
    ...['JSONCompactStringsEachRow', 'TSV', 'TabSeparated', 'TSVRaw', 'TabSeparatedRaw', 'TSKV', 'CSV'],
    ...['Native', 'RowBinary', 'LineAsString', 'MsgPack'],
  ].map((name) => name.toLowerCase()),
);

/** Repeated by the engine in front of each block. */
const HEADER_LINES: readonly (readonly [RegExp, number])[] = [
  [
    /^(tsv|tabseparated|tsvraw|tabseparatedraw|csv|jsoncompacteachrow|jsoncompactstringseachrow)withnames$/,
    1,
  ],
  [
    /^(tsv|tabseparated|tsvraw|tabseparatedraw|csv|jsoncompacteachrow|jsoncompactstringseachrow)withnamesandtypes$/,
    2,
  ],
];

/** Lines of header in each block, 0 for none; undefined for formats that cannot be sent in blocks. */
export function streamHeaderLines(format: string): number | undefined {
  const name = format.toLowerCase();
  if (WITHOUT_HEADER.has(name)) return 0;
  return HEADER_LINES.find(([pattern]) => pattern.test(name))?.[1];
}

/** Drops the header of all blocks but the first. */
export async function* withoutRepeatedHeaders(
  blocks: AsyncIterable<Uint8Array>,
  headerLines: number,
  format: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  let headerBytes: number | undefined;
  const hasQuotes = /^csv/i.test(format);
  for await (const block of blocks) {
    if (headerBytes === undefined) {
      headerBytes = lineEnd(block, headerLines, hasQuotes);
      yield block;
    } else {
      yield block.subarray(headerBytes);
    }
  }
}

/** A line break inside a quoted CSV name ends no line; the other formats escape it. */
function lineEnd(block: Uint8Array, lines: number, hasQuotes: boolean): number {
  const NEWLINE = 0x0a;
  const QUOTE = 0x22;
  let seen = 0;
  let isQuoted = false;
  for (let at = 0; at < block.byteLength && seen < lines; at += 1) {
    if (hasQuotes && block[at] === QUOTE) isQuoted = !isQuoted;
    if (block[at] === NEWLINE && !isQuoted) seen += 1;
    if (seen === lines) return at + 1;
  }
  return 0;
}
