import { get } from 'node:http';
import { join, resolve } from 'node:path';
import type { Component } from '../../component/component.ts';
import { PipelineError } from '../../component/errors.ts';
import type { ComponentSettings } from '../../component/settings.ts';
import type { EmbeddedClickhouseConfig } from './config.ts';
import { machineMemoryBytes, toStoreOptions } from './store-options.ts';
import { StoreSupervisor } from './store-supervisor.ts';

const PING_TIMEOUT_MS = 5000;
/** Where data goes when the engine names no directory. */
const FALLBACK_DIRECTORY = 'millrace-data';

/** Runs ClickHouse beside the engine for as long as the engine runs. */
export class EmbeddedClickhouseExtension implements Component {
  readonly #settings: ComponentSettings;
  readonly #supervisor: StoreSupervisor;
  readonly #host: string;
  readonly #path: string;

  constructor(settings: ComponentSettings, config: EmbeddedClickhouseConfig) {
    this.#settings = settings;
    this.#path = resolve(config.path ?? join(settings.dataDir ?? FALLBACK_DIRECTORY, 'clickhouse'));
    const store = toStoreOptions(config, this.#path, machineMemoryBytes());
    this.#host = store.host;
    this.#supervisor = new StoreSupervisor({
      store,
      startTimeoutMs: config.startTimeoutMs,
      heartbeatTimeoutMs: config.heartbeatTimeoutMs,
      logger: settings.logger,
      clock: settings.clock,
      restarts: settings.meter.counter('millrace_worker_restarts', { kind: 'store' }),
    });
  }

  /** Address for clients on this machine, known after `start`. */
  get url(): string {
    const isWildcard = this.#host === '' || this.#host === '0.0.0.0' || this.#host === '::';
    const host = isWildcard ? '127.0.0.1' : this.#host;
    return `http://${host.includes(':') ? `[${host}]` : host}:${this.#supervisor.port}`;
  }

  /** Process id of the store, undefined before `start`. */
  get pid(): number | undefined {
    return this.#supervisor.pid;
  }

  async start(): Promise<void> {
    if (/[*?{}]/.test(this.#path)) {
      const message = `the path ${this.#path} has one of * ? { }, which ClickHouse expands in names of files`;
      throw new PipelineError('START_FAILED', message, { permanent: true });
    }
    await this.#supervisor.start();
    try {
      await ping(this.url);
    } catch (error) {
      await this.#supervisor.shutdown(this.#settings.clock.monotonicMs());
      throw error;
    }
    const { logger } = this.#settings;
    logger.info('embedded ClickHouse is ready', { url: this.url, path: this.#path });
    if (!/^(localhost|::1|127\..*)$/.test(this.#host)) {
      logger.warn('embedded ClickHouse has no passwords and is open to other machines', { url: this.url });
    }
  }

  shutdown(deadlineMs: number): Promise<void> {
    return this.#supervisor.shutdown(deadlineMs);
  }
}

/** One request over the real socket: what the exporters will do next. */
function ping(url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error) => {
      const message = `embedded ClickHouse does not answer at ${url}: ${cause.message}`;
      reject(new PipelineError('START_FAILED', message, { permanent: true, cause }));
    };
    const request = get(`${url}/ping`, { agent: false, timeout: PING_TIMEOUT_MS }, (response) => {
      response.resume();
      if (response.statusCode === 200) response.once('end', resolve);
      else fail(new Error(`status ${response.statusCode}`));
    });
    request.once('timeout', () => request.destroy(new Error(`no answer within ${PING_TIMEOUT_MS} ms`)));
    request.once('error', fail);
  });
}
