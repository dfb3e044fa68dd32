/** Sizes in bytes: a plain integer, or a number with a unit (`256MiB`, `1.5GB`). */

const UNIT_BYTES: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/** @returns whole bytes from 0 to 2^53, or undefined when the text is no size. */
export function parseByteSize(text: string): number | undefined {
  const match = /^([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]*)$/.exec(text);
  if (match === null) return undefined;
  const unit = match[2]!.toLowerCase();
  if (!Object.hasOwn(UNIT_BYTES, unit)) return undefined;
  const bytes = Number(match[1]) * UNIT_BYTES[unit]!;
  // A fraction of a unit is fine, a fraction of a byte typed as such is a mistake.
  if (UNIT_BYTES[unit] === 1 && !Number.isInteger(bytes)) return undefined;
  return Number.isSafeInteger(Math.round(bytes)) ? Math.round(bytes) : undefined;
}
