/**
 * Time as text by a strftime format: the directives, flags and widths of the library that the Collector uses for
 * `s3_partition_format`, except `%Z`, because names of zones differ between systems.
 */
import type { ZonedTime } from './zoned-time.ts';

const MONTHS = 'January February March April May June July August September October November December'.split(
  ' ',
);
const WEEKDAYS = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ');
const SHORT_NAME = 3;
const WIDTH_MAX = 1024;
const DAY_MS = 86_400_000;

/** Directives that stand for others. */
const COMPOSITES: Readonly<Record<string, string>> = {
  c: '%a %b %e %H:%M:%S %Y',
  v: '%e-%b-%Y',
  r: '%I:%M:%S %p',
  F: '%Y-%m-%d',
  D: '%m/%d/%y',
  x: '%m/%d/%y',
  T: '%H:%M:%S',
  X: '%H:%M:%S',
  R: '%H:%M',
};
const LITERALS: Readonly<Record<string, string>> = { t: '\t', n: '\n', '%': '%' };

type DateFields = Pick<ZonedTime, 'year' | 'month' | 'day'>;

function dayNumber({ year, month, day }: DateFields): number {
  return Date.UTC(year, month - 1, day) / DAY_MS;
}

function weekday(time: DateFields): number {
  return (((dayNumber(time) + 4) % 7) + 7) % 7;
}

function yearDay(time: DateFields): number {
  return dayNumber(time) - dayNumber({ year: time.year, month: 1, day: 1 }) + 1;
}

/** Year and week of ISO 8601: a week belongs to the year that has its Thursday. */
function isoWeek(time: DateFields): { year: number; week: number } {
  const thursday = dayNumber(time) + 4 - (weekday(time) || 7);
  const year = new Date(thursday * DAY_MS).getUTCFullYear();
  return { year, week: Math.floor((thursday - dayNumber({ year, month: 1, day: 1 })) / 7) + 1 };
}

interface NumberDirective {
  value: (time: ZonedTime) => number;
  width: number;
  /** Padded with blanks unless a flag says otherwise. */
  isBlankPadded?: true;
}

const NUMBERS: Readonly<Record<string, NumberDirective>> = {
  Y: { value: ({ year }) => year, width: 4 },
  y: { value: ({ year }) => year % 100, width: 2 },
  C: { value: ({ year }) => Math.floor(year / 100), width: 2 },
  G: { value: (time) => isoWeek(time).year, width: 4 },
  g: { value: (time) => isoWeek(time).year % 100, width: 2 },
  m: { value: ({ month }) => month, width: 2 },
  d: { value: ({ day }) => day, width: 2 },
  e: { value: ({ day }) => day, width: 2, isBlankPadded: true },
  j: { value: yearDay, width: 3 },
  H: { value: ({ hour }) => hour, width: 2 },
  k: { value: ({ hour }) => hour, width: 2, isBlankPadded: true },
  I: { value: ({ hour }) => hour % 12 || 12, width: 2 },
  l: { value: ({ hour }) => hour % 12 || 12, width: 2, isBlankPadded: true },
  M: { value: ({ minute }) => minute, width: 2 },
  S: { value: ({ second }) => second, width: 2 },
  s: { value: ({ unixSeconds }) => unixSeconds, width: 1, isBlankPadded: true },
  f: { value: ({ microsecond }) => microsecond, width: 6 },
  w: { value: weekday, width: 1 },
  u: { value: (time) => weekday(time) || 7, width: 1 },
  V: { value: (time) => isoWeek(time).week, width: 2 },
  U: { value: (time) => Math.floor((yearDay(time) + 6 - weekday(time)) / 7), width: 2 },
  W: { value: (time) => Math.floor((yearDay(time) + 6 - ((weekday(time) + 6) % 7)) / 7), width: 2 },
};

const NAMES: Readonly<Record<string, (time: ZonedTime) => string>> = {
  B: ({ month }) => MONTHS[month - 1]!,
  b: ({ month }) => MONTHS[month - 1]!.slice(0, SHORT_NAME),
  h: ({ month }) => MONTHS[month - 1]!.slice(0, SHORT_NAME),
  A: (time) => WEEKDAYS[weekday(time)]!,
  a: (time) => WEEKDAYS[weekday(time)]!.slice(0, SHORT_NAME),
  p: ({ hour }) => (hour < 12 ? 'AM' : 'PM'),
  P: ({ hour }) => (hour < 12 ? 'am' : 'pm'),
};

function zoneOffset(minutes: number, separator: string): string {
  const size = Math.abs(minutes);
  const [hours, rest] = [Math.floor(size / 60), size % 60].map((part) => String(part).padStart(2, '0'));
  return `${minutes < 0 ? '-' : '+'}${hours}${separator}${rest}`;
}

interface Directive {
  /** As written, for what is unknown. */
  text: string;
  flags: string;
  width: number;
  name: string;
}

function formatOne(time: ZonedTime, { text, flags, width, name }: Directive): string {
  const composite = COMPOSITES[name];
  if (composite !== undefined) return formatTime(time, composite);
  // With a width behind it, the flag that takes padding away means blanks.
  const isBare = flags.includes('-') && width === 0;
  const number = NUMBERS[name];
  if (number !== undefined) {
    const digits = String(number.value(time));
    if (isBare) return digits;
    const isBlank = /[-_]/.test(flags) || (number.isBlankPadded === true && !flags.includes('0'));
    // The year's usual width gives way to a smaller one; the others do not.
    const wanted = 'YG'.includes(name) ? width || number.width : Math.max(width, number.width);
    return digits.padStart(wanted, isBlank ? ' ' : '0');
  }
  const named = NAMES[name]?.(time);
  const plain = named ?? LITERALS[name] ?? (name.endsWith('z') ? offsetText(time, name) : undefined);
  if (plain === undefined) return text;
  const cased = named === undefined ? plain : withCase(plain, flags, name);
  return cased.padStart(width, flags.includes('0') ? '0' : ' ');
}

function offsetText({ offsetMinutes }: ZonedTime, name: string): string {
  return zoneOffset(offsetMinutes, name === 'z' ? '' : ':');
}

function withCase(text: string, flags: string, name: string): string {
  if (flags.includes('#')) return name === 'p' ? text.toLowerCase() : text.toUpperCase();
  return flags.includes('^') ? text.toUpperCase() : text;
}

const DIRECTIVE = /%([-_0^#]*)(\d*)(:?z|[A-Za-z%])/g;

/** @returns the text; what is no directive stays as it is. */
export function formatTime(time: ZonedTime, format: string): string {
  return format.replaceAll(DIRECTIVE, (text: string, flags: string, digits: string, name: string) =>
    formatOne(time, { text, flags, width: Math.min(Number(digits), WIDTH_MAX), name }),
  );
}

/** What a format cannot ask for here; undefined when all is well. */
export function formatIssue(format: string): string | undefined {
  const hasZoneName = [...format.matchAll(DIRECTIVE)].some(([, , , name]) => name === 'Z');
  return hasZoneName ? '%Z is not supported: names of time zones differ between systems, use %z' : undefined;
}
