/** Runs a dry run in its workers, and puts their results together. */
import { statSync } from 'node:fs';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { TrialCell, TrialPair, TrialResult, TrialSide } from '../component/sampling-trial.ts';
import type { TrialConfig } from '../registry/sampling-trial.ts';
import { exchangeMemory } from './sample-exchange.ts';
import { planFile, readFile } from './sample-file-source.ts';
import { findLogs, isLogDirectory, planLogs } from './sample-log-source.ts';
import { emptyCounts, type SampleCounts, SampleSink } from './sample-sink.ts';
import type { SamplePlan, SampleTaskInit } from './sample-task.ts';
import type { SampleTeam } from './sample-team.ts';

const SKIPPED_SHOWN_MAX = 20;

export interface SampleInput {
  from: string;
  /** Name of logs. */
  log: string | undefined;
  /** Negative: back from the newest. */
  sinceUnixMs: number;
}

/** What is read, and from when on. */
export interface PlannedInput {
  plan: SamplePlan;
  sinceUnixMs: number;
}

/** Finds out what the path is. @throws for what the file system says. */
export async function planInput(input: SampleInput): Promise<PlannedInput | { error: string }> {
  const { from, log, sinceUnixMs } = input;
  const stats = statSync(from, { throwIfNoEntry: false });
  if (stats === undefined) return { error: 'no such file or directory' };
  if (stats.isDirectory()) {
    if (!isLogDirectory(from))
      return { error: 'is neither a data directory nor a log: it has no "logs" in it' };
    const found = findLogs(from, log);
    return 'error' in found ? found : { plan: await planLogs(found.logs, sinceUnixMs), sinceUnixMs: 0 };
  }
  if (log !== undefined) return { error: '--log names a log of a data directory, and this is a file' };
  const plan = await planFile(from, stats.size);
  if ('error' in plan) return plan;
  if (sinceUnixMs >= 0) return { plan, sinceUnixMs };
  let newestMs = 0;
  const sink = new SampleSink({
    ...{ gather: () => {}, take: () => new Uint32Array(0), apply: () => {} },
    endSection: (endMs) => {
      newestMs = Math.max(newestMs, endMs);
    },
    finish: () => ({ sides: [], pairs: [], services: [], firstUnixMs: 0, lastUnixMs: 0 }),
  });
  // Only the whole file tells which of its spans is the newest.
  let untaken = 0;
  const batches = readFile(plan, () => untaken++, true, sink);
  while ((await batches.next()).done !== true) newestMs = Math.max(newestMs, 0);
  return { plan, sinceUnixMs: Math.max(newestMs + sinceUnixMs, 0) };
}

export interface SampleRun {
  input: PlannedInput;
  configs: readonly TrialConfig[];
  /** Its threads have no task yet. */
  team: SampleTeam;
  examples: number;
  /** Bytes and spans so far, a few times a second. */
  onProgress(bytes: number, spans: number): void;
}

export interface SampleOutcome {
  result: TrialResult;
  counts: SampleCounts;
  /** What policies had to say while they ran. */
  warnings: string[];
}

/** Rejects when a worker fails; the others go on until the team is closed. */
export async function runSample(run: SampleRun): Promise<SampleOutcome> {
  const inits = taskInits(run);
  const progress = inits.map(() => ({ bytes: 0, spans: 0 }));
  const done = await run.team.run(inits, (worker, { bytes, spans }) => {
    progress[worker] = { bytes, spans };
    run.onProgress(sum(progress, 'bytes'), sum(progress, 'spans'));
  });
  const counts = mergeCounts(done.map((each) => each.counts));
  if (run.input.plan.kind === 'log') addSkipped(counts, run.input.plan.skipped);
  return {
    result: mergeResults(
      done.map(({ result }) => result),
      run.examples,
    ),
    counts,
    warnings: [...new Set(done.flatMap(({ warnings }) => warnings))],
  };
}

function taskInits({ input, configs, team, examples }: SampleRun): SampleTaskInit[] {
  const { workers } = team;
  const shared = exchangeMemory(workers);
  const ports: (MessagePort | undefined)[][] = Array.from({ length: workers }, () =>
    new Array<MessagePort | undefined>(workers).fill(undefined),
  );
  for (let one = 0; one < workers; one++) {
    for (let other = one + 1; other < workers; other++) {
      const { port1, port2 } = new MessageChannel();
      ports[one]![other] = port1;
      ports[other]![one] = port2;
    }
  }
  return ports.map((own, worker) => ({
    exchange: { worker, workers, ports: own, shared },
    plan: input.plan,
    configs,
    options: { owner: worker, owners: workers, examplesMax: examples, sinceUnixMs: input.sinceUnixMs },
  }));
}

function sum<K extends string>(all: readonly Record<K, number>[], key: K): number {
  return all.reduce((total, each) => total + each[key], 0);
}

function mergeCounts(all: readonly SampleCounts[]): SampleCounts {
  const counts = emptyCounts();
  for (const each of all) {
    counts.requests += each.requests;
    counts.spans += each.spans;
    counts.bytes += each.bytes;
    counts.badSpans += each.badSpans;
    counts.skippedCount += each.skippedCount;
    counts.skipped.push(...each.skipped);
  }
  counts.skipped = sortedSkipped(counts.skipped);
  return counts;
}

/** Segments are looked at before the workers are, and by each of them again. */
function addSkipped(counts: SampleCounts, skipped: SampleCounts['skipped']): void {
  const news = skipped.filter(({ place }) => !counts.skipped.some((each) => each.place === place));
  counts.skippedCount += news.length;
  counts.skipped = sortedSkipped([...news, ...counts.skipped]);
}

function sortedSkipped(skipped: SampleCounts['skipped']): SampleCounts['skipped'] {
  const compare = new Intl.Collator('en', { numeric: true }).compare;
  return skipped.toSorted((a, b) => compare(a.place, b.place)).slice(0, SKIPPED_SHOWN_MAX);
}

/** @param examples most trace ids of each kind. */
export function mergeResults(results: readonly TrialResult[], examples: number): TrialResult {
  const services = new Map<number, Set<string>>();
  for (const [hash, names] of results.flatMap((each) => each.services))
    services.set(hash, new Set([...(services.get(hash) ?? []), ...names]));
  const arrived = results.filter(({ firstUnixMs }) => firstUnixMs > 0);
  return {
    sides: results[0]!.sides.map((_, side): TrialSide => {
      const parts = results.map((each) => each.sides[side]!);
      return {
        cells: mergeCells(
          parts.flatMap(({ cells }) => cells),
          examples,
        ),
        decidedEarly: sum(parts, 'decidedEarly'),
        lateSpans: sum(parts, 'lateSpans'),
        errors: sum(parts, 'errors'),
      };
    }),
    pairs: mergeCells(
      results.flatMap(({ pairs }) => pairs),
      examples,
    ),
    services: [...services].map(([hash, names]) => [hash, [...names].toSorted()]),
    firstUnixMs:
      Math.min(...arrived.map(({ firstUnixMs }) => firstUnixMs), Number.MAX_SAFE_INTEGER) %
      Number.MAX_SAFE_INTEGER,
    lastUnixMs: Math.max(0, ...arrived.map(({ lastUnixMs }) => lastUnixMs)),
  };
}

function mergeCells<C extends TrialCell | TrialPair>(cells: readonly C[], examples: number): C[] {
  const merged = new Map<string, C>();
  for (const cell of cells) {
    const other = 'otherOutcome' in cell ? cell.otherOutcome : 0;
    const key = `${cell.service} ${cell.outcome} ${other}`;
    const known = merged.get(key);
    if (known === undefined) {
      merged.set(key, { ...cell });
      continue;
    }
    known.traces += cell.traces;
    known.spans += cell.spans;
    known.bytes += cell.bytes;
    known.examples = [...known.examples, ...cell.examples].toSorted().slice(0, examples);
  }
  return [...merged.values()];
}
