/** `service::telemetry::traces::processors`: own spans wait here, bounded, until they are sent. */
import type { Logger, Meter } from '../component/settings.ts';
import type { SpanProcessorPlan } from '../config/telemetry-plan.ts';
import { encodeSpans } from '../otlp/encode-spans.ts';
import type { Clock } from '../stdx/clock.ts';
import type { SpanRecord, TakenSpans } from '../telemetry/tracer.ts';
import { OwnExporter } from './own-exporter.ts';

/** Spans come from other threads when they are asked for, which `simple` does this often. */
const COLLECT_MS_MIN = 500;

export interface SpanProcessorsOptions {
  plans: readonly SpanProcessorPlan[];
  resource: Readonly<Record<string, string>>;
  clock: Clock;
  logger: Logger;
  meter: Meter;
  /** Makes every thread hand over its spans, which come in by `take`. */
  collect(): Promise<void>;
}

interface Processor {
  plan: SpanProcessorPlan;
  exporter: OwnExporter;
  queue: SpanRecord[];
  timer: NodeJS.Timeout | undefined;
  sending: Promise<void> | undefined;
}

export class SpanProcessors {
  readonly #options: SpanProcessorsOptions;
  readonly #processors: Processor[] = [];

  constructor(options: SpanProcessorsOptions) {
    this.#options = options;
  }

  /** @throws PipelineError when an exporter cannot be made; nothing runs then. */
  async start(): Promise<void> {
    const { plans, clock, logger } = this.#options;
    for (const [index, plan] of plans.entries()) {
      const id = `service::telemetry::traces::processors::${index}`;
      const exporter = new OwnExporter({
        plan: plan.exporter,
        signal: 'traces',
        ...{ id, clock, logger: logger.child({ processor: id }) },
      });
      const processor: Processor = { plan, exporter, queue: [], timer: undefined, sending: undefined };
      this.#processors.push(processor);
      try {
        await exporter.start();
      } catch (error) {
        await this.#close(clock.monotonicMs());
        throw error;
      }
      const delayMs = Math.max(plan.delayMs, COLLECT_MS_MIN);
      processor.timer = setInterval(() => void this.#flush(processor), delayMs).unref();
    }
  }

  /** Spans of one thread. What does not fit into a queue is lost and counted. */
  take({ spans, lostCount }: TakenSpans): void {
    this.#lose('buffer_full', lostCount);
    for (const { queue, plan } of this.#processors) {
      const room = Math.max(plan.queueMax - queue.length, 0);
      queue.push(...spans.slice(0, room));
      this.#lose('queue_full', spans.length - room);
    }
  }

  /** Sends what waits, as far as the deadline lets it. */
  async stop(deadlineMs: number): Promise<void> {
    for (const { timer } of this.#processors) clearInterval(timer);
    await Promise.all(
      this.#processors.map(async (processor) => {
        await processor.sending;
        const leftMs = deadlineMs - this.#options.clock.monotonicMs();
        if (leftMs > 0) await this.#flush(processor, leftMs);
        this.#lose('stopped', processor.queue.splice(0).length);
      }),
    );
    await this.#close(deadlineMs);
  }

  async #close(deadlineMs: number): Promise<void> {
    const processors = this.#processors.splice(0);
    for (const { timer } of processors) clearInterval(timer);
    await Promise.all(processors.map(({ exporter }) => exporter.shutdown(deadlineMs)));
  }

  #flush(processor: Processor, timeoutMs = processor.plan.timeoutMs): Promise<void> {
    processor.sending ??= this.#flushOnce(processor, timeoutMs).finally(() => {
      processor.sending = undefined;
    });
    return processor.sending;
  }

  async #flushOnce({ queue, plan, exporter }: Processor, timeoutMs: number): Promise<void> {
    const { collect, logger, resource, meter } = this.#options;
    const count = (outcome: string) =>
      meter.counter('millrace_telemetry_exports', { otel_signal: 'traces', outcome }).add(1);
    await collect().catch(() => undefined);
    while (queue.length > 0) {
      const spans = queue.splice(0, plan.batchMax);
      try {
        const limitMs = Math.min(timeoutMs, plan.timeoutMs);
        await exporter.send(encodeSpans(resource, spans), spans.length, limitMs);
        count('sent');
      } catch (error) {
        count('failed');
        this.#lose('send_failed', spans.length);
        logger.warn('own spans could not be sent', { error: (error as Error).message });
        return;
      }
    }
  }

  #lose(reason: string, count: number): void {
    if (count > 0) this.#options.meter.counter('millrace_telemetry_lost_spans', { reason }).add(count);
  }
}
