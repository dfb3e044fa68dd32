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
import { isSameTraceId } from '../../otlp/trace-ids.ts';
import type { RequestIndex } from '../../pdata/request-index.ts';
import { assert } from '../../stdx/assert.ts';
import { Decider } from './decider.ts';
import { DecisionMemory, REMEMBERED } from './decision-memory.ts';
import { EpochQueue } from './epochs.ts';
import { Exchange, MESSAGE_FACTS, MESSAGE_FENCE, MESSAGE_HEAD_WORDS, MESSAGE_VERDICTS } from './exchange.ts';
import {
  DECISION_WORDS,
  decodeJournal,
  encodeJournal,
  isJournalEntry,
  type JournalEntry,
  type SamplingPass,
} from './journal.ts';
import { LateSpans } from './late-spans.ts';
import { PassPlanner } from './pass-planner.ts';
import {
  OBSERVED_ROOT,
  OBSERVED_TOO_LARGE,
  type PolicySet,
  VERDICT_NONE,
  VERDICT_SAMPLED,
  type Verdict,
} from './policy-set.ts';
import { RootQueue } from './root-queue.ts';
import type { SamplerMetrics } from './sampler-metrics.ts';
import type { SamplerSettings } from './sampler-settings.ts';
import { rejectOthers } from './selection.ts';
import { overflow, TableRoom } from './table-room.ts';
import {
  HEADER_WORDS,
  INFO_DIRTY,
  INFO_FOREIGN,
  INFO_HAS_ROOT,
  INFO_VERDICT,
  TraceTable,
  WORD_DECIDED_STEP,
  WORD_INFO,
  WORD_LAST_EPOCH,
} from './trace-table.ts';

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
  readonly #planner: PassPlanner;
  readonly #remembered: DecisionMemory;
  readonly #late: LateSpans;
  readonly #decider: Decider;
  /** undefined with one worker. */
  readonly #exchange: Exchange | undefined;
  /** The last step copied something, so that another one, if an empty one, must say that it is over. */
  #isStepOpen = false;
  #lastRestored: HoldingStep | undefined;
  /** End of the newest request. */
  #endOrdinal = 0;
  #isRestoring = true;

  constructor(settings: SamplerSettings) {
    this.#settings = settings;
    this.#policies = settings.policies;
    this.#metrics = settings.metrics;
    this.#late = new LateSpans(settings);
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
    const { worker = 0, workers = 1 } = settings;
    this.#exchange = workers > 1 ? new Exchange(worker, workers, this.#policies.stateWords) : undefined;
    this.#decider = new Decider({
      ...{ settings, table: this.#table, epochs: this.#epochs, roots: this.#roots },
      ...{ remembered: this.#remembered, exchange: this.#exchange },
    });
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
    if (blocksOnOverflow && this.#decider.undecided >= numTraces)
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
    let lateSlot = -1;
    let newTraces = 0;
    for (let item = 0; item < index.itemCount; item++) {
      const at = index.itemTraceId[item]!;
      if (previous < 0 || !isSameTraceId(bytes, at, previous)) {
        previous = at;
        slot = table.findOrAddIn(bytes, at);
        assert(slot >= 0, 'a request was taken for which the table has no room');
        base = slot * table.strideWords;
        if (table.wasAdded) newTraces += this.#enter(bytes, at, base);
        table.words[base + WORD_LAST_EPOCH] = epoch.number;
      }
      if ((table.words[base + WORD_INFO]! & INFO_VERDICT) === VERDICT_NONE) this.#note(item, slot, base);
      else if (!this.#isRestoring) {
        this.#late.note(table.words, base, slot !== lateSlot, receivedUnixMs);
        lateSlot = slot;
      }
      if ((table.words[base + WORD_INFO]! & INFO_VERDICT) === VERDICT_SAMPLED) epoch.hasEarly = true;
    }
    epoch.endOrdinal = endOrdinal;
    this.#endOrdinal = endOrdinal;
    epoch.sizeBytes += index.itemEnd[index.itemCount - 1]! - index.itemStart[0]!;
    this.#metrics.newTraces += newTraces;
  }

  /** A new record, decided at once when the decision is remembered. @returns 1 when the trace is new indeed. */
  #enter(bytes: Uint8Array, at: number, base: number): number {
    const { words } = this.#table;
    const isForeign =
      this.#exchange !== undefined && this.#exchange.ownerOf(words, base) !== this.#exchange.worker;
    if (isForeign) {
      words[base + WORD_INFO] = INFO_FOREIGN;
      this.#decider.undecided++;
      return 0;
    }
    const verdict = this.#remembered.find(bytes, at);
    this.#decider.undecided++;
    if (verdict === VERDICT_NONE || this.#isRestoring) return 1;
    this.#decider.decided(base, verdict);
    return 0;
  }

  #note(item: number, slot: number, base: number): void {
    const { words } = this.#table;
    const facts = base + HEADER_WORDS;
    const flags = this.#policies.observe(item, words, facts);
    if ((words[base + WORD_INFO]! & INFO_FOREIGN) !== 0) return this.#noteForeign(slot, base, flags);
    if ((flags & OBSERVED_TOO_LARGE) !== 0 && !this.#isRestoring)
      return this.#decider.decideNow(base, this.#nowMs);
    this.#decideEarly(base, this.#nowMs);
    if ((flags & OBSERVED_ROOT) !== 0) this.#noteRoot(slot, base);
  }

  #decideEarly(base: number, nowMs: number): void {
    if (!this.#settings.decidesAtIngest || this.#isRestoring) return;
    const { words } = this.#table;
    const verdict = this.#policies.decideEarly(words, base, words, base + HEADER_WORDS, nowMs);
    if (verdict !== VERDICT_NONE) this.#decider.decided(base, verdict);
  }

  #noteRoot(slot: number, base: number): void {
    const { words } = this.#table;
    if ((words[base + WORD_INFO]! & INFO_HAS_ROOT) !== 0) return;
    words[base + WORD_INFO]! |= INFO_HAS_ROOT;
    if (this.#settings.decisionWaitAfterRootMs > 0) this.#roots.push(this.#table.sequenceOf(slot));
  }

  #noteForeign(slot: number, base: number, flags: number): void {
    const { words } = this.#table;
    if ((flags & OBSERVED_ROOT) !== 0) words[base + WORD_INFO]! |= INFO_HAS_ROOT;
    if ((words[base + WORD_INFO]! & INFO_DIRTY) !== 0) return;
    words[base + WORD_INFO]! |= INFO_DIRTY;
    this.#exchange!.touch(this.#exchange!.ownerOf(words, base), this.#table.sequenceOf(slot));
  }

  outgoing(to: number): Uint32Array | undefined {
    return this.#exchange?.next(to, this.#table, !this.#isRestoring);
  }

  incoming(from: number, message: Uint32Array, nowUnixMs: number): boolean {
    const [kind, count] = message as unknown as [number, number];
    if (kind === MESSAGE_FENCE) this.#exchange!.fenceCame();
    else if (kind === MESSAGE_VERDICTS) this.#takeVerdicts(message);
    else {
      assert(kind === MESSAGE_FACTS, 'a message between workers that nobody sends');
      this.#room.forgetOldest(this.#settings.numTraces);
      if (this.#table.free < count) return false;
      this.#takeFacts(from, message, nowUnixMs);
    }
    return true;
  }

  #takeVerdicts(message: Uint32Array): void {
    const table = this.#table;
    for (let at = MESSAGE_HEAD_WORDS; at < message.length; at += DECISION_WORDS) {
      const slot = table.find(message[at]!, message[at + 1]!, message[at + 2]!, message[at + 3]!);
      const base = slot * table.strideWords;
      if (slot < 0 || (table.words[base + WORD_INFO]! & INFO_VERDICT) !== VERDICT_NONE) continue;
      this.#decider.decided(base, message[at + 4] as Verdict);
    }
  }

  #takeFacts(from: number, message: Uint32Array, nowUnixMs: number): void {
    const table = this.#table;
    const { words, strideWords } = table;
    const epoch = this.#epochs.enter(nowUnixMs, this.#endOrdinal, table.next, this.#roots.end);
    const factWords = 5 + this.#policies.stateWords;
    for (let at = MESSAGE_HEAD_WORDS; at < message.length; at += factWords) {
      const slot = table.findOrAdd(message[at]!, message[at + 1]!, message[at + 2]!, message[at + 3]!);
      const base = slot * strideWords;
      if (table.wasAdded) {
        words[base + WORD_LAST_EPOCH] = epoch.number;
        this.#decider.undecided++;
        this.#metrics.newTraces++;
      }
      this.#exchange!.addHolder(words, base, from);
      const verdict = words[base + WORD_INFO]! & INFO_VERDICT;
      if (verdict !== VERDICT_NONE) this.#exchange!.answer(from, words, base, verdict);
      else {
        this.#policies.merge(words, base + HEADER_WORDS, message, at + 5);
        if (message[at + 4] !== 0) this.#noteRoot(slot, base);
        this.#decideEarly(base, nowUnixMs);
      }
    }
  }

  journalFlushed(): void {
    this.#exchange?.journalFlushed();
  }

  get #nowMs(): number {
    return this.#epochs.open?.startUnixMs ?? 0;
  }

  nextStepInMs(nowUnixMs: number): number {
    if (this.#isStepOpen || this.#decider.decisions.count > 0 || this.#decider.isOverfull) return 0;
    const oldest = this.#epochs.closedAt(0) ?? this.#epochs.open;
    if (oldest === undefined) return IDLE_MS;
    if (oldest.endSequence <= this.#decider.decidedSequence && oldest !== this.#epochs.open) return 0;
    const dueMs = this.#decider.dueMs(oldest) - nowUnixMs;
    const hasEarly = this.#settings.decisionWaitAfterRootMs > 0 || this.#settings.decidesAtIngest;
    return Math.max(0, Math.min(dueMs, hasEarly || oldest.hasEarly ? 100 : IDLE_MS));
  }

  step(nowUnixMs: number): HoldingStep | undefined {
    this.#planner.forgetPlanned();
    if (this.#exchange?.isComplete === false) return undefined;
    this.#epochs.closeOld(nowUnixMs, this.#table.next, this.#roots.end);
    if (this.#decider.isOverfull) this.#epochs.close(this.#table.next, this.#roots.end);
    const startMs = this.#settings.clock.monotonicMs();
    this.#decider.run(nowUnixMs);
    this.#metrics.timerLatency.record(this.#settings.clock.monotonicMs() - startMs);
    const passes = this.#planner.plan(this.#decider.step + 1, this.#decider.decidedSequence, nowUnixMs);
    this.#policies.report();
    this.#report(nowUnixMs);
    const hasNews = this.#decider.decisions.count > 0 || passes.length > 0;
    if (!hasNews && !this.#isStepOpen) return undefined;
    return this.#finishPlan(passes, nowUnixMs);
  }

  #finishPlan(passes: SamplingPass[], nowUnixMs: number): HoldingStep {
    this.#decider.step++;
    this.#late.noteStep(this.#decider.step, nowUnixMs);
    this.#exchange?.journalBegun();
    this.#remembered.write(this.#decider.decisions, nowUnixMs, this.#endOrdinal);
    const journal = encodeJournal({
      step: this.#decider.step,
      finishedOrdinal: this.#planner.finishedOrdinal,
      passes,
      decisionCount: this.#decider.decisions.count,
      decisions: this.#decider.decisions.words,
    });
    this.#decider.decisions.clear();
    this.#isStepOpen = passes.length > 0;
    const releasedOrdinal = this.#remembered.releasedOrdinal(this.#planner.releasedOrdinal(nowUnixMs));
    return { step: this.#decider.step, journal, passes, releasedOrdinal };
  }

  select(bytes: Uint8Array, index: RequestIndex, pass: HoldingPass): number {
    return rejectOthers(this.#table, bytes, index, pass);
  }

  #report(nowUnixMs: number): void {
    let oldest = this.#epochs.open;
    for (let at = 0; at < this.#epochs.closedCount; at++) {
      const epoch = this.#epochs.closedAt(at)!;
      if (epoch.endSequence <= this.#decider.decidedSequence) continue;
      oldest = epoch;
      break;
    }
    const oldestMs = oldest === undefined ? 0 : Math.max(0, nowUnixMs - oldest.startUnixMs);
    this.#metrics.report(this.#table.count, this.#decider.undecided, oldestMs, this.#table.touchedBytes);
  }

  isJournal(entry: Uint8Array): boolean {
    return isJournalEntry(entry);
  }

  restoreJournal(entry: Uint8Array): void {
    const journal = decodeJournal(entry);
    const { step, finishedOrdinal, passes } = journal;
    const { words } = this.#table;
    this.#adopt(journal, (base, verdict) => {
      words[base + WORD_INFO]! |= verdict;
      words[base + WORD_DECIDED_STEP] = step;
      this.#decider.undecided--;
    });
    this.#planner.take(passes, step);
    this.#decider.step = step;
    this.#lastRestored = { step, journal: entry, passes, releasedOrdinal: finishedOrdinal };
  }

  importJournal(entry: Uint8Array): number {
    const journal = decodeJournal(entry);
    this.#adopt(journal, (base, verdict) => this.#decider.decided(base, verdict));
    return journal.finishedOrdinal;
  }

  /** Finds or makes the record of each decision that is not made here yet. */
  #adopt(journal: JournalEntry, take: (base: number, verdict: Verdict) => void): void {
    const { decisions, decisionCount } = journal;
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
      const base = slot * table.strideWords;
      // Without room it is only forgotten for late spans: those of a trace that is still pending are there.
      if (slot < 0 || (table.words[base + WORD_INFO]! & INFO_VERDICT) !== VERDICT_NONE) continue;
      if (table.wasAdded) this.#decider.undecided++;
      take(base, verdict);
    }
  }

  restored(): HoldingStep | undefined {
    this.#isRestoring = false;
    // Before the first step, or whoever looks meanwhile would see nothing pending.
    this.#metrics.report(this.#table.count, this.#decider.undecided, 0, this.#table.touchedBytes);
    this.#epochs.close(this.#table.next, this.#roots.end);
    this.#planner.restored();
    this.#decider.restored();
    const last = this.#lastRestored;
    this.#lastRestored = undefined;
    this.#isStepOpen = last !== undefined && last.passes.length > 0;
    return last;
  }

  decideAll(): void {
    this.#epochs.close(this.#table.next, this.#roots.end);
    this.#decider.isEnding = true;
  }
}
