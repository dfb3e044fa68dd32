/** How long finished stretches of the pending log stay for the sake of the journal entries in them. */
import type { Epoch } from './epochs.ts';

interface Stretch {
  endOrdinal: number;
  startUnixMs: number;
}

export class JournalMemory {
  readonly #keptMs: number;
  readonly #stretches: Stretch[] = [];

  /** @param keptMs from the arrival of what is in a stretch. */
  constructor(keptMs: number) {
    this.#keptMs = keptMs;
  }

  finished({ endOrdinal, startUnixMs }: Epoch): void {
    this.#stretches.push({ endOrdinal, startUnixMs });
  }

  /** @param finishedOrdinal where the log could be released when nothing had to stay. */
  releasedOrdinal(nowUnixMs: number, finishedOrdinal: number): number {
    const isOld = ({ startUnixMs }: Stretch) => startUnixMs + 2 * this.#keptMs <= nowUnixMs;
    let released = 0;
    while (this.#stretches[0] !== undefined && isOld(this.#stretches[0]))
      released = this.#stretches.shift()!.endOrdinal;
    return this.#stretches.length === 0 ? finishedOrdinal : released;
  }
}
