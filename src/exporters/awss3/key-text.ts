/** Values of resource attributes that become part of a key: whatever a sender writes, it stays one folder name. */
import { createHash } from 'node:crypto';

const SAFE = /^[A-Za-z0-9_.=-]+$/;
const UNSAFE = /[^A-Za-z0-9_.=-]/gu;
const TEXT_MAX = 128;
const HASH_CHARS = 8;
/** Room for the hash and what stands before it. */
const KEPT_CHARS = TEXT_MAX - HASH_CHARS - 1;

/**
 * A folder name of letters, digits and `_.=-`, 128 characters at most, never `.` or `..`. Where the value had to be
 * changed, a hash of it is appended, so that two values that differ never share a folder. Slashes part folders, each
 * of which is treated so; empty ones go.
 *
 * @returns undefined when nothing is left.
 */
export function safePrefix(value: string): string | undefined {
  const folders = value.split('/').filter((folder) => folder !== '');
  if (folders.length === 0) return undefined;
  const isSafe = value.length <= TEXT_MAX && folders.every(isSafeFolder) && folders.join('/') === value;
  if (isSafe) return value;
  const hash = createHash('sha256').update(value).digest('hex').slice(0, HASH_CHARS);
  const kept = folders
    .map((folder) => (/^\.+$/.test(folder) ? '_' : folder.replaceAll(UNSAFE, '_')))
    .join('/')
    .slice(0, KEPT_CHARS);
  return `${kept}-${hash}`;
}

function isSafeFolder(folder: string): boolean {
  return SAFE.test(folder) && folder !== '.' && folder !== '..';
}
