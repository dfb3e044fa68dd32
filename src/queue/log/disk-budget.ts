/** Admission to the disk: a byte budget and a free-space reserve, both with a low-water mark. */
import { statfsSync } from 'node:fs';
import type { BudgetGroup, LogDescriptor, LogLimits } from './contract.ts';
import { SharedWords } from './shared-words.ts';

/** Refusals end when this share of the budget is free again, not at the first freed byte. */
export const LOW_WATER_SHARE = 0.9;
const RESERVE_RESUME_SHARE = 1.1;
/**
 * Of a budget that logs share, an equal part of this share stays with each of them: a log whose exporter is dead must
 * not keep the others, whose data comes and goes, from taking anything.
 */
const OWN_SHARE = 0.25;
/** A log gives back only whole segments, so that its bytes must be several of them. */
const SEGMENTS_OF_BUDGET = 4;
const SEGMENTS_OF_OWN_SHARE = 2;
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

/** Size at which a segment of this log is closed: the configured one, or less where the budget is small. */
export function segmentBytesOf({ limits, group }: LogDescriptor): number {
  const ofBudget = Math.ceil(limits.budgetBytes / SEGMENTS_OF_BUDGET);
  const ofOwnShare = group === undefined ? ofBudget : Math.ceil(ownShareBytes(group) / SEGMENTS_OF_OWN_SHARE);
  return Math.min(limits.segmentBytes, ofBudget, ofOwnShare);
}

function ownShareBytes({ budgetBytes, logs }: BudgetGroup): number {
  return (budgetBytes * OWN_SHARE) / logs.length;
}

/** What is retained goes as soon as anybody needs the space, so that nobody has to do without for it. */
function neededBytes(words: SharedWords): number {
  return words.sizeBytes - words.retainedBytes;
}

/** What is left of a group's budget for one log, from the sizes that the others publish. One thread only. */
class GroupShare {
  readonly ownBytes: number;
  readonly #budgetBytes: number;
  readonly #words: SharedWords[];
  readonly #own: SharedWords;
  #othersBytes = 0;

  constructor(group: BudgetGroup, own: SharedWords) {
    this.#budgetBytes = group.budgetBytes;
    this.ownBytes = ownShareBytes(group);
    this.#words = group.logs.map((shared) => new SharedWords(shared));
    this.#own = own;
    this.sample();
  }

  /** What a log does not use of its own share counts as used, or there would be nothing left when it wants it. */
  sample(): void {
    let sumBytes = 0;
    for (const words of this.#words) sumBytes += Math.max(neededBytes(words), this.ownBytes);
    this.#othersBytes = sumBytes - Math.max(neededBytes(this.#own), this.ownBytes);
  }

  /** The own share holds whatever the others have taken, also when they took a little too much. */
  exceeds(usedBytes: number, share: number): boolean {
    if (usedBytes <= this.ownBytes * share) return false;
    return this.#othersBytes + Math.max(usedBytes, this.ownBytes) > this.#budgetBytes * share;
  }

  /** Share of the budget that is in use with everything that is retained. */
  get fillShare(): number {
    return this.#words.reduce((sum, words) => sum + words.sizeBytes, 0) / this.#budgetBytes;
  }
}

/**
 * Decides whether bytes may be taken. The caller reports what it stored and what is deleted; sizes are those of
 * the files, not of the payloads.
 */
export class DiskBudget {
  readonly #limits: LogLimits;
  readonly #group: GroupShare | undefined;
  readonly #probeFreeBytes: () => number;
  #refusal: RefusalReason | undefined;
  #freeBytes: number;
  #probedMs: number;
  #writtenSinceProbe = 0;

  constructor(descriptor: LogDescriptor, nowMs: number, probeFreeBytes: () => number) {
    const { limits, group, shared } = descriptor;
    this.#limits = limits;
    this.#group = group === undefined ? undefined : new GroupShare(group, new SharedWords(shared));
    this.#probeFreeBytes = probeFreeBytes;
    this.#freeBytes = probeFreeBytes();
    this.#probedMs = nowMs;
  }

  /** Why the last request was refused; undefined while requests are taken. */
  get refusal(): RefusalReason | undefined {
    return this.#refusal;
  }

  /** @param usedBytes of this log on disk and in memory, without what is retained, before the request. */
  admits(requestBytes: number, usedBytes: number, pendingBytes: number): boolean {
    if (this.#refusal !== undefined) return false;
    if (this.#exceeds(usedBytes + requestBytes, 1)) this.#refusal = 'budget';
    else if (this.#freeAfter(pendingBytes + requestBytes) < this.#limits.reserveBytes)
      this.#refusal = 'reserve';
    return this.#refusal === undefined;
  }

  /** Whether so many bytes are more than this share of the log's own budget or of the common one. */
  #exceeds(usedBytes: number, share: number): boolean {
    if (usedBytes > this.#limits.budgetBytes * share) return true;
    return this.#group?.exceeds(usedBytes, share) ?? false;
  }

  /** Little is left: what is kept only for speed should go. */
  isTight(usedBytes: number): boolean {
    return this.#exceeds(usedBytes, LOW_WATER_SHARE);
  }

  /**
   * How full the disk is with everything that is retained, 1 being too full: by the budget, or by the reserve.
   * @param sizeBytes of this log, for one that has its budget for itself.
   */
  fillShare(sizeBytes: number): number {
    const ofBudget = this.#group?.fillShare ?? sizeBytes / this.#limits.budgetBytes;
    return this.#freeAfter(0) < this.#limits.reserveBytes * RESERVE_RESUME_SHARE ? 1 : ofBudget;
  }

  /** Bytes that were deleted since: the next look at the file system comes later. */
  gaveBack(bytes: number): void {
    this.#writtenSinceProbe -= bytes;
  }

  /** Looks at what the other logs of the group use. Call at each commit, behind the publishing of the own size. */
  sampleGroup(): void {
    this.#group?.sample();
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
    if (this.#refusal === 'budget' && !this.#exceeds(usedBytes, LOW_WATER_SHARE)) {
      this.#refusal = undefined;
    }
  }
}
