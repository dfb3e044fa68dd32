/**
 * The Collector takes headers as a map, and as a list of `{name: ..., value: ...}` (its type configopaque.MapList).
 *
 * @returns the list as a map of own properties; anything else, a list with a name twice too, as it is.
 */
export function mapOfNamedValues(value: unknown): unknown {
  if (!Array.isArray(value) || !value.every(isNamedValue)) return value;
  const map = Object.fromEntries(value.map((each) => [each.name, each.value]));
  return Object.keys(map).length === value.length ? map : value;
}

function isNamedValue(item: unknown): item is { name: string; value: unknown } {
  if (typeof item !== 'object' || item === null) return false;
  const keys = Object.keys(item);
  return keys.length === 2 && keys.includes('value') && typeof (item as { name?: unknown }).name === 'string';
}
