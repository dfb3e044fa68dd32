import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/**
 * HMAC-SHA-256 under a key that only this object knows: secrets can be compared and remembered by it without
 * keeping them, and what a comparison takes says nothing about them.
 */
export class KeyedDigest {
  readonly #key = randomBytes(32);

  digest(text: string): Buffer {
    return createHmac('sha256', this.#key).update(text, 'utf8').digest();
  }

  /** Looks at all candidates, whichever matches. */
  matchesAny(text: string, candidates: readonly Buffer[]): boolean {
    const digest = this.digest(text);
    let matches = 0;
    for (const candidate of candidates) matches += timingSafeEqual(digest, candidate) ? 1 : 0;
    return matches > 0;
  }
}
