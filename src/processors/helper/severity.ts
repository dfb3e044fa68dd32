/** Severities of log records by their names. */
const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];
const NAMES = LEVELS.flatMap((level) => ['', '2', '3', '4'].map((step) => level + step));

/** @param value `INFO`, `error2`, 9 or `"9"`. @returns 1 to 24, or undefined. */
export function severityNumber(value: unknown): number | undefined {
  const text = typeof value === 'number' ? String(value) : typeof value === 'string' ? value : '';
  const number = /^\d{1,2}$/.test(text) ? Number(text) : NAMES.indexOf(text.toUpperCase()) + 1;
  return number >= 1 && number <= NAMES.length ? number : undefined;
}
