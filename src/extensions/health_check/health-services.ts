/** The second version of the health check: pages, and the health service of gRPC. */
import type { Component } from '../../component/component.ts';
import type { ComponentSettings } from '../../component/settings.ts';
import type { ComponentState } from '../../component/status.ts';
import { PageServer, textReply } from '../helper/page-server.ts';
import type { HealthCheckConfig } from './config.ts';
import {
  GrpcHealthServer,
  NOT_SERVING,
  SERVICE_UNKNOWN,
  SERVING,
  type ServingStatus,
} from './grpc-health-server.ts';
import { HealthStatus } from './health-status.ts';
import { StatusPage } from './status-page.ts';

/** States in which requests are served as far as the engine is ready; an error may still count as ill health. */
const RUNNING: readonly ComponentState[] = ['ok', 'recoverable_error', 'permanent_error'];

export class HealthServices implements Component {
  readonly #settings: ComponentSettings;
  readonly #health: HealthStatus;
  readonly #pages: PageServer | undefined;
  readonly #grpc: GrpcHealthServer | undefined;

  constructor(settings: ComponentSettings, { http, grpc, componentHealth }: HealthCheckConfig) {
    this.#settings = settings;
    this.#health = new HealthStatus(settings.engine, componentHealth);
    if (http !== undefined) {
      const page = new StatusPage(this.#health, settings.clock);
      const { isEnabled, path } = http.status;
      this.#pages = new PageServer(settings, http.server, ({ pathname, searchParams }) =>
        isEnabled && pathname === path ? page.answer(searchParams) : textReply(404, '404 page not found\n'),
      );
    }
    if (grpc !== undefined)
      this.#grpc = new GrpcHealthServer(settings, grpc, (service) => this.#servingStatus(service));
  }

  /** Bound ports, known after `start`; 0 for what is off. */
  get httpPort(): number {
    return this.#pages?.port ?? 0;
  }

  get grpcPort(): number {
    return this.#grpc?.port ?? 0;
  }

  async start(): Promise<void> {
    try {
      await this.#pages?.start();
      await this.#grpc?.start();
    } catch (error) {
      await this.shutdown();
      throw error;
    }
  }

  async shutdown(): Promise<void> {
    await Promise.all([this.#pages?.shutdown(), this.#grpc?.shutdown()]);
  }

  #servingStatus(service: string): ServingStatus {
    const event = service === '' ? this.#health.whole() : this.#health.pipeline(service);
    if (event === undefined) return SERVICE_UNKNOWN;
    const isWell = this.#health.isHealthy(event, this.#settings.clock.unixMs());
    return isWell && this.#health.isReady && RUNNING.includes(event.state) ? SERVING : NOT_SERVING;
  }
}
