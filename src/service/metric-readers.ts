/** Periodic readers of `service::telemetry::metrics::readers`: each sends all own metrics at its interval. */
import type { Logger, Meter } from '../component/settings.ts';
import type { PeriodicReaderPlan } from '../config/telemetry-plan.ts';
import type { Clock } from '../stdx/clock.ts';
import type { CollectedMetric } from '../telemetry/collected.ts';
import { MetricDeltas, type Temporality } from './metric-deltas.ts';
import { OwnExporter } from './own-exporter.ts';
import { ownMetricsRequest } from './own-metrics-request.ts';

export interface MetricReadersOptions {
  plans: readonly PeriodicReaderPlan[];
  clock: Clock;
  logger: Logger;
  meter: Meter;
  /** Fresh figures of every thread. */
  collect(): Promise<OwnMetrics>;
}

export interface OwnMetrics {
  resource: Readonly<Record<string, string>>;
  metrics: readonly CollectedMetric[];
  startUnixMs: number;
  nowUnixMs: number;
}

interface Reader {
  id: string;
  plan: PeriodicReaderPlan;
  exporter: OwnExporter;
  deltas: MetricDeltas;
  /** When the last request that arrived was made; undefined before the first. */
  previousUnixMs: number | undefined;
  timer: NodeJS.Timeout | undefined;
  /** The sending under way; an interval that ends meanwhile is left out. */
  sending: Promise<void> | undefined;
}

export class MetricReaders {
  readonly #options: MetricReadersOptions;
  readonly #readers: Reader[] = [];

  constructor(options: MetricReadersOptions) {
    this.#options = options;
  }

  /** @throws PipelineError when an exporter cannot be made; nothing runs then. */
  async start(): Promise<void> {
    const { plans, clock, logger } = this.#options;
    for (const [index, plan] of plans.entries()) {
      const id = `service::telemetry::metrics::readers::${index}`;
      const exporter = new OwnExporter({
        plan: plan.exporter,
        signal: 'metrics',
        ...{ id, clock, logger: logger.child({ reader: id }) },
      });
      const deltas = new MetricDeltas(temporalityOf(plan));
      const idle = { previousUnixMs: undefined, timer: undefined, sending: undefined };
      const reader: Reader = { id, plan, exporter, deltas, ...idle };
      this.#readers.push(reader);
      try {
        await exporter.start();
      } catch (error) {
        await this.#close(clock.monotonicMs());
        throw error;
      }
      reader.timer = setInterval(() => void this.#send(reader), plan.intervalMs).unref();
    }
  }

  /** Sends once more what was counted since the last time, as far as the deadline lets it. */
  async stop(deadlineMs: number): Promise<void> {
    for (const { timer } of this.#readers) clearInterval(timer);
    await Promise.all(
      this.#readers.map(async (reader) => {
        await reader.sending;
        const leftMs = deadlineMs - this.#options.clock.monotonicMs();
        if (leftMs > 0) await this.#send(reader, leftMs);
      }),
    );
    await this.#close(deadlineMs);
  }

  async #close(deadlineMs: number): Promise<void> {
    const readers = this.#readers.splice(0);
    for (const { timer } of readers) clearInterval(timer);
    await Promise.all(readers.map(({ exporter }) => exporter.shutdown(deadlineMs)));
  }

  #send(reader: Reader, timeoutMs = reader.plan.timeoutMs): Promise<void> {
    reader.sending ??= this.#sendOnce(reader, timeoutMs).finally(() => {
      reader.sending = undefined;
    });
    return reader.sending;
  }

  async #sendOnce(reader: Reader, timeoutMs: number): Promise<void> {
    const { collect, logger, meter } = this.#options;
    const { id, exporter, plan, deltas, previousUnixMs } = reader;
    const count = (outcome: string) =>
      meter.counter('millrace_telemetry_exports', { otel_signal: 'metrics', outcome }).add(1);
    try {
      const { resource, metrics: collected, startUnixMs, nowUnixMs } = await collect();
      const { metrics, arrived } = deltas.take(collected);
      const times = { startUnixMs, nowUnixMs, previousUnixMs: previousUnixMs ?? startUnixMs };
      const { request, pointCount } = ownMetricsRequest(resource, metrics, times, temporalityOf(plan));
      await exporter.send(request, pointCount, Math.min(timeoutMs, plan.timeoutMs));
      arrived();
      reader.previousUnixMs = nowUnixMs;
      count('sent');
    } catch (error) {
      count('failed');
      logger.warn('own metrics could not be sent', { reader: id, error: (error as Error).message });
    }
  }
}

function temporalityOf({ exporter }: PeriodicReaderPlan): Temporality {
  return exporter.otlp?.temporality ?? 'cumulative';
}
