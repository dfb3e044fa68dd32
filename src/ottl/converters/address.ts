import { isIP } from 'node:net';

/** An address as a text, of either family; an IPv4 one inside an IPv6 one is that IPv4 one. Undefined for anything else. */
export function plainAddress(text: string): { address: string; family: 'ipv4' | 'ipv6' } | undefined {
  if (text.includes('%')) return undefined;
  const [, mapped] = /^::ffff:([0-9.]+)$/i.exec(text) ?? [];
  const address = mapped ?? text;
  const kind = isIP(address);
  if (kind === 0) return undefined;
  return { address, family: kind === 4 ? 'ipv4' : 'ipv6' };
}

/** Its 4 or 16 bytes. */
export function addressBytes(text: string): Uint8Array | undefined {
  const found = plainAddress(text);
  if (found === undefined) return undefined;
  if (found.family === 'ipv4') return Uint8Array.from(found.address.split('.'), Number);
  // A tail in dots is two more groups.
  const dotted = found.address.replace(/([0-9]+)\.([0-9]+)\.([0-9]+)\.([0-9]+)$/, (_, a, b, c, d) =>
    [Number(a) * 256 + Number(b), Number(c) * 256 + Number(d)].map((group) => group.toString(16)).join(':'),
  );
  const [head = '', tail] = dotted.split('::');
  const groups = (part: string) =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const front = groups(head);
  const back = tail === undefined ? [] : groups(tail);
  const all = [...front, ...new Array<number>(8 - front.length - back.length).fill(0), ...back];
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}
