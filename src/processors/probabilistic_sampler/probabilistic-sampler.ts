import type { Processor, ProcessorRequest } from '../../component/processor.ts';
import type { ComponentSettings, Counter, Logger, Meter } from '../../component/settings.ts';
import type { Signal } from '../../component/signal.ts';
import {
  ITEM_DROP,
  ITEM_EDIT,
  ITEM_KEEP,
  type ItemDecision,
  patchRequest,
  type RequestEditor,
} from '../../otlp/patch-request.ts';
import type { WireWriter } from '../../otlp/wire-writer.ts';
import { OutputBuffer } from '../helper/output-buffer.ts';
import type { SamplerConfig } from './config.ts';
import type { ItemSampling } from './item-sampling.ts';
import { LogSampling } from './log-sampling.ts';
import { FAULT_NAMES, POLICY_COUNT, Sampler } from './sampler.ts';
import { SpanSampling } from './span-sampling.ts';

/** Keeps a share of spans or log records, the same ones wherever it decides, and notes the share in each. */
export class ProbabilisticSampler implements Processor, RequestEditor {
  readonly editsResources = false;
  readonly #sampler: Sampler;
  readonly #items: ItemSampling;
  readonly #output = new OutputBuffer();
  readonly #logger: Logger;
  readonly #meter: Meter;
  readonly #metric: string;
  readonly #policyNames: readonly string[];
  /** By policy, dropped and kept; made when first needed, because most policies never occur. */
  readonly #counters: (Counter | undefined)[] = [];
  readonly #counts = new Uint32Array(POLICY_COUNT * 2);
  readonly #faults = new Uint32Array(FAULT_NAMES.length);

  constructor({ meter, logger }: ComponentSettings, config: SamplerConfig, signal: Signal) {
    this.#sampler = new Sampler(config);
    this.#items =
      signal === 'traces' ? new SpanSampling(this.#sampler) : new LogSampling(this.#sampler, config);
    this.#meter = meter;
    this.#logger = logger;
    this.#metric = `otelcol_processor_probabilistic_sampler_count_${signal}_sampled`;
    this.#policyNames = [
      'trace_id_hash',
      'trace_id_w3c',
      'sampling_randomness',
      'sampling_priority',
      'missing_randomness',
      config.fromAttribute,
    ];
  }

  async start(): Promise<void> {}

  async shutdown(): Promise<void> {}

  process(request: ProcessorRequest): void {
    this.#items.begin(request);
    this.#counts.fill(0);
    this.#faults.fill(0);
    const writer = this.#output.next();
    const { signal, bytes, start, end } = request;
    const keptCount = patchRequest(signal, bytes, start, end, this, writer);
    this.#report();
    if (keptCount >= 0) request.replace(writer.view(), keptCount);
  }

  decideItem(item: number, start: number, end: number): ItemDecision {
    const isSampled = this.#items.decide(item, start, end);
    this.#counts[this.#sampler.policy * 2 + (isSampled ? 1 : 0)]!++;
    this.#faults[this.#sampler.fault]!++;
    if (!isSampled) return ITEM_DROP;
    return this.#items.update() ? ITEM_EDIT : ITEM_KEEP;
  }

  writeItem(writer: WireWriter): void {
    this.#items.write(writer);
  }

  decideResource(): boolean {
    return false;
  }

  writeResource(): void {}

  #report(): void {
    for (let at = 0; at < this.#counts.length; at++) {
      const count = this.#counts[at]!;
      if (count === 0) continue;
      const counter = this.#counters[at] ?? this.#makeCounter(at);
      counter.add(count);
    }
    for (let fault = 1; fault < this.#faults.length; fault++) {
      const count = this.#faults[fault]!;
      if (count > 0)
        this.#logger.debug('items without usable randomness', { reason: FAULT_NAMES[fault], count });
    }
  }
  #makeCounter(at: number): Counter {
    const counter = this.#meter.counter(this.#metric, {
      policy: this.#policyNames[at >> 1]!,
      sampled: (at & 1) === 1 ? 'true' : 'false',
    });
    this.#counters[at] = counter;
    return counter;
  }
}
