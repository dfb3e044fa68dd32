/**
 * Sends what an archive holds. One loop reads, decodes and cuts; sends are in flight beside it, bounded in number and
 * bytes. A group of objects is done with when all its batches are; the position moves over groups in their order.
 */
import { PipelineError } from '../component/errors.ts';
import type { ExportBatch } from '../component/exporter.ts';
import type { Signal } from '../component/signal.ts';
import { IN_FLIGHT_BYTES_MAX } from '../exporters/helper/delivery.ts';
import type { FailedPart } from '../exporters/helper/poison.ts';
import { type InTurn, readAhead } from '../s3/archive-ahead.ts';
import { type ArchiveRange, listArchive } from '../s3/archive-list.ts';
import { parseArchiveName } from '../s3/archive-name.ts';
import { readArchiveObject } from '../s3/archive-object.ts';
import type { ArchiveStore } from '../s3/archive-store.ts';
import { Notifier, sleepUnlessAborted } from '../stdx/abortable.ts';
import type { Clock } from '../stdx/clock.ts';
import { BatchCutter, type BatchLimits, type CutBatch } from './replay-batches.ts';
import { addRefusal, addWrong, type ReplayCounts } from './replay-counts.ts';
import { decodeMessage, signalOfMessage } from './replay-decode.ts';
import { groupObjects } from './replay-groups.ts';
import { type BatchLabel, ReplayJob } from './replay-job.ts';
import { type GroupedObject, objectsOf } from './replay-source.ts';
import type { ReplayPosition } from './replay-state.ts';

const SEND_GRACE_MS = 2_000;

/** Where batches go. */
export interface ReplayTarget {
  /** Most sends at a time. */
  sendsMax(signal: Signal): Promise<number>;
  limits(signal: Signal): Promise<BatchLimits>;
  /** @returns what was refused for good; undefined when `stop` came first. */
  send(batch: ExportBatch, stop: AbortSignal): Promise<FailedPart[] | undefined>;
}

export interface ReplayRunOptions {
  store: ArchiveStore;
  range: ArchiveRange;
  signals: readonly Signal[];
  target: ReplayTarget;
  rate: number | undefined;
  objectBytesMax: number;
  clock: Clock;
  position: ReplayPosition;
  counts: ReplayCounts;
  /** The position or the counts have changed. */
  onMoved(position: ReplayPosition): void;
  /** Stored bytes were read. */
  onRead(bytes: number): void;
  stop: AbortSignal;
}

export class ReplayRun {
  readonly #options: ReplayRunOptions;
  readonly #jobs: ReplayJob[] = [];
  readonly #moved = new Notifier();
  readonly #failed = new AbortController();
  /** Aborted by the user, or after something that ends the run. */
  readonly #stop: AbortSignal;
  /** Aborted a little later: what is on its way mostly arrives, and is not sent twice then. */
  readonly #sendStop = new AbortController();
  #grace: NodeJS.Timeout | undefined;
  #after: string;
  #inFlight = 0;
  #inFlightBytes = 0;
  #failure: unknown;
  /** When the next batch may leave. */
  #nextMs: number;

  constructor(options: ReplayRunOptions) {
    this.#options = options;
    this.#stop = AbortSignal.any([options.stop, this.#failed.signal]);
    this.#stop.addEventListener('abort', () => {
      this.#grace = setTimeout(() => this.#sendStop.abort(), SEND_GRACE_MS);
      this.#moved.notify();
    });
    this.#after = options.position.after;
    this.#nextMs = options.clock.monotonicMs();
  }

  /**
   * @returns true when everything was replayed, false when it was stopped.
   * @throws what ended it: the store or the log cannot be read any more.
   */
  async run(): Promise<boolean> {
    const { store, range, stop } = this.#options;
    const groups = groupObjects(store.name, listArchive(store, { ...range, after: this.#after }));
    try {
      for await (const turned of readAhead(store, objectsOf(groups), this.#stop)) {
        await this.#take(turned);
        if (this.#stop.aborted) break;
      }
    } catch (error) {
      if (!this.#stop.aborted) this.#fail(error);
    }
    while (this.#inFlight > 0) await this.#moved.wait();
    clearTimeout(this.#grace);
    if (this.#failure !== undefined) throw this.#failure;
    return !stop.aborted;
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#failed.abort();
  }

  async #take({ entry: { group, object, isLast }, chunks }: InTurn<GroupedObject>): Promise<void> {
    let job = this.#jobs.at(-1);
    if (job?.group !== group) {
      job = new ReplayJob(group, this.#options.position.partial[group.id] ?? []);
      this.#jobs.push(job);
    }
    const isWhole = await this.#readObject(job, object.key, this.#counted(chunks));
    if (this.#stop.aborted || (isWhole && !isLast)) return;
    for (const [signal, cutter] of job.cutters)
      for (const batch of cutter.end()) await this.#emit(job, signal, batch);
    if (!isWhole) job.beginEpoch(group.objects.indexOf(object));
    if (!isLast) return;
    if (this.#stop.aborted) return;
    job.isRead = true;
    this.#settle();
  }

  async *#counted(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      this.#options.onRead(chunk.length);
      yield chunk;
    }
  }

  /** @returns false when some of it could not be read. */
  async #readObject(job: ReplayJob, key: string, chunks: AsyncIterable<Uint8Array>): Promise<boolean> {
    const { signals, objectBytesMax } = this.#options;
    const name = parseArchiveName(key);
    const isOther = name.signal !== undefined && !signals.includes(name.signal);
    if (name.format === 'manifest' || isOther) {
      job.counts.leftOut++;
      return true;
    }
    let itemCount = 0;
    let reason: string | undefined;
    try {
      for await (const message of readArchiveObject(key, chunks, objectBytesMax)) {
        const signal = signalOfMessage(message, name.signal, signals);
        if (!signals.includes(signal)) continue;
        try {
          const request = decodeMessage(signal, message);
          job.counts.invalid += request.invalidCount;
          itemCount += request.itemCount;
          const cutter = await this.#cutterOf(job, signal);
          for (const batch of cutter.add(request.bytes, request.itemCount))
            await this.#emit(job, signal, batch);
        } catch (error) {
          if (!isAboutObject(error)) throw error;
          reason ??= error.message;
        }
        if (this.#stop.aborted) return true;
      }
    } catch (error) {
      if (!isAboutObject(error)) throw error;
      reason ??= error.message;
    }
    job.counts.objects++;
    if (reason !== undefined) addWrong(job.counts, { key, reason, itemCount });
    return reason === undefined;
  }

  async #cutterOf(job: ReplayJob, signal: Signal): Promise<BatchCutter> {
    const known = job.cutters.get(signal);
    if (known !== undefined) return known;
    const cutter = new BatchCutter(signal, await this.#options.target.limits(signal));
    job.cutters.set(signal, cutter);
    return cutter;
  }

  /** Waits for its turn, and lets the batch go. */
  async #emit(job: ReplayJob, signal: Signal, cut: CutBatch): Promise<void> {
    const label = job.nextLabel();
    if (job.settlesAtOnce(label)) return;
    const sendsMax = await this.#options.target.sendsMax(signal);
    const isFull = () =>
      this.#inFlight >= sendsMax ||
      (this.#inFlight > 0 && this.#inFlightBytes + cut.sizeBytes > IN_FLIGHT_BYTES_MAX);
    while (!this.#stop.aborted && isFull()) await this.#moved.wait();
    await this.#pace(cut.itemCount);
    if (this.#stop.aborted) return;
    this.#inFlight++;
    this.#inFlightBytes += cut.sizeBytes;
    void this.#send(job, label, signal, cut);
  }

  async #pace(itemCount: number): Promise<void> {
    const { rate, clock } = this.#options;
    if (rate === undefined) return;
    const nowMs = clock.monotonicMs();
    const dueMs = Math.max(this.#nextMs, nowMs);
    this.#nextMs = dueMs + (itemCount / rate) * 1000;
    if (dueMs > nowMs) await sleepUnlessAborted(dueMs - nowMs, this.#stop);
  }

  async #send(job: ReplayJob, label: BatchLabel, signal: Signal, cut: CutBatch): Promise<void> {
    const { target, counts } = this.#options;
    try {
      const failed = await target.send(
        {
          ...{ signal, slices: cut.slices, itemCount: cut.itemCount, sizeBytes: cut.sizeBytes },
          batchId: `replay-${job.group.id}-${label.epoch}-${label.number}`,
          receivedUnixMs: job.group.modifiedUnixMs,
        },
        this.#sendStop.signal,
      );
      if (failed === undefined) return;
      let refusedCount = 0;
      for (const { from, to, error } of failed) {
        refusedCount += to - from;
        addRefusal(counts, to - from, error.message);
      }
      counts.batches++;
      counts.delivered[signal] += cut.itemCount - refusedCount;
      job.deliver(label);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#inFlight--;
      this.#inFlightBytes -= cut.sizeBytes;
      this.#settle();
      this.#moved.notify();
    }
  }

  /** Moves the position over groups that are done with. */
  #settle(): void {
    const { counts } = this.#options;
    for (let job = this.#jobs[0]; job?.isDone === true; job = this.#jobs[0]) {
      this.#jobs.shift();
      job.addTo(counts);
      this.#after = job.group.objects.at(-1)!.key;
    }
    const partial: Record<string, string[]> = {};
    for (const job of this.#jobs) {
      const { delivered } = job;
      if (delivered.length > 0) partial[job.group.id] = delivered;
    }
    try {
      this.#options.onMoved({ after: this.#after, partial });
    } catch (error) {
      this.#fail(error);
    }
  }
}

/** Others of the archive can be read all the same. */
function isAboutObject(error: unknown): error is PipelineError {
  return (
    error instanceof PipelineError &&
    error.permanent &&
    error.code !== 'CONFIG_INVALID' &&
    error.code !== 'START_FAILED'
  );
}
