/** Decides which stretches of the pending log are read again, how far that has come, and what of the log may go. */
import type { Epoch, EpochQueue } from './epochs.ts';
import type { SamplingPass } from './journal.ts';
import { JournalMemory } from './journal-memory.ts';
import { EarlyRanges } from './passes.ts';

/** Bytes of the pending log that one step reads at most, a whole epoch at least. */
const STEP_BYTES_MAX = 8 * 1024 * 1024;

export interface PlannerSettings {
  /** Age at which an epoch gets its early pass. */
  earlyAgeMs: number;
  /** Every epoch gets an early pass, not only those in which something is known to be decided early. */
  isEarlyEverywhere: boolean;
  /** For so long the log is kept behind what is finished: its journal tells late spans what was decided. */
  journalKeptMs: number;
}

export class PassPlanner {
  readonly #settings: PlannerSettings;
  readonly #epochs: EpochQueue;
  readonly #early = new EarlyRanges();
  readonly #memory: JournalMemory;
  /** Epochs that the present step reads for the last time; they go with the next one. */
  #plannedEpochs = 0;
  /** Everything before it in the pending log has been read for the last time. */
  finishedOrdinal = 0;

  constructor(epochs: EpochQueue, settings: PlannerSettings) {
    this.#settings = settings;
    this.#epochs = epochs;
    this.#memory = new JournalMemory(settings.journalKeptMs);
  }

  /** The passes of the step before were made: its epochs are not needed any more. */
  forgetPlanned(): void {
    for (; this.#plannedEpochs > 0; this.#plannedEpochs--) this.#epochs.dropOldest();
  }

  /** @param decidedSequence every trace before it is decided. */
  plan(step: number, decidedSequence: number, nowUnixMs: number): SamplingPass[] {
    const passes: SamplingPass[] = [];
    this.#planFinal(passes, step, decidedSequence);
    this.#planEarly(passes, step, nowUnixMs);
    this.take(passes, step);
    return passes;
  }

  /** Epochs whose traces are all decided are read for the last time. */
  #planFinal(passes: SamplingPass[], step: number, decidedSequence: number): void {
    let sizeBytes = 0;
    let finished = this.finishedOrdinal;
    for (let epoch = this.#next(); epoch !== undefined; epoch = this.#next()) {
      if (epoch.endSequence > decidedSequence) return;
      if (this.#plannedEpochs > 0 && sizeBytes + epoch.sizeBytes > STEP_BYTES_MAX) return;
      sizeBytes += epoch.sizeBytes;
      this.#plannedEpochs++;
      this.#memory.finished(epoch);
      const first = Math.max(epoch.firstOrdinal, finished);
      if (epoch.endOrdinal > first) this.#early.addFinal(passes, first, epoch.endOrdinal, step);
      finished = Math.max(finished, epoch.endOrdinal);
    }
  }

  #next(): Epoch | undefined {
    return this.#epochs.closedAt(this.#plannedEpochs);
  }

  /** Epochs that wait for their end and may hold something that is decided already. */
  #planEarly(passes: SamplingPass[], step: number, nowUnixMs: number): void {
    const { earlyAgeMs, isEarlyEverywhere } = this.#settings;
    let sizeBytes = 0;
    for (let at = this.#plannedEpochs; sizeBytes < STEP_BYTES_MAX; at++) {
      const epoch = this.#epochs.closedAt(at);
      if (epoch === undefined || epoch.startUnixMs + earlyAgeMs > nowUnixMs) return;
      if (epoch.isPassed || !(epoch.hasEarly || isEarlyEverywhere)) continue;
      epoch.isPassed = true;
      sizeBytes += epoch.sizeBytes;
      this.#early.addPartial(passes, epoch.firstOrdinal, epoch.endOrdinal, step);
    }
  }

  /** Counts passes as made, those of this start and those that the journal of an earlier one tells of. */
  take(passes: readonly SamplingPass[], step: number): void {
    for (const { first, end, isPartial } of passes) {
      if (isPartial) this.#early.add(first, end, step);
      else this.finishedOrdinal = Math.max(this.finishedOrdinal, end);
    }
    this.#early.dropBefore(this.finishedOrdinal);
  }

  releasedOrdinal(nowUnixMs: number): number {
    return this.#memory.releasedOrdinal(nowUnixMs, this.finishedOrdinal);
  }

  /** Behind the last journal entry of an earlier start. */
  restored(): void {
    while ((this.#epochs.closedAt(0)?.endOrdinal ?? Number.POSITIVE_INFINITY) <= this.finishedOrdinal)
      this.#epochs.dropOldest();
    // What was decided when is not known epoch by epoch any more; a pass too many finds nothing.
    for (let at = 0; at < this.#epochs.closedCount; at++) this.#epochs.closedAt(at)!.hasEarly = true;
  }
}
