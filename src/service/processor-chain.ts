/** The processors of one pipeline in one pipeline worker, and the request on its way through them. */
import { type ClientContext, NO_CLIENT_CONTEXT } from '../component/client-context.ts';
import type { Processor, ProcessorRequest } from '../component/processor.ts';
import type { Counter, Meter } from '../component/settings.ts';
import type { Signal } from '../component/signal.ts';
import { scanRequest } from '../otlp/scan.ts';
import { RequestIndex } from '../pdata/request-index.ts';

/** A request behind the scan, and what processors made of it. One for each chain, reused. */
class ChainRequest implements ProcessorRequest {
  readonly signal: Signal;
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  itemCount = 0;
  client = NO_CLIENT_CONTEXT;
  readonly #ownIndex = new RequestIndex();
  /** undefined: not scanned since the last replacement. */
  #index: RequestIndex | undefined;

  constructor(signal: Signal) {
    this.signal = signal;
  }

  begin(bytes: Uint8Array, start: number, end: number, index: RequestIndex, client: ClientContext): void {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.itemCount = index.itemCount;
    this.client = client;
    this.#index = index;
  }

  index(): RequestIndex {
    if (this.#index === undefined) {
      scanRequest(this.signal, this.bytes, this.start, this.end, this.#ownIndex);
      this.#index = this.#ownIndex;
    }
    return this.#index;
  }

  replace(bytes: Uint8Array, itemCount: number): void {
    this.bytes = bytes;
    this.start = 0;
    this.end = bytes.length;
    this.itemCount = itemCount;
    this.#index = undefined;
  }
}

interface Stage {
  processor: Processor;
  incoming: Counter;
  outgoing: Counter;
}

export class ProcessorChain {
  readonly #request: ChainRequest;
  readonly #stages: readonly Stage[];

  /** @param processors in the order of the pipeline, each with its id. */
  constructor(
    signal: Signal,
    processors: readonly { readonly id: string; readonly processor: Processor }[],
    meter: Meter,
  ) {
    this.#request = new ChainRequest(signal);
    this.#stages = processors.map(({ id, processor }) => {
      const labels = { processor: id, otel_signal: signal };
      return {
        processor,
        incoming: meter.counter('otelcol_processor_incoming_items', labels),
        outgoing: meter.counter('otelcol_processor_outgoing_items', labels),
      };
    });
  }

  /**
   * Hands a request through all processors.
   * @param index of bytes [start, end), without rejected items and fragments.
   * @param client who sent it.
   * @returns the result: a view of `bytes` when nothing changed, else valid until the next call.
   * @throws what a processor throws.
   */
  process(
    bytes: Uint8Array,
    start: number,
    end: number,
    index: RequestIndex,
    client: ClientContext = NO_CLIENT_CONTEXT,
  ): Readonly<ProcessorRequest> {
    const request = this.#request;
    request.begin(bytes, start, end, index, client);
    for (const { processor, incoming, outgoing } of this.#stages) {
      if (request.itemCount === 0) break;
      incoming.add(request.itemCount);
      processor.process(request);
      outgoing.add(request.itemCount);
    }
    return request;
  }

  async start(): Promise<void> {
    for (const { processor } of this.#stages) await processor.start();
  }

  async shutdown(deadlineMs: number): Promise<void> {
    for (const { processor } of this.#stages) await processor.shutdown(deadlineMs);
  }
}
