/** Takes recorded requests, whatever they were read from, and hands their spans to a dry run. */
import { PipelineError } from '../component/errors.ts';
import type { SamplingTrial } from '../component/sampling-trial.ts';
import { ItemView } from '../otlp/item-view.ts';
import { scanRequest } from '../otlp/scan.ts';
import { scanStoredSpans } from '../otlp/scan-stored.ts';
import { withoutRejected } from '../otlp/slice.ts';
import { TAG_SPAN_END_TIME_UNIX_NANO } from '../otlp/tags.ts';
import { RequestIndex } from '../pdata/request-index.ts';

const SKIPPED_SHOWN_MAX = 20;
const WORD = 0x1_0000_0000;
const NANOS_PER_MS = 1e6;

/** Something that was not replayed. */
export interface SkippedPart {
  /** File and line, offset, or segment and record. */
  place: string;
  reason: string;
}

/** A batch of which all is gathered. */
export interface BatchRead {
  batch: number;
  /** Of the recording. */
  sizeBytes: number;
}

export interface SampleCounts {
  requests: number;
  spans: number;
  /** Of requests. */
  bytes: number;
  /** Records, lines or messages that could not be read, with the first of them. */
  skippedCount: number;
  skipped: SkippedPart[];
  /** Spans without valid ids. */
  badSpans: number;
}

export function emptyCounts(): SampleCounts {
  return { requests: 0, spans: 0, bytes: 0, skippedCount: 0, skipped: [], badSpans: 0 };
}

export class SampleSink {
  readonly counts = emptyCounts();
  readonly #trial: SamplingTrial;
  readonly #index = new RequestIndex();
  readonly #span = new ItemView();

  constructor(trial: SamplingTrial) {
    this.#trial = trial;
  }

  /**
   * A request of the present section that passed the intake, and the checksum of its record.
   * @param bytes an ExportTraceServiceRequest; may be used again on return.
   * @param place for what cannot be read.
   */
  stored(bytes: Uint8Array, place: () => string): void {
    if (scanStoredSpans(bytes, 0, bytes.length, this.#index)) this.#gather(bytes, bytes.length);
    else this.#whole(bytes, place);
  }

  /**
   * The same for bytes from anywhere.
   * @returns latest end of its spans, ms since the epoch; 0 without any.
   */
  request(bytes: Uint8Array, place: () => string): number {
    const whole = this.#whole(bytes, place);
    return whole === undefined ? 0 : this.#latestEndMs(whole);
  }

  /** @returns the request as its index describes it. */
  #whole(bytes: Uint8Array, place: () => string): Uint8Array | undefined {
    const index = this.#index;
    let whole = bytes;
    try {
      scanRequest('traces', bytes, 0, bytes.length, index);
      if (index.needsRewrite) {
        this.counts.badSpans += index.rejectedCount;
        whole = withoutRejected('traces', bytes, 0, bytes.length, index);
        scanRequest('traces', whole, 0, whole.length, index);
      }
    } catch (error) {
      if (!(error instanceof PipelineError)) throw error;
      this.skip(place(), error.message);
      return undefined;
    }
    this.#gather(whole, bytes.length);
    return whole;
  }

  #gather(bytes: Uint8Array, sizeBytes: number): void {
    this.counts.requests++;
    this.counts.spans += this.#index.itemCount;
    this.counts.bytes += sizeBytes;
    if (this.#index.itemCount > 0) this.#trial.gather(bytes, this.#index);
  }

  endSection(arrivedUnixMs: number, sizeBytes: number): void {
    this.#trial.endSection(arrivedUnixMs, sizeBytes);
  }

  skip(place: string, reason: string): void {
    this.counts.skippedCount++;
    if (this.counts.skipped.length < SKIPPED_SHOWN_MAX) this.counts.skipped.push({ place, reason });
  }

  #latestEndMs(bytes: Uint8Array): number {
    const { itemBody, itemEnd, itemCount } = this.#index;
    const span = this.#span;
    let latestMs = 0;
    for (let item = 0; item < itemCount; item++) {
      span.reset(bytes, itemBody[item]!, itemEnd[item]!);
      if (!span.find(TAG_SPAN_END_TIME_UNIX_NANO)) continue;
      const endMs = ((span.hi >>> 0) * WORD + (span.lo >>> 0)) / NANOS_PER_MS;
      if (endMs > latestMs) latestMs = endMs;
    }
    return Math.floor(latestMs);
  }
}
