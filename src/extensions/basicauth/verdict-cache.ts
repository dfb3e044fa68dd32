/** What credentials were found to be, by keyed digest: a slow hash runs once for each pair, not for each request. */
import { KeyedDigest } from '../../stdx/keyed-digest.ts';

const ENTRIES_MAX = 1000;

export class VerdictCache {
  readonly #digest = new KeyedDigest();
  /** Apart, so that guesses cannot push out what is right. Ordered by age. */
  readonly #right = new Map<string, true>();
  readonly #wrong = new Map<string, true>();

  get size(): number {
    return this.#right.size + this.#wrong.size;
  }

  keyOf(credentials: string): string {
    return this.#digest.digest(credentials).toString('base64');
  }

  /** undefined: not known. */
  get(key: string): boolean | undefined {
    if (this.#right.has(key)) return true;
    return this.#wrong.has(key) ? false : undefined;
  }

  set(key: string, isRight: boolean): void {
    const map = isRight ? this.#right : this.#wrong;
    map.set(key, true);
    if (map.size <= ENTRIES_MAX) return;
    for (const oldest of map.keys()) {
      map.delete(oldest);
      return;
    }
  }

  clear(): void {
    this.#right.clear();
    this.#wrong.clear();
  }
}
