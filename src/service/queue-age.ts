/**
 * How long the oldest unfinished item of a log has waited, told from outside: the end of the log is looked at now and
 * then, and an item is as old as the first look that saw the end behind it. Costs the data path nothing and goes on
 * counting while a delivery stands still.
 */

/** An hour and a half at a look each five seconds; beyond that looks are further apart, but evenly. */
const LOOKS_MAX = 1024;

export class QueueAge {
  /** Ascending ends, and when each was first seen. */
  #looks: { end: number; atMs: number }[] = [];
  /** A look that follows sooner is joined to the one before it. */
  #gapMs = 0;

  /**
   * @param end one past the last item of the log.
   * @param releasedByAll every reader has finished the items before it.
   */
  look(end: number, releasedByAll: number, nowMs: number): void {
    const finished = this.#looks.findIndex((look) => look.end > releasedByAll);
    this.#looks.splice(0, finished < 0 ? this.#looks.length : finished);
    const newest = this.#looks.at(-1);
    if (end <= releasedByAll) return;
    if (newest === undefined) {
      this.#gapMs = 0;
      this.#looks.push({ end, atMs: nowMs });
    } else if (newest.end < end) this.#add(end, nowMs, newest);
  }

  /** Of joined looks the earlier time stays with the later end: an age may become too high, never too low. */
  #add(end: number, nowMs: number, newest: { end: number; atMs: number }): void {
    if (nowMs - newest.atMs < this.#gapMs) {
      newest.end = end;
      return;
    }
    this.#looks.push({ end, atMs: nowMs });
    if (this.#looks.length <= LOOKS_MAX) return;
    this.#gapMs = (2 * (nowMs - this.#looks[0]!.atMs)) / LOOKS_MAX;
    const looks = this.#looks;
    this.#looks = [];
    for (const look of looks) {
      const last = this.#looks.at(-1);
      if (last !== undefined && look.atMs - last.atMs < this.#gapMs) last.end = look.end;
      else this.#looks.push(look);
    }
  }

  /** @returns milliseconds that item `released` waits, 0 when it is not there yet. */
  ageMs(released: number, nowMs: number): number {
    const look = this.#looks.find(({ end }) => end > released);
    return look === undefined ? 0 : nowMs - look.atMs;
  }
}
