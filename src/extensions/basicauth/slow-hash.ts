/**
 * Thread that computes password hashes made to be slow, so that nobody who guesses can hold the main thread up.
 * The only file that imports bcryptjs.
 */
import { parentPort } from 'node:worker_threads';
import { compareSync } from 'bcryptjs';
import { type HashKind, matchesHash } from './password-hash.ts';

export interface SlowHashQuestion {
  token: number;
  kind: HashKind;
  password: string;
  hash: string;
}

export interface SlowHashAnswer {
  token: number;
  matches: boolean;
}

parentPort?.on('message', ({ token, kind, password, hash }: SlowHashQuestion) => {
  const matches = kind === 'bcrypt' ? compareSync(password, hash) : matchesHash(kind, password, hash);
  parentPort?.postMessage({ token, matches } satisfies SlowHashAnswer);
});
