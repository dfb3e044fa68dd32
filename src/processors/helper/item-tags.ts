/** Which field of an item holds its attributes. */
import type { Signal } from '../../component/signal.ts';
import { POINT_ATTRIBUTES_TAGS } from '../../otlp/metric-kinds.ts';
import * as tags from '../../otlp/tags.ts';
import type { RequestIndex } from '../../pdata/request-index.ts';

/** Follows the items of one request in their order and knows the metric and the attributes' field of each. */
export class ItemWalk {
  metric = 0;
  attributesTag = 0;
  #index: RequestIndex | undefined;
  #metricEnd = 0;

  begin(signal: Signal, index: RequestIndex): void {
    this.#index = index;
    this.metric = -1;
    this.#metricEnd = signal === 'metrics' ? 0 : index.itemCount;
    this.attributesTag = signal === 'traces' ? tags.TAG_SPAN_ATTRIBUTES : tags.TAG_LOG_ATTRIBUTES;
  }

  /** @param item at or behind that of the call before. */
  moveTo(item: number): void {
    if (item < this.#metricEnd) return;
    const index = this.#index!;
    do {
      this.metric++;
      this.#metricEnd = index.metricItemEnd(this.metric);
    } while (item >= this.#metricEnd);
    this.attributesTag = POINT_ATTRIBUTES_TAGS[index.metricKind[this.metric]!]!;
  }
}
