/** HTTP endpoint of the engine's own telemetry: /metrics and /debug/latency. Loopback unless configured. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import { PipelineError } from '../component/errors.ts';
import { LATENCY_STAGES } from './metrics.ts';

const BASE = 'http://localhost';

export interface TelemetrySource {
  /** Prometheus text with fresh figures of every thread. */
  metricsText(): Promise<string>;
  /** Percentile distribution of a stage; undefined for an unknown one. */
  latencyText(stage: string): Promise<string | undefined>;
}

export class TelemetryServer {
  readonly #source: TelemetrySource;
  readonly #server: Server;

  constructor(source: TelemetrySource) {
    this.#source = source;
    this.#server = createServer((request, response) => {
      const { method, url: target = '' } = request;
      if (method !== 'GET') {
        response.setHeader('allow', 'GET');
        return reply(response, 405, '405 method not allowed, supported: [GET]\n');
      }
      // `//` and the like are targets that an HTTP parser takes and the URL class throws for.
      if (!URL.canParse(target, BASE)) return reply(response, 400, '400 bad request target\n');
      const url = new URL(target, BASE);
      this.#answer(url, response).catch(() => reply(response, 500, 'telemetry could not be collected\n'));
    });
    this.#server.headersTimeout = 10_000;
    this.#server.requestTimeout = 30_000;
    this.#server.maxConnections = 64;
  }

  /** @throws PipelineError START_FAILED naming the address when it cannot be bound. */
  async listen(host: string, port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (cause) => {
        const message = `service::telemetry::metrics: cannot listen on ${host}:${port}: ${cause.message}`;
        reject(new PipelineError('START_FAILED', message, { permanent: true, cause }));
      });
      this.#server.listen(port, host, resolve);
    });
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #answer(url: URL, response: ServerResponse): Promise<void> {
    if (url.pathname === '/metrics') {
      return reply(
        response,
        200,
        await this.#source.metricsText(),
        'text/plain; version=0.0.4; charset=utf-8',
      );
    }
    if (url.pathname === '/debug/latency') {
      const text = await this.#source.latencyText(url.searchParams.get('stage') ?? '');
      if (text !== undefined) return reply(response, 200, text);
      return reply(
        response,
        400,
        `unknown stage; use ?stage= one of: ${[...LATENCY_STAGES.keys()].join(', ')}\n`,
      );
    }
    reply(response, 404, '404 page not found\n');
  }
}

function reply(
  response: ServerResponse,
  status: number,
  body: string,
  type = 'text/plain; charset=utf-8',
): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
