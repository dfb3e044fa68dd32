/** Decides traces: when their wait is over, when their root has come, or early when there are too many of them. */
import { DecisionLog } from './decision-log.ts';
import type { DecisionMemory } from './decision-memory.ts';
import { EPOCH_MS, type Epoch, type EpochQueue } from './epochs.ts';
import type { Exchange } from './exchange.ts';
import { VERDICT_NONE, VERDICT_NOT_SAMPLED, VERDICT_SAMPLED, type Verdict } from './policy-set.ts';
import type { RootQueue } from './root-queue.ts';
import type { SamplerSettings } from './sampler-settings.ts';
import {
  HEADER_WORDS,
  INFO_FOREIGN,
  INFO_VERDICT,
  type TraceTable,
  WORD_DECIDED_STEP,
  WORD_INFO,
} from './trace-table.ts';

/** Traces that one step decides at most: a few milliseconds. */
const STEP_DECISIONS_MAX = 4096;
/** After a restart clients need a moment to find the engine again: the Collector's exporters wait so long between two tries. */
const RETURN_MS = 5000;

/** What the decider works on; the sampler owns it. */
export interface DeciderParts {
  settings: SamplerSettings;
  table: TraceTable;
  epochs: EpochQueue;
  roots: RootQueue;
  remembered: DecisionMemory;
  /** undefined with one worker. */
  exchange: Exchange | undefined;
}

export class Decider {
  readonly #parts: DeciderParts;
  /** Since the last step. */
  readonly decisions = new DecisionLog();
  /** Every trace before this sequence number is decided. */
  decidedSequence = 0;
  /** Every trace before this one is decided or left to another worker, which must not wait for its answer. */
  #consideredSequence = 0;
  undecided = 0;
  /** Number of the last step; what is decided now belongs to the next one. */
  step = 0;
  /** Nothing is waited for any more. */
  isEnding = false;
  /** Number of the newest epoch from before the engine was away, and when it was last seen at work. */
  #restoredNumber = 0;
  #lastSeenMs = 0;
  /** When it came back; 0 until the first run. */
  #backMs = 0;

  constructor(parts: DeciderParts) {
    this.#parts = parts;
  }

  get isOverfull(): boolean {
    return this.undecided > this.#parts.settings.numTraces;
  }

  dueMs(epoch: Epoch): number {
    return this.isEnding ? 0 : this.#waitedMs(epoch, EPOCH_MS + this.#parts.settings.decisionWaitMs);
  }

  /** All epochs are from before the engine was away. */
  restored(): void {
    const { epochs } = this.#parts;
    const newest = epochs.closedAt(epochs.closedCount - 1);
    this.#restoredNumber = newest?.number ?? 0;
    this.#lastSeenMs = newest?.startUnixMs ?? 0;
    this.#backMs = 0;
  }

  /**
   * When an epoch has waited so long. Time in which nothing could arrive is not waiting: the rest of a trace is with
   * clients or in Kafka then, and would be late for a decision made at once.
   */
  #waitedMs(epoch: Epoch, waitMs: number): number {
    const overMs = epoch.startUnixMs + waitMs;
    if (epoch.number > this.#restoredNumber) return overMs;
    const awayMs = Math.max(this.#backMs - this.#lastSeenMs, 0);
    return Math.max(overMs + awayMs, this.#backMs + Math.min(waitMs, RETURN_MS));
  }

  /** Notes the verdict about the record at `base`, whoever made it. */
  decided(base: number, verdict: Verdict): void {
    const { words } = this.#parts.table;
    words[base + WORD_INFO] = (words[base + WORD_INFO]! & ~INFO_VERDICT) | verdict;
    words[base + WORD_DECIDED_STEP] = this.step + 1;
    this.decisions.add(words, base, verdict);
    this.#parts.remembered.add(words, base, verdict);
    this.#parts.exchange?.decided(words, base, verdict);
    this.undecided--;
  }

  run(nowUnixMs: number): void {
    if (this.#backMs === 0) this.#backMs = nowUnixMs;
    this.#decideAfterRoots(nowUnixMs);
    this.#decideDue(nowUnixMs);
    this.#findDecided();
  }

  /** Decides epoch by epoch, oldest first, as far as they are due or there are too many traces. */
  #decideDue(nowUnixMs: number): void {
    let budget = STEP_DECISIONS_MAX - this.decisions.count;
    for (let at = 0; budget > 0; at++) {
      const epoch = this.#parts.epochs.closedAt(at);
      if (epoch === undefined) return;
      if (epoch.endSequence <= this.#consideredSequence) continue;
      const isDue = this.dueMs(epoch) <= nowUnixMs;
      if (!isDue && !this.isOverfull) return;
      budget = this.#decideUpTo(epoch, budget, isDue);
      if (isDue && budget > 0)
        this.#parts.settings.metrics.lateness.record((nowUnixMs - this.dueMs(epoch)) * 1000);
    }
  }

  /** @returns how many more may be decided; 0 where the next one cannot be. */
  #decideUpTo(epoch: Epoch, budget: number, isDue: boolean): number {
    const { table, settings } = this.#parts;
    const { words, strideWords } = table;
    // Traces that were decided at once may be forgotten before their turn comes.
    this.#consideredSequence = Math.max(this.#consideredSequence, table.oldest);
    let left = budget;
    while (this.#consideredSequence < epoch.endSequence && left > 0) {
      const base = table.slotOf(this.#consideredSequence) * strideWords;
      const info = words[base + WORD_INFO]!;
      if ((info & (INFO_VERDICT | INFO_FOREIGN)) === VERDICT_NONE) {
        if (!isDue && !this.isOverfull) return 0;
        if (!isDue) settings.metrics.droppedTooEarly++;
        this.decideNow(base, this.dueMs(epoch));
        left--;
      }
      this.#consideredSequence++;
    }
    return left;
  }

  #findDecided(): void {
    const { table } = this.#parts;
    const { words, strideWords } = table;
    let sequence = Math.max(this.decidedSequence, table.oldest);
    while (sequence < this.#consideredSequence) {
      const info = words[table.slotOf(sequence) * strideWords + WORD_INFO]!;
      if ((info & INFO_VERDICT) === VERDICT_NONE) break;
      sequence++;
    }
    this.decidedSequence = sequence;
  }

  /** Asks the policies about the record at `base`. */
  decideNow(base: number, nowMs: number): void {
    const { table, settings } = this.#parts;
    const { words } = table;
    const facts = base + HEADER_WORDS;
    const isDiscarded = this.isEnding && settings.dropsPendingOnShutdown;
    const verdict = isDiscarded
      ? VERDICT_NOT_SAMPLED
      : settings.policies.decide(words, base, words, facts, nowMs);
    this.decided(base, verdict === VERDICT_NONE ? VERDICT_NOT_SAMPLED : verdict);
    this.#noteRemoval(base, verdict, nowMs);
  }

  /** A trace whose decision is remembered needs no record any more; in the Collector it has none from now on. */
  #noteRemoval(base: number, verdict: Verdict, nowMs: number): void {
    const { settings, table, epochs } = this.#parts;
    const { sampledCacheSize, nonSampledCacheSize, metrics } = settings;
    if ((verdict === VERDICT_SAMPLED ? sampledCacheSize : nonSampledCacheSize) === 0) return;
    const startMs = epochs.startOf(table.sequenceOf(base / table.strideWords));
    if (startMs !== undefined && nowMs >= startMs)
      metrics.removalAge.record(Math.floor((nowMs - startMs) / 1000));
  }

  #decideAfterRoots(nowUnixMs: number): void {
    const { settings, table, epochs, roots } = this.#parts;
    const waitMs = settings.decisionWaitAfterRootMs;
    if (waitMs === 0) return;
    const { words, strideWords } = table;
    for (let at = 0; ; at++) {
      const epoch = epochs.closedAt(at);
      if (epoch === undefined) return;
      const dueMs = this.#waitedMs(epoch, waitMs);
      if (dueMs > nowUnixMs) return;
      while (roots.first < epoch.rootEnd && this.decisions.count < STEP_DECISIONS_MAX) {
        const sequence = roots.shift();
        // Its record may have been renewed or forgotten meanwhile; then it was decided.
        if (sequence < table.oldest) continue;
        const base = table.slotOf(sequence) * strideWords;
        if ((words[base + WORD_INFO]! & INFO_VERDICT) !== VERDICT_NONE) continue;
        this.decideNow(base, dueMs);
      }
    }
  }
}
