/** Durations as Go writes them: `1.5s`, `-2h45m`, `10us`. */
import { NANOS_PER_SECOND } from './time-words.ts';

const UNIT_NANOS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: NANOS_PER_SECOND,
  m: 60 * NANOS_PER_SECOND,
  h: 3600 * NANOS_PER_SECOND,
};
const PART = /(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)/y;
const SECONDS_MAX = 9_223_372_036;

/** Seconds and nanoseconds of the same sign; undefined when the text is no duration, or over 292 years. */
export function parseGoDuration(text: string): { seconds: number; nanos: number } | undefined {
  const sign = text.startsWith('-') ? -1 : 1;
  let at = text.startsWith('-') || text.startsWith('+') ? 1 : 0;
  if (text.slice(at) === '0') return { seconds: 0, nanos: 0 };
  if (at === text.length) return undefined;
  let seconds = 0;
  let nanos = 0;
  while (at < text.length) {
    PART.lastIndex = at;
    const match = PART.exec(text);
    if (match === null) return undefined;
    const [part, whole = '', fraction = '', unit = ''] = match;
    if (whole === '' && fraction === '') return undefined;
    const scale = UNIT_NANOS[unit]!;
    // Whole units and their fraction apart: neither loses a digit in a double.
    const count = Number(whole);
    const perSecond = scale / NANOS_PER_SECOND;
    if (perSecond >= 1) seconds += count * perSecond;
    else {
      seconds += Math.floor(count / (NANOS_PER_SECOND / scale));
      nanos += (count % (NANOS_PER_SECOND / scale)) * scale;
    }
    nanos += fractionNanos(fraction, scale);
    at += part.length;
  }
  seconds += Math.floor(nanos / NANOS_PER_SECOND);
  nanos %= NANOS_PER_SECOND;
  if (!(seconds < SECONDS_MAX)) return undefined;
  return { seconds: seconds * sign || 0, nanos: nanos * sign || 0 };
}

function fractionNanos(fraction: string, scale: number): number {
  const digits = fraction.slice(0, 15);
  return digits === '' ? 0 : Math.floor((Number(digits) * scale) / 10 ** digits.length);
}
