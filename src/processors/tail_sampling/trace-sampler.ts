/**
 * The index of pending traces: notes spans as they arrive, decides traces when their time has come, and names the
 * stretches of the pending log that can be read again and left behind.
 *
 * Positions of spans are not kept. The log is read a second time in its own order, once everything in a stretch is
 * decided, and each span is looked up then: a live trace costs its record alone, and reading is sequential. Where
 * decisions come before `decision_wait`, a stretch is read early as well, and only the rest of it at the end.
 */
import type { PipelineError } from '../../component/errors.ts';
import type { HoldingPass, HoldingProcessor, HoldingStep } from '../../component/holding.ts';
import { ITEM_REJECTED, type RequestIndex } from '../../pdata/request-index.ts';
import { assert } from '../../stdx/assert.ts';
import { DecisionLog } from './decision-log.ts';
import { DecisionMemory, REMEMBERED } from './decision-memory.ts';
import { EPOCH_MS, type Epoch, EpochQueue } from './epochs.ts';
import {
  DECISION_WORDS,
  decodeJournal,
  encodeJournal,
  isJournalEntry,
  type SamplingPass,
} from './journal.ts';
import { PassPlanner } from './pass-planner.ts';
import {
  OBSERVED_ROOT,
  OBSERVED_TOO_LARGE,
  type PolicySet,
  VERDICT_DROPPED,
  VERDICT_NONE,
  VERDICT_NOT_SAMPLED,
  VERDICT_SAMPLED,
  type Verdict,
} from './policy-set.ts';
import { RootQueue } from './root-queue.ts';
import type { SamplerMetrics } from './sampler-metrics.ts';
import type { SamplerSettings } from './sampler-settings.ts';
import { overflow, TableRoom } from './table-room.ts';
import {
  HEADER_WORDS,
  INFO_HAS_ROOT,
  INFO_VERDICT,
  isSameId,
  TraceTable,
  WORD_DECIDED_STEP,
  WORD_INFO,
  WORD_LAST_EPOCH,
} from './trace-table.ts';

/** Traces that one step decides at most: about four milliseconds. */
const STEP_DECISIONS_MAX = 8192;
/** Room in the table beyond `num_traces`, for traces that are decided while their spans are still to be read. */
const SLACK_SHARE = 0.25;
const SLACK_MIN = 16_384;
const EPOCHS_PER_TABLE = 16;
/** Early passes wait a little, so that one of them finds most of what was decided early. */
const EARLY_WAIT_MS = 1000;
const IDLE_MS = 1000;
/** For at most so long the log is kept behind what is finished: its journal tells late spans what was decided. */
const JOURNAL_KEPT_MS = 10_000;

export class TraceSampler implements HoldingProcessor {
  readonly #settings: SamplerSettings;
  readonly #policies: PolicySet;
  readonly #metrics: SamplerMetrics;
  readonly #table: TraceTable;
  readonly #epochs: EpochQueue;
  readonly #room: TableRoom;
  readonly #roots: RootQueue;
  readonly #decisions = new DecisionLog();
  /** Every trace before this sequence number is decided. */
  #decideSequence = 0;
  #undecided = 0;
  #step = 0;
  readonly #planner: PassPlanner;
  readonly #remembered: DecisionMemory;
  /** The last step copied something, so that another one, if an empty one, must say that it is over. */
  #isStepOpen = false;
  #lastRestored: HoldingStep | undefined;
  /** End of the newest request. */
  #endOrdinal = 0;
  #isRestoring = true;
  #isEnding = false;

  constructor(settings: SamplerSettings) {
    this.#settings = settings;
    this.#policies = settings.policies;
    this.#metrics = settings.metrics;
    const slack = Math.max(Math.ceil(settings.numTraces * SLACK_SHARE), SLACK_MIN);
    const capacity = settings.numTraces + slack;
    this.#table = new TraceTable(capacity, this.#policies.stateWords, settings.seed);
    this.#epochs = new EpochQueue(Math.ceil(settings.numTraces / EPOCHS_PER_TABLE));
    this.#room = new TableRoom(this.#table, this.#epochs);
    const hasRootWait = settings.decisionWaitAfterRootMs > 0;
    this.#roots = new RootQueue(hasRootWait ? capacity : 1);
    this.#remembered = new DecisionMemory(
      settings.sampledCacheSize,
      settings.nonSampledCacheSize,
      settings.seed,
    );
    this.#planner = new PassPlanner(this.#epochs, {
      earlyAgeMs: settings.decisionWaitAfterRootMs + EARLY_WAIT_MS,
      isEarlyEverywhere: hasRootWait || settings.decidesAtIngest,
      journalKeptMs: Math.min(settings.decisionWaitMs, JOURNAL_KEPT_MS),
    });
  }

  async start(): Promise<void> {}

  async shutdown(): Promise<void> {}

  get decidesAtStop(): boolean {
    return this.#settings.dropsPendingOnShutdown;
  }

  refusal(bytes: Uint8Array, index: RequestIndex): PipelineError | undefined {
    const { numTraces, blocksOnOverflow } = this.#settings;
    this.#room.forgetOldest(numTraces);
    if (blocksOnOverflow && this.#undecided >= numTraces)
      return overflow('num_traces traces wait for their decision');
    return this.#room.refusal(bytes, index);
  }

  observe(bytes: Uint8Array, index: RequestIndex, receivedUnixMs: number, endOrdinal: number): void {
    const table = this.#table;
    const firstOrdinal = endOrdinal - index.itemCount;
    const epoch = this.#epochs.enter(receivedUnixMs, firstOrdinal, table.next, this.#roots.end);
    this.#policies.begin(bytes, index);
    let previous = -1;
    let base = 0;
    let slot = -1;
    let lateSpans = 0;
    let newTraces = 0;
    for (let item = 0; item < index.itemCount; item++) {
      const at = index.itemTraceId[item]!;
      if (previous < 0 || !isSameId(bytes, at, previous)) {
        previous = at;
        slot = table.findOrAddIn(bytes, at);
        assert(slot >= 0, 'a request was taken for which the table has no room');
        base = slot * table.strideWords;
        if (table.wasAdded) newTraces += this.#enter(bytes, at, base);
        table.words[base + WORD_LAST_EPOCH] = epoch.number;
      }
      if ((table.words[base + WORD_INFO]! & INFO_VERDICT) === VERDICT_NONE) this.#note(item, slot, base);
      else lateSpans++;
      if ((table.words[base + WORD_INFO]! & INFO_VERDICT) === VERDICT_SAMPLED) epoch.hasEarly = true;
    }
    this.#undecided += newTraces;
    epoch.endOrdinal = endOrdinal;
    this.#endOrdinal = endOrdinal;
    epoch.sizeBytes += index.itemEnd[index.itemCount - 1]! - index.itemStart[0]!;
    this.#metrics.newTraces += newTraces;
    this.#metrics.lateSpans += lateSpans;
  }

  /** A new record, decided at once when the decision is remembered. @returns 1 when the trace is new indeed. */
  #enter(bytes: Uint8Array, at: number, base: number): number {
    const verdict = this.#remembered.find(bytes, at);
    if (verdict === VERDICT_NONE || this.#isRestoring) return 1;
    this.#undecided++;
    this.#decided(base, verdict);
    this.#metrics.earlyReleases++;
    return 0;
  }

  #note(item: number, slot: number, base: number): void {
    const { words } = this.#table;
    const facts = base + HEADER_WORDS;
    const flags = this.#policies.observe(item, words, facts);
    if ((flags & OBSERVED_TOO_LARGE) !== 0 && !this.#isRestoring) return this.#decided(base, VERDICT_DROPPED);
    if (this.#settings.decidesAtIngest && !this.#isRestoring) {
      const verdict = this.#policies.decideEarly(words, base, words, facts, this.#nowMs);
      if (verdict !== VERDICT_NONE) this.#decided(base, verdict);
    }
    if ((flags & OBSERVED_ROOT) === 0 || (words[base + WORD_INFO]! & INFO_HAS_ROOT) !== 0) return;
    words[base + WORD_INFO]! |= INFO_HAS_ROOT;
    if (this.#settings.decisionWaitAfterRootMs > 0) this.#roots.push(this.#sequenceOf(slot));
  }

  get #nowMs(): number {
    return this.#epochs.open?.startUnixMs ?? 0;
  }

  /** Slots are used in turn, so that the slot tells the sequence number of the record that is in it. */
  #sequenceOf(slot: number): number {
    const { oldest, capacity } = this.#table;
    return oldest + ((slot - (oldest % capacity) + capacity) % capacity);
  }

  #decided(base: number, verdict: Verdict): void {
    const { words } = this.#table;
    words[base + WORD_INFO] = (words[base + WORD_INFO]! & ~INFO_VERDICT) | verdict;
    words[base + WORD_DECIDED_STEP] = this.#step + 1;
    this.#decisions.add(words, base, verdict);
    this.#remembered.add(words, base, verdict);
    this.#undecided--;
  }

  nextStepInMs(nowUnixMs: number): number {
    if (this.#isStepOpen || this.#decisions.count > 0 || this.#isOverfull) return 0;
    const oldest = this.#epochs.closedAt(0) ?? this.#epochs.open;
    if (oldest === undefined) return IDLE_MS;
    if (oldest.endSequence <= this.#decideSequence && oldest !== this.#epochs.open) return 0;
    const dueMs = this.#dueMs(oldest) - nowUnixMs;
    const hasEarly = this.#settings.decisionWaitAfterRootMs > 0 || this.#settings.decidesAtIngest;
    return Math.max(0, Math.min(dueMs, hasEarly || oldest.hasEarly ? 100 : IDLE_MS));
  }

  get #isOverfull(): boolean {
    return this.#undecided > this.#settings.numTraces;
  }

  #dueMs(epoch: Epoch): number {
    return this.#isEnding ? 0 : epoch.startUnixMs + EPOCH_MS + this.#settings.decisionWaitMs;
  }

  step(nowUnixMs: number): HoldingStep | undefined {
    this.#planner.forgetPlanned();
    this.#epochs.closeOld(nowUnixMs, this.#table.next, this.#roots.end);
    if (this.#isOverfull) this.#epochs.close(this.#table.next, this.#roots.end);
    this.#decideAfterRoots(nowUnixMs);
    this.#decideDue(nowUnixMs);
    const passes = this.#planner.plan(this.#step + 1, this.#decideSequence, nowUnixMs);
    this.#policies.report();
    this.#report(nowUnixMs);
    const hasNews = this.#decisions.count > 0 || passes.length > 0;
    if (!hasNews && !this.#isStepOpen) return undefined;
    return this.#finishPlan(passes, nowUnixMs);
  }

  #finishPlan(passes: SamplingPass[], nowUnixMs: number): HoldingStep {
    this.#step++;
    this.#remembered.write(this.#decisions, nowUnixMs, this.#endOrdinal);
    const journal = encodeJournal({
      step: this.#step,
      finishedOrdinal: this.#planner.finishedOrdinal,
      passes,
      decisionCount: this.#decisions.count,
      decisions: this.#decisions.words,
    });
    this.#decisions.clear();
    this.#isStepOpen = passes.length > 0;
    const releasedOrdinal = this.#remembered.releasedOrdinal(this.#planner.releasedOrdinal(nowUnixMs));
    return { step: this.#step, journal, passes, releasedOrdinal };
  }

  /** Decides epoch by epoch, oldest first, as far as they are due or the table is too full. */
  #decideDue(nowUnixMs: number): void {
    let budget = STEP_DECISIONS_MAX - this.#decisions.count;
    for (let at = 0; budget > 0; at++) {
      const epoch = this.#epochs.closedAt(at);
      if (epoch === undefined) return;
      if (epoch.endSequence <= this.#decideSequence) continue;
      const isDue = this.#dueMs(epoch) <= nowUnixMs;
      if (!isDue && !this.#isOverfull) return;
      budget = this.#decideUpTo(epoch, budget, isDue);
    }
  }

  #decideUpTo(epoch: Epoch, budget: number, isDue: boolean): number {
    const { words, strideWords } = this.#table;
    // Traces that were decided at once may be forgotten before their turn comes.
    this.#decideSequence = Math.max(this.#decideSequence, this.#table.oldest);
    let left = budget;
    while (this.#decideSequence < epoch.endSequence && left > 0) {
      const base = this.#table.slotOf(this.#decideSequence) * strideWords;
      this.#decideSequence++;
      if ((words[base + WORD_INFO]! & INFO_VERDICT) !== VERDICT_NONE) continue;
      if (!isDue) {
        if (!this.#isOverfull) {
          this.#decideSequence--;
          return 0;
        }
        this.#metrics.droppedTooEarly++;
      }
      this.#decideTrace(base, this.#dueMs(epoch));
      left--;
    }
    return left;
  }

  #decideTrace(base: number, nowMs: number): void {
    const { words } = this.#table;
    const facts = base + HEADER_WORDS;
    const isDiscarded = this.#isEnding && this.#settings.dropsPendingOnShutdown;
    const verdict = isDiscarded
      ? VERDICT_NOT_SAMPLED
      : this.#policies.decide(words, base, words, facts, nowMs);
    this.#decided(base, verdict === VERDICT_NONE ? VERDICT_NOT_SAMPLED : verdict);
  }

  #decideAfterRoots(nowUnixMs: number): void {
    const waitMs = this.#settings.decisionWaitAfterRootMs;
    if (waitMs === 0) return;
    const { words, strideWords } = this.#table;
    for (let at = 0; ; at++) {
      const epoch = this.#epochs.closedAt(at);
      if (epoch === undefined || epoch.startUnixMs + waitMs > nowUnixMs) return;
      while (this.#roots.first < epoch.rootEnd && this.#decisions.count < STEP_DECISIONS_MAX) {
        const sequence = this.#roots.shift();
        // Its record may have been renewed or forgotten meanwhile; then it was decided.
        if (sequence < this.#table.oldest) continue;
        const base = this.#table.slotOf(sequence) * strideWords;
        if ((words[base + WORD_INFO]! & INFO_VERDICT) !== VERDICT_NONE) continue;
        this.#decideTrace(base, epoch.startUnixMs + waitMs);
      }
    }
  }

  select(bytes: Uint8Array, index: RequestIndex, pass: HoldingPass): number {
    const table = this.#table;
    const { words, strideWords } = table;
    const { itemFlags, itemTraceId, itemCount } = index;
    let kept = 0;
    let previous = -1;
    let isKept = false;
    for (let item = 0; item < itemCount; item++) {
      const at = itemTraceId[item]!;
      if (previous < 0 || !isSameId(bytes, at, previous)) {
        previous = at;
        const slot = table.findIn(bytes, at);
        const base = slot * strideWords;
        const decidedStep = slot < 0 ? 0 : words[base + WORD_DECIDED_STEP]!;
        isKept =
          decidedStep > pass.afterStep &&
          decidedStep <= pass.untilStep &&
          (words[base + WORD_INFO]! & INFO_VERDICT) === VERDICT_SAMPLED;
      }
      if (isKept) kept++;
      else itemFlags[item]! |= ITEM_REJECTED;
    }
    index.rejectedCount = itemCount - kept;
    return kept;
  }

  #report(nowUnixMs: number): void {
    let oldest = this.#epochs.open;
    for (let at = 0; at < this.#epochs.closedCount; at++) {
      const epoch = this.#epochs.closedAt(at)!;
      if (epoch.endSequence <= this.#decideSequence) continue;
      oldest = epoch;
      break;
    }
    const oldestMs = oldest === undefined ? 0 : Math.max(0, nowUnixMs - oldest.startUnixMs);
    this.#metrics.report(this.#table.count, this.#undecided, oldestMs, this.#table.touchedBytes);
  }

  isJournal(entry: Uint8Array): boolean {
    return isJournalEntry(entry);
  }

  restoreJournal(entry: Uint8Array): void {
    const { step, finishedOrdinal, passes, decisionCount, decisions } = decodeJournal(entry);
    const table = this.#table;
    for (let at = 0; at < decisionCount * DECISION_WORDS; at += DECISION_WORDS) {
      const verdict = (decisions[at + 4]! & INFO_VERDICT) as Verdict;
      this.#remembered.add(decisions, at, verdict);
      if ((decisions[at + 4]! & REMEMBERED) !== 0) continue;
      const slot = table.findOrAdd(
        decisions[at]!,
        decisions[at + 1]!,
        decisions[at + 2]!,
        decisions[at + 3]!,
      );
      // Without room it is only forgotten for late spans: those of a trace that is still pending are there.
      if (slot < 0) continue;
      const base = slot * table.strideWords;
      const info = table.words[base + WORD_INFO]!;
      if ((info & INFO_VERDICT) !== VERDICT_NONE) continue;
      table.words[base + WORD_INFO] = info | verdict;
      table.words[base + WORD_DECIDED_STEP] = step;
      if (!table.wasAdded) this.#undecided--;
    }
    this.#planner.take(passes, step);
    this.#step = step;
    this.#lastRestored = { step, journal: entry, passes, releasedOrdinal: finishedOrdinal };
  }

  restored(): HoldingStep | undefined {
    this.#isRestoring = false;
    this.#epochs.close(this.#table.next, this.#roots.end);
    this.#planner.restored();
    const last = this.#lastRestored;
    this.#lastRestored = undefined;
    this.#isStepOpen = last !== undefined && last.passes.length > 0;
    return last;
  }

  decideAll(): void {
    this.#epochs.close(this.#table.next, this.#roots.end);
    this.#isEnding = true;
  }
}
