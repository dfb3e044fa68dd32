/** Points in time on command lines. */
import { parseDuration } from '../config/duration.ts';

const TIME = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/;

/**
 * A time such as `2026-03-01T08:00:00Z`, a day such as `2026-03-01` (its beginning in UTC), or a duration such as
 * `30m`, which counts back from something that the caller knows.
 * @returns undefined for anything else.
 */
export function parseTimeWord(text: string): { unixMs: number } | { backMs: number } | undefined {
  if (TIME.test(text)) {
    const unixMs = Date.parse(text);
    return Number.isNaN(unixMs) ? undefined : { unixMs };
  }
  const backMs = parseDuration(text);
  return typeof backMs === 'number' && backMs > 0 ? { backMs } : undefined;
}
