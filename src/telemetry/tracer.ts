/** Spans of one thread: sampled when they begin, kept until they are collected, bounded. Nothing when not configured. */
import { randomFillSync } from 'node:crypto';
import type { ActiveSpan, SpanAttributes, SpanSource, Tracer } from '../component/settings.ts';
import type { Clock } from '../stdx/clock.ts';

export type Sampler =
  | { kind: 'always_on' | 'always_off' }
  | { kind: 'ratio'; ratio: number }
  | { kind: 'parent'; root: Sampler; ifSampled: Sampler; ifNotSampled: Sampler };

/** Plain data: it goes to every thread. */
export interface TracerOptions {
  sampler: Sampler;
  /** Whether `traceparent` headers count. */
  takesTraceContext: boolean;
}

/** Plain data: it crosses threads. */
export interface SpanRecord {
  scope: { name: string; attributes: Record<string, string> };
  name: string;
  /** Hex digits. */
  traceId: string;
  spanId: string;
  /** Empty for a root. */
  parentSpanId: string;
  startUnixMs: number;
  endUnixMs: number;
  attributes: SpanAttributes;
  error: string | undefined;
}

export interface TakenSpans {
  spans: SpanRecord[];
  /** Ended when the buffer was full. */
  lostCount: number;
}

/** Between two collections; a thread that makes more is not listened to often enough. */
export const SPANS_KEPT_MAX = 4_096;

export interface TraceParent {
  traceId: string;
  spanId: string;
  isSampled: boolean;
}

/** W3C Trace Context, section 3.2: undefined for anything that is none, which starts a trace of its own. */
export function parseTraceParent(text: string): TraceParent | undefined {
  const match = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(text);
  if (match === null) return undefined;
  const [, version, traceId, spanId, flags, more] = match as unknown as string[];
  // Later versions may have more behind it, the first one must not.
  if (version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  if (/^0+$/.test(traceId!) || /^0+$/.test(spanId!)) return undefined;
  return { traceId: traceId!, spanId: spanId!, isSampled: (Number.parseInt(flags!, 16) & 1) === 1 };
}

function isSampled(sampler: Sampler, traceId: string, parent: TraceParent | undefined): boolean {
  switch (sampler.kind) {
    case 'always_on':
      return true;
    case 'always_off':
      return false;
    case 'ratio':
      // The last eight bytes decide, as in OpenTelemetry's SDKs; 52 bits of them are enough to compare.
      return Number.parseInt(traceId.slice(16, 29), 16) / 2 ** 52 < sampler.ratio;
    case 'parent':
      if (parent === undefined) return isSampled(sampler.root, traceId, parent);
      return isSampled(parent.isSampled ? sampler.ifSampled : sampler.ifNotSampled, traceId, parent);
  }
}

const SCOPES: Readonly<Record<SpanSource['kind'], string>> = {
  receiver: 'go.opentelemetry.io/collector/receiver/receiverhelper',
  exporter: 'go.opentelemetry.io/collector/exporter/exporterhelper',
};

const ID_BYTES = 16 + 8;

/** Ids of spans: random bytes are fetched for many at a time, because each fetch costs microseconds. */
class IdSource {
  readonly #pool = Buffer.alloc(ID_BYTES * 256);
  #at = this.#pool.length;

  /** Digits of a trace id and of a span id. */
  next(): string {
    if (this.#at === this.#pool.length) {
      randomFillSync(this.#pool);
      this.#at = 0;
    }
    const ids = this.#pool.toString('hex', this.#at, this.#at + ID_BYTES);
    this.#at += ID_BYTES;
    return ids;
  }
}

export class ThreadTracer implements Tracer {
  readonly #clock: Clock;
  readonly #ids = new IdSource();
  #options: TracerOptions | undefined;
  #spans: SpanRecord[] = [];
  #lostCount = 0;

  constructor(clock: Clock, options?: TracerOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  get isOn(): boolean {
    return this.#options !== undefined;
  }

  /** @param options undefined switches it off; spans that have begun still end. */
  configure(options: TracerOptions | undefined): void {
    this.#options = options;
  }

  start(source: SpanSource, parentText = ''): ActiveSpan | undefined {
    const options = this.#options;
    if (options === undefined) return undefined;
    const parent = parentText !== '' && options.takesTraceContext ? parseTraceParent(parentText) : undefined;
    const ids = this.#ids.next();
    const traceId = parent?.traceId ?? ids.slice(0, 32);
    if (!isSampled(options.sampler, traceId, parent)) return undefined;
    const startUnixMs = this.#clock.unixMs();
    const startedMs = this.#clock.monotonicMs();
    return {
      end: (attributes, error) => {
        this.#keep({
          scope: { name: SCOPES[source.kind], attributes: scopeAttributes(source) },
          name: source.name,
          traceId,
          spanId: ids.slice(32),
          parentSpanId: parent?.spanId ?? '',
          startUnixMs,
          endUnixMs: startUnixMs + Math.max(this.#clock.monotonicMs() - startedMs, 0),
          attributes,
          error,
        });
      },
    };
  }

  /** Everything that ended since the previous call; undefined when nothing did. */
  take(): TakenSpans | undefined {
    if (this.#spans.length === 0 && this.#lostCount === 0) return undefined;
    const taken = { spans: this.#spans, lostCount: this.#lostCount };
    this.#spans = [];
    this.#lostCount = 0;
    return taken;
  }

  #keep(span: SpanRecord): void {
    if (this.#spans.length >= SPANS_KEPT_MAX) this.#lostCount += 1;
    else this.#spans.push(span);
  }
}

function scopeAttributes({ id, kind, signal }: SpanSource): Record<string, string> {
  const about = { 'otelcol.component.id': id, 'otelcol.component.kind': kind };
  return signal === undefined ? about : { ...about, 'otelcol.signal': signal };
}
