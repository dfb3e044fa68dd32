/** One worker of a dry run: reads its share of the recording, and decides about its share of the traces. */
import { setImmediate as turn } from 'node:timers/promises';
import type { TrialOptions, TrialResult } from '../component/sampling-trial.ts';
import type { ComponentSettings, Logger, Meter } from '../component/settings.ts';
import { createSamplingTrial, TRIAL_TYPE, type TrialConfig } from '../registry/sampling-trial.ts';
import { systemClock } from '../stdx/clock.ts';
import { type ExchangeInit, SampleExchange } from './sample-exchange.ts';
import { type FilePlan, readFile } from './sample-file-source.ts';
import { type LogPlan, readLogs } from './sample-log-source.ts';
import { type BatchRead, type SampleCounts, SampleSink } from './sample-sink.ts';

export type SamplePlan = LogPlan | FilePlan;

export interface SampleTaskInit {
  exchange: ExchangeInit;
  plan: SamplePlan;
  configs: readonly TrialConfig[];
  options: TrialOptions;
}

export type FromSampleTask =
  | { type: 'progress'; bytes: number; spans: number }
  | { type: 'done'; result: TrialResult; counts: SampleCounts; warnings: string[] };

/** What runs a task, a few times a second. */
export interface SampleTaskHost {
  post(message: FromSampleTask): void;
  /** @throws when there is no use in going on. */
  check(): void;
}

const PROGRESS_MS = 100;
const WARNINGS_MAX = 10;

export async function runSampleTask(init: SampleTaskInit, host: SampleTaskHost): Promise<void> {
  const warnings: string[] = [];
  const trial = await createSamplingTrial(trialSettings(warnings), init.configs, init.options);
  const sink = new SampleSink(trial);
  const exchange = new SampleExchange(init.exchange, trial);
  let bytes = 0;
  let toldMs = systemClock.monotonicMs();
  const breathe = async (): Promise<void> => {
    const nowMs = systemClock.monotonicMs();
    if (nowMs - toldMs < PROGRESS_MS) return;
    toldMs = nowMs;
    host.post({ type: 'progress', bytes, spans: sink.counts.spans });
    await turn();
    host.check();
  };
  const takeBatch = () => exchange.takeBatch();
  const isTeller = init.exchange.worker === 0;
  for await (const { batch, sizeBytes } of readPlan(init.plan, takeBatch, isTeller, sink)) {
    bytes += sizeBytes;
    exchange.send(batch);
    while (exchange.isAhead(batch)) {
      exchange.wait();
      await breathe();
    }
    await breathe();
  }
  exchange.end();
  while (!exchange.isDone) {
    exchange.wait();
    await breathe();
  }
  const result = trial.finish();
  host.post({ type: 'done', result, counts: sink.counts, warnings });
}

/** @param isTeller of what all workers find in a file. */
function readPlan(
  plan: SamplePlan,
  takeBatch: () => number,
  isTeller: boolean,
  sink: SampleSink,
): AsyncGenerator<BatchRead> {
  return plan.kind === 'log' ? readLogs(plan, takeBatch, sink) : readFile(plan, takeBatch, isTeller, sink);
}

/** @param warnings gets the first different ones. */
export function trialSettings(warnings: string[]): ComponentSettings {
  const warn: Logger['warn'] = (message, fields) => {
    const text = fields === undefined ? message : `${message}: ${JSON.stringify(fields)}`;
    if (warnings.length < WARNINGS_MAX && !warnings.includes(text)) warnings.push(text);
  };
  const logger: Logger = { debug: () => {}, info: () => {}, warn, error: warn, child: () => logger };
  const nothing = { add: () => {}, set: () => {}, record: () => {} };
  const meter: Meter = {
    counter: () => nothing,
    gauge: () => nothing,
    latency: () => nothing,
    histogram: () => nothing,
  };
  return { id: TRIAL_TYPE, logger, meter, clock: systemClock };
}
