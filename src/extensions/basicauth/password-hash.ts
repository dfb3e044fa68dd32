/** Password hashes of htpasswd files: which kind one is, and whether a password fits. Pure computation. */
import { createHash, timingSafeEqual } from 'node:crypto';

/** Kinds that take so long that they are computed off the main thread. */
const SLOW_KINDS = ['bcrypt', 'apr1', 'md5crypt'] as const;
type SlowKind = (typeof SLOW_KINDS)[number];
export type HashKind = SlowKind | 'sha' | 'ssha' | 'plain';

const BCRYPT = /^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/;
const MD5_CRYPT = /^\$(apr1|1)\$([^$:]{1,8})\$[./0-9A-Za-z]{22}$/;
const SHA1_BYTES = 20;
const ITOA64 = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** @returns undefined for a hash of a kind, or with a form, that cannot be checked. */
export function hashKind(hash: string): HashKind | undefined {
  if (BCRYPT.test(hash)) return 'bcrypt';
  const md5 = MD5_CRYPT.exec(hash);
  if (md5 !== null) return md5[1] === 'apr1' ? 'apr1' : 'md5crypt';
  if (hash.startsWith('{SHA}')) return shaBytes(hash, 5).length === SHA1_BYTES ? 'sha' : undefined;
  if (hash.startsWith('{SSHA}')) return shaBytes(hash, 6).length > SHA1_BYTES ? 'ssha' : undefined;
  // Whatever announces a scheme is no password as it stands.
  return /^(\$|\{[A-Z0-9-]+\})/.test(hash) ? undefined : 'plain';
}

export function isSlow(kind: HashKind): kind is SlowKind {
  return SLOW_KINDS.some((slow) => slow === kind);
}

/** For every kind but bcrypt. */
export function matchesHash(kind: Exclude<HashKind, 'bcrypt'>, password: string, hash: string): boolean {
  switch (kind) {
    case 'sha':
      return areEqual(sha1(Buffer.from(password)), shaBytes(hash, 5));
    case 'ssha': {
      const bytes = shaBytes(hash, 6);
      const salted = Buffer.concat([Buffer.from(password), bytes.subarray(SHA1_BYTES)]);
      return areEqual(sha1(salted), bytes.subarray(0, SHA1_BYTES));
    }
    case 'plain':
      return areEqual(sha1(Buffer.from(password)), sha1(Buffer.from(hash)));
    case 'apr1':
    case 'md5crypt': {
      const [, magic = '', salt = ''] = MD5_CRYPT.exec(hash) ?? [];
      return areEqual(Buffer.from(md5Crypt(password, salt, `$${magic}$`)), Buffer.from(hash));
    }
  }
}

function shaBytes(hash: string, from: number): Buffer {
  return Buffer.from(hash.slice(from), 'base64');
}

function sha1(bytes: Buffer): Buffer {
  return createHash('sha1').update(bytes).digest();
}

function areEqual(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** The MD5 scheme of FreeBSD's crypt(3), which Apache took over under the name apr1. */
function md5Crypt(password: string, salt: string, magic: string): string {
  const secret = Buffer.from(password);
  const saltBytes = Buffer.from(salt);
  const md5 = (...parts: Buffer[]) => createHash('md5').update(Buffer.concat(parts)).digest();
  const inner = md5(secret, saltBytes, secret);
  const first: Buffer[] = [secret, Buffer.from(magic), saltBytes];
  for (let left = secret.length; left > 0; left -= 16) first.push(inner.subarray(0, Math.min(16, left)));
  for (let bits = secret.length; bits > 0; bits >>= 1) {
    first.push(bits & 1 ? Buffer.from([0]) : secret.subarray(0, 1));
  }
  let digest = md5(...first);
  for (let round = 0; round < 1000; round++) {
    const isOdd = round % 2 === 1;
    const parts = [isOdd ? secret : digest];
    if (round % 3 !== 0) parts.push(saltBytes);
    if (round % 7 !== 0) parts.push(secret);
    parts.push(isOdd ? digest : secret);
    digest = md5(...parts);
  }
  return `${magic}${salt}$${md5CryptText(digest)}`;
}

/** Three bytes to four letters, in an order of its own. */
function md5CryptText(digest: Buffer): string {
  const triples = [
    [0, 6, 12],
    [1, 7, 13],
    [2, 8, 14],
    [3, 9, 15],
    [4, 10, 5],
  ] as const;
  const letters = (value: number, count: number) =>
    Array.from({ length: count }, (_, i) => ITOA64[(value >> (6 * i)) & 63]).join('');
  const text = triples.map(([a, b, c]) => letters((digest[a]! << 16) | (digest[b]! << 8) | digest[c]!, 4));
  return text.join('') + letters(digest[11]!, 2);
}
