import { readFileSync } from 'node:fs';

/** Anonymous memory of the process in bytes: what cannot be given back to the system, unlike mapped log pages. */
export function anonymousBytes(): number {
  try {
    const match = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'));
    if (match !== null) return Number(match[1]) * 1024;
  } catch {
    // Only Linux has it; resident memory is the nearest figure elsewhere.
  }
  return process.memoryUsage.rss();
}
