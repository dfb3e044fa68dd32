/**
 * A sampler with its stage in a world of its own: virtual time, logs in memory, and a crash at any operation of theirs.
 * What was acknowledged and what came out is kept for the test to compare.
 */

import { ItemView } from '../otlp/item-view.ts';
import { scanRequest } from '../otlp/scan.ts';
import { TAG_SPAN_NAME } from '../otlp/tags.ts';
import { RequestIndex } from '../pdata/request-index.ts';
import {
  OBSERVED_ROOT,
  type PolicySet,
  VERDICT_NONE,
  VERDICT_NOT_SAMPLED,
  VERDICT_SAMPLED,
} from '../processors/tail_sampling/policy-set.ts';
import { SamplerMetrics } from '../processors/tail_sampling/sampler-metrics.ts';
import type { SamplerSettings } from '../processors/tail_sampling/sampler-settings.ts';
import { TraceSampler } from '../processors/tail_sampling/trace-sampler.ts';
import type { LogCursor, LogReader, LogWriter } from '../queue/log/contract.ts';
import { MemoryLog } from '../queue/log/memory-log.ts';
import { createSharedWords } from '../queue/log/shared-words.ts';
import type { Prng } from '../stdx/prng.ts';
import { ThreadMeter } from '../telemetry/registry.ts';
import { requestType } from '../testkit/otlp-root.ts';
import { HoldingStage } from './holding-stage.ts';

const NO_LOG = { debug() {}, info() {}, warn() {}, error() {}, child: () => NO_LOG };

/** Thrown by the operation at which the process dies. */
export class Crash extends Error {}

/** Dies when the fuse has burnt down; operations are counted, whatever log they are on. */
class Fuse {
  left = Number.POSITIVE_INFINITY;

  burn(): void {
    if (--this.left < 0) throw new Crash('the process died');
  }
}

function fusedWriter(writer: LogWriter, fuse: Fuse): LogWriter {
  return {
    get logId() {
      return writer.logId;
    },
    get failed() {
      return writer.failed;
    },
    get lastRefusal() {
      return writer.lastRefusal;
    },
    get appendedOrdinal() {
      return writer.appendedOrdinal;
    },
    get sizeBytes() {
      return writer.sizeBytes;
    },
    recoveredMark: writer.recoveredMark,
    tryAppend: (...args: Parameters<LogWriter['tryAppend']>) => {
      fuse.burn();
      return writer.tryAppend(...args);
    },
    mark: (mark) => {
      fuse.burn();
      writer.mark(mark);
    },
    commit: async () => {
      // Before the flush everything of the group is lost, behind it nothing.
      fuse.burn();
      await writer.commit();
      fuse.burn();
    },
    close: () => writer.close(),
  };
}

function fusedCursor(cursor: LogCursor, fuse: Fuse): LogCursor {
  return {
    name: cursor.name,
    origin: cursor.origin,
    generation: cursor.generation,
    get ordinal() {
      return cursor.ordinal;
    },
    get frozen() {
      return cursor.frozen;
    },
    get frozenEnd() {
      return cursor.frozenEnd;
    },
    get freezable() {
      return cursor.freezable;
    },
    freeze: async (boundaries) => {
      fuse.burn();
      await cursor.freeze(boundaries);
      fuse.burn();
    },
    finish: (boundary) => cursor.finish(boundary),
    close: () => cursor.close(),
  };
}

/** Samples a trace when one of its spans is named `keep`; a span named `root` is its root. */
export function keepByName(): PolicySet {
  const view = new ItemView();
  let current: { bytes: Uint8Array; index: RequestIndex } | undefined;
  return {
    stateWords: 1,
    begin: (bytes, index) => {
      current = { bytes, index };
    },
    observe: (item, words, at) => {
      view.reset(current!.bytes, current!.index.itemBody[item]!, current!.index.itemEnd[item]!);
      const name = view.text(TAG_SPAN_NAME);
      if (name === 'keep') words[at] = 1;
      return name === 'root' ? OBSERVED_ROOT : 0;
    },
    merge: (words, at, from, fromAt) => {
      words[at]! |= from[fromAt]!;
    },
    decide: (_ids, _idAt, words, at) => (words[at] === 1 ? VERDICT_SAMPLED : VERDICT_NOT_SAMPLED),
    decideEarly: (_ids, _idAt, words, at) => (words[at] === 1 ? VERDICT_SAMPLED : VERDICT_NONE),
    report: () => {},
  };
}

export interface SpanModel {
  trace: number;
  span: number;
  name: 'keep' | 'root' | 'work';
}

function id(number: number, bytes: number): Uint8Array {
  const text = new Uint8Array(bytes).fill(7);
  new DataView(text.buffer).setUint32(0, Math.imul(number + 1, 0x9e3779b1) >>> 0);
  new DataView(text.buffer).setUint32(bytes - 4, number + 1);
  return text;
}

export function encodeSpans(spans: readonly SpanModel[]): Uint8Array {
  const type = requestType('traces');
  const message = {
    resource_spans: [
      {
        resource: { attributes: [{ key: 'service.name', value: { string_value: 'shop' } }] },
        scope_spans: [
          {
            spans: spans.map(({ trace, span, name }) => ({
              trace_id: id(trace, 16),
              span_id: id(span, 8),
              name,
            })),
          },
        ],
      },
    ],
  };
  return type.encode(type.fromObject(message)).finish();
}

/** Numbers of the spans in stored records, in their order. */
export function spansIn(log: MemoryLog): number[] {
  const index = new RequestIndex();
  const view = new ItemView();
  const numbers: number[] = [];
  for (const { payload } of log.records) {
    scanRequest('traces', payload, 0, payload.length, index);
    for (let item = 0; item < index.itemCount; item++) {
      view.reset(payload, index.itemBody[item]!, index.itemEnd[item]!);
      view.find(0x12);
      numbers.push(new DataView(payload.buffer, payload.byteOffset + view.contentStart).getUint32(4) - 1);
    }
  }
  return numbers;
}

export class World {
  readonly pending: MemoryLog;
  readonly output: MemoryLog;
  readonly fuse = new Fuse();
  nowMs = 1_700_000_000_000;
  stage!: HoldingStage;
  #writer!: LogWriter;
  #reader!: LogReader;
  readonly #settings: Partial<SamplerSettings>;
  readonly #prng: Prng;

  constructor(settings: Partial<SamplerSettings>, prng: Prng) {
    this.#settings = settings;
    this.#prng = prng;
    this.pending = new MemoryLog(descriptor('traces+pending~0', 'holding'));
    this.output = new MemoryLog(descriptor('traces~0', 'nop'));
    // Its reader never moves: everything that came out stays to be looked at.
    this.output.cursors.set('nop', { ordinal: 0, frozen: [] });
  }

  async open(): Promise<void> {
    this.#writer = fusedWriter(this.pending.openWriter(), this.fuse);
    this.#reader = this.pending.openReader();
    const meter = new ThreadMeter();
    const holder = new TraceSampler({
      decisionWaitMs: 5000,
      decisionWaitAfterRootMs: 0,
      numTraces: 1000,
      blocksOnOverflow: false,
      dropsPendingOnShutdown: false,
      decidesAtIngest: false,
      sampledCacheSize: 0,
      nonSampledCacheSize: 0,
      policies: keepByName(),
      metrics: new SamplerMetrics(meter, 'tail_sampling'),
      clock: { monotonicMs: () => this.nowMs },
      seed: this.#prng.nextUint32(),
      ...this.#settings,
    });
    this.stage = new HoldingStage({
      signal: 'traces',
      holder,
      pending: this.#writer,
      pendingLog: 0,
      reader: this.#reader,
      cursor: fusedCursor(this.pending.openCursor('holding'), this.fuse),
      outputs: [fusedWriter(this.output.openWriter(), this.fuse)],
      after: undefined,
      decidesAtStop: false,
      clock: { unixMs: () => this.nowMs, monotonicMs: () => this.nowMs },
      meter,
      logger: NO_LOG,
      onStorageFailed: (error) => {
        throw error;
      },
    });
    await this.stage.restore();
  }

  /** @returns whether it was acknowledged. */
  async send(spans: readonly SpanModel[]): Promise<boolean> {
    return this.sendBytes(encodeSpans(spans), spans.length);
  }

  async sendBytes(bytes: Uint8Array, itemCount: number): Promise<boolean> {
    const index = new RequestIndex();
    scanRequest('traces', bytes, 0, bytes.length, index);
    const request = {
      ...{ signal: 'traces' as const, bytes, start: 0, end: bytes.length, itemCount },
      index: () => index,
    };
    if (this.stage.take(request as never, this.nowMs) !== undefined) return false;
    await this.#writer.commit();
    return true;
  }

  crash(): void {
    this.fuse.left = Number.POSITIVE_INFINITY;
    this.pending.crash();
    this.output.crash();
  }
}

function descriptor(logId: string, cursor: string) {
  return {
    logId,
    signal: 'traces' as const,
    directory: '',
    limits: {
      ...{ budgetBytes: 1 << 30, reserveBytes: 0, segmentBytes: 1 << 20 },
      ...{ recordBytes: 4096, flushTimeoutMs: 30_000 },
    },
    flush: true,
    cursorNames: [cursor],
    shared: createSharedWords(1),
  };
}
