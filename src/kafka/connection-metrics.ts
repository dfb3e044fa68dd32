/** `otelcol_kafka_broker_*`: connections by the address of the broker, which is known before its number is. */
import type { Labels, Meter } from '../component/settings.ts';

export class ConnectionMetrics {
  readonly #meter: Meter;
  readonly #labels: Labels;

  /** @param labels of every series. */
  constructor(meter: Meter, labels: Labels) {
    this.#meter = meter;
    this.#labels = labels;
  }

  /** One connection from its beginning: call `opened` when it may be used, and `closed` at the end of its socket. */
  watch(host: string, port: number): { opened(): void; closed(): void } {
    const labels = this.#labelsOf(host, port);
    const connects = (outcome: string): void =>
      this.#meter.counter('otelcol_kafka_broker_connects', { ...labels, outcome }).add(1);
    let isOpen = false;
    return {
      opened: () => {
        isOpen = true;
        connects('success');
      },
      closed: () => {
        if (isOpen) this.#meter.counter('otelcol_kafka_broker_closed', labels).add(1);
        else connects('failure');
      },
    };
  }

  /** The broker wants to be left alone for so long. */
  throttled(host: string, port: number, ms: number): void {
    const labels = this.#labelsOf(host, port);
    this.#meter.histogram('otelcol_kafka_broker_throttling_latency', labels).record(ms / 1000);
  }

  #labelsOf(host: string, port: number): Labels {
    return { ...this.#labels, server_address: host, server_port: String(port) };
  }
}
