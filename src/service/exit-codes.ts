/** Exit codes of the process, as documented by `--help`. */
import type { ErrorCode } from '../component/errors.ts';

export const EXIT_OK = 0;
/** Wrong command line or configuration, or something that could not be started. */
export const EXIT_CONFIG = 1;
/** A command did what it could, and some of what it was given could not be done: it says what. */
export const EXIT_PARTIAL = 2;
export const EXIT_INTERNAL = 70;
/** A write or flush failed; the next start verifies what is on disk. */
export const EXIT_STORAGE = 74;
/** The deadline of a stop passed, and everything acknowledged is on disk; or a replay ended before its end. */
export const EXIT_DEADLINE = 75;

export function exitCodeOf(code: ErrorCode): number {
  if (code === 'STORAGE_FAILED') return EXIT_STORAGE;
  if (code === 'START_FAILED' || code === 'CONFIG_INVALID' || code === 'STORAGE_LOCKED') return EXIT_CONFIG;
  return EXIT_INTERNAL;
}
