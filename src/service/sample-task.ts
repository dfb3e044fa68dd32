/** One worker of a dry run: reads its share of the recording, and decides about its share of the traces. */
import { setImmediate as turn } from 'node:timers/promises';
import type { TrialOptions, TrialResult } from '../component/sampling-trial.ts';
import type { ComponentSettings, Logger, Meter } from '../component/settings.ts';
import { createSamplingTrial, TRIAL_TYPE, type TrialConfig } from '../registry/sampling-trial.ts';
import { systemClock } from '../stdx/clock.ts';
import { type ExchangeInit, SampleExchange } from './sample-exchange.ts';
import { type FilePlan, readFile } from './sample-file-source.ts';
import { type LogPlan, readLogs } from './sample-log-source.ts';
import { type SampleCounts, SampleSink } from './sample-sink.ts';

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
  const { worker, workers } = init.exchange;
  const warnings: string[] = [];
  const trial = await createSamplingTrial(trialSettings(warnings), init.configs, init.options);
  const sink = new SampleSink(trial);
  const exchange = new SampleExchange(init.exchange, trial);
  let bytes = 0;
  let toldMs = systemClock.monotonicMs();
  let batch = worker;
  const breathe = async (): Promise<void> => {
    const nowMs = systemClock.monotonicMs();
    if (nowMs - toldMs < PROGRESS_MS) return;
    toldMs = nowMs;
    host.post({ type: 'progress', bytes, spans: sink.counts.spans });
    await turn();
    host.check();
  };
  for await (const batchBytes of readPlan(init.plan, worker, workers, sink)) {
    bytes += batchBytes;
    exchange.send();
    while (exchange.isAhead(batch)) {
      exchange.wait();
      await breathe();
    }
    batch += workers;
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

export function readPlan(
  plan: SamplePlan,
  worker: number,
  workers: number,
  sink: SampleSink,
): AsyncGenerator<number> {
  return plan.kind === 'log' ? readLogs(plan, worker, workers, sink) : readFile(plan, worker, workers, sink);
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
