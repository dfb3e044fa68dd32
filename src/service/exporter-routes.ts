/** Exporters of a configuration outside of a running engine: for what is sent again from dead letters and archives. */
import { type ClientAuthenticator, notClientAuthenticator } from '../component/auth.ts';
import { PipelineError } from '../component/errors.ts';
import type { ExportBatch, Exporter } from '../component/exporter.ts';
import type { DeliveryConfig, ExporterFactory, ExtensionFactory } from '../component/factory.ts';
import type { ComponentSettings, Logger } from '../component/settings.ts';
import type { Signal } from '../component/signal.ts';
import type { CollectorPlan } from '../config/collector-plan.ts';
import { BatchSender } from '../exporters/helper/batch-sender.ts';
import { DeliveryMetrics } from '../exporters/helper/delivery-metrics.ts';
import type { FailedPart } from '../exporters/helper/poison.ts';
import { SendThrottle } from '../exporters/helper/send-throttle.ts';
import { findFactory, type Registry } from '../registry/registry.ts';
import type { Clock } from '../stdx/clock.ts';
import { Prng } from '../stdx/prng.ts';
import { ThreadMeter } from '../telemetry/registry.ts';

export interface ExporterRoutesOptions {
  plan: CollectorPlan;
  registry: Registry;
  clock: Clock;
  logger: Logger;
  dataDir: string;
}

/** One exporter and signal. */
export interface ExporterRoute {
  exporter: Exporter;
  config: DeliveryConfig;
  metrics: DeliveryMetrics;
  throttle: SendThrottle;
  logger: Logger;
}

export class ExporterRoutes {
  readonly #options: ExporterRoutesOptions;
  readonly #meter = new ThreadMeter();
  readonly #routes = new Map<string, Promise<ExporterRoute>>();
  readonly #auths = new Map<string, Promise<ClientAuthenticator | undefined>>();

  constructor(options: ExporterRoutesOptions) {
    this.#options = options;
  }

  /** Started, once for each id and signal. @throws PipelineError every time when it cannot be started. */
  route(id: string, signal: Signal): Promise<ExporterRoute> {
    const key = `${id} ${signal}`;
    const known = this.#routes.get(key) ?? this.#open(id, signal);
    this.#routes.set(key, known);
    return known;
  }

  async #open(id: string, signal: Signal): Promise<ExporterRoute> {
    const { plan, registry } = this.#options;
    const found = plan.exporters.find((exporter) => exporter.id === id);
    if (found === undefined) {
      const message = 'is not in the configuration, or in none of its pipelines';
      throw new PipelineError('CONFIG_INVALID', message, { permanent: true });
    }
    const factory = findFactory(registry, 'exporter', found.type) as ExporterFactory<unknown>;
    const settings = this.#settings(id);
    const exporter = await factory.create(settings, found.config, signal);
    await exporter.start();
    const metrics = new DeliveryMetrics(this.#meter, id, signal);
    const config = factory.delivery(found.config);
    const throttle = new SendThrottle(config, { ...settings, signal });
    return { exporter, config, metrics, throttle, logger: settings.logger };
  }

  #settings(id: string): ComponentSettings {
    const { clock, dataDir, logger } = this.#options;
    return {
      ...{ id, clock, meter: this.#meter, logger: logger.child({ exporter: id }), dataDir },
      findClientAuth: (authId) => this.#clientAuth(authId),
    };
  }

  #clientAuth(id: string): Promise<ClientAuthenticator | undefined> {
    const known = this.#auths.get(id) ?? this.#startAuth(id);
    this.#auths.set(id, known);
    return known;
  }

  async #startAuth(id: string): Promise<ClientAuthenticator | undefined> {
    const { plan, registry } = this.#options;
    const found = plan.extensions.find((extension) => extension.id === id);
    if (found === undefined) return undefined;
    const factory = findFactory(registry, 'extension', found.type) as ExtensionFactory<unknown>;
    if (factory.createClientAuth === undefined) throw notClientAuthenticator(id);
    const auth = await factory.createClientAuth(this.#settings(id), found.config);
    await auth.start();
    return auth;
  }

  async shutdown(deadlineMs: number): Promise<void> {
    for (const opening of this.#routes.values()) {
      const route = await opening.catch(() => undefined);
      route?.throttle.close();
      await route?.exporter.shutdown(deadlineMs);
    }
    for (const auth of this.#auths.values()) await (await auth.catch(() => undefined))?.shutdown(deadlineMs);
  }
}

/**
 * Sends a batch until it is delivered or refused for good, however long the backend needs.
 * @param place where refused items stay, for the log.
 * @returns what was refused; undefined when `stop` was aborted before the end.
 */
export async function sendToEnd(
  route: ExporterRoute,
  batch: ExportBatch,
  place: string,
  clock: Clock,
  stop: AbortSignal,
): Promise<FailedPart[] | undefined> {
  if (stop.aborted) return undefined;
  const failed: FailedPart[] = [];
  const { config, exporter, metrics, throttle, logger } = route;
  const sender = new BatchSender({
    ...{ exporter, metrics, throttle, clock, logger, stop },
    // Giving up must not drop: what is not delivered stays where it was.
    config: { ...config, retry: { ...config.retry, enabled: true } },
    maxElapsedMs: 0,
    deadLetters: {
      directory: place,
      write: async (_, __, parts) => {
        failed.push(...parts);
        return 0;
      },
    },
    prng: new Prng(clock.unixMs() >>> 0),
  });
  const { isFinished } = await sender.send(batch);
  return isFinished ? failed : undefined;
}
