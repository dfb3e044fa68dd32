/** `--scenario NAME[,NAME...]|all`: every bar with its goal against the median of the measured runs. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hardwareLine, projectRoot, warmPageCache } from './machine.ts';
import type { CommandLine } from './options.ts';
import { runDelivery } from './scenario-delivery.ts';
import type { Bar, Scenario } from './scenario-file.ts';
import { evaluateMetric, formatBound, meetsBound, readScenarios } from './scenario-file.ts';
import { runIsolation } from './scenario-isolation.ts';
import { type Metrics, type RunSettings, runOutage, runSteady } from './scenario-run.ts';
import { runIndex, runPending, runSampling } from './scenario-sampling.ts';
import { runConsume, runReplay } from './scenario-stored.ts';

const KINDS = {
  steady: runSteady,
  delivery: runDelivery,
  outage: runOutage,
  isolation: runIsolation,
  sampling: runSampling,
  pending: runPending,
  index: runIndex,
  consume: runConsume,
  replay: runReplay,
};

export type Verdict = 'goal' | 'must' | 'MISS' | 'ERROR';

export interface BarResult {
  readonly scenario: string;
  readonly bar: Bar;
  /** Value of each run. */
  readonly values: readonly number[];
  readonly median: number;
  readonly verdict: Verdict;
}

/** Middle value; of an even number of values the mean of the two in the middle. */
export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const low = sorted[Math.ceil(middle) - 1] ?? Number.NaN;
  const high = sorted[Math.floor(middle)] ?? Number.NaN;
  return (low + high) / 2;
}

export function judgeBar(scenario: string, bar: Bar, runs: readonly Metrics[]): BarResult {
  const values = runs.map((metrics) => evaluateMetric(bar.metric, metrics));
  const median = medianOf(values);
  let verdict: Verdict = 'MISS';
  if (runs.length > 0 && meetsBound(bar.must, median)) {
    verdict = bar.goal === undefined || meetsBound(bar.goal, median) ? 'goal' : 'must';
  }
  return { scenario, bar, values, median, verdict };
}

function formatValue(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  return Math.abs(value) >= 1_000 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3);
}

export function barLine(result: BarResult): string {
  const { bar, median, values, verdict } = result;
  const range = values.length > 1 ? `  (${values.map(formatValue).join(', ')})` : '';
  const goal = bar.goal === undefined ? '' : `  goal ${formatBound(bar.goal)}`;
  return `  ${verdict.padEnd(5)} ${bar.name.padEnd(34)} ${formatValue(median).padStart(10)} ${bar.unit.padEnd(10)} must ${formatBound(bar.must)}${goal}${range}`;
}

function failedBars(scenario: Scenario): BarResult[] {
  return scenario.bars.map((bar) => ({
    scenario: scenario.name,
    bar,
    values: [],
    median: Number.NaN,
    verdict: 'ERROR',
  }));
}

async function runScenario(scenario: Scenario, runs: number, settings: RunSettings): Promise<BarResult[]> {
  const measured: Metrics[] = [];
  for (let run = 1; run <= runs; run += 1) {
    settings.print(`  run ${run} of ${runs}`);
    measured.push(await KINDS[scenario.kind](scenario, settings));
  }
  const results = scenario.bars.map((bar) => judgeBar(scenario.name, bar, measured));
  const dir = join(settings.root, 'loadtest/results');
  mkdirSync(dir, { recursive: true });
  const record = {
    scenario,
    hardware: hardwareLine(settings.workDir),
    timeScale: settings.timeScale,
    measured,
    results,
  };
  writeFileSync(join(dir, `${scenario.name}.json`), `${JSON.stringify(record, undefined, 2)}\n`);
  return results;
}

/**
 * Runs scenarios one after the other and prints the table.
 * @returns whether every bar's must was met.
 */
export async function runScenarios(
  commandLine: CommandLine,
  print: (line: string) => void,
): Promise<boolean> {
  const { flags } = commandLine;
  const root = projectRoot();
  const scenarios = readScenarios(join(root, 'loadtest/scenarios'), flags.scenario ?? 'all');
  const workDir = flags['work-dir'] ?? join(root, 'dist/loadtest-work');
  const settings: RunSettings = { root, workDir, timeScale: Number(flags['time-scale'] ?? 1), print };
  mkdirSync(workDir, { recursive: true });
  print(hardwareLine(workDir));
  if (settings.timeScale !== 1) print(`time scale ${settings.timeScale}: figures are no proof`);
  if (!commandLine.skipsMemoryWarmup) {
    print(
      'writing and deleting a large file first, so that the page cache has memory that was touched before',
    );
    print(`  ${((await warmPageCache(workDir)) / 1024 ** 3).toFixed(1)} GiB written`);
  }
  const results: BarResult[] = [];
  for (const scenario of scenarios) {
    print(`${scenario.name}: ${scenario.title}`);
    try {
      results.push(...(await runScenario(scenario, Number(flags.runs ?? scenario.runs), settings)));
    } catch (error) {
      // The other bars are still worth their time; this one counts as missed.
      print(`  ${error instanceof Error ? error.message : String(error)}`);
      results.push(...failedBars(scenario));
    }
    for (const result of results.filter((one) => one.scenario === scenario.name)) print(barLine(result));
  }
  rmSync(workDir, { recursive: true, force: true });
  print(`\n${hardwareLine(root)}`);
  for (const scenario of scenarios) {
    print(`${scenario.name}: ${scenario.title}`);
    for (const result of results.filter((one) => one.scenario === scenario.name)) print(barLine(result));
  }
  return results.every((result) => result.verdict === 'goal' || result.verdict === 'must');
}
