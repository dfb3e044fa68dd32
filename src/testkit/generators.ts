/**
 * Deterministic OTLP export requests of the three signals, for tests, benches and the load test.
 * The same settings and sequence numbers give the same bytes except for times, which are the caller's.
 */
import { assert } from '../stdx/assert.ts';
import { Prng } from '../stdx/prng.ts';
import { encodeModel } from './generators-encode.ts';
import { logsModel } from './generators-logs.ts';
import { metricsModel } from './generators-metrics.ts';
import type { RequestRandom } from './generators-template.ts';
import { drawRandom, RequestTemplate } from './generators-template.ts';
import { tracesModel } from './generators-traces.ts';

export const GENERATED_SIGNALS = ['traces', 'logs', 'metrics'] as const;
export type GeneratedSignal = (typeof GENERATED_SIGNALS)[number];

export interface GeneratorSettings {
  readonly signal: GeneratedSignal;
  /** Spans, log records or data points of a request. */
  readonly itemsPerRequest: number;
  /** Spans or records that share a trace id; default 8. */
  readonly itemsPerTrace?: number;
  /** Consecutive requests over which the items of a trace are spread evenly; default 1. */
  readonly requestsPerTrace?: number;
  readonly encoding?: 'proto' | 'json';
  readonly seed: number;
  /** Name of the run, written to the resource attribute `lt.run`; default `run`. */
  readonly run?: string;
  /** Number of the producer within the run, written to `lt.producer`; default 0. */
  readonly producer?: number;
  /** Requests of different text that alternate; default 4. */
  readonly templateCount?: number;
}

/** A request in a buffer of its own, behind room for the transport's header. Reusable once it was sent. */
export interface RequestSlot {
  readonly buffer: Buffer;
  readonly bodyOffset: number;
  readonly bodyBytes: number;
  readonly view: DataView;
  readonly template: RequestTemplate;
}

const MODELS = { traces: tracesModel, logs: logsModel, metrics: metricsModel };
const ROOT_MESSAGES = { traces: 'TracesData', logs: 'LogsData', metrics: 'MetricsData' };

export class RequestGenerator {
  readonly itemsPerRequest: number;
  readonly #templates: RequestTemplate[] = [];
  readonly #prng: Prng;
  readonly #random: RequestRandom;
  readonly #requestsPerTrace: number;
  #slotCount = 0;
  #drawn = 0;

  constructor(settings: GeneratorSettings) {
    const {
      signal,
      itemsPerRequest,
      seed,
      encoding = 'proto',
      itemsPerTrace = 8,
      requestsPerTrace = 1,
      templateCount = 4,
    } = settings;
    assert(itemsPerRequest >= 1 && itemsPerTrace >= 1 && templateCount >= 1);
    const itemsTogether = itemsPerTrace / requestsPerTrace;
    assert(Number.isInteger(itemsTogether), 'items of a trace cannot be spread evenly');
    this.#requestsPerTrace = requestsPerTrace;
    this.itemsPerRequest = itemsPerRequest;
    const origin = { run: settings.run ?? 'run', producer: settings.producer ?? 0 };
    for (let i = 0; i < templateCount; i += 1) {
      const model = MODELS[signal](new Prng(seed + i), itemsPerRequest, itemsTogether, origin);
      const { bytes, marks } = encodeModel(encoding, ROOT_MESSAGES[signal], model);
      this.#templates.push(new RequestTemplate(bytes, marks, encoding === 'json'));
    }
    this.#random = {
      traceWords: new Uint32Array(4 * Math.ceil(itemsPerRequest / itemsTogether)),
      itemWords: new Uint32Array(2 * itemsPerRequest),
    };
    // Producers of one run and runs of one seed must not repeat each other's ids.
    let idSeed = seed;
    for (const char of `${origin.run}/${origin.producer}`)
      idSeed = (Math.imul(idSeed, 31) + char.charCodeAt(0)) >>> 0;
    this.#prng = new Prng(idSeed);
    drawRandom(this.#random, this.#prng);
  }

  /** A buffer for requests, with `headerBytes(bodyBytes)` free bytes in front of the body. */
  createSlot(headerBytes: (bodyBytes: number) => number = () => 0): RequestSlot {
    const template = this.#templates[this.#slotCount % this.#templates.length];
    assert(template !== undefined);
    this.#slotCount += 1;
    const bodyBytes = template.bytes.byteLength;
    const bodyOffset = headerBytes(bodyBytes);
    const buffer = Buffer.from(new ArrayBuffer(bodyOffset + bodyBytes));
    buffer.set(template.bytes, bodyOffset);
    return { buffer, bodyOffset, bodyBytes, view: new DataView(buffer.buffer), template };
  }

  /** Turns what lies in the slot into request number `seq`, with fresh ids and times just before `unixMs`. */
  fill(slot: RequestSlot, seq: number, unixMs: number): void {
    drawRandom(this.#random, this.#prng, this.#requestsPerTrace, this.#drawn++);
    slot.template.fill(slot.view, slot.bodyOffset, this.#random, seq, unixMs);
  }

  /** A request in memory of its own. */
  next(seq: number, unixMs: number): Uint8Array {
    const slot = this.createSlot();
    this.fill(slot, seq, unixMs);
    return new Uint8Array(slot.buffer.buffer);
  }
}

/** One request with fixed times: the input of codec tests and benches. */
export function generateRequest(settings: GeneratorSettings, unixMs = 1_760_000_000_000): Uint8Array {
  return new RequestGenerator(settings).next(0, unixMs);
}
