/** Errors as ClickHouse shows them: a code, a name, one line of text and the HTTP status that belongs to the code. */

export const CODE_SYNTAX_ERROR = 62;
export const CODE_NOT_IMPLEMENTED = 48;
export const CODE_UNKNOWN_TYPE_OF_QUERY = 78;
export const CODE_UNKNOWN_SETTING = 115;
const CODE_READONLY = 164;
export const CODE_TOO_MANY_QUERIES = 202;
export const CODE_INTO_OUTFILE_NOT_ALLOWED = 358;
export const CODE_ACCESS_DENIED = 497;
const CODE_BAD_ARGUMENTS = 36;
const CODE_CANNOT_DECOMPRESS = 271;
const CODE_ABORTED = 236;
const CODE_UNKNOWN_EXCEPTION = 1002;

const NAMES: ReadonlyMap<number, string> = new Map([
  [CODE_BAD_ARGUMENTS, 'BAD_ARGUMENTS'],
  [CODE_NOT_IMPLEMENTED, 'NOT_IMPLEMENTED'],
  [CODE_SYNTAX_ERROR, 'SYNTAX_ERROR'],
  [CODE_UNKNOWN_TYPE_OF_QUERY, 'UNKNOWN_TYPE_OF_QUERY'],
  [CODE_UNKNOWN_SETTING, 'UNKNOWN_SETTING'],
  [CODE_READONLY, 'READONLY'],
  [CODE_TOO_MANY_QUERIES, 'TOO_MANY_SIMULTANEOUS_QUERIES'],
  [CODE_ABORTED, 'ABORTED'],
  [CODE_CANNOT_DECOMPRESS, 'CANNOT_DECOMPRESS'],
  [CODE_INTO_OUTFILE_NOT_ALLOWED, 'INTO_OUTFILE_NOT_ALLOWED'],
  [CODE_ACCESS_DENIED, 'ACCESS_DENIED'],
  [CODE_UNKNOWN_EXCEPTION, 'UNKNOWN_EXCEPTION'],
]);

/** Error codes by HTTP status, as ClickHouse's server maps them; every other code is 500. */
const CODES_BY_STATUS: readonly (readonly [number, readonly number[]])[] = [
  [
    400,
    [
      6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123, 167, 168, 223, 321, 376, 427, 441, 675,
      676,
    ],
  ],
  [401, [194]],
  [403, [192, 193, 497, 512, 516]],
  [404, [46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511]],
  [408, [159]],
  [411, [381]],
  [413, [229]],
  [415, [779]],
  [501, [48]],
  // 202 is a 500 in ClickHouse; 503 tells every HTTP client that waiting helps.
  [503, [76, 202, 209, 236, 439]],
];
const STATUS_BY_CODE: ReadonlyMap<number, number> = new Map(
  CODES_BY_STATUS.flatMap(([status, codes]) => codes.map((code): [number, number] => [code, status])),
);

/** One failed request of the store's HTTP interface. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  /** ClickHouse error code, e.g. 60. */
  readonly code: number;
  /** ClickHouse name of the code, e.g. `UNKNOWN_TABLE`. */
  readonly codeName: string;

  constructor(code: number, message: string, codeName = NAMES.get(code) ?? 'UNKNOWN_EXCEPTION') {
    super(message);
    this.code = code;
    this.codeName = codeName;
  }

  get status(): number {
    return STATUS_BY_CODE.get(this.code) ?? 500;
  }

  /** The line that clients parse. */
  bodyText(version: string): string {
    return `Code: ${this.code}. DB::Exception: ${this.message} (${this.codeName}) (version ${version} (embedded))\n`;
  }
}

/**
 * Reads what chDB throws: `Code: N. DB::Exception: text (NAME)`, the prefix and the suffix twice when the error
 * comes from the data of an INSERT.
 *
 * @param spoolDirectory taken out of the text, because the caller never named a file.
 */
export function toStoreError(error: unknown, spoolDirectory = ''): StoreError {
  if (error instanceof StoreError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const code = /\bCode: (\d+)\b/.exec(text)?.[1];
  if (code === undefined) return new StoreError(CODE_UNKNOWN_EXCEPTION, text);
  let message = text.replace(/^(?:Query failed: )?(?:Code: \d+\. DB::Exception: )+/, '');
  let codeName: string | undefined;
  for (;;) {
    const suffix = /\s*\((?:version [^)]*|([A-Z][A-Z0-9_]{2,}))\)\.?\s*$/.exec(message);
    if (suffix === null) break;
    codeName ??= suffix[1];
    message = message.slice(0, suffix.index);
  }
  if (spoolDirectory !== '' && message.includes(spoolDirectory)) {
    message = message.replace(/ ?\(in file\/uri [^)]*\):?/g, '').replaceAll(spoolDirectory, 'request body');
  }
  return new StoreError(Number(code), message, codeName);
}

export function notImplemented(what: string): StoreError {
  return new StoreError(CODE_NOT_IMPLEMENTED, `${what} is not available in the embedded ClickHouse.`);
}

export function badArguments(message: string): StoreError {
  return new StoreError(CODE_BAD_ARGUMENTS, message);
}

export function cannotDecompress(encoding: string, cause: string): StoreError {
  return new StoreError(CODE_CANNOT_DECOMPRESS, `Cannot decompress a body in ${encoding}: ${cause}.`);
}

export function readOnly(): StoreError {
  return new StoreError(CODE_READONLY, 'Cannot execute query in readonly mode: use POST to change anything.');
}

export function shuttingDown(): StoreError {
  return new StoreError(CODE_ABORTED, 'The store is shutting down.');
}
