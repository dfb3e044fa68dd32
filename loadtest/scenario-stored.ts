/**
 * Scenarios that read what an engine before them has delivered to a real server: `consume` from Kafka, `replay` from S3.
 * Both fill it with the first load and `fill_config`.
 */
import { join } from 'node:path';
import { ManagedProcess } from './child-process.ts';
import { scrape, spansBehind } from './engine-metrics.ts';
import { ProcessWatch } from './process-stats.ts';
import type { Scenario } from './scenario-file.ts';
import { loadMetrics, type Metrics, type RunSettings, Stage } from './scenario-run.ts';
import { S3_BUCKET, S3_ENVIRONMENT, S3_PORT } from './servers.ts';

const STALLED_AFTER_MS = 60_000;
const POLL_MS = 200;
/** Not measured: compilation, and the first polls of the group. */
const WARMUP_SHARE = 0.25;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Polls until the value is at least `wanted`. @throws Error when it has not grown for a minute. */
async function grown(what: string, wanted: number, value: () => Promise<number>): Promise<void> {
  let last = { value: -1, atMs: performance.now() };
  for (;;) {
    const now = await value();
    if (now >= wanted) return;
    if (now !== last.value) last = { value: now, atMs: performance.now() };
    if (performance.now() - last.atMs > STALLED_AFTER_MS)
      throw new Error(`${what}: no more than ${now} of ${wanted} after a minute without any`);
    await sleep(POLL_MS);
  }
}

/** Loads the engine of `fill_config` and waits until everything has been delivered. @returns its spans. */
async function fill(scenario: Scenario, stage: Stage): Promise<{ spans: number; metrics: Metrics }> {
  const [load] = scenario.loads;
  if (load === undefined) throw new RangeError('there must be a load to fill the server with');
  await stage.start();
  const result = await stage.load(load);
  const spans = await scrape('otelcol_receiver_accepted_spans');
  await grown('delivery', spans, async () => spans - (await spansBehind()));
  await stage.stopEngine();
  return { spans, metrics: loadMetrics(load.name, result) };
}

/**
 * `consume.cpuUs` and `consume.itemsPerSecond`: an engine that starts with everything waiting for it in the topic, from
 * a quarter of it to the end. A span counts when it has been flushed.
 */
export async function runConsume(scenario: Scenario, settings: RunSettings): Promise<Metrics> {
  const stage = new Stage(scenario, settings);
  try {
    const { spans, metrics } = await fill(scenario, stage);
    await stage.startReader();
    const taken = async (): Promise<number> => scrape('otelcol_receiver_accepted_spans');
    await grown('spans from the topic', spans * WARMUP_SHARE, taken);
    const watch = new ProcessWatch(stage.engine.pid);
    watch.begin();
    const startMs = performance.now();
    const before = await taken();
    await grown('spans from the topic', spans, taken);
    watch.sample();
    const seconds = (performance.now() - startMs) / 1_000;
    const measured = (await taken()) - before;
    settings.print(`    consumed ${measured} spans in ${seconds.toFixed(1)} s`);
    return {
      ...metrics,
      'consume.cpuUs': (watch.cpuSeconds * 1e6) / measured,
      'consume.itemsPerSecond': measured / seconds,
      // Nobody else writes: more than once is more than was sent.
      'consume.repeatedItems': Math.max(0, (await taken()) - spans),
    };
  } finally {
    await stage.stop();
  }
}

/** `replay.itemsPerSecond`: the whole life of `millrace replay`, from its start to its end. */
export async function runReplay(scenario: Scenario, settings: RunSettings): Promise<Metrics> {
  const stage = new Stage(scenario, settings);
  try {
    const { spans, metrics } = await fill(scenario, stage);
    stage.writeConfig(scenario.config);
    const main = join(settings.root, 'dist/src/main.js');
    const args = [
      main,
      'replay',
      '--config',
      stage.configPath,
      '--from',
      `s3://${S3_BUCKET}/`,
      '--s3-endpoint',
      `http://127.0.0.1:${S3_PORT}`,
      '--s3-path-style',
      '--to',
      'clickhouse',
      '--data-dir',
      join(settings.workDir, 'replay'),
    ];
    const startMs = performance.now();
    const replay = new ManagedProcess('replay', args, settings.workDir, { ...S3_ENVIRONMENT });
    const watch = new ProcessWatch(replay.pid);
    watch.begin();
    const timer = setInterval(() => watch.sample(), POLL_MS);
    try {
      await replay.success();
    } finally {
      clearInterval(timer);
      await replay.stop();
    }
    const seconds = (performance.now() - startMs) / 1_000;
    settings.print(`    replayed ${spans} spans in ${seconds.toFixed(1)} s`);
    return {
      ...metrics,
      'replay.itemsPerSecond': spans / seconds,
      'replay.cpuUs': (watch.cpuSeconds * 1e6) / spans,
    };
  } finally {
    await stage.stop();
  }
}
