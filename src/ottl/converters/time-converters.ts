/** Times: their parts, their text, now. */
import { systemClock } from '../../stdx/clock.ts';
import { EvaluationError } from '../errors.ts';
import { type DurationValue, TimeValue, type Value } from '../value.ts';
import { type Converter, type Converters, optional, param } from './converter.ts';
import { secondsOf } from './rfc3339.ts';
import { layoutOf } from './time-layout.ts';
import { calendarOf, formatTime, parseTime } from './time-text.ts';
import { zoneIssue } from './time-zone.ts';

const part = (read: (date: Date, time: TimeValue) => number): Converter => ({
  params: [param('time', 'time')],
  apply: ([time]) => BigInt(read(calendarOf(time as TimeValue), time as TimeValue)),
});

/** From the year 1 to 1970: what truncation counts from. */
const YEAR_ONE_NANOS = 62_135_596_800n * 1_000_000_000n;

function truncated(time: TimeValue, { nanos: step }: DurationValue): Value {
  if (step <= 0n) return time;
  const rest = (time.nanos + YEAR_ONE_NANOS) % step;
  return new TimeValue(time.nanos - rest, time.offsetSeconds, time.zone);
}

function formatIssue(format: unknown): string | undefined {
  if (typeof format !== 'string') return undefined;
  if (format === '') return 'the format must not be empty';
  try {
    layoutOf(format);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

export const TIME_CONVERTERS: Converters = {
  Now: {
    params: [],
    isVolatile: true,
    apply: () => new TimeValue(BigInt(systemClock.unixMs()) * 1_000_000n),
  },
  Year: part((date) => date.getUTCFullYear()),
  Month: part((date) => date.getUTCMonth() + 1),
  Day: part((date) => date.getUTCDate()),
  Hour: part((date) => date.getUTCHours()),
  Minute: part((date) => date.getUTCMinutes()),
  Second: part((date) => date.getUTCSeconds()),
  Nanosecond: part((_, time) => secondsOf(time).nanos),
  Weekday: part((date) => date.getUTCDay()),
  FormatTime: {
    params: [param('time', 'time'), param('format', 'string')],
    check: ([, format]) => formatIssue(format),
    apply: ([time, format]) => formatTime(time as TimeValue, format as string),
  },
  Time: {
    params: [
      ...[param('time', 'string'), param('format', 'string')],
      ...[optional('location', 'string'), optional('locale', 'string')],
    ],
    check: ([, format, zone, locale]) =>
      formatIssue(format) ??
      zoneIssue(zone) ??
      (locale === undefined ? undefined : '"locale" is not supported yet'),
    apply: ([text, format, zone = 'UTC']) => {
      if (text === '') throw new EvaluationError('there is nothing to read a time from');
      return parseTime(text as string, format as string, zone as string);
    },
  },
  TruncateTime: {
    params: [param('time', 'time'), param('duration', 'duration')],
    apply: ([time, duration]) => truncated(time as TimeValue, duration as DurationValue),
  },
};
