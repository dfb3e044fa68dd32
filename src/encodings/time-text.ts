/** Times as text: nanoseconds since the epoch to dates, and back where a format holds dates. */
import { NANOS_PER_SECOND, TimeWords } from './time-words.ts';

const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:[.,](\d+))?([Zz]|[+-]\d\d:\d\d)$/;
const MS_PER_SECOND = 1000;
const NANO_DIGITS = 9;
const words = new TimeWords();

/** Seconds since the epoch, below it for earlier times, and nanoseconds from 0 up. */
export interface SplitTime {
  seconds: number;
  nanos: number;
}

/** A time before 1970 or from 2262 on is a negative number of nanoseconds in Go, and so is its date. */
export function splitNanos(lo: number, hi: number): SplitTime {
  words.set(lo, hi);
  const isNegative = hi < 0;
  if (isNegative) words.negate();
  words.setQuotient(words.lo, words.hi, NANOS_PER_SECOND);
  const seconds = words.number;
  if (!isNegative) return { seconds, nanos: words.rest };
  return words.rest === 0
    ? { seconds: -seconds, nanos: 0 }
    : { seconds: -seconds - 1, nanos: NANOS_PER_SECOND - words.rest };
}

/** `2026-11-21T10:00:00` in UTC. */
function secondsText(seconds: number): string {
  return new Date(seconds * MS_PER_SECOND).toISOString().slice(0, -5);
}

/** As Go prints a time in UTC: `2026-11-21 10:00:00.5 +0000 UTC`. */
export function timeText(lo: number, hi: number): string {
  const { seconds, nanos } = splitNanos(lo, hi);
  const fraction = nanos === 0 ? '' : `.${digits(nanos).replace(/0+$/, '')}`;
  return `${secondsText(seconds).replace('T', ' ')}${fraction} +0000 UTC`;
}

/** As JSON of protobuf has a Timestamp: RFC 3339 in UTC with 0, 3, 6 or 9 digits of a second. */
export function timestampText(seconds: number, nanos: number): string {
  return `${secondsText(seconds)}${shortFraction(nanos)}Z`;
}

/** As JSON of protobuf has a Duration. Both parts have the same sign. */
export function durationText(seconds: number, nanos: number): string {
  const sign = seconds < 0 || nanos < 0 ? '-' : '';
  return `${sign}${Math.abs(seconds)}${shortFraction(Math.abs(nanos))}s`;
}

function shortFraction(nanos: number): string {
  const text = digits(nanos);
  if (nanos === 0) return '';
  return `.${text.replace(/(?:000)+$/, '')}`;
}

function digits(nanos: number): string {
  return String(nanos).padStart(NANO_DIGITS, '0');
}

/** Reads RFC 3339 with any number of digits of a second; undefined when it is no such time. */
export function parseRfc3339(text: string): SplitTime | undefined {
  const match = RFC3339.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction = '', zone = 'Z'] = match;
  const ms = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
  );
  // Date.UTC takes years below 100 for the twentieth century, and carries a 31st of June over.
  const date = new Date(ms);
  if (Number(year) < 100) date.setUTCFullYear(Number(year));
  if (date.getUTCDate() !== Number(day) || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59)
    return undefined;
  const seconds = date.getTime() / MS_PER_SECOND - zoneSeconds(zone);
  return { seconds, nanos: Number(fraction.slice(0, NANO_DIGITS).padEnd(NANO_DIGITS, '0')) };
}

function zoneSeconds(zone: string): number {
  if (zone === 'Z' || zone === 'z') return 0;
  const value = Number(zone.slice(1, 3)) * 3600 + Number(zone.slice(4, 6)) * 60;
  return zone.startsWith('-') ? -value : value;
}

const ISO8601 =
  /^(\d{4})-(\d\d)(?:-(\d\d))?(?:[T ](\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?)?([Zz]|[+-]\d\d(?::?\d\d)?)?)?$/;

/** Reads the forms of ISO 8601 that log records come with; what is left out is the smallest, and UTC. */
export function parseIso8601(text: string): SplitTime | undefined {
  const match = ISO8601.exec(text);
  if (match === null) return undefined;
  const [, year, month, day = '01', hour = '00', minute = '00', second = '00', fraction, zone = 'Z'] = match;
  const long = /^[+-]/.test(zone) ? `${zone.slice(0, 3)}:${zone.slice(3).replace(':', '') || '00'}` : zone;
  const tail = fraction === undefined ? '' : `.${fraction}`;
  return parseRfc3339(`${year}-${month}-${day}T${hour}:${minute}:${second}${tail}${long}`);
}
