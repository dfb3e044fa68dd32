/**
 * Decides about the traces of one shard as the sampler does, with the time of the recording: the same table, epochs
 * and decider, without the log.
 */
import {
  OUTCOME_NOT_SAMPLED,
  OUTCOME_SAMPLED_EARLIER,
  OUTCOME_TOO_LARGE,
} from '../../../component/sampling-trial.ts';
import { Decider } from '../decider.ts';
import { DecisionMemory } from '../decision-memory.ts';
import { EpochQueue } from '../epochs.ts';
import type { ExplainedPolicySet } from '../policies/compile-policy-set.ts';
import {
  type PolicySet,
  VERDICT_NONE,
  VERDICT_NOT_SAMPLED,
  VERDICT_SAMPLED,
  type Verdict,
} from '../policy-set.ts';
import { RootQueue } from '../root-queue.ts';
import type { SamplerMetrics } from '../sampler-metrics.ts';
import type { SamplerSettings } from '../sampler-settings.ts';
import { TableRoom } from '../table-room.ts';
import { HEADER_WORDS, INFO_HAS_ROOT, INFO_VERDICT, TraceTable, WORD_INFO } from '../trace-table.ts';
import type { TrialComparison } from './trial-comparison.ts';
import { FLAG_ROOT, ROW_BYTES, ROW_FLAGS, ROW_SERVICE, ROW_SPANS } from './trial-rows.ts';
import type { TrialTally } from './trial-tally.ts';

/* What a record holds in front of the facts of the policies. */
const SERVICE = 0;
const SPANS = 1;
const BYTES = 2;
const OUTCOME = 3;
const OWN_WORDS = 4;
const SERVICE_MASK = 0x7fff_ffff;
const SLACK_SHARE = 0.25;
const SLACK_MIN = 4096;
const EPOCHS_PER_TABLE = 16;

export interface TrialShardParts {
  /** Of the first or of the second policy file. */
  side: number;
  settings: Omit<SamplerSettings, 'policies' | 'metrics'>;
  metrics: SamplerMetrics;
  policies: ExplainedPolicySet;
  /** Where the facts of the policies begin in a row. */
  factsInRow: number;
  /** For the number of a policy as it is asked, its number in the configuration. */
  configOrder: readonly number[];
  tally: TrialTally;
  comparison: TrialComparison | undefined;
}

export class TrialShard {
  readonly #parts: TrialShardParts;
  readonly #policies: ExplainedPolicySet;
  readonly #settings: SamplerSettings;
  readonly #table: TraceTable;
  readonly #epochs: EpochQueue;
  readonly #room: TableRoom;
  readonly #roots: RootQueue;
  readonly #remembered: DecisionMemory;
  readonly #decider: Decider;
  readonly #idBytes = new Uint8Array(16);
  readonly #idView = new DataView(this.#idBytes.buffer);
  #nowMs = 0;
  lateSpans = 0;

  constructor(parts: TrialShardParts) {
    this.#parts = parts;
    this.#policies = parts.policies;
    this.#settings = { ...parts.settings, policies: this.#policySet(), metrics: parts.metrics };
    const { numTraces, seed, sampledCacheSize, nonSampledCacheSize } = parts.settings;
    const capacity = numTraces + Math.max(Math.ceil(numTraces * SLACK_SHARE), SLACK_MIN);
    this.#table = new TraceTable(capacity, OWN_WORDS + this.#policies.stateWords, seed);
    this.#epochs = new EpochQueue(Math.ceil(numTraces / EPOCHS_PER_TABLE));
    this.#room = new TableRoom(this.#table, this.#epochs);
    this.#roots = new RootQueue(parts.settings.decisionWaitAfterRootMs > 0 ? capacity : 1);
    this.#remembered = new DecisionMemory(sampledCacheSize, nonSampledCacheSize, seed);
    this.#decider = new Decider({
      ...{ settings: this.#settings, table: this.#table, epochs: this.#epochs, roots: this.#roots },
      ...{ remembered: this.#remembered, exchange: undefined },
    });
  }

  /** What the decider asks: the policies, behind the words that the trial keeps for itself. */
  #policySet(): PolicySet {
    const policies = this.#policies;
    return {
      stateWords: OWN_WORDS + policies.stateWords,
      begin: (bytes, index) => policies.begin(bytes, index),
      observe: (item, words, at) => policies.observe(item, words, at + OWN_WORDS),
      merge: (words, at, from, fromAt) => policies.merge(words, at + OWN_WORDS, from, fromAt + OWN_WORDS),
      decide: (ids, idAt, words, at, nowMs) => {
        this.#nowMs = Math.max(this.#nowMs, nowMs);
        const verdict = policies.decide(ids, idAt, words, at + OWN_WORDS, this.#nowMs);
        this.#note(words, idAt, at, verdict);
        return verdict;
      },
      decideEarly: (ids, idAt, words, at, nowMs) => {
        const verdict = policies.decideEarly(ids, idAt, words, at + OWN_WORDS, nowMs);
        if (verdict !== VERDICT_NONE) this.#note(words, idAt, at, verdict);
        return verdict;
      },
      report: () => policies.report(),
    };
  }

  /** Lets time pass: decides what is due before a section that arrived then. */
  advance(nowMs: number): void {
    this.#epochs.closeOld(nowMs, this.#table.next, this.#roots.end);
    this.#decide(nowMs);
  }

  /** Rows of a section that arrived at `nowMs`, which never goes back. */
  add(
    words: Uint32Array,
    from: number,
    count: number,
    rowWords: number,
    nowMs: number,
    sizeBytes: number,
  ): void {
    const table = this.#table;
    this.#nowMs = Math.max(this.#nowMs, nowMs);
    for (let done = 0; done < count; ) {
      this.#makeRoom();
      const part = Math.min(count - done, table.free);
      table.touch(words, from + done * rowWords, part, rowWords);
      const epoch = this.#epochs.enter(nowMs, 0, table.next, this.#roots.end);
      for (let row = 0; row < part; row++) this.#addRow(words, from + (done + row) * rowWords);
      done += part;
      if (done === count) epoch.sizeBytes += sizeBytes;
    }
    if (this.#decider.isOverfull) this.#decideOverflow(nowMs);
  }

  #addRow(row: Uint32Array, at: number): void {
    const table = this.#table;
    const { words } = table;
    const slot = table.findOrAdd(row[at]!, row[at + 1]!, row[at + 2]!, row[at + 3]!);
    const base = slot * table.strideWords;
    const own = base + HEADER_WORDS;
    const spans = row[at + ROW_SPANS]!;
    const bytes = row[at + ROW_BYTES]!;
    if (this.#parts.side === 0) this.#parts.comparison?.addSpans(words, base, spans, bytes);
    if (row[at + ROW_SERVICE]! > words[own + SERVICE]!) words[own + SERVICE] = row[at + ROW_SERVICE]!;
    if (table.wasAdded) this.#enter(base);
    if ((words[base + WORD_INFO]! & INFO_VERDICT) !== VERDICT_NONE) {
      this.#addLate(own, spans, bytes);
      return;
    }
    words[own + SPANS]! += spans;
    words[own + BYTES]! += bytes;
    this.#policies.merge(words, own + OWN_WORDS, row, at + this.#parts.factsInRow);
    if ((row[at + ROW_FLAGS]! & FLAG_ROOT) !== 0) this.#noteRoot(slot, base);
    if (!this.#settings.decidesAtIngest) return;
    const verdict = this.#settings.policies.decideEarly(words, base, words, own, this.#nowMs);
    if (verdict !== VERDICT_NONE) this.#decider.decided(base, verdict);
  }

  /** A new record; decided at once when the decision is remembered. */
  #enter(base: number): void {
    this.#decider.undecided++;
    if (this.#remembered.isEmpty) return;
    const { words } = this.#table;
    for (let word = 0; word < 4; word++) this.#idView.setUint32(word * 4, words[base + word]!);
    const verdict = this.#remembered.find(this.#idBytes, 0);
    if (verdict === VERDICT_NONE) return;
    const own = base + HEADER_WORDS;
    const isSampled = verdict === VERDICT_SAMPLED;
    words[own + OUTCOME] =
      this.#parts.configOrder.length + (isSampled ? OUTCOME_SAMPLED_EARLIER : OUTCOME_NOT_SAMPLED);
    this.#tellComparison(words, base, own);
    this.#decider.decided(base, verdict);
  }

  /** Spans that come after the decision go where their trace went; without it they make no trace of their own. */
  #addLate(own: number, spans: number, bytes: number): void {
    const { words } = this.#table;
    const { counts } = this.#parts.tally.cell(words[own + SERVICE]! & SERVICE_MASK, words[own + OUTCOME]!);
    counts.spans += spans;
    counts.bytes += bytes;
    this.lateSpans += spans;
  }

  #noteRoot(slot: number, base: number): void {
    const { words } = this.#table;
    if ((words[base + WORD_INFO]! & INFO_HAS_ROOT) !== 0) return;
    words[base + WORD_INFO]! |= INFO_HAS_ROOT;
    if (this.#settings.decisionWaitAfterRootMs === 0) return;
    this.#roots.push(this.#table.sequenceOf(slot));
  }

  /** A decision of the policies, before the record says so. */
  #note(words: Uint32Array, base: number, own: number, verdict: Verdict): void {
    const { configOrder, tally } = this.#parts;
    const by = this.#policies.decidedBy();
    const isOther = verdict === VERDICT_NOT_SAMPLED || verdict === VERDICT_NONE;
    const behind = isOther ? OUTCOME_NOT_SAMPLED : OUTCOME_TOO_LARGE;
    const outcome = by >= 0 ? configOrder[by]! : configOrder.length + behind;
    words[own + OUTCOME] = outcome;
    const cell = tally.cell(words[own + SERVICE]! & SERVICE_MASK, outcome);
    tally.add(cell, words, base, words[own + SPANS]!, words[own + BYTES]!);
    this.#tellComparison(words, base, own);
  }

  #tellComparison(words: Uint32Array, base: number, own: number): void {
    const { comparison, side } = this.#parts;
    comparison?.decided(side, words[own + OUTCOME]!, words, base, words[own + SERVICE]!);
  }

  #makeRoom(): void {
    const table = this.#table;
    this.#room.forgetOldest(this.#settings.numTraces);
    // An old trace that still waits keeps what came after it, decided or not: then it waits no longer.
    while (table.free === 0) {
      this.#epochs.close(table.next, this.#roots.end);
      this.#settings.metrics.droppedTooEarly++;
      this.#decider.isEnding = true;
      this.#decide(0);
      this.#decider.isEnding = false;
      this.#room.forgetOldest(this.#settings.numTraces);
    }
  }

  #decideOverflow(nowMs: number): void {
    this.#epochs.close(this.#table.next, this.#roots.end);
    this.#decide(nowMs);
  }

  #decide(nowMs: number): void {
    const decider = this.#decider;
    do {
      decider.decisions.clear();
      decider.run(nowMs);
    } while (decider.decisions.count > 0);
    for (;;) {
      const epoch = this.#epochs.closedAt(0);
      if (epoch === undefined || epoch.endSequence > decider.decidedSequence) return;
      this.#epochs.dropOldest();
    }
  }

  /** Everything that waits is decided when its time would have come. */
  finish(): void {
    this.#epochs.close(this.#table.next, this.#roots.end);
    this.#decide(Number.MAX_SAFE_INTEGER);
    this.#policies.report();
  }
}
