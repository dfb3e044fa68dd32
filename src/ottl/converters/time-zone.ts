/** Zones of the IANA database, through what Intl knows of them. */
import { EvaluationError } from '../errors.ts';

const KEPT_MAX = 64;
const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-US', {
      ...{ timeZone: zone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric' },
      ...{ hour: 'numeric', minute: 'numeric', second: 'numeric', era: 'short' },
    });
  } catch {
    throw new EvaluationError(`unknown time zone ${JSON.stringify(zone)}`);
  }
  if (formats.size === KEPT_MAX) formats.clear();
  formats.set(zone, format);
  return format;
}

/** What is wrong with the name of a zone, or undefined. */
export function zoneIssue(zone: unknown): string | undefined {
  if (typeof zone !== 'string') return undefined;
  try {
    formatOf(zone);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** How far east of UTC the zone is at a moment, in seconds. @param seconds since 1970. */
export function offsetAt(zone: string, seconds: number): number {
  if (zone === 'UTC') return 0;
  const parts = Object.fromEntries(
    formatOf(zone)
      .formatToParts(new Date(seconds * 1000))
      .map(({ type, value }) => [type, value]),
  );
  const at = (name: string) => Number(parts[name]);
  return (
    Date.UTC(at('year'), at('month') - 1, at('day'), at('hour'), at('minute'), at('second')) / 1000 - seconds
  );
}

/** Offset of a zone for what its clocks show, in seconds since 1970 as if they showed UTC. */
export function offsetOfLocal(zone: string, localSeconds: number): number {
  const guess = offsetAt(zone, localSeconds);
  return offsetAt(zone, localSeconds - guess);
}
