/** Which folder of the keys stands for an hour, and from when to when data goes there. */
import { formatTime } from '../../s3/strftime.ts';
import { ZoneClock, type ZonedTime } from '../../s3/zoned-time.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** No folder of a format that was let through lasts longer than a year. */
const SPAN_MINUTES_MAX = 800 * 24 * 60;
/** Directives that are several folders. */
const SLASHED = /%[-_0^#]*\d*[Dx]/g;

export interface FolderSpan {
  /** Half open, milliseconds since the epoch. */
  fromMs: number;
  toMs: number;
}

/**
 * The deepest folder of a partition format that lasts an hour or longer: `…/hour=10` of
 * `year=%Y/month=%m/day=%d/hour=%H/minute=%M`, a day where hours are not in the format. Where already the first folder
 * that does not come again is shorter, that one.
 */
export class PartitionFolders {
  /** Folders between this one and the objects. */
  readonly depth: number;
  readonly #format: string;
  readonly #clock: ZoneClock;
  #last: FolderSpan = { fromMs: 0, toMs: 0 };

  /** @param format for which `partitionIssue` says nothing. */
  constructor(format: string, timeZone: string) {
    const folders = foldersOf(format);
    const taken = countTaken(folders) ?? folders.length;
    this.depth = folders.length - taken;
    this.#format = folders.slice(0, taken).join('/');
    this.#clock = new ZoneClock(timeZone);
  }

  /** When data of the folder that has this moment arrives. To the minute. */
  span(unixMs: number): FolderSpan {
    const { fromMs, toMs } = this.#last;
    if (unixMs >= fromMs && unixMs < toMs) return this.#last;
    const start = Math.floor(unixMs / MINUTE_MS) * MINUTE_MS;
    const text = this.#text(start);
    const isIn = (minutes: number) => this.#text(start + minutes * MINUTE_MS) === text;
    const after = firstOutside(isIn);
    const before = firstOutside((minutes) => isIn(-minutes));
    this.#last = { fromMs: start - (before - 1) * MINUTE_MS, toMs: start + after * MINUTE_MS };
    return this.#last;
  }

  #text(unixMs: number): string {
    return formatTime(this.#clock.at(unixMs), this.#format);
  }
}

/** A folder or a key without its last parts. */
export function upperFolder(path: string, parts: number): string {
  return parts === 0 ? path : path.split('/').slice(0, -parts).join('/');
}

/** The smallest number above 0 for which `isIn` is false; it is true below and false from there on. */
function firstOutside(isIn: (minutes: number) => boolean): number {
  let inside = 0;
  let outside = 1;
  while (outside < SPAN_MINUTES_MAX && isIn(outside)) {
    inside = outside;
    outside *= 2;
  }
  while (outside - inside > 1) {
    const middle = Math.floor((inside + outside) / 2);
    if (isIn(middle)) inside = middle;
    else outside = middle;
  }
  return outside;
}

/** Why no folder of a format can be finished; undefined when one can. */
export function partitionIssue(format: string): string | undefined {
  const folders = foldersOf(format);
  if (folders.some((folder) => folder === '.' || folder === '..'))
    return 'must not have folders "." or ".." together with "manifest"';
  if (countTaken(folders) !== undefined) return undefined;
  return 'must begin with folders that end and do not come again, together with "manifest": year, month, day and hour, for example';
}

function foldersOf(format: string): string[] {
  return format
    .replaceAll(SLASHED, '%m/%d/%y')
    .split('/')
    .filter((folder) => folder !== '');
}

/** How many of the folders are the one that a manifest is for; undefined: none is ever over, or all come again. */
function countTaken(folders: readonly string[]): number | undefined {
  const formats = folders.map((_, index) => folders.slice(0, index + 1).join('/'));
  const lasting = formats.findLastIndex((format) => isLasting(format, HOUR_MS) && comesOnce(format));
  if (lasting >= 0) return lasting + 1;
  const first = formats.findIndex((format) => isLasting(format, MINUTE_MS) && comesOnce(format));
  return first >= 0 ? first + 1 : undefined;
}

const NOON_MS = Date.UTC(2024, 4, 15, 12);

/** The text is the same for all of a minute, or of an hour. */
function isLasting(format: string, durationMs: number): boolean {
  const texts = [0, 1.5, 1000, 30_000, MINUTE_MS, durationMs / 2, durationMs - 1]
    .filter((offsetMs) => offsetMs < durationMs)
    .map((offsetMs) => textAt(NOON_MS + offsetMs, format));
  return new Set(texts).size === 1;
}

/** Tried at the minutes of two hours, the hours of three days, the days of two years and the months of twelve. */
function comesOnce(format: string): boolean {
  const minutes = Array.from({ length: 120 }, (_, index) => NOON_MS + index * MINUTE_MS);
  const hours = Array.from({ length: 72 }, (_, index) => NOON_MS + index * HOUR_MS);
  const days = Array.from({ length: 731 }, (_, index) => NOON_MS + index * DAY_MS);
  const months = Array.from({ length: 144 }, (_, index) => Date.UTC(2024, index, 15, 12));
  if (textAt(months[0]!, format) === textAt(months.at(-1)!, format)) return false;
  return [minutes, hours, days, months].every((moments) => {
    const seen = new Set<string>();
    let last: string | undefined;
    for (const moment of moments) {
      const text = textAt(moment, format);
      if (text !== last && seen.has(text)) return false;
      seen.add(text);
      last = text;
    }
    return true;
  });
}

function textAt(unixMs: number, format: string): string {
  const date = new Date(unixMs);
  const time: ZonedTime = {
    ...{ year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() },
    ...{ hour: date.getUTCHours(), minute: date.getUTCMinutes(), second: date.getUTCSeconds() },
    microsecond: Math.floor((unixMs % 1000) * 1000),
    offsetMinutes: 0,
    unixSeconds: Math.floor(unixMs / 1000),
  };
  return formatTime(time, format);
}
