import type { TimeValue } from '../value.ts';

const NANOS = 1_000_000_000n;

/** Whole seconds since 1970, rounded down, and the nanoseconds behind them. */
export function secondsOf({ nanos }: TimeValue): { seconds: number; nanos: number } {
  const rest = ((nanos % NANOS) + NANOS) % NANOS;
  return { seconds: Number((nanos - rest) / NANOS), nanos: Number(rest) };
}

/** `2006-01-02T15:04:05.999Z`, without trailing zeros, in the time's own zone. */
export function rfc3339(time: TimeValue): string {
  const { seconds, nanos } = secondsOf(time);
  const { offsetSeconds } = time;
  const local = new Date((seconds + offsetSeconds) * 1000).toISOString();
  const fraction = nanos === 0 ? '' : `.${String(nanos).padStart(9, '0').replace(/0+$/, '')}`;
  const minutes = Math.abs(Math.trunc(offsetSeconds / 60));
  const two = (value: number) => String(value).padStart(2, '0');
  const zone =
    offsetSeconds === 0
      ? 'Z'
      : `${offsetSeconds < 0 ? '-' : '+'}${two(Math.trunc(minutes / 60))}:${two(minutes % 60)}`;
  return local.slice(0, -5) + fraction + zone;
}
