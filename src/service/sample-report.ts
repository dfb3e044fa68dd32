/** The result of a dry run as one JSON document; what people read is made of it. */
import {
  OUTCOME_NOT_SAMPLED,
  OUTCOME_SAMPLED_EARLIER,
  OUTCOME_TOO_LARGE,
  type TrialCell,
  type TrialCounts,
  type TrialPair,
  type TrialResult,
} from '../component/sampling-trial.ts';
import type { PolicyFile } from './sample-policies.ts';
import type { SampleOutcome } from './sample-run.ts';
import type { SampleCounts } from './sample-sink.ts';

const SERVICE_OTHER = 1;

export interface ReportCounts extends TrialCounts {
  /** Estimated bytes in ClickHouse. */
  storeBytes: number;
}

export interface ReportOutcome extends ReportCounts {
  /** Name of the policy, or what else became of the traces. */
  name: string;
  /** Type of the policy; absent for what no policy did. */
  type?: string;
  isKept: boolean;
  examples: string[];
}

export interface ReportService {
  service: string;
  seen: ReportCounts;
  kept: ReportCounts;
  outcomes: ReportOutcome[];
}

export interface ReportSide {
  file: string;
  processor: string | undefined;
  seen: ReportCounts;
  kept: ReportCounts;
  /** In the order of the file, then what no policy did. */
  outcomes: ReportOutcome[];
  /** Those with the most bytes first. */
  services: ReportService[];
  decidedEarly: number;
  lateSpans: number;
  errors: number;
}

/** Traces that two policy files decide the same way, or not. */
export type Verdict = 'both' | 'first' | 'second' | 'neither';

export interface ReportDifference extends ReportCounts {
  keptBy: Verdict;
  service: string;
  /** What each file did. */
  first: string;
  second: string;
  examples: string[];
}

export interface SampleReport {
  from: string;
  /** Of the requests, in RFC 3339; null when nothing was read. */
  firstTime: string | null;
  lastTime: string | null;
  requests: number;
  spans: number;
  bytes: number;
  skipped: Pick<SampleCounts, 'skippedCount' | 'skipped' | 'badSpans'>;
  warnings: string[];
  sides: ReportSide[];
  /** With two files. */
  comparison?: { keptBy: Record<Verdict, ReportCounts>; differences: ReportDifference[] };
  seconds: number;
  workers: number;
}

export interface ReportInput {
  from: string;
  files: readonly PolicyFile[];
  outcome: SampleOutcome;
  storeRatio: number;
  seconds: number;
  workers: number;
}

export function buildReport(input: ReportInput): SampleReport {
  const { result, counts, warnings } = input.outcome;
  const { skippedCount, skipped, badSpans } = counts;
  const builder = new ReportBuilder(input);
  const time = (unixMs: number) => (unixMs === 0 ? null : new Date(unixMs).toISOString());
  return {
    from: input.from,
    firstTime: time(result.firstUnixMs),
    lastTime: time(result.lastUnixMs),
    ...{ requests: counts.requests, spans: counts.spans, bytes: counts.bytes },
    ...{ skipped: { skippedCount, skipped, badSpans }, warnings },
    sides: input.files.map((_, side) => builder.side(side)),
    ...(input.files.length > 1 ? { comparison: builder.comparison() } : {}),
    seconds: input.seconds,
    workers: input.workers,
  };
}

class ReportBuilder {
  readonly #input: ReportInput;
  readonly #result: TrialResult;
  readonly #names: ReadonlyMap<number, string>;

  constructor(input: ReportInput) {
    this.#input = input;
    this.#result = input.outcome.result;
    this.#names = new Map([
      [0, '(no service.name)'],
      [SERVICE_OTHER, '(other services)'],
      ...this.#result.services.map(([hash, names]) => [hash, names.join(', ')] as const),
    ]);
  }

  side(side: number): ReportSide {
    const { file, processor, config } = this.#input.files[side]!;
    const { cells, decidedEarly, lateSpans, errors } = this.#result.sides[side]!;
    const kept = cells.filter(({ outcome }) => this.#isKept(side, outcome));
    const numbers = [...config.policies.keys()];
    const others = [OUTCOME_SAMPLED_EARLIER, OUTCOME_NOT_SAMPLED, OUTCOME_TOO_LARGE]
      .map((behind) => config.policies.length + behind)
      .filter((outcome) => cells.some((cell) => cell.outcome === outcome));
    return {
      ...{ file, processor },
      seen: this.#sum(cells),
      kept: this.#sum(kept),
      outcomes: [...numbers, ...others].map((outcome) => this.#outcome(side, outcome, cells)),
      services: this.#services(side, cells),
      ...{ decidedEarly, lateSpans, errors },
    };
  }

  #services(side: number, cells: readonly TrialCell[]): ReportService[] {
    const hashes = [...new Set(cells.map(({ service }) => service))];
    return hashes
      .map((hash): ReportService => {
        const own = cells.filter(({ service }) => service === hash);
        const outcomes = [...new Set(own.map(({ outcome }) => outcome))].toSorted((a, b) => a - b);
        return {
          service: this.#nameOf(hash),
          seen: this.#sum(own),
          kept: this.#sum(own.filter(({ outcome }) => this.#isKept(side, outcome))),
          outcomes: outcomes.map((outcome) => this.#outcome(side, outcome, own)),
        };
      })
      .toSorted((a, b) => b.seen.bytes - a.seen.bytes || (a.service < b.service ? -1 : 1));
  }

  comparison(): NonNullable<SampleReport['comparison']> {
    const { pairs } = this.#result;
    const of = (verdict: Verdict) => this.#sum(pairs.filter((pair) => this.#verdict(pair) === verdict));
    const differences = pairs
      .filter((pair) => ['first', 'second'].includes(this.#verdict(pair)))
      .map(
        (pair): ReportDifference => ({
          keptBy: this.#verdict(pair),
          service: this.#nameOf(pair.service),
          first: this.#outcomeName(0, pair.outcome),
          second: this.#outcomeName(1, pair.otherOutcome),
          ...this.#sum([pair]),
          examples: pair.examples,
        }),
      )
      .toSorted((a, b) => b.bytes - a.bytes || (a.examples[0] ?? '').localeCompare(b.examples[0] ?? ''));
    const keptBy = { both: of('both'), first: of('first'), second: of('second'), neither: of('neither') };
    return { keptBy, differences };
  }

  #verdict({ outcome, otherOutcome }: TrialPair): Verdict {
    const isFirst = this.#isKept(0, outcome);
    const isSecond = this.#isKept(1, otherOutcome);
    if (isFirst) return isSecond ? 'both' : 'first';
    return isSecond ? 'second' : 'neither';
  }

  #nameOf(hash: number): string {
    return this.#names.get(hash) ?? '(unknown)';
  }

  #isKept(side: number, outcome: number): boolean {
    const { policies } = this.#input.files[side]!.config;
    const policy = policies[outcome];
    if (policy === undefined) return outcome === policies.length + OUTCOME_SAMPLED_EARLIER;
    return policy.type !== 'drop';
  }

  #outcomeName(side: number, outcome: number): string {
    const { policies } = this.#input.files[side]!.config;
    const policy = policies[outcome];
    if (policy !== undefined) return policy.name;
    const behind = outcome - policies.length;
    if (behind === OUTCOME_SAMPLED_EARLIER) return '(sampled earlier)';
    return behind === OUTCOME_TOO_LARGE ? '(too large)' : '(not sampled)';
  }

  #outcome(side: number, outcome: number, cells: readonly TrialCell[]): ReportOutcome {
    const own = cells.filter((cell) => cell.outcome === outcome);
    const type = this.#input.files[side]!.config.policies[outcome]?.type;
    const examples = own.flatMap((cell) => cell.examples).toSorted();
    return {
      name: this.#outcomeName(side, outcome),
      ...(type === undefined ? {} : { type }),
      isKept: this.#isKept(side, outcome),
      ...this.#sum(own),
      examples: examples.slice(0, Math.max(0, ...own.map((cell) => cell.examples.length))),
    };
  }

  #sum(cells: readonly TrialCounts[]): ReportCounts {
    const counts = { traces: 0, spans: 0, bytes: 0 };
    for (const { traces, spans, bytes } of cells) {
      counts.traces += traces;
      counts.spans += spans;
      counts.bytes += bytes;
    }
    return { ...counts, storeBytes: Math.round(counts.bytes * this.#input.storeRatio) };
  }
}
