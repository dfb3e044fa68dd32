/**
 * Sends what the engine says about itself, by the engine's own OTLP exporters or to stdout. There is no log behind it:
 * what cannot be sent is lost and counted, because telemetry about a full disk must not need the disk.
 */
import { PipelineError } from '../component/errors.ts';
import type { Exporter } from '../component/exporter.ts';
import type { ExporterFactory } from '../component/factory.ts';
import type { Logger } from '../component/settings.ts';
import type { Signal } from '../component/signal.ts';
import type { OtlpTargetPlan, OwnExporterPlan } from '../config/telemetry-plan.ts';
import { protoToJson } from '../otlp/proto-to-json.ts';
import { loadComponents } from '../registry/load.ts';
import { findFactory } from '../registry/registry.ts';
import type { Clock } from '../stdx/clock.ts';
import { ThreadMeter } from '../telemetry/registry.ts';

export interface OwnExporterOptions {
  plan: OwnExporterPlan;
  signal: Signal;
  /** Place in the configuration, for messages. */
  id: string;
  clock: Clock;
  logger: Logger;
  /** Instead of stdout, for tests. */
  writeLine?: (line: string) => void;
}

export class OwnExporter {
  readonly #options: OwnExporterOptions;
  #exporter: Exporter | undefined;
  #batchCount = 0;

  constructor(options: OwnExporterOptions) {
    this.#options = options;
  }

  /** @throws PipelineError naming the place in the configuration. */
  async start(): Promise<void> {
    const { plan, signal, id, clock, logger } = this.#options;
    if (plan.otlp === undefined) return;
    const type = plan.otlp.protocol === 'grpc' ? 'otlp' : 'otlphttp';
    const registry = await loadComponents([{ kind: 'exporter', type }]);
    const factory = findFactory(registry, 'exporter', type) as ExporterFactory<unknown>;
    const { value, issues } = factory.configSchema.parse(exporterKeys(plan.otlp, signal));
    if (value === undefined) {
      const message = `${id}: ${issues.map((issue) => issue.message).join('; ')}`;
      throw new PipelineError('CONFIG_INVALID', message, { permanent: true });
    }
    // A meter that nobody reads: telling of the telling would never end.
    const settings = { id, clock, logger, meter: new ThreadMeter() };
    this.#exporter = await factory.create(settings, value, signal);
    await this.#exporter.start();
  }

  /** @throws PipelineError when it did not arrive within the time. */
  async send(request: Uint8Array, itemCount: number, timeoutMs: number): Promise<void> {
    const { signal, id, plan, clock } = this.#options;
    if (plan.isConsole) {
      const write = this.#options.writeLine ?? ((line: string) => void process.stdout.write(line));
      return write(`${protoToJson(signal, request)}\n`);
    }
    const limitMs = Math.min(timeoutMs, plan.otlp?.timeoutMs ?? timeoutMs);
    const batch = {
      signal,
      batchId: `${id}-${++this.#batchCount}`,
      slices: [request],
      itemCount,
      sizeBytes: request.byteLength,
      receivedUnixMs: clock.unixMs(),
    };
    await this.#exporter?.export(batch, AbortSignal.timeout(limitMs));
  }

  async shutdown(deadlineMs: number): Promise<void> {
    await this.#exporter?.shutdown(deadlineMs);
    this.#exporter = undefined;
  }
}

/** The target in the keys of the exporter that sends to it. */
function exporterKeys(target: OtlpTargetPlan, signal: Signal): object {
  const { url, headers, compression, caFile, certFile, keyFile } = target;
  const { origin, protocol } = new URL(url);
  const tls = {
    insecure: protocol === 'http:',
    ...(caFile === undefined ? {} : { ca_file: caFile }),
    ...(certFile === undefined ? {} : { cert_file: certFile, key_file: keyFile }),
  };
  const shared = { headers, compression, tls, timeout: `${target.timeoutMs}ms` };
  if (target.protocol === 'grpc') return { ...shared, endpoint: origin };
  return { ...shared, [`${signal}_endpoint`]: url };
}
