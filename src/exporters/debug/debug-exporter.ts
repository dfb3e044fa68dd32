import type { ExportBatch, Exporter } from '../../component/exporter.ts';
import type { ComponentSettings, LogFields } from '../../component/settings.ts';
import type { Signal } from '../../component/signal.ts';
import type { DebugConfig, Verbosity } from './config.ts';
import { detailedLines } from './detailed-text.ts';
import { normalLines } from './normal-text.ts';
import { countParts, readParts } from './request-parts.ts';
import { Sampler } from './sampler.ts';
import { TextOutput } from './text-output.ts';

const MESSAGES: Record<Signal, string> = { traces: 'Traces', metrics: 'Metrics', logs: 'Logs' };

/**
 * Prints batches; one instance a signal. Decodes a few items at a time, so that memory does not grow with a batch.
 *
 * | event                         | the batch                                        |
 * | ----------------------------- | ------------------------------------------------ |
 * | the streams took all of it    | delivered                                        |
 * | left out by sampling          | delivered, not shown                             |
 * | a stream fails or the stop    | shown again from its beginning                   |
 * | bytes that are not protobuf   | dropped; what was readable before them was shown |
 */
export class DebugExporter implements Exporter {
  readonly #settings: ComponentSettings;
  readonly #config: DebugConfig;
  readonly #signal: Signal;
  readonly #sampler: Sampler;
  readonly #output: TextOutput;

  constructor(settings: ComponentSettings, config: DebugConfig, signal: Signal) {
    this.#settings = settings;
    this.#config = config;
    this.#signal = signal;
    this.#sampler = new Sampler(settings.clock, config.samplingInitial, config.samplingThereafter);
    const names = config.usesInternalLogger ? ['stderr'] : (config.outputPaths ?? ['stdout']);
    this.#output = new TextOutput(names.map((name) => (name === 'stderr' ? process.stderr : process.stdout)));
  }

  async start(): Promise<void> {}

  async shutdown(): Promise<void> {}

  async export(batch: ExportBatch, signal: AbortSignal): Promise<void> {
    if (!this.#sampler.admits()) return;
    const { usesInternalLogger, verbosity } = this.#config;
    const message = MESSAGES[this.#signal];
    const counts = this.#countFields(batch);
    if (usesInternalLogger) this.#settings.logger.info(message, counts);
    else await this.#output.writeLines([`${message}\t${spacedJson(counts)}`], signal);
    if (verbosity === 'basic') return;
    await this.#output.writeLines(this.#lines(verbosity, batch.slices), signal);
  }

  #countFields(batch: ExportBatch): LogFields {
    const { resources, items } = countParts(batch.slices);
    if (this.#signal === 'traces') return { 'resource spans': resources, spans: items };
    if (this.#signal === 'logs') return { 'resource logs': resources, 'log records': items };
    return { 'resource metrics': resources, metrics: items, 'data points': batch.itemCount };
  }

  *#lines(verbosity: Exclude<Verbosity, 'basic'>, slices: readonly Uint8Array[]): Generator<string> {
    const linesOf = verbosity === 'normal' ? normalLines : detailedLines;
    for (const part of readParts(this.#signal, slices)) yield* linesOf(this.#signal, part);
  }
}

/** `{"resource spans": 1, "spans": 2}`: with the blanks that scripts look for. */
function spacedJson(fields: LogFields): string {
  const members = Object.entries(fields).map(([name, value]) => `${JSON.stringify(name)}: ${String(value)}`);
  return `{${members.join(', ')}}`;
}
