/** Scenarios about neighbours: what a dead backend costs the exporters beside it. */
import type { Scenario } from './scenario-file.ts';
import { loadMetrics, type Metrics, type RunSettings, Stage } from './scenario-run.ts';

const METRICS_URL = 'http://127.0.0.1:8888/metrics';
/** Nothing listens there. */
const DEAD_PORT = '14399';

/** Largest p99 of the age at delivery of the exporters that deliver, in ms, over the last minute. */
async function deliveryAgeP99Ms(): Promise<number> {
  const text = await (await fetch(METRICS_URL)).text();
  let largestSeconds = Number.NaN;
  for (const line of text.split('\n')) {
    const match = /^millrace_delivery_age_seconds\{(.*)\} (\S+)$/.exec(line);
    const labels = match?.[1] ?? '';
    if (!labels.includes('quantile="0.99"') || labels.includes('exporter="otlphttp/third"')) continue;
    const seconds = Number(match?.[2]);
    if (!(seconds <= largestSeconds)) largestSeconds = seconds;
  }
  return largestSeconds * 1_000;
}

/**
 * Runs its loads in turn, each with an engine of its own: `alive` with three backends, `dead` with the third one
 * gone. `<load>.deliveryP99Ms` is the age at delivery of the first two.
 */
export async function runIsolation(scenario: Scenario, settings: RunSettings): Promise<Metrics> {
  const metrics: Metrics = {};
  for (const load of scenario.loads) {
    const stage = new Stage(scenario, settings);
    try {
      await stage.start(load.name === 'dead' ? { LOADTEST_THIRD_PORT: DEAD_PORT } : {});
      Object.assign(metrics, loadMetrics(load.name, await stage.load(load)));
      metrics[`${load.name}.deliveryP99Ms`] = await deliveryAgeP99Ms();
    } finally {
      await stage.stop();
    }
  }
  return metrics;
}
