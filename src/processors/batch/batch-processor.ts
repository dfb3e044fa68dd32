import {
  type ClientKeys,
  clientKeys,
  encodeClientContext,
  mergeClientKeys,
  NO_CLIENT_CONTEXT,
} from '../../component/client-context.ts';
import { PipelineError } from '../../component/errors.ts';
import type { Processor, ProcessorRequest } from '../../component/processor.ts';
import type { ComponentSettings, Gauge } from '../../component/settings.ts';
import type { BatchConfig } from './config.ts';

/** What the pipeline's batches are kept apart by; undefined: nothing. */
export function partitionOf({ metadataKeys }: BatchConfig): ClientKeys | undefined {
  return mergeClientKeys([
    clientKeys(metadataKeys.map((key) => ({ kind: 'metadata', name: key.toLowerCase() }))),
  ]);
}

/**
 * Requests pass unchanged, because what is acknowledged must be on disk and not in a buffer. Only those of one
 * combination of metadata too many are refused.
 */
export class BatchProcessor implements Processor {
  readonly #settings: ComponentSettings;
  readonly #keys: ClientKeys | undefined;
  readonly #combinationsMax: number;
  /** Never forgotten while the worker runs: the bound is one for clients, not for memory. */
  readonly #combinations = new Set<string>();
  readonly #cardinality: Gauge | undefined;
  #lastClient = NO_CLIENT_CONTEXT;

  constructor(settings: ComponentSettings, config: BatchConfig) {
    this.#settings = settings;
    this.#keys = config.metadataCardinalityLimit === 0 ? undefined : partitionOf(config);
    this.#combinationsMax = config.metadataCardinalityLimit;
    if (this.#keys === undefined) return;
    const labels = { processor: settings.id };
    this.#cardinality = settings.meter.gauge('otelcol_processor_batch_metadata_cardinality', labels);
  }

  async start(): Promise<void> {
    this.#settings.logger.info(
      'batches are cut when exporters read: the keys of batch hold for exporters without their own',
    );
  }

  async shutdown(): Promise<void> {}

  process({ client = NO_CLIENT_CONTEXT }: ProcessorRequest): void {
    const keys = this.#keys;
    // One client sends many requests in a row.
    if (keys === undefined || (client === this.#lastClient && this.#combinations.size > 0)) return;
    const encoded = encodeClientContext(client, keys);
    const combination = encoded === undefined ? '' : Buffer.from(encoded).toString('latin1');
    if (!this.#combinations.has(combination)) {
      if (this.#combinations.size >= this.#combinationsMax) {
        const message = 'too many batcher metadata-value combinations';
        throw new PipelineError('METADATA_CARDINALITY', message, { permanent: true });
      }
      this.#combinations.add(combination);
      this.#cardinality?.set(this.#combinations.size);
    }
    this.#lastClient = client;
  }
}
