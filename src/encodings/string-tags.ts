/** Tags that are text, read as what they look like: an option of Zipkin receivers. */
import { Double, type PlainValue } from '../otlp/any-value-write.ts';

const WHOLE = /^-?\d+$/;
const DECIMAL = /^-?\d+\.\d+$/;
const INT64_MAX = (1n << 63n) - 1n;
const INT64_MIN = -(1n << 63n);

/** A whole number stops at the bounds of int64. */
export function parseTag(text: string): PlainValue {
  if (text === 'true' || text === 'false') return text === 'true';
  if (DECIMAL.test(text)) return new Double(Number(text));
  if (!WHOLE.test(text)) return text;
  const value = BigInt(text);
  if (value > INT64_MAX) return INT64_MAX;
  return value < INT64_MIN ? INT64_MIN : value;
}
