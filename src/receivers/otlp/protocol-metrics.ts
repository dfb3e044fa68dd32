/**
 * `http_server_*` and `rpc_server_*` of one listener, as the semantic conventions of OpenTelemetry have them. Labels
 * hold what is configured and what is standardised, never what a client chose: a `Host` header or a made-up method
 * would be a series of its own for each stranger's idea.
 */
import type { Histogram, Labels, Meter } from '../../component/settings.ts';
import { grpcStatusName } from '../../otlp/status.ts';

const KNOWN_METHODS = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'CONNECT',
  'OPTIONS',
  'TRACE',
  'PATCH',
]);

interface HttpSeries {
  duration: Histogram;
  requestBytes: Histogram;
  responseBytes: Histogram;
}

export interface ListenerLabels {
  /** As configured; undefined means every address of the machine. */
  host: string | undefined;
  port: number;
  isSecure: boolean;
}

export class HttpServerMetrics {
  readonly #meter: Meter;
  readonly #labels: Labels;
  /** By method, route and status: both of the first are from short lists. */
  readonly #series = new Map<string, Map<number, HttpSeries>>();

  constructor(meter: Meter, { host, port, isSecure }: ListenerLabels) {
    this.#meter = meter;
    this.#labels = {
      network_protocol_name: 'http',
      network_protocol_version: '1.1',
      server_address: host ?? '::',
      server_port: String(port),
      url_scheme: isSecure ? 'https' : 'http',
    };
  }

  /** @param route path of the signal, '' when there is none at the path that was asked for. */
  record(
    method: string,
    route: string,
    status: number,
    answer: { durationMs: number; requestBytes: number; responseBytes: number },
  ): void {
    const known = KNOWN_METHODS.has(method) ? method : '_OTHER';
    const key = known === 'POST' ? route : `${known} ${route}`;
    let byStatus = this.#series.get(key);
    if (byStatus === undefined) {
      byStatus = new Map();
      this.#series.set(key, byStatus);
    }
    let series = byStatus.get(status);
    if (series === undefined) {
      series = this.#open(known, route, status);
      byStatus.set(status, series);
    }
    series.duration.record(answer.durationMs / 1000);
    series.requestBytes.record(answer.requestBytes);
    series.responseBytes.record(answer.responseBytes);
  }

  #open(method: string, route: string, status: number): HttpSeries {
    const labels: Labels = {
      ...this.#labels,
      http_request_method: method,
      http_response_status_code: String(status),
      ...(route === '' ? {} : { http_route: route }),
    };
    return {
      duration: this.#meter.histogram('http_server_request_duration', labels),
      requestBytes: this.#meter.histogram('http_server_request_body_size', labels),
      responseBytes: this.#meter.histogram('http_server_response_body_size', labels),
    };
  }
}

export class RpcServerMetrics {
  readonly #meter: Meter;
  readonly #series = new Map<string, Map<number, Histogram>>();

  constructor(meter: Meter) {
    this.#meter = meter;
  }

  /** @param method full name with the leading slash, '' for one that is not known here. */
  record(method: string, code: number, durationMs: number): void {
    let byCode = this.#series.get(method);
    if (byCode === undefined) {
      byCode = new Map();
      this.#series.set(method, byCode);
    }
    let series = byCode.get(code);
    if (series === undefined) {
      series = this.#meter.histogram('rpc_server_call_duration', {
        rpc_method: method === '' ? '_OTHER' : method.slice(1),
        rpc_response_status_code: grpcStatusName(code),
        rpc_system_name: 'grpc',
      });
      byCode.set(code, series);
    }
    series.record(durationMs / 1000);
  }
}
