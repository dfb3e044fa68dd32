/** Where a replay sends to: an exporter of a configuration, or one made for an endpoint. */

import { PipelineError } from '../component/errors.ts';
import type { ExportBatch } from '../component/exporter.ts';
import { SIGNALS, type Signal } from '../component/signal.ts';
import { loadCollectorConfig, parseCollectorConfig } from '../config/collector-config.ts';
import type { CollectorPlan } from '../config/collector-plan.ts';
import { formatIssue } from '../config/config-node.ts';
import type { FailedPart } from '../exporters/helper/poison.ts';
import type { Registry } from '../registry/registry.ts';
import type { Clock } from '../stdx/clock.ts';
import { type ExporterRoutes, sendToEnd } from './exporter-routes.ts';
import { type BatchLimits, batchLimits } from './replay-batches.ts';
import type { ReplayCommand } from './replay-cli.ts';
import type { ReplayTarget } from './replay-run.ts';

const SENDS_MAX = 4;
const WATCH_MS = 250;

/** @returns the id of the exporter in the plan, or what is wrong. */
export function targetPlan(
  command: ReplayCommand,
  registry: Registry,
):
  | { plan: CollectorPlan; exporterId: string; warnings: string[] }
  | { issues: string[]; warnings: string[] } {
  const { target } = command;
  const exporterId =
    target.kind === 'exporter' ? target.id : target.transport === 'http' ? 'otlphttp' : 'otlp';
  const loaded =
    target.kind === 'exporter'
      ? loadCollectorConfig(command, registry.values())
      : parseCollectorConfig('--to', endpointConfig(target, exporterId), registry.values());
  if (loaded.plan === undefined) return { issues: loaded.issues.map(formatIssue), warnings: loaded.warnings };
  const ids = loaded.plan.exporters.map(({ id }) => id);
  if (ids.includes(exporterId)) return { plan: loaded.plan, exporterId, warnings: loaded.plan.warnings };
  const issue = `--to ${exporterId}: no pipeline of the configuration has such an exporter; there are: ${ids.join(', ')}`;
  return { issues: [issue], warnings: loaded.plan.warnings };
}

/** JSON is YAML. The receiver is there because a configuration must have one; nothing of it is started. */
function endpointConfig(
  { url, isSecure, transport }: Extract<ReplayCommand['target'], { kind: 'endpoint' }>,
  exporterId: string,
): string {
  const tls = transport === 'grpc' ? { tls: { insecure: !isSecure } } : {};
  const pipeline = { receivers: ['otlp'], exporters: [exporterId] };
  return JSON.stringify({
    receivers: { otlp: { protocols: { http: {} } } },
    exporters: { [exporterId]: { endpoint: url, ...tls } },
    service: { pipelines: Object.fromEntries(SIGNALS.map((signal) => [signal, pipeline])) },
  });
}

export interface ExporterTargetOptions {
  routes: ExporterRoutes;
  exporterId: string;
  rate: number | undefined;
  patienceMs: number;
  /** Of the replay that this one goes on with; new ones are added. */
  limits: Partial<Record<string, BatchLimits>>;
  archive: string;
  clock: Clock;
}

export class ExporterTarget implements ReplayTarget {
  readonly #options: ExporterTargetOptions;
  readonly #gaveUp = new AbortController();
  #inFlight = 0;
  #tookMs: number;
  readonly #watch: NodeJS.Timeout;

  constructor(options: ExporterTargetOptions) {
    this.#options = options;
    this.#tookMs = options.clock.monotonicMs();
    this.#watch = setInterval(() => this.#look(), WATCH_MS);
    this.#watch.unref();
  }

  /** Aborted when the backend took nothing for too long. */
  get gaveUp(): AbortSignal {
    return this.#gaveUp.signal;
  }

  #look(): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#inFlight === 0) this.#tookMs = nowMs;
    else if (nowMs - this.#tookMs > this.#options.patienceMs) this.#gaveUp.abort();
  }

  async sendsMax(signal: Signal): Promise<number> {
    const { config } = await this.#route(signal);
    return Math.min(config.queue.numConsumers, SENDS_MAX);
  }

  async limits(signal: Signal): Promise<BatchLimits> {
    const { limits, rate } = this.#options;
    limits[signal] ??= batchLimits((await this.#route(signal)).config.queue.batch, rate);
    return limits[signal];
  }

  async send(batch: ExportBatch, stop: AbortSignal): Promise<FailedPart[] | undefined> {
    const { archive, clock } = this.#options;
    const route = await this.#route(batch.signal);
    this.#inFlight++;
    try {
      const failed = await sendToEnd(route, batch, archive, clock, stop);
      this.#tookMs = clock.monotonicMs();
      return failed;
    } finally {
      this.#inFlight--;
    }
  }

  /** @throws PipelineError START_FAILED, for whatever reason the exporter cannot be started. */
  async #route(signal: Signal) {
    const { routes, exporterId } = this.#options;
    try {
      return await routes.route(exporterId, signal);
    } catch (cause) {
      const text = cause instanceof Error ? cause.message : String(cause);
      throw new PipelineError('START_FAILED', `exporter ${exporterId} (${signal}): ${text}`, {
        permanent: true,
        cause,
      });
    }
  }

  close(): void {
    clearInterval(this.#watch);
  }
}

/** Counts only. */
export class DryTarget implements ReplayTarget {
  async sendsMax(): Promise<number> {
    return 1;
  }

  async limits(): Promise<BatchLimits> {
    return { items: 65_536, bytes: 4 << 20 };
  }

  async send(): Promise<FailedPart[]> {
    return [];
  }
}
