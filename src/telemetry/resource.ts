/** Attributes of the engine itself, and which of them are labels of every series. */
import { randomUUID } from 'node:crypto';

/** What the engine says of itself unless the configuration says otherwise; a new instance with every start. */
export function ownResource(version: string): Record<string, string> {
  return { 'service.instance.id': randomUUID(), 'service.name': 'millrace', 'service.version': version };
}

/** @param configured null takes an attribute away. */
export function mergeResource(
  own: Readonly<Record<string, string>>,
  configured: Readonly<Record<string, string | null>>,
): Record<string, string> {
  const merged = new Map<string, string | null>([...Object.entries(own), ...Object.entries(configured)]);
  return Object.fromEntries([...merged].filter((entry): entry is [string, string] => entry[1] !== null));
}

/** Names match as they are, patterns are none: so does the Collector. */
export function constantLabelNames(
  resource: Readonly<Record<string, string>>,
  filter: { included: readonly string[] | undefined; excluded: readonly string[] } | undefined,
): string[] {
  if (filter === undefined) return [];
  const { included, excluded } = filter;
  return Object.keys(resource).filter(
    (name) => (included === undefined || included.includes(name)) && !excluded.includes(name),
  );
}
