import { PipelineError } from '../../component/errors.ts';
import type { Processor, ProcessorRequest } from '../../component/processor.ts';
import type { ComponentSettings, Counter, Logger } from '../../component/settings.ts';
import { ITEM_SUFFIX, type Signal } from '../../component/signal.ts';
import type { Clock } from '../../stdx/clock.ts';
import type { MemoryLimiterConfig } from './config.ts';
import type { MemorySource } from './process-memory.ts';

const MIB = 1 << 20;
const SPIKE_SHARE = 0.2;
/** A collection that frees less than this of what is in use makes the next one wait longer. */
const USEFUL_SHARE = 0.05;

/**
 * Refuses every request while memory is above the soft limit. Memory is looked at when a request comes and the last
 * look is older than `check_interval`: without requests there is nothing to refuse, and no timer to own.
 */
export class MemoryLimiterProcessor implements Processor {
  readonly hardBytes: number;
  readonly softBytes: number;
  readonly #config: MemoryLimiterConfig;
  readonly #memory: MemorySource;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #accepted: readonly Counter[];
  readonly #refused: readonly Counter[];
  #nextCheckMs = Number.NEGATIVE_INFINITY;
  #lastCollectionMs = Number.NEGATIVE_INFINITY;
  #collectionIntervalMs = 0;
  #isRefusing = false;

  constructor(
    settings: ComponentSettings,
    config: MemoryLimiterConfig,
    signal: Signal,
    memory: MemorySource,
  ) {
    const { id, clock, logger, meter } = settings;
    this.#config = config;
    this.#memory = memory;
    this.#clock = clock;
    this.#logger = logger;
    const { limitMib, spikeLimitMib, limitPercentage, spikeLimitPercentage } = config;
    const percentBytes = memory.totalBytes() / 100;
    this.hardBytes = limitMib > 0 ? limitMib * MIB : Math.floor(limitPercentage * percentBytes);
    const spikeBytes = limitMib > 0 ? spikeLimitMib * MIB : Math.floor(spikeLimitPercentage * percentBytes);
    this.softBytes =
      this.hardBytes - (spikeBytes > 0 ? spikeBytes : Math.floor(this.hardBytes * SPIKE_SHARE));
    // The names before and after the Collector renamed them: dashboards know either.
    const counters = (verb: string) =>
      ['otelcol_processor_', 'otelcol_processor_memory_limiter_'].map((prefix) =>
        meter.counter(`${prefix}${verb}_${ITEM_SUFFIX[signal]}`, { processor: id }),
      );
    this.#accepted = counters('accepted');
    this.#refused = counters('refused');
  }

  async start(): Promise<void> {
    this.#logger.info('Memory limiter configured', {
      limit_mib: Math.round(this.hardBytes / MIB),
      spike_limit_mib: Math.round((this.hardBytes - this.softBytes) / MIB),
      check_interval: this.#config.checkIntervalMs / 1000,
    });
  }

  async shutdown(): Promise<void> {}

  process(request: ProcessorRequest): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs >= this.#nextCheckMs) {
      this.#nextCheckMs = nowMs + this.#config.checkIntervalMs;
      this.#check(nowMs);
    }
    for (const counter of this.#isRefusing ? this.#refused : this.#accepted) counter.add(request.itemCount);
    if (!this.#isRefusing) return;
    throw new PipelineError('MEMORY_LIMITED', 'data refused due to high memory usage', { permanent: false });
  }

  #check(nowMs: number): void {
    let usedBytes = this.#memory.usedBytes();
    if (usedBytes >= this.softBytes) usedBytes = this.#collect(usedBytes, nowMs);
    const isOver = usedBytes >= this.softBytes;
    if (isOver === this.#isRefusing) return;
    this.#isRefusing = isOver;
    const fields = { cur_mem_mib: Math.round(usedBytes / MIB) };
    if (isOver) this.#logger.warn('Memory usage is above soft limit. Refusing data.', fields);
    else this.#logger.info('Memory usage back within limits. Resuming normal operation.', fields);
  }

  /** Forces a collection if the last one is long enough ago. @returns what is in use then. */
  #collect(usedBytes: number, nowMs: number): number {
    const isHard = usedBytes >= this.hardBytes;
    const { hardGcIntervalMinMs, softGcIntervalMinMs, hardGcIntervalMaxMs, softGcIntervalMaxMs } =
      this.#config;
    const minMs = isHard ? hardGcIntervalMinMs : softGcIntervalMinMs;
    const maxMs = isHard ? hardGcIntervalMaxMs : softGcIntervalMaxMs;
    if (nowMs - this.#lastCollectionMs < Math.max(minMs, this.#collectionIntervalMs)) return usedBytes;
    const limit = isHard ? 'hard' : 'soft';
    this.#logger.info(`Memory usage is above ${limit} limit. Forcing a GC.`, {
      cur_mem_mib: Math.round(usedBytes / MIB),
    });
    this.#memory.collect();
    this.#lastCollectionMs = nowMs;
    const leftBytes = this.#memory.usedBytes();
    const isUseless = leftBytes >= this.softBytes && usedBytes - leftBytes < usedBytes * USEFUL_SHARE;
    const doubledMs = Math.max(this.#collectionIntervalMs, minMs, this.#config.checkIntervalMs) * 2;
    this.#collectionIntervalMs = isUseless ? Math.min(doubledMs, maxMs) : 0;
    return leftBytes;
  }
}
