/**
 * Slows down whoever guesses credentials. Right credentials always pass: several clients may share an address,
 * and a lock would let one of them shut the others out. Wrong ones beyond a number are answered late, and only so
 * many late answers may be waited for, which bounds the guesses of an address for each second.
 */
import { addressKey } from './address-key.ts';
import {
  AUTH_ADDRESSES_MAX,
  AUTH_DELAY_MS,
  AUTH_DELAYED_MAX,
  AUTH_FAILURES_FREE,
  AUTH_WINDOW_MS,
} from './limits.ts';

interface Entry {
  windowEndMs: number;
  failures: number;
  /** Readings of the clock when the late answers are due. */
  dueMs: number[];
}

export class AuthLimiter {
  /** Ordered by the last failure, so that the first is the one to forget. */
  readonly #entries = new Map<string, Entry>();

  get trackedAddresses(): number {
    return this.#entries.size;
  }

  /** Whether a request of this address is not even examined. */
  isBlocked(address: string, nowMs: number): boolean {
    if (this.#entries.size === 0) return false;
    const entry = this.#entries.get(addressKey(address));
    if (entry === undefined) return false;
    entry.dueMs = entry.dueMs.filter((dueMs) => dueMs > nowMs);
    return entry.dueMs.length >= AUTH_DELAYED_MAX;
  }

  /** Notes wrong credentials. @returns how long their answer has to wait, in milliseconds. */
  failed(address: string, nowMs: number): number {
    const key = addressKey(address);
    let entry = this.#entries.get(key);
    this.#entries.delete(key);
    if (entry === undefined || entry.windowEndMs <= nowMs) {
      entry = { windowEndMs: nowMs + AUTH_WINDOW_MS, failures: 0, dueMs: entry?.dueMs ?? [] };
    }
    this.#entries.set(key, entry);
    if (this.#entries.size > AUTH_ADDRESSES_MAX) this.#forgetOldest();
    entry.failures += 1;
    if (entry.failures <= AUTH_FAILURES_FREE) return 0;
    entry.dueMs.push(nowMs + AUTH_DELAY_MS);
    return AUTH_DELAY_MS;
  }

  #forgetOldest(): void {
    for (const key of this.#entries.keys()) {
      this.#entries.delete(key);
      return;
    }
  }
}
