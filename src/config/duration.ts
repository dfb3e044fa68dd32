/** Durations in Go's notation (`1h30m`, `1.5s`, `-200ms`, `0`) as milliseconds. */

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3, // U+00B5, micro sign
  μs: 1e-3, // U+03BC, Greek letter mu
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/** 2^63 nanoseconds: what Go's 64-bit duration can hold. */
const DURATION_MS_MAX = 2 ** 63 / 1e6;

const PART = /([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([^0-9.]*)/y;

/**
 * @param text a sign, then numbers with units; `0` alone needs none.
 * @returns milliseconds, fractions kept, or what is wrong with the text, without quoting it.
 */
export function parseDuration(text: string): number | { error: string } {
  const negative = text.startsWith('-');
  const body = negative || text.startsWith('+') ? text.slice(1) : text;
  if (body === '0') return 0;
  if (body === '') return { error: 'empty duration' };
  let totalMs = 0;
  let offset = 0;
  while (offset < body.length) {
    PART.lastIndex = offset;
    const part = PART.exec(body);
    if (part === null) return { error: 'invalid duration' };
    const unit = part[2]!;
    if (unit === '') return { error: 'missing unit in duration' };
    if (!Object.hasOwn(UNIT_MS, unit)) return { error: `unknown unit "${unit}" in duration` };
    totalMs += Number(part[1]) * UNIT_MS[unit]!;
    offset = PART.lastIndex;
  }
  if (totalMs > DURATION_MS_MAX) return { error: 'duration out of range' };
  return negative ? -totalMs : totalMs;
}
