/** `rpc_client_call_duration` of one method and target, as the semantic conventions of OpenTelemetry have it. */
import type { Histogram, Labels, Meter } from '../../../component/settings.ts';
import { grpcStatusName } from '../../../otlp/status.ts';

export class CallMetrics {
  readonly #meter: Meter;
  readonly #labels: Labels;
  readonly #series = new Map<number, Histogram>();

  /** @param method full name with the leading slash. */
  constructor(meter: Meter, method: string, peerLabels: Labels) {
    this.#meter = meter;
    this.#labels = { ...peerLabels, rpc_method: method.slice(1), rpc_system_name: 'grpc' };
  }

  /** @param code of the answer; UNAVAILABLE or DEADLINE_EXCEEDED when there was none, as gRPC clients say. */
  record(code: number, durationMs: number): void {
    let series = this.#series.get(code);
    if (series === undefined) {
      const labels = { ...this.#labels, rpc_response_status_code: grpcStatusName(code) };
      series = this.#meter.histogram('rpc_client_call_duration', labels);
      this.#series.set(code, series);
    }
    series.record(durationMs / 1000);
  }
}
