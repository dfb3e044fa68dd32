/** `otelcol_process_*` and the event loop of the main thread, read at each scrape. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Counter, Gauge, Meter } from '../component/settings.ts';
import { anonymousBytes } from '../stdx/anonymous-memory.ts';

/**
 * Between two looks at the loop. Each is a wake-up of the process: every 20 ms they were a noticeable part of what it
 * costs at light load, and a delay that matters is longer than this.
 */
const LOOP_LOOK_MS = 100;

export class ProcessMetrics {
  readonly #uptime: Counter;
  readonly #cpu: Counter;
  readonly #rss: Gauge;
  readonly #heap: Gauge;
  readonly #anonymous: Gauge;
  readonly #loopDelay: Gauge;
  readonly #loop: ReturnType<typeof monitorEventLoopDelay>;
  #cpuSeconds = 0;
  #uptimeSeconds = 0;

  constructor(meter: Meter) {
    this.#uptime = meter.counter('otelcol_process_uptime');
    this.#cpu = meter.counter('otelcol_process_cpu_seconds');
    this.#rss = meter.gauge('otelcol_process_memory_rss');
    this.#heap = meter.gauge('otelcol_process_runtime_heap_alloc_bytes');
    this.#anonymous = meter.gauge('otelcol_process_runtime_total_sys_memory_bytes');
    this.#loopDelay = meter.gauge('millrace_event_loop_delay_p99');
    this.#loop = monitorEventLoopDelay({ resolution: LOOP_LOOK_MS });
    this.#loop.enable();
  }

  update(): void {
    const { user, system } = process.cpuUsage();
    const cpuSeconds = (user + system) / 1e6;
    this.#cpu.add(cpuSeconds - this.#cpuSeconds);
    this.#cpuSeconds = cpuSeconds;
    const uptimeSeconds = process.uptime();
    this.#uptime.add(uptimeSeconds - this.#uptimeSeconds);
    this.#uptimeSeconds = uptimeSeconds;
    this.#rss.set(process.memoryUsage.rss());
    this.#heap.set(process.memoryUsage().heapUsed);
    this.#anonymous.set(anonymousBytes());
    // The histogram holds the time between two looks, which is the delay on top of the resolution.
    this.#loopDelay.set(Math.max(this.#loop.percentile(99) / 1e9 - LOOP_LOOK_MS / 1000, 0));
    this.#loop.reset();
  }

  close(): void {
    this.#loop.disable();
  }
}
