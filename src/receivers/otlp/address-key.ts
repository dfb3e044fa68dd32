const GROUPS_OF_A_SITE = 4;
const MAPPED = '::ffff:';

/**
 * What counts as one client: an IPv4 address, or the first 64 bits of an IPv6 one, which is the least that a
 * subscriber has to itself.
 *
 * @param address as node or uWebSockets.js prints it, short or long; anything else is its own key.
 */
export function addressKey(address: string): string {
  const lower = address.toLowerCase();
  if (!lower.includes(':')) return lower;
  if (lower.includes('.')) return lower.slice(lower.lastIndexOf(':') + 1);
  if (lower.startsWith(MAPPED)) return lower;
  const [head = '', tail] = lower.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Math.max(0, 8 - before.length - after.length);
  const groups = [...before, ...Array<string>(tail === undefined ? 0 : zeros).fill('0'), ...after];
  return groups
    .slice(0, GROUPS_OF_A_SITE)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':');
}
