import type { Processor, ProcessorRequest } from '../../component/processor.ts';
import type { ComponentSettings, Counter, Logger } from '../../component/settings.ts';
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
import { ConditionFilter } from './condition-filter.ts';
import { type FilterConfig, groupsOf, selectionOf } from './config.ts';

/** What the Collector calls the items in the names of its counters. */
const COUNTED: Record<Signal, string> = { traces: 'spans', metrics: 'datapoints', logs: 'logs' };

/** Leaves out what is not included, is excluded or has a condition that holds; containers that it empties go as well. */
export class FilterProcessor implements Processor, RequestEditor {
  readonly editsResources = false;
  readonly #selection: Selection | undefined;
  readonly #output = new OutputBuffer();
  readonly #filters: readonly ConditionFilter[];
  readonly #logger: Logger;
  readonly #filtered: Counter;
  #errorCount = 0;

  constructor({ id, meter, logger }: ComponentSettings, config: FilterConfig, signal: Signal) {
    const selection = selectionOf(config, signal);
    this.#selection = selection && new Selection(selection);
    this.#filters = groupsOf(config, signal).map(
      (group) => new ConditionFilter(group, group.errorMode ?? config.errorMode),
    );
    this.#logger = logger;
    this.#filtered = meter.counter(`otelcol_processor_filter_${COUNTED[signal]}_filtered`, { filter: id });
  }

  async start(): Promise<void> {}

  async shutdown(): Promise<void> {}

  process(request: ProcessorRequest): void {
    if (this.#filters.length > 0) return this.#processConditions(request);
    if (this.#selection === undefined) return;
    this.#selection.begin(request);
    const writer = this.#output.next();
    const { signal, bytes, start, end, itemCount } = request;
    const keptCount = patchRequest(signal, bytes, start, end, this, writer);
    if (keptCount < 0) return;
    this.#filtered.add(itemCount - keptCount);
    request.replace(writer.view(), keptCount);
  }

  #processConditions(request: ProcessorRequest): void {
    const before = request.itemCount;
    for (const filter of this.#filters) {
      if (request.itemCount > 0) filter.process(request);
    }
    this.#filtered.add(before - request.itemCount);
    this.#tellErrors();
  }

  /** One line for a request, whatever the number of items and conditions. */
  #tellErrors(): void {
    let total = 0;
    let text = '';
    for (const filter of this.#filters) {
      if (filter.errorMode !== 'ignore') continue;
      const { count, text: latest } = filter.errors;
      total += count;
      if (latest !== '') text = latest;
    }
    if (total === this.#errorCount) return;
    this.#logger.warn('conditions failed', { count: total - this.#errorCount, latest: text });
    this.#errorCount = total;
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
