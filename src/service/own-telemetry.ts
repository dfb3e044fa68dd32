/** What the engine tells about itself: figures and spans of all threads, and the ways on which they leave. */
import { isDeepStrictEqual } from 'node:util';
import type { Logger } from '../component/settings.ts';
import type { TelemetryPlan, TracesPlan } from '../config/telemetry-plan.ts';
import type { Clock } from '../stdx/clock.ts';
import { MeterAggregate } from '../telemetry/aggregate.ts';
import { type CollectedMetric, collectMetrics } from '../telemetry/collected.ts';
import {
  EXPOSITION_DEFAULT,
  type ExpositionOptions,
  formatPercentiles,
  formatPrometheus,
} from '../telemetry/prometheus.ts';
import { ThreadMeter } from '../telemetry/registry.ts';
import { constantLabelNames, mergeResource, ownResource } from '../telemetry/resource.ts';
import { TelemetryServer } from '../telemetry/server.ts';
import { type TakenSpans, ThreadTracer, type TracerOptions } from '../telemetry/tracer.ts';
import { applyViews } from '../telemetry/views.ts';
import type { DataPath } from './data-path.ts';
import { MetricReaders, type OwnMetrics } from './metric-readers.ts';
import { ProcessMetrics } from './process-metrics.ts';
import { SpanProcessors } from './span-processors.ts';

/** Slices of the latency window: figures that are fetched later than this would count as young. */
const COLLECT_MS = 5_000;

/** What readers and processors of an old configuration get for their last sending. */
const REPLACE_MS = 2_000;

export interface OwnTelemetryOptions {
  version: string;
  clock: Clock;
  logger: Logger;
  /** What runs now. */
  path(): DataPath | undefined;
  isReady(): boolean;
  /** Called whenever the figures of all threads are fresh. */
  onCollected(): void;
}

/** What threads need to know to make spans. */
export function tracerOptions(traces: TracesPlan | undefined): TracerOptions | undefined {
  if (traces === undefined) return undefined;
  return { sampler: traces.sampler, takesTraceContext: traces.takesTraceContext };
}

export class OwnTelemetry {
  /** Of the main thread. */
  readonly meter = new ThreadMeter();
  readonly tracer: ThreadTracer;
  readonly aggregate: MeterAggregate;
  readonly #options: OwnTelemetryOptions;
  readonly #process: ProcessMetrics;
  readonly #ownResource: Record<string, string>;
  readonly #startedUnixMs: number;
  #plan: TelemetryPlan | undefined;
  #server: { server: TelemetryServer; host: string; port: number } | undefined;
  #readers: MetricReaders | undefined;
  #spans: SpanProcessors | undefined;
  #collecting: NodeJS.Timeout | undefined;

  constructor(options: OwnTelemetryOptions) {
    this.#options = options;
    const { clock, version } = options;
    this.tracer = new ThreadTracer(clock);
    this.aggregate = new MeterAggregate(clock, (taken: TakenSpans) => this.#spans?.take(taken));
    this.#process = new ProcessMetrics(this.meter);
    this.#ownResource = ownResource(version);
    this.#startedUnixMs = clock.unixMs();
  }

  /** Figures of all threads are collected every few seconds from now on. */
  startCollecting(): void {
    this.#collecting = setInterval(() => void this.#collect(), COLLECT_MS).unref();
  }

  /**
   * Goes over to what a plan says; what did not change goes on.
   * @throws PipelineError when an address cannot be bound or an exporter cannot be made.
   */
  async apply(plan: TelemetryPlan): Promise<void> {
    const old = this.#plan;
    await this.#replaceServer(plan.metrics.prometheus);
    const isSameResource = isDeepStrictEqual(plan.resource, old?.resource);
    if (!isSameResource || !isDeepStrictEqual(plan.traces, old?.traces)) await this.#replaceSpans(plan);
    const { periodicReaders } = plan.metrics;
    if (!isDeepStrictEqual(periodicReaders, old?.metrics.periodicReaders)) await this.#replaceReaders(plan);
    this.#plan = plan;
  }

  /** Sends the last figures and spans. Idempotent. */
  async stop(deadlineMs: number): Promise<void> {
    clearInterval(this.#collecting);
    const lastMs = Math.min(deadlineMs, this.#options.clock.monotonicMs() + REPLACE_MS);
    const [readers, spans] = [this.#readers, this.#spans];
    this.#readers = undefined;
    await Promise.allSettled([readers?.stop(lastMs), spans?.stop(lastMs)]);
    this.#spans = undefined;
    await this.#server?.server.close();
    this.#server = undefined;
    this.#process.close();
  }

  async metricsText(): Promise<string> {
    await this.#collectAll();
    return formatPrometheus(this.aggregate, this.#options.clock.monotonicMs(), this.#exposition());
  }

  async latencyText(stage: string): Promise<string | undefined> {
    await this.#collect();
    return formatPercentiles(this.aggregate, stage, this.#options.clock.monotonicMs());
  }

  #exposition(): ExpositionOptions {
    if (this.#plan === undefined) return EXPOSITION_DEFAULT;
    const { level, exposition, views } = this.#plan.metrics;
    const resource = this.#resource(this.#plan);
    return {
      level: level === 'none' ? 'normal' : level,
      resource,
      constantLabels: constantLabelNames(resource, exposition.constantLabels),
      hasTypeSuffix: exposition.hasTypeSuffix,
      hasUnitSuffix: exposition.hasUnitSuffix,
      views,
    };
  }

  #resource(plan: TelemetryPlan): Record<string, string> {
    return mergeResource(this.#ownResource, plan.resource);
  }

  async #collectAll(): Promise<void> {
    this.#process.update();
    this.#options.path()?.update();
    await this.#collect();
  }

  async #collect(): Promise<void> {
    this.meter.gauge('millrace_ready').set(this.#options.isReady() ? 1 : 0);
    this.aggregate.update('main', { ...this.meter.takeSnapshot(), spans: this.tracer.take() });
    await this.#options.path()?.collect();
    this.#options.onCollected();
  }

  async #replaceServer(wanted: { host: string; port: number } | undefined): Promise<void> {
    const old = this.#server;
    if (wanted?.host === old?.host && wanted?.port === old?.port) return;
    let next: typeof old;
    if (wanted !== undefined) {
      const server = new TelemetryServer(this);
      await server.listen(wanted.host, wanted.port);
      next = { server, ...wanted };
    }
    this.#server = next;
    await old?.server.close();
  }

  async #replaceSpans(plan: TelemetryPlan): Promise<void> {
    const { clock, logger } = this.#options;
    this.tracer.configure(undefined);
    await this.#spans?.stop(clock.monotonicMs() + REPLACE_MS);
    this.#spans = undefined;
    if (plan.traces === undefined) return;
    const spans = new SpanProcessors({
      plans: plan.traces.processors,
      resource: this.#resource(plan),
      ...{ clock, logger, meter: this.meter },
      collect: () => this.#collect(),
    });
    await spans.start();
    this.#spans = spans;
    this.tracer.configure(tracerOptions(plan.traces));
  }

  async #replaceReaders(plan: TelemetryPlan): Promise<void> {
    const { clock, logger } = this.#options;
    await this.#readers?.stop(clock.monotonicMs() + REPLACE_MS);
    this.#readers = undefined;
    const readers = new MetricReaders({
      plans: plan.metrics.periodicReaders,
      ...{ clock, logger, meter: this.meter },
      collect: () => this.#ownMetrics(),
    });
    await readers.start();
    this.#readers = readers;
  }

  async #ownMetrics(): Promise<OwnMetrics> {
    await this.#collectAll();
    const { clock } = this.#options;
    const { level, views } = this.#exposition();
    const collected: readonly CollectedMetric[] = collectMetrics(this.aggregate, clock.monotonicMs(), level);
    const resource = this.#plan === undefined ? this.#ownResource : this.#resource(this.#plan);
    const metrics = applyViews(collected, views);
    return { resource, metrics, startUnixMs: this.#startedUnixMs, nowUnixMs: clock.unixMs() };
  }
}
