/** `http_client_*` of one URL, as the semantic conventions of OpenTelemetry have them. */
import type { Histogram, Labels, Meter } from '../../component/settings.ts';

interface Series {
  duration: Histogram;
  requestBytes: Histogram;
}

/** Who is called. A URL without a port means that of its scheme. */
export function serverLabels({ hostname, port, protocol }: URL): Labels {
  return { server_address: hostname, server_port: port || (protocol === 'https:' ? '443' : '80') };
}

export class HttpClientMetrics {
  readonly #meter: Meter;
  readonly #labels: Labels;
  /** By status, or by the kind of error that there was instead. */
  readonly #series = new Map<number | string, Series>();

  constructor(meter: Meter, url: URL) {
    this.#meter = meter;
    const isSecure = url.protocol === 'https:';
    this.#labels = {
      http_request_method: 'POST',
      network_protocol_name: 'http',
      network_protocol_version: '1.1',
      ...serverLabels(url),
      url_scheme: isSecure ? 'https' : 'http',
    };
  }

  /** @param result status of the answer, or `timeout` or `connection` when there was none. */
  record(result: number | 'timeout' | 'connection', durationMs: number, requestBytes: number): void {
    let series = this.#series.get(result);
    if (series === undefined) {
      const labels = { ...this.#labels, ...resultLabels(result) };
      series = {
        duration: this.#meter.histogram('http_client_request_duration', labels),
        requestBytes: this.#meter.histogram('http_client_request_body_size', labels),
      };
      this.#series.set(result, series);
    }
    series.duration.record(durationMs / 1000);
    series.requestBytes.record(requestBytes);
  }
}

/** A status of the client's or the server's failure is an error type, too. */
function resultLabels(result: number | string): Labels {
  if (typeof result === 'string') return { error_type: result };
  const status = { http_response_status_code: String(result) };
  return result >= 400 ? { ...status, error_type: String(result) } : status;
}
