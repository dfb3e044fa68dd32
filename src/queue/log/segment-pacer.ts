/**
 * How large the next segment gets. Under load segments are large, so that beginning one (milliseconds) is rare. When
 * little comes in they are small: passed segments are then written over while their pages are still warm, instead of
 * one large file that grows for a minute into memory that the machine has to find first.
 */
const SMALLEST_BYTES = 32 * 1024 * 1024;
const FAST_MS = 1000;
const SLOW_MS = 5000;

export class SegmentPacer {
  readonly #bytesMin: number;
  readonly #bytesMax: number;
  #targetBytes: number;
  #begunMs: number;

  constructor(bytesMax: number, nowMs: number) {
    this.#bytesMax = bytesMax;
    this.#bytesMin = Math.min(SMALLEST_BYTES, bytesMax);
    this.#targetBytes = this.#bytesMin;
    this.#begunMs = nowMs;
  }

  /** Size at which the segment that is written to now is full. */
  get targetBytes(): number {
    return this.#targetBytes;
  }

  /** A full segment was replaced: the time it took decides how large the next one gets. */
  rolled(nowMs: number): void {
    const tookMs = nowMs - this.#begunMs;
    this.#begunMs = nowMs;
    if (tookMs < FAST_MS) this.#targetBytes = Math.min(this.#targetBytes * 2, this.#bytesMax);
    else if (tookMs > SLOW_MS) this.#targetBytes = Math.max(this.#targetBytes / 2, this.#bytesMin);
  }
}
