/** Items of two sides in one form, so that what has no meaning does not tell them apart. */
import type { Message } from '../otlp-arbitraries.ts';
import type { FlatItem } from '../otlp-flatten.ts';

/** By everything in them: the two sides may group and order the items of a record in their own way. */
export function sortItems(items: Message[]): Message[] {
  return items
    .map((item) => [JSON.stringify(item), item] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, item]) => item);
}

/** Without what has no meaning: empty messages, defaults, the order of attributes, the time of observation. */
export function plainItem({ resource, scope, item }: FlatItem): Message {
  const { observed_time_unix_nano: _, ...rest } = item;
  return { resource: cleaned(resource ?? {}), scope: cleaned(withoutVersion(scope)), item: cleaned(rest) };
}

/** Each of the two writes its own version for a scope that it makes up. */
function withoutVersion(scope: unknown): unknown {
  const { name, version, ...rest } = (scope ?? {}) as Message;
  return String(name).endsWith('/translator/azure') ? { name, ...rest } : (scope ?? {});
}

function cleaned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(cleaned);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value)
    .map(([key, each]) => [key, PAIR_LISTS.has(key) ? sortedPairs(key, each) : cleaned(each)] as const)
    .filter(([key, each]) => !isDefault(key, each));
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

const PAIR_LISTS = new Set(['attributes', 'kvlist_value']);

/** Each with its key, also an empty one. */
function sortedPairs(name: string, value: unknown): unknown {
  const pairs = (name === 'attributes' ? value : (value as Message).values) as Message[] | undefined;
  return (pairs ?? [])
    .map(({ key, value: each }) => [String(key ?? ''), cleaned(each)] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

function isDefault(key: string, value: unknown): boolean {
  if (key.endsWith('_value')) return false;
  if (value === undefined || value === 0 || value === '0' || value === '' || value === 'AAAAAAAAAAA=')
    return true;
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
