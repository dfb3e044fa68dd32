/** Bytes that the digits and the sign of a whole number within 2^53 take at most. */
export const DECIMAL_BYTES_MAX = 17;

const DIGIT_0 = 0x30;
const MINUS = 0x2d;

/**
 * Writes a whole number within 2^53 as decimal digits to the end of `target`, without making text.
 * @returns the offset of the first byte.
 */
export function writeDecimal(target: Uint8Array, number: number): number {
  let at = target.length;
  let rest = Math.abs(number);
  do {
    const next = Math.floor(rest / 10);
    target[--at] = DIGIT_0 + (rest - next * 10);
    rest = next;
  } while (rest > 0);
  if (number < 0) target[--at] = MINUS;
  return at;
}
