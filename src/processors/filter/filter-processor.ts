import type { Processor, ProcessorRequest } from '../../component/processor.ts';
import type { ComponentSettings, Counter } from '../../component/settings.ts';
import type { Signal } from '../../component/signal.ts';
import {
  ITEM_DROP,
  ITEM_KEEP,
  type ItemDecision,
  patchRequest,
  type RequestEditor,
} from '../../otlp/patch-request.ts';
import { OutputBuffer } from '../helper/output-buffer.ts';
import { Selection } from '../helper/selection.ts';
import { blockOf, type FilterConfig } from './config.ts';

/** What the Collector calls the items in the names of its counters. */
const COUNTED: Record<Signal, string> = { traces: 'spans', metrics: 'datapoints', logs: 'logs' };

/** Leaves out what is not included or is excluded; containers that it empties go as well. */
export class FilterProcessor implements Processor, RequestEditor {
  readonly editsResources = false;
  readonly #selection: Selection | undefined;
  readonly #output = new OutputBuffer();
  readonly #filtered: Counter;

  constructor({ id, meter }: ComponentSettings, config: FilterConfig, signal: Signal) {
    const block = blockOf(config, signal);
    this.#selection = block && new Selection(block);
    this.#filtered = meter.counter(`otelcol_processor_filter_${COUNTED[signal]}_filtered`, { filter: id });
  }

  async start(): Promise<void> {}

  async shutdown(): Promise<void> {}

  process(request: ProcessorRequest): void {
    if (this.#selection === undefined) return;
    this.#selection.begin(request);
    const writer = this.#output.next();
    const { signal, bytes, start, end, itemCount } = request;
    const keptCount = patchRequest(signal, bytes, start, end, this, writer);
    if (keptCount < 0) return;
    this.#filtered.add(itemCount - keptCount);
    request.replace(writer.view(), keptCount);
  }

  decideItem(item: number, start: number, end: number): ItemDecision {
    return this.#selection!.selects(item, start, end) ? ITEM_KEEP : ITEM_DROP;
  }

  writeItem(): void {}

  decideResource(): boolean {
    return false;
  }

  writeResource(): void {}
}
