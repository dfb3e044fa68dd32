import { PipelineError } from '../../component/errors.ts';

/**
 * Codes of ClickHouse that the same bytes would meet again: a broken statement or broken data. Whatever is
 * not listed is retryable, also what an operator has to repair (access, missing tables), because the log keeps
 * the batch meanwhile and dropping it could not be undone.
 * Numbers and names: ClickHouse src/Common/ErrorCodes.cpp.
 */
const PERMANENT_CODES: ReadonlySet<number> = new Set([
  6, // CANNOT_PARSE_TEXT
  20, // NUMBER_OF_COLUMNS_DOESNT_MATCH
  26, // CANNOT_PARSE_QUOTED_STRING
  27, // CANNOT_PARSE_INPUT_ASSERTION_FAILED
  32, // ATTEMPT_TO_READ_AFTER_EOF
  33, // CANNOT_READ_ALL_DATA
  36, // BAD_ARGUMENTS
  38, // CANNOT_PARSE_DATE
  41, // CANNOT_PARSE_DATETIME
  53, // TYPE_MISMATCH
  62, // SYNTAX_ERROR
  69, // ARGUMENT_OUT_OF_BOUND
  70, // CANNOT_CONVERT_TYPE
  72, // CANNOT_PARSE_NUMBER
  73, // UNKNOWN_FORMAT
  115, // UNKNOWN_SETTING
  117, // INCORRECT_DATA
  130, // CANNOT_READ_ARRAY_FROM_TEXT
  131, // TOO_LARGE_STRING_SIZE
  271, // CANNOT_DECOMPRESS
  344, // SUPPORT_IS_DISABLED
  691, // UNKNOWN_ELEMENT_OF_ENUM
]);
/** What is wrong is the statement: no part of the batch would fare better. */
const STATEMENT_CODES: ReadonlySet<number> = new Set([
  62, // SYNTAX_ERROR
  73, // UNKNOWN_FORMAT
  115, // UNKNOWN_SETTING
  344, // SUPPORT_IS_DISABLED
]);
/** TOO_MANY_SIMULTANEOUS_QUERIES, QUOTA_EXCEEDED; with TOO_MANY_PARTS they say that less is allowed than is sent. */
const THROTTLING_CODES: ReadonlySet<number> = new Set([201, 202, 252]);
/** TOO_MANY_PARTS: back-pressure, or a block that touches more partitions than the server allows. */
const TOO_MANY_PARTS = 252;
const TOO_MANY_PARTITIONS_TEXT = 'Too many partitions for single INSERT block';
/** The block repeats one that is stored: in the modes that report it, it is the success we asked for. */
export const INSERT_WAS_DEDUPLICATED = 389;
/** The table is not what it was when its columns were read: look again before the next attempt. */
const SCHEMA_CODES: ReadonlySet<number> = new Set([
  16, // NO_SUCH_COLUMN_IN_TABLE
  47, // UNKNOWN_IDENTIFIER
  60, // UNKNOWN_TABLE
  81, // UNKNOWN_DATABASE
]);
const MESSAGE_CHARS_MAX = 500;

/** ClickHouse's code of an error, or undefined when the server did not answer with one. */
export function clickhouseCode(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = 'code' in error ? Number(error.code) : Number.NaN;
  return Number.isInteger(code) ? code : undefined;
}

/** UNKNOWN_SETTING: the server is older than something it was asked for. */
export function isUnknownSetting(error: unknown): boolean {
  return clickhouseCode(error instanceof PipelineError ? error.cause : error) === 115;
}

/** Whether the table's columns must be read again before another attempt. */
export function isSchemaError(error: unknown): boolean {
  const cause = error instanceof PipelineError ? error.cause : error;
  return SCHEMA_CODES.has(clickhouseCode(cause) ?? 0);
}

/**
 * What a failed request means for the batch.
 *
 * @param aborted the attempt's time was up or the engine stops: the outcome is unknown, the token makes a repeat safe.
 */
export function toPipelineError(error: unknown, aborted: boolean): PipelineError {
  if (error instanceof PipelineError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const message = text.slice(0, MESSAGE_CHARS_MAX);
  if (aborted) {
    return new PipelineError('EXPORT_TIMEOUT', `ClickHouse did not answer in time: ${message}`, {
      permanent: false,
      cause: error,
    });
  }
  const code = clickhouseCode(error);
  const isPoison = code === TOO_MANY_PARTS && text.includes(TOO_MANY_PARTITIONS_TEXT);
  if (code !== undefined && (isPoison || PERMANENT_CODES.has(code))) {
    return new PipelineError('EXPORT_REJECTED', `ClickHouse code ${code}: ${message}`, {
      permanent: true,
      isIndivisible: STATEMENT_CODES.has(code),
      cause: error,
    });
  }
  const prefix = code === undefined ? 'ClickHouse is not reachable' : `ClickHouse code ${code}`;
  return new PipelineError('EXPORT_UNAVAILABLE', `${prefix}: ${message}`, {
    permanent: false,
    isThrottled: THROTTLING_CODES.has(code ?? 0),
    cause: error,
  });
}
