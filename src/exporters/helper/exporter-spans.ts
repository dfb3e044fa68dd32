/** Spans of one exporter and signal: one for each batch, from its first attempt to its end, as the Collector has them. */
import type { ActiveSpan, SpanSource, Tracer } from '../../component/settings.ts';
import type { Signal } from '../../component/signal.ts';

export interface BatchSpan {
  /** @param error of the last failed attempt; it is the span's when not all was sent. */
  end(itemCount: number, sentCount: number, isFinished: boolean, error: string | undefined): void;
}

export class ExporterSpans {
  readonly #tracer: Tracer;
  readonly #source: SpanSource;
  readonly #about: { exporter: string; data_type: string };

  constructor(tracer: Tracer, id: string, signal: Signal) {
    this.#tracer = tracer;
    this.#source = { name: `exporter/${id}/${signal}`, kind: 'exporter', id, signal };
    this.#about = { exporter: id, data_type: signal };
  }

  start(): BatchSpan | undefined {
    const span = this.#tracer.start(this.#source);
    return span === undefined ? undefined : new OpenBatchSpan(span, this.#about);
  }
}

class OpenBatchSpan implements BatchSpan {
  readonly #span: ActiveSpan;
  readonly #about: { exporter: string; data_type: string };

  constructor(span: ActiveSpan, about: { exporter: string; data_type: string }) {
    this.#span = span;
    this.#about = about;
  }

  end(itemCount: number, sentCount: number, isFinished: boolean, error: string | undefined): void {
    const failedCount = isFinished ? itemCount - sentCount : 0;
    const attributes = { ...this.#about, 'items.sent': sentCount, 'items.failed': failedCount };
    if (!isFinished) this.#span.end(attributes, 'the engine stopped; the batch is sent again');
    else this.#span.end(attributes, failedCount > 0 ? (error ?? 'items were rejected') : undefined);
  }
}
