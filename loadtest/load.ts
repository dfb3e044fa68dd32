/** Runs one load: worker threads, one histogram over all of them, and the measured process beside it. */
import { Worker } from 'node:worker_threads';
import * as hdr from 'hdr-histogram-js';
import { systemClock } from '../src/stdx/clock.ts';
import type { LoadOptions } from './options.ts';
import { type ProcessUse, ProcessWatch } from './process-stats.ts';
import type { ProducerInterval } from './producer.ts';
import type { WorkerMessage } from './worker.ts';
import type { WorkerTask } from './worker-client.ts';

/** Histogram unit is the microsecond; an hour is beyond any timeout. */
const LATENCY_US_MAX = 3_600_000_000;
const START_DELAY_MS = 100;
const SAMPLE_MS = 500;

export interface LatencySummary {
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly p9999Ms: number;
  readonly maxMs: number;
}

export interface LoadCounts {
  sentRequests: number;
  ackedRequests: number;
  refusedRequests: number;
  failedRequests: number;
  /** Due in an open loop, never sent because every connection was busy until the end. */
  unsentRequests: number;
}

export interface LoadResult {
  readonly options: LoadOptions;
  readonly counts: LoadCounts;
  readonly ackedItems: number;
  /** From the first counted request to the last answer. */
  readonly elapsedSeconds: number;
  readonly itemsPerSecond: number;
  readonly reasons: Readonly<Record<string, number>>;
  readonly latency: LatencySummary;
  readonly sendLagMsMax: number;
  /** Processor time of this client a counted item, warm-up left out. */
  readonly clientCpuUsPerItem: number;
  readonly engine: EngineUse | undefined;
  /** Real servers behind the engine: what they cost in the same time, apart from it. */
  readonly serversCpuUsPerItem: number;
}

export interface EngineUse {
  /** Items that were acknowledged while processor time was counted. */
  readonly items: number;
  readonly cpuUsPerItem: number;
  readonly cores: number;
  readonly anonymousBytesMax: number;
  readonly anonymousBytesAverage: number;
  readonly processes: readonly ProcessUse[];
}

/** A second of the live line. */
export interface LoadProgress {
  readonly seconds: number;
  readonly isWarmup: boolean;
  readonly counts: Readonly<LoadCounts>;
  readonly ackedItemsPerSecond: number;
  readonly p99Ms: number;
  readonly engineCores: number | undefined;
}

export function createLatencyHistogram(): hdr.Histogram {
  return hdr.build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: LATENCY_US_MAX,
    numberOfSignificantValueDigits: 3,
  });
}

export function summarizeLatency(histogram: hdr.Histogram): LatencySummary {
  const ms = (percentile: number): number => histogram.getValueAtPercentile(percentile) / 1_000;
  return {
    p50Ms: ms(50),
    p90Ms: ms(90),
    p99Ms: ms(99),
    p999Ms: ms(99.9),
    p9999Ms: ms(99.99),
    maxMs: histogram.maxValue / 1_000,
  };
}

/** Adds up what the workers report. Latencies go into one histogram: percentiles are never averaged. */
export class LoadTotals {
  readonly counts: LoadCounts = {
    sentRequests: 0,
    ackedRequests: 0,
    refusedRequests: 0,
    failedRequests: 0,
    unsentRequests: 0,
  };
  readonly reasons: Record<string, number> = {};
  readonly latency = createLatencyHistogram();
  lastAckMs = 0;
  windowAckedRequests = 0;
  sendLagUsMax = 0;
  /** Of the current second; the live line resets it. */
  readonly recent = createLatencyHistogram();

  add(interval: ProducerInterval): void {
    this.counts.sentRequests += interval.sentRequests;
    this.counts.ackedRequests += interval.ackedRequests;
    this.counts.refusedRequests += interval.refusedRequests;
    this.counts.failedRequests += interval.failedRequests;
    this.counts.unsentRequests += interval.unsentUs.length;
    for (const [reason, count] of Object.entries(interval.reasons))
      this.reasons[reason] = (this.reasons[reason] ?? 0) + count;
    for (const us of interval.latenciesUs) this.#record(us);
    // They were never answered, so this is the least that they took; leaving them out would hide the stall.
    for (const us of interval.unsentUs) this.#record(us);
    this.windowAckedRequests += interval.windowAckedRequests;
    this.lastAckMs = Math.max(this.lastAckMs, interval.lastAckMs);
    this.sendLagUsMax = Math.max(this.sendLagUsMax, interval.sendLagUsMax);
  }

  #record(us: number): void {
    const value = Math.min(LATENCY_US_MAX, Math.max(1, Math.round(us)));
    this.latency.recordValue(value);
    this.recent.recordValue(value);
  }
}

/** The compiled tree has .js workers; Node 22.18 and later run the .ts sources. */
function workerUrl(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);
}

interface RunningWorker {
  readonly worker: Worker;
  readonly ready: Promise<void>;
  readonly done: Promise<void>;
}

function startWorker(task: WorkerTask, totals: LoadTotals): RunningWorker {
  const worker = new Worker(workerUrl(), { workerData: task });
  const failed = new Promise<never>((_, reject) => {
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('load worker ended early')));
  });
  const told = (kind: WorkerMessage['kind']): Promise<void> =>
    new Promise((resolve) => {
      worker.on('message', (message: WorkerMessage) => {
        if (message.kind === kind) resolve();
      });
    });
  worker.on('message', (message: WorkerMessage) => {
    if (message.kind === 'interval') totals.add(message.interval);
  });
  const done = Promise.race([told('done'), failed]);
  // Whoever awaits `ready` reports an early error; here it must not count as unhandled.
  done.catch(() => undefined);
  return { worker, ready: Promise.race([told('ready'), failed]), done };
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));

class LiveReport {
  readonly #totals: LoadTotals;
  readonly #watch: ProcessWatch | undefined;
  readonly #options: LoadOptions;
  readonly #startMs: number;
  #lastMs: number;
  #lastAcked = 0;
  #lastCpuSeconds = 0;

  constructor(options: LoadOptions, totals: LoadTotals, watch: ProcessWatch | undefined, startMs: number) {
    this.#options = options;
    this.#totals = totals;
    this.#watch = watch;
    this.#startMs = startMs;
    this.#lastMs = startMs;
  }

  take(nowMs: number): LoadProgress {
    const { counts, recent } = this.#totals;
    const seconds = Math.max(0.001, (nowMs - this.#lastMs) / 1_000);
    const cpuSeconds = (this.#watch?.processes ?? []).reduce((sum, process) => sum + process.cpuSeconds, 0);
    const progress: LoadProgress = {
      seconds: (nowMs - this.#startMs) / 1_000,
      isWarmup: nowMs < this.#startMs + this.#options.warmupMs,
      counts: { ...counts },
      ackedItemsPerSecond:
        ((counts.ackedRequests - this.#lastAcked) * this.#options.itemsPerRequest) / seconds,
      p99Ms: recent.getValueAtPercentile(99) / 1_000,
      engineCores:
        this.#watch === undefined ? undefined : Math.max(0, cpuSeconds - this.#lastCpuSeconds) / seconds,
    };
    recent.reset();
    this.#lastMs = nowMs;
    this.#lastAcked = counts.ackedRequests;
    this.#lastCpuSeconds = cpuSeconds;
    return progress;
  }
}

const cpuUsPerItem = (watch: ProcessWatch, items: number): number =>
  items === 0 ? Number.NaN : (watch.cpuSeconds * 1e6) / items;

function engineUse(watch: ProcessWatch, items: number, seconds: number): EngineUse {
  const { cpuSeconds } = watch;
  return {
    cpuUsPerItem: cpuUsPerItem(watch, items),
    items,
    cores: cpuSeconds / seconds,
    anonymousBytesMax: watch.anonymousBytesMax,
    anonymousBytesAverage: watch.anonymousBytesAverage,
    processes: watch.processes,
  };
}

/**
 * Runs the load to its end.
 *
 * @param onProgress called about every second.
 * @param serverPids processes whose cost is told apart from the engine's.
 * @throws Error when a connection cannot be opened at the start.
 */
export async function runLoad(
  options: LoadOptions,
  onProgress: (progress: LoadProgress) => void,
  serverPids: readonly number[] = [],
): Promise<LoadResult> {
  const totals = new LoadTotals();
  const watch = options.pid === undefined ? undefined : new ProcessWatch(options.pid);
  const servers = serverPids.map((pid) => new ProcessWatch(pid));
  const workers = Array.from({ length: options.workers }, (_, producer) =>
    startWorker({ options, producer }, totals),
  );
  await Promise.all(workers.map((worker) => worker.ready));
  const startMs = systemClock.monotonicMs() + START_DELAY_MS;
  for (const { worker } of workers) worker.postMessage(startMs);
  const measureFromMs = startMs + options.warmupMs;

  const live = new LiveReport(options, totals, watch, startMs);
  const liveTimer = setInterval(() => onProgress(live.take(systemClock.monotonicMs())), 1_000);
  const finished = Promise.all(workers.map((worker) => worker.done));
  await Promise.race([sleep(measureFromMs - systemClock.monotonicMs()), finished]);
  const cpuBefore = process.cpuUsage();
  watch?.begin();
  for (const server of servers) server.begin();
  const sampleTimer = setInterval(() => watch?.sample(), SAMPLE_MS);
  try {
    await finished;
    const client = process.cpuUsage(cpuBefore);
    await sleep(options.settleMs);
    watch?.sample();
    for (const server of servers) server.sample();
    const endMs = systemClock.monotonicMs();
    const ackedItems = totals.counts.ackedRequests * options.itemsPerRequest;
    const cpuItems = totals.windowAckedRequests * options.itemsPerRequest;
    const elapsedSeconds = Math.max(options.durationMs, totals.lastAckMs - measureFromMs) / 1_000;
    return {
      options,
      counts: totals.counts,
      ackedItems,
      elapsedSeconds,
      itemsPerSecond: ackedItems / elapsedSeconds,
      reasons: totals.reasons,
      latency: summarizeLatency(totals.latency),
      sendLagMsMax: totals.sendLagUsMax / 1_000,
      clientCpuUsPerItem: (client.user + client.system) / cpuItems,
      serversCpuUsPerItem: servers.reduce((sum, server) => sum + cpuUsPerItem(server, cpuItems), 0),
      engine: watch === undefined ? undefined : engineUse(watch, cpuItems, (endMs - measureFromMs) / 1_000),
    };
  } finally {
    clearInterval(sampleTimer);
    clearInterval(liveTimer);
  }
}
