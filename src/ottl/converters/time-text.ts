/** Prints and reads times by their layout. */
import { EvaluationError } from '../errors.ts';
import { TimeValue } from '../value.ts';
import { secondsOf } from './rfc3339.ts';
import { type GoField, type LayoutPart, layoutOf } from './time-layout.ts';
import { offsetOfLocal } from './time-zone.ts';

const MONTHS = [
  ...['January', 'February', 'March', 'April', 'May', 'June', 'July'],
  ...['August', 'September', 'October', 'November', 'December'],
];
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const SECONDS_DAY = 86_400;

/** A date of the calendar in the time's own zone. */
export function calendarOf(time: TimeValue): Date {
  return new Date((secondsOf(time).seconds + time.offsetSeconds) * 1000);
}

const pad = (value: number, digits: number, filling = '0') => String(value).padStart(digits, filling);

export function formatTime(time: TimeValue, format: string): string {
  const date = calendarOf(time);
  const { nanos } = secondsOf(time);
  return layoutOf(format)
    .map((part) => {
      if (part.form === 'text') return part.text;
      if (part.form === 'field') return fieldText(part.field, date, time);
      const digits = pad(nanos, 9).slice(0, part.digits).padEnd(part.digits, '0');
      const shown = part.isTrimmed ? digits.replace(/0+$/, '') : digits;
      return shown === '' ? '' : part.separator + shown;
    })
    .join('');
}

function fieldText(field: GoField, date: Date, { offsetSeconds, zone }: TimeValue): string {
  const hour = date.getUTCHours();
  const half = hour % 12 === 0 ? 12 : hour % 12;
  switch (field) {
    case 'January':
      return MONTHS[date.getUTCMonth()]!;
    case 'Jan':
      return MONTHS[date.getUTCMonth()]!.slice(0, 3);
    case 'Monday':
      return DAYS[date.getUTCDay()]!;
    case 'Mon':
      return DAYS[date.getUTCDay()]!.slice(0, 3);
    case '2006':
      return pad(date.getUTCFullYear(), 4);
    case '06':
      return pad(date.getUTCFullYear() % 100, 2);
    case '01':
      return pad(date.getUTCMonth() + 1, 2);
    case '1':
      return String(date.getUTCMonth() + 1);
    case '002':
      return pad(
        (Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()) -
          Date.UTC(date.getUTCFullYear(), 0)) /
          (SECONDS_DAY * 1000) +
          1,
        3,
      );
    case '02':
      return pad(date.getUTCDate(), 2);
    case '_2':
      return pad(date.getUTCDate(), 2, ' ');
    case '2':
      return String(date.getUTCDate());
    case '15':
      return pad(hour, 2);
    case '03':
      return pad(half, 2);
    case '3':
      return String(half);
    case '04':
      return pad(date.getUTCMinutes(), 2);
    case '4':
      return String(date.getUTCMinutes());
    case '05':
      return pad(date.getUTCSeconds(), 2);
    case '5':
      return String(date.getUTCSeconds());
    case 'PM':
      return hour < 12 ? 'AM' : 'PM';
    case 'pm':
      return hour < 12 ? 'am' : 'pm';
    case 'MST':
      return zone;
    default:
      return offsetText(field, offsetSeconds);
  }
}

function offsetText(field: GoField, offsetSeconds: number): string {
  if (field.startsWith('Z') && offsetSeconds === 0) return 'Z';
  const size = Math.abs(offsetSeconds);
  const parts = [Math.trunc(size / 3600), Math.trunc(size / 60) % 60, size % 60].map((part) => pad(part, 2));
  const shape = field.slice(1).replaceAll(':', '').length / 2;
  return (offsetSeconds < 0 ? '-' : '+') + parts.slice(0, shape).join(field.includes(':') ? ':' : '');
}

interface Parsed {
  year: number;
  month: number;
  day: number;
  yearDay: number;
  hour: number;
  minute: number;
  second: number;
  nanos: number;
  isAfternoon: boolean | undefined;
  offsetSeconds: number | undefined;
  isUtc: boolean;
}

/** @param zone of texts that name none. @throws EvaluationError when the text is not of this form. */
export function parseTime(text: string, format: string, zone: string): TimeValue {
  const parsed: Parsed = {
    ...{ year: 0, month: 1, day: 1, yearDay: 0, hour: 0, minute: 0, second: 0, nanos: 0 },
    ...{ isAfternoon: undefined, offsetSeconds: undefined, isUtc: false },
  };
  let rest = text;
  for (const part of layoutOf(format)) rest = readPart(part, rest, parsed, text);
  if (rest !== '') throw mismatch(text);
  return finish(parsed, text, zone);
}

function mismatch(text: string): EvaluationError {
  return new EvaluationError(`${JSON.stringify(text)} is no time of this format`);
}

function take(rest: string, pattern: RegExp, text: string): RegExpExecArray {
  const match = pattern.exec(rest);
  if (match === null) throw mismatch(text);
  return match;
}

function readPart(part: LayoutPart, rest: string, parsed: Parsed, text: string): string {
  if (part.form === 'text') {
    if (!rest.startsWith(part.text)) throw mismatch(text);
    return rest.slice(part.text.length);
  }
  if (part.form === 'fraction') {
    const found = /^[.,]([0-9]+)/.exec(rest);
    if (found === null) {
      if (part.isTrimmed) return rest;
      throw mismatch(text);
    }
    if (!part.isTrimmed && found[1]!.length !== part.digits) throw mismatch(text);
    parsed.nanos = Number(found[1]!.slice(0, 9).padEnd(9, '0'));
    return rest.slice(found[0].length);
  }
  return readField(part.field, rest, parsed, text);
}

type NumberField = 'year' | 'month' | 'day' | 'yearDay' | 'hour' | 'minute' | 'second';
const NUMBERS: Partial<Record<GoField, readonly [NumberField, RegExp, number, number]>> = {
  '2006': ['year', /^[0-9]{4}/, 0, 9999],
  '01': ['month', /^[0-9]{2}/, 1, 12],
  '1': ['month', /^[0-9]{1,2}/, 1, 12],
  '002': ['yearDay', /^[0-9]{3}/, 1, 366],
  '02': ['day', /^[0-9]{2}/, 1, 31],
  _2: ['day', /^ ?[0-9]{1,2}/, 1, 31],
  '2': ['day', /^ ?[0-9]{1,2}/, 1, 31],
  '15': ['hour', /^[0-9]{1,2}/, 0, 23],
  '03': ['hour', /^[0-9]{2}/, 0, 12],
  '3': ['hour', /^[0-9]{1,2}/, 0, 12],
  '04': ['minute', /^[0-9]{2}/, 0, 59],
  '4': ['minute', /^[0-9]{1,2}/, 0, 59],
  '05': ['second', /^[0-9]{2}/, 0, 59],
  '5': ['second', /^[0-9]{1,2}/, 0, 59],
};

function readField(field: GoField, rest: string, parsed: Parsed, text: string): string {
  const number = NUMBERS[field];
  if (number !== undefined) {
    const [name, pattern, min, max] = number;
    const [digits] = take(rest, pattern, text);
    const value = Number(digits);
    if (value < min || value > max) throw mismatch(text);
    parsed[name] = value;
    const behind = rest.slice(digits.length);
    if (name !== 'second') return behind;
    // A fraction behind the seconds is read even where the layout has none.
    const fraction = /^[.,]([0-9]+)/.exec(behind);
    if (fraction !== null) parsed.nanos = Number(fraction[1]!.slice(0, 9).padEnd(9, '0'));
    return fraction === null ? behind : behind.slice(fraction[0].length);
  }
  switch (field) {
    case '06': {
      const [digits] = take(rest, /^[0-9]{2}/, text);
      parsed.year = Number(digits) + (Number(digits) >= 69 ? 1900 : 2000);
      return rest.slice(2);
    }
    case 'January':
    case 'Jan':
      return readName(field === 'Jan', MONTHS, rest, text, (at) => {
        parsed.month = at + 1;
      });
    case 'Monday':
    case 'Mon':
      return readName(field === 'Mon', DAYS, rest, text, () => {});
    case 'PM':
    case 'pm':
      parsed.isAfternoon = /^p/i.test(take(rest, field === 'PM' ? /^[AP]M/ : /^[ap]m/, text)[0]);
      return rest.slice(2);
    case 'MST': {
      const [name] = take(rest, /^(?:[A-Z]{3,4}|[+-][0-9]{2})/, text);
      if (name === 'UTC') parsed.isUtc = true;
      return rest.slice(name.length);
    }
    default:
      return readOffset(field, rest, parsed, text);
  }
}

function readName(
  isShort: boolean,
  names: readonly string[],
  rest: string,
  text: string,
  found: (at: number) => void,
): string {
  const spelled = names.map((name) => (isShort ? name.slice(0, 3) : name).toLowerCase());
  const at = spelled.findIndex((name) => rest.toLowerCase().startsWith(name));
  if (at < 0) throw mismatch(text);
  found(at);
  return rest.slice(spelled[at]!.length);
}

function readOffset(field: GoField, rest: string, parsed: Parsed, text: string): string {
  if (field.startsWith('Z') && rest.startsWith('Z')) {
    parsed.isUtc = true;
    return rest.slice(1);
  }
  const groups = field.slice(1).replaceAll(':', '').length / 2;
  const colon = field.includes(':') ? ':' : '';
  const pattern = new RegExp(`^([+-])([0-9]{2})${`${colon}([0-9]{2})`.repeat(groups - 1)}`);
  const [all, sign, hours, minutes = '0', seconds = '0'] = take(rest, pattern, text);
  const size = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  parsed.offsetSeconds = sign === '-' ? -size : size;
  return rest.slice(all.length);
}

function finish(parsed: Parsed, text: string, zone: string): TimeValue {
  const { year, yearDay, minute, second, isAfternoon } = parsed;
  let { month, day, hour } = parsed;
  if (isAfternoon === true && hour < 12) hour += 12;
  else if (isAfternoon === false && hour === 12) hour = 0;
  const date = new Date(0);
  if (yearDay > 0) {
    date.setUTCFullYear(year, 0, yearDay);
    month = date.getUTCMonth() + 1;
    day = date.getUTCDate();
  }
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCDate() !== day) throw mismatch(text);
  const local = date.getTime() / 1000 + hour * 3600 + minute * 60 + second;
  const named = parsed.isUtc ? 0 : parsed.offsetSeconds;
  const offset = named ?? offsetOfLocal(zone, local);
  const nanos = BigInt(local - offset) * 1_000_000_000n + BigInt(parsed.nanos);
  return new TimeValue(nanos, offset, named === undefined ? zone : parsed.isUtc ? 'UTC' : '');
}
