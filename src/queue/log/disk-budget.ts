/** Admission to the disk: a byte budget and a free-space reserve, both with a low-water mark. */
import { statfsSync } from 'node:fs';
import type { LogLimits } from './contract.ts';

/** Refusals end when this share of the budget is free again, not at the first freed byte. */
const LOW_WATER_SHARE = 0.9;
const RESERVE_RESUME_SHARE = 1.1;
/** Between two looks at the file system. Bytes written meanwhile are subtracted, so the reserve holds. */
const PROBE_INTERVAL_MS = 500;

export type RefusalReason = 'budget' | 'reserve';

/** Free bytes of the file system for this user; Infinity where it cannot be told. */
export function freeBytesOf(directory: string): number {
  try {
    const stats = statfsSync(directory);
    return stats.bavail * stats.bsize;
  } catch {
    // A file system without the call has no reserve; writing to it still fails cleanly when it is full.
    return Number.POSITIVE_INFINITY;
  }
}

/**
 * Decides whether bytes may be taken. The caller reports what it stored and what is deleted; sizes are those of
 * the files, not of the payloads.
 */
export class DiskBudget {
  readonly #limits: LogLimits;
  readonly #probeFreeBytes: () => number;
  #refusal: RefusalReason | undefined;
  #freeBytes: number;
  #probedMs: number;
  #writtenSinceProbe = 0;

  constructor(limits: LogLimits, nowMs: number, probeFreeBytes: () => number) {
    this.#limits = limits;
    this.#probeFreeBytes = probeFreeBytes;
    this.#freeBytes = probeFreeBytes();
    this.#probedMs = nowMs;
  }

  /** Why the last request was refused; undefined while requests are taken. */
  get refusal(): RefusalReason | undefined {
    return this.#refusal;
  }

  /** @param usedBytes of this log on disk and in memory, before the request. */
  admits(requestBytes: number, usedBytes: number, pendingBytes: number): boolean {
    if (this.#refusal !== undefined) return false;
    if (usedBytes + requestBytes > this.#limits.budgetBytes) this.#refusal = 'budget';
    else if (this.#freeAfter(pendingBytes + requestBytes) < this.#limits.reserveBytes)
      this.#refusal = 'reserve';
    return this.#refusal === undefined;
  }

  #freeAfter(bytes: number): number {
    return this.#freeBytes - this.#writtenSinceProbe - bytes;
  }

  wrote(bytes: number): void {
    this.#writtenSinceProbe += bytes;
  }

  /** The file system refused a write: nothing more is taken until it shows free space again. */
  ranOutOfSpace(nowMs: number): void {
    this.#refusal = 'reserve';
    this.#probedMs = nowMs;
  }

  /** Called at every commit and by a short timer: looks at the file system and ends a refusal. */
  refresh(nowMs: number, usedBytes: number, pendingBytes: number): void {
    if (nowMs - this.#probedMs >= PROBE_INTERVAL_MS) {
      this.#freeBytes = this.#probeFreeBytes();
      this.#writtenSinceProbe = 0;
      this.#probedMs = nowMs;
      if (
        this.#refusal === 'reserve' &&
        this.#freeAfter(pendingBytes) > this.#limits.reserveBytes * RESERVE_RESUME_SHARE
      ) {
        this.#refusal = undefined;
      }
    }
    if (this.#refusal === 'budget' && usedBytes <= this.#limits.budgetBytes * LOW_WATER_SHARE) {
      this.#refusal = undefined;
    }
  }
}
