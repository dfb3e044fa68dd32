/** Numbers in at most six characters, and texts that cannot drive a terminal. */

const UNITS = ['', 'K', 'M', 'G', 'T', 'P'];

/** `0`, `7.3`, `950`, `12.3K`, `4.5M`; `-` for what is not known. */
export function formatCount(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '-';
  if (!Number.isFinite(value)) return 'inf';
  if (value > 0 && value < 0.05) return '<0.1';
  let scaled = value;
  let unit = 0;
  while (scaled >= 999.5 && unit < UNITS.length - 1) {
    scaled /= 1000;
    unit += 1;
  }
  const isWhole = scaled >= 99.95 || Math.abs(scaled - Math.round(scaled)) < 0.05;
  return `${isWhole ? Math.round(scaled) : scaled.toFixed(1)}${UNITS[unit]}`;
}

/** Powers of 1024: `512 MiB`. */
export function formatBytes(bytes: number | undefined): string {
  if (bytes === undefined || Number.isNaN(bytes)) return '-';
  let scaled = bytes;
  let unit = 0;
  while (scaled >= 1023.5 && unit < UNITS.length - 1) {
    scaled /= 1024;
    unit += 1;
  }
  const text = scaled >= 99.95 || unit === 0 ? String(Math.round(scaled)) : scaled.toFixed(1);
  return `${text} ${unit === 0 ? 'B' : `${UNITS[unit]}iB`}`;
}

/** A latency: `87us`, `1.2ms`, `350ms`, `2.5s`, `4m10s`. */
export function formatSeconds(seconds: number | undefined): string {
  if (seconds === undefined || Number.isNaN(seconds)) return '-';
  if (seconds < 0.000_999_5) return `${Math.round(seconds * 1e6)}us`;
  if (seconds < 0.099_95) return `${(seconds * 1000).toFixed(1)}ms`;
  if (seconds < 0.999_5) return `${Math.round(seconds * 1000)}ms`;
  if (seconds < 99.95) return `${seconds.toFixed(1)}s`;
  return formatDuration(seconds);
}

/** A span of life: `0s`, `45s`, `4m10s`, `3h02m`, `12d4h`. */
export function formatDuration(seconds: number | undefined): string {
  if (seconds === undefined || Number.isNaN(seconds)) return '-';
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)}h${two(Math.floor(whole / 60) % 60)}m`;
  return `${Math.floor(whole / 86_400)}d${Math.floor(whole / 3600) % 24}h`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

export function formatPercent(share: number | undefined): string {
  return share === undefined || Number.isNaN(share) ? '-' : `${Math.round(share * 100)} %`;
}

/** Ids come from a network peer: control bytes in them must not reach the terminal. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, '?');
}

/** At the left of a column; what is too long keeps its beginning and end, where ids differ. */
export function left(text: string, width: number): string {
  const shown = printable(text);
  if (shown.length <= width) return shown.padEnd(width);
  const end = Math.floor((width - 1) / 3);
  return `${shown.slice(0, width - 1 - end)}~${end === 0 ? '' : shown.slice(-end)}`;
}

export function right(text: string, width: number): string {
  return text.length <= width ? text.padStart(width) : text.slice(0, width);
}
