/** 200 while the engine is ready, 503 otherwise, with the bodies that the Collector prints. */
import type { Component } from '../../component/component.ts';
import type { ComponentSettings } from '../../component/settings.ts';
import type { Readiness } from '../../component/status.ts';
import { type PageReply, PageServer, textReply } from '../helper/page-server.ts';
import type { HealthCheckConfig } from './config.ts';

/** The zero of Go's clock: what the Collector prints when there is no such time. */
const NEVER = '0001-01-01T00:00:00Z';

export class HealthCheckExtension implements Component {
  readonly #settings: ComponentSettings;
  readonly #config: HealthCheckConfig;
  readonly #server: PageServer;

  constructor(settings: ComponentSettings, config: HealthCheckConfig) {
    this.#settings = settings;
    this.#config = config;
    this.#server = new PageServer(settings, config.server, (url) => this.#answer(url));
  }

  /** Bound port, known after `start`. */
  get port(): number {
    return this.#server.port;
  }

  start(): Promise<void> {
    return this.#server.start();
  }

  shutdown(): Promise<void> {
    return this.#server.shutdown();
  }

  #answer(url: URL): PageReply {
    const { path, responseBody } = this.#config;
    if (path !== '/' && url.pathname !== path) return textReply(404, '404 page not found\n');
    // An extension without an engine around it has nothing to be ready.
    const readiness = this.#settings.engine?.readiness() ?? {
      isReady: false,
      reasons: [],
      readySinceUnixMs: 0,
    };
    const status = readiness.isReady ? 200 : 503;
    const text = readiness.isReady ? responseBody?.healthy : responseBody?.unhealthy;
    if (text !== undefined && text !== '') return textReply(status, text);
    const body = this.#describe(readiness, url.searchParams.has('verbose'));
    return { status, contentType: 'application/json', body: JSON.stringify(body) };
  }

  #describe({ isReady, reasons, readySinceUnixMs }: Readiness, isVerbose: boolean): object {
    const details = isVerbose ? { reasons } : {};
    if (!isReady) return { status: 'Server not available', upSince: NEVER, uptime: '', ...details };
    return {
      status: 'Server available',
      upSince: new Date(readySinceUnixMs).toISOString(),
      uptime: goDuration(this.#settings.clock.unixMs() - readySinceUnixMs),
      ...details,
    };
  }
}

/** Milliseconds as Go prints a duration: `1h2m3.5s`, `850ms`. */
export function goDuration(ms: number): string {
  const whole = Math.max(Math.round(ms), 0);
  if (whole === 0) return '0s';
  if (whole < 1000) return `${whole}ms`;
  const hours = Math.floor(whole / 3_600_000);
  const minutes = Math.floor((whole % 3_600_000) / 60_000);
  const seconds = `${(whole % 60_000) / 1000}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}
