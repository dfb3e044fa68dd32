/**
 * Scenarios of tail sampling. `sampling` reads what the engine says of itself behind a load; `pending` kills it while
 * traces wait on disk and starts it again.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { scrape } from './engine-metrics.ts';
import { runLoad } from './load.ts';
import { diskBytes } from './machine.ts';
import { progressLine } from './report.ts';
import type { Scenario } from './scenario-file.ts';
import { loadMetrics, type Metrics, type RunSettings, Stage } from './scenario-run.ts';

const MIB = 1024 * 1024;
const DECIDE_TIMEOUT_MS = 180_000;
const POLL_MS = 200;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** `sampling.turnMaxMs`: longest time for which a busy pipeline worker served nothing else, within the last minute. */
export async function runSampling(scenario: Scenario, settings: RunSettings): Promise<Metrics> {
  const stage = new Stage(scenario, settings);
  const [load] = scenario.loads;
  if (load === undefined) throw new RangeError('a sampling scenario needs a load');
  await stage.start();
  try {
    const result = await stage.load(load);
    const traces = await scrape('otelcol_processor_tail_sampling_sampling_traces_on_memory');
    return {
      ...loadMetrics(load.name, result),
      'sampling.turnMaxMs': (await scrape('millrace_pipeline_turn_seconds_max')) * 1000,
      'sampling.bytesPerTrace': (await scrape('millrace_sampling_index_bytes')) / traces,
      'sampling.lateMaxMs': (await scrape('millrace_sampling_lateness_seconds_max')) * 1000,
    };
  } finally {
    await stage.stop();
  }
}

/**
 * Fills the pending log up to `pending_gib`, kills the engine and starts it again.
 * `pending.readySeconds`: from the start until requests are taken.
 * `pending.undecidedSpans`: acknowledged spans about which no decision was counted, in either life of the engine.
 */
export async function runPending(scenario: Scenario, settings: RunSettings): Promise<Metrics> {
  const stage = new Stage(scenario, settings);
  const [fill] = scenario.loads;
  if (fill === undefined) throw new RangeError('a pending scenario needs the load fill');
  await stage.start();
  try {
    const options = { ...stage.options(fill), durationMs: 3_000, warmupMs: 0, settleMs: 0 };
    let ackedItems = 0;
    while (
      diskBytes(stage.dataDir) <
      (scenario.settings.pending_gib ?? 4) * 1024 * MIB * settings.timeScale
    ) {
      const result = await runLoad(options, (progress) =>
        settings.print(`    fill     ${progressLine(progress)}`),
      );
      ackedItems += result.ackedItems;
      stage.engine.assertAlive();
    }
    const pendingMiB = diskBytes(stage.dataDir) / MIB;
    const readySeconds = (await stage.restart()) / 1_000;
    const startMs = performance.now();
    while ((await scrape('millrace_sampling_pending_traces')) > 0) {
      if (performance.now() - startMs > DECIDE_TIMEOUT_MS) throw new Error('traces are still pending');
      await sleep(POLL_MS);
    }
    const decided = await scrape('otelcol_processor_tail_sampling_count_spans_sampled');
    return {
      'pending.mib': pendingMiB,
      'pending.readySeconds': readySeconds,
      'pending.decideSeconds': (performance.now() - startMs) / 1_000,
      'pending.undecidedSpans': Math.max(0, ackedItems - decided),
      'pending.sentShare': (await scrape('millrace_sampling_sent_items')) / decided,
    };
  } finally {
    await stage.stop();
  }
}

/** The index alone, in virtual time: what `native-free-bench/sampling-index.ts` prints. */
export async function runIndex(scenario: Scenario, settings: RunSettings): Promise<Metrics> {
  const traces = Math.round((scenario.settings.traces ?? 10_000_000) * settings.timeScale);
  const program = join(settings.root, 'dist/native-free-bench/sampling-index.js');
  const { stdout } = await promisify(execFile)(process.execPath, [program, String(traces)]);
  const found = JSON.parse(stdout) as Record<string, number>;
  return Object.fromEntries(Object.entries(found).map(([name, value]) => [`index.${name}`, value]));
}
