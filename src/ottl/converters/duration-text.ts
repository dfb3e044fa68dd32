const NANOS_S = 1_000_000_000n;

/** `1h2m3.5s`, `1.5ms`, as Go prints durations. */
export function durationText(nanos: bigint): string {
  if (nanos === 0n) return '0s';
  const sign = nanos < 0n ? '-' : '';
  const size = nanos < 0n ? -nanos : nanos;
  if (size < 1000n) return `${sign}${size}ns`;
  if (size < 1_000_000n) return `${sign}${decimal(size, 1000n)}µs`;
  if (size < NANOS_S) return `${sign}${decimal(size, 1_000_000n)}ms`;
  const seconds = size / NANOS_S;
  const rest = `${decimal((seconds % 60n) * NANOS_S + (size % NANOS_S), NANOS_S)}s`;
  if (seconds < 60n) return sign + rest;
  const minutes = `${(seconds / 60n) % 60n}m`;
  return seconds < 3600n ? sign + minutes + rest : `${sign}${seconds / 3600n}h${minutes}${rest}`;
}

function decimal(size: bigint, unit: bigint): string {
  const digits = String(size % unit)
    .padStart(String(unit).length - 1, '0')
    .replace(/0+$/, '');
  return digits === '' ? `${size / unit}` : `${size / unit}.${digits}`;
}
