/** Users and hashes of one htpasswd text. */
import { type HashKind, hashKind } from './password-hash.ts';

export interface PasswordEntry {
  kind: HashKind;
  hash: string;
}

/**
 * @param where how messages call the text: a file, or the key.
 * @throws Error that names place, line and user, never a hash.
 */
export function parseHtpasswd(text: string, where: string): Map<string, PasswordEntry> {
  const users = new Map<string, PasswordEntry>();
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const colon = line.indexOf(':');
    if (colon <= 0) throw new Error(`${where}, line ${index + 1}: expected user:hash`);
    const user = line.slice(0, colon);
    const hash = line.slice(colon + 1);
    const kind = hashKind(hash);
    if (kind === undefined) {
      const kinds = 'bcrypt, apr1, MD5 crypt, {SHA}, {SSHA} and plain text';
      throw new Error(`${where}, line ${index + 1}: the hash of "${user}" is none of ${kinds}`);
    }
    users.set(user, { kind, hash });
  }
  return users;
}
