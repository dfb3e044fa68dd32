/**
 * When the objects of a folder were written, as the folders say: `year=2026/month=03/day=01/hour=10/minute=05`,
 * `dt=2026-03-01/hour=10`, `2026/03/01/10`. The beginning of such a path stands for the whole year, month, day.
 */
import { ZoneClock } from './zoned-time.ts';

/** Half open, in milliseconds since the epoch. */
export interface TimeSpan {
  fromMs: number;
  toMs: number;
}

const UNITS = ['year', 'month', 'day', 'hour', 'minute'] as const;
const MINUTE_MS = 60_000;
type Unit = (typeof UNITS)[number];
const NAMED = /^(year|month|day|hour|minute)=(\d{1,4})$/;
const DATE = /^(?:dt=|date=|day=)?(\d{4})-(\d{2})-(\d{2})$/;
const YEAR = /^(19|20|21)\d\d$/;
const TWO_DIGITS = /^\d\d$/;
const LOWEST = [1970, 1, 1, 0, 0] as const;
const HIGHEST = [2199, 12, 31, 23, 59] as const;

/**
 * @param path folders of a key, or the beginning of them, with or without a slash at the end; an object's own name
 * must not be in it.
 * @param timezone of what the folders are written in, an IANA name or `Local`.
 * @returns undefined when the folders name no year.
 */
export function timeOfFolders(path: string, timezone: string): TimeSpan | undefined {
  const values = readUnits(path.split('/'));
  if (values === undefined) return undefined;
  const from = LOWEST.map((lowest, index) => values[index] ?? lowest) as unknown as Moment;
  if (from.some((value, index) => value < LOWEST[index]! || value > HIGHEST[index]!)) return undefined;
  const next = [...from] as unknown as Moment;
  next[values.length - 1]! += 1;
  return { fromMs: unixMsOf(from, timezone), toMs: unixMsOf(next, timezone) };
}

type Moment = [year: number, month: number, day: number, hour: number, minute: number];

/** Values of the units from the year on, as far as they follow one another. */
function readUnits(folders: readonly string[]): number[] | undefined {
  const found = new Map<Unit, number>();
  for (const folder of folders) {
    const date = DATE.exec(folder);
    const named = NAMED.exec(folder);
    if (date !== null) {
      for (const [index, unit] of UNITS.slice(0, 3).entries()) found.set(unit, Number(date[index + 1]));
    } else if (named !== null) found.set(named[1] as Unit, Number(named[2]));
    else if (YEAR.test(folder) && !found.has('year')) found.set('year', Number(folder));
    else if (TWO_DIGITS.test(folder) && found.has('year')) {
      const next = UNITS.find((unit) => !found.has(unit));
      if (next !== undefined) found.set(next, Number(folder));
    }
  }
  if (!found.has('year')) return undefined;
  const values: number[] = [];
  for (const unit of UNITS) {
    const value = found.get(unit);
    if (value === undefined) break;
    values.push(value);
  }
  return values;
}

const ZONES = new Map<string, ZoneClock>();

function unixMsOf([year, month, day, hour, minute]: Moment, timezone: string): number {
  const asUtc = Date.UTC(year, month - 1, day, hour, minute);
  if (timezone === 'UTC') return asUtc;
  const zone = ZONES.get(timezone) ?? new ZoneClock(timezone);
  ZONES.set(timezone, zone);
  const offsetMs = (unixMs: number) => zone.at(unixMs).offsetMinutes * MINUTE_MS;
  // The offset at the time itself is wanted, and known only for what is taken for it: the second look settles it.
  return asUtc - offsetMs(asUtc - offsetMs(asUtc));
}
