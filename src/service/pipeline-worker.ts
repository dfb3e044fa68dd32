/**
 * One pipeline worker: takes frames from its ring, decompresses, turns JSON into protobuf, validates, appends to the
 * logs of the route, and acknowledges whole groups once they are flushed. Owns the writing end of its logs.
 */
import {
  OUTCOME_INTERNAL,
  OUTCOME_MALFORMED,
  OUTCOME_OK,
  OUTCOME_TOO_LARGE,
  OUTCOME_UNAVAILABLE,
  type OutcomeCode,
} from '../component/consumer.ts';
import { type ErrorCode, PipelineError } from '../component/errors.ts';
import type { ProcessorRequest } from '../component/processor.ts';
import type { Counter, Logger } from '../component/settings.ts';
import { ITEM_SUFFIX, type Signal } from '../component/signal.ts';
import type { RecordDecoder } from '../encodings/encoding.ts';
import { jsonToProto } from '../otlp/json-to-proto.ts';
import { scanRequest } from '../otlp/scan.ts';
import { withoutRejected } from '../otlp/slice.ts';
import { RequestIndex } from '../pdata/request-index.ts';
import type { LogWriter } from '../queue/log/contract.ts';
import { RingConsumer } from '../ring/consumer.ts';
import type { Clock } from '../stdx/clock.ts';
import { failpoint } from '../stdx/failpoint.ts';
import type { ThreadMeter } from '../telemetry/registry.ts';
import { AckChannel } from './ack-channel.ts';
import { CommitGroup } from './commit-group.ts';
import { decompress } from './decompress.ts';
import { RequestMeta } from './frame.ts';
import type { HoldingStage } from './holding-stage.ts';
import { type PipelineWorkerInit, type RoutePlan, WORD_CURRENT_REQUEST, WORD_FLUSHING } from './messages.ts';
import type { ProcessorChain } from './processor-chain.ts';
import { decodeRecord, withResourceAttributes } from './record-request.ts';
import { RequestClient } from './request-client.ts';

/** Bytes taken from the ring before the event loop gets its turn: about a millisecond of work. */
const TURN_BYTES = 2 << 20;
/** One group being flushed while the next is filled; more would only lengthen the wait for an ack. */
const COMMITS_IN_FLIGHT_MAX = 2;
/** Flushes that follow each other sooner are left to other threads: while one blocks, nothing else is done. */
const LIGHT_COMMIT_MS = 8;
const RETRY_AFTER_MS = 1000;
const NO_BYTES = new Uint8Array(0);
/** Permanent errors that are not the fault of the request's bytes. */
const OUTCOME_OF_ERROR: Partial<Record<ErrorCode, OutcomeCode>> = {
  BODY_TOO_LARGE: OUTCOME_TOO_LARGE,
  METADATA_CARDINALITY: OUTCOME_INTERNAL,
};

export interface PipelineWorkerDependencies {
  writers: LogWriter[];
  /** Processors of pipelines, with the logs that get their results. */
  chains: readonly {
    readonly logs: readonly number[];
    readonly chain: ProcessorChain;
    /** Takes what comes out of the chain, in place of the logs. */
    readonly stage?: HoldingStage | undefined;
  }[];
  /** By index of the routes; absent when none of them reads records. */
  decoders?: readonly (RecordDecoder | undefined)[];
  clock: Clock;
  meter: ThreadMeter;
  logger: Logger;
  onStorageFailed(error: PipelineError): void;
}

/** Logs of one route that get the same bytes. */
interface Branch {
  readonly chain: ProcessorChain | undefined;
  readonly logs: readonly number[];
  readonly stage: HoldingStage | undefined;
  /** What is stored of the present request. */
  payload: Uint8Array;
  /** The same as part of the bytes that were scanned, for the stage alone. */
  result: Readonly<ProcessorRequest> | undefined;
  itemCount: number;
}

interface Route {
  readonly signal: Signal;
  readonly branches: readonly Branch[];
  readonly hasProcessors: boolean;
  readonly decoder: RecordDecoder | undefined;
}

function makeRoute(
  { signal, logs }: RoutePlan,
  chains: PipelineWorkerDependencies['chains'],
  decoder: RecordDecoder | undefined,
): Route {
  const branch = (
    own: readonly number[],
    { chain, stage }: Partial<PipelineWorkerDependencies['chains'][number]>,
  ): Branch => ({ chain, logs: own, stage, payload: NO_BYTES, result: undefined, itemCount: 0 });
  const branches = chains
    .map((chain) =>
      branch(
        logs.filter((log) => chain.logs.includes(log)),
        chain,
      ),
    )
    .filter(({ logs: own }) => own.length > 0);
  const plain = logs.filter((log) => !branches.some((each) => each.logs.includes(log)));
  const hasProcessors = branches.length > 0;
  return {
    signal,
    branches: plain.length > 0 ? [branch(plain, {}), ...branches] : branches,
    hasProcessors,
    decoder,
  };
}

export class PipelineWorker {
  readonly #routes: readonly Route[];
  readonly #writers: readonly LogWriter[];
  readonly #deps: PipelineWorkerDependencies;
  readonly #ring: RingConsumer;
  readonly #ringView: DataView;
  readonly #control: Int32Array;
  readonly #acks: AckChannel;
  readonly #index = new RequestIndex();
  readonly #meta = new RequestMeta();
  readonly #client: RequestClient;
  readonly #turn;
  readonly #ringWait;
  readonly #groupCommit;
  readonly #decodedBytes;
  /** Of each log, one for each exporter that reads it. */
  readonly #enqueueFailed: readonly Counter[][];
  readonly #inFlight = new Set<Promise<void>>();
  #group: CommitGroup;
  /** It slept since the last frames: the load is light, and what came now came alone. */
  #hasSlept = false;
  /** Monotonic ms of the last commit's start. */
  #committedMs = 0;
  #isStopping = false;
  #hasFailed = false;

  constructor(init: PipelineWorkerInit, deps: PipelineWorkerDependencies) {
    this.#routes = init.routes.map((route, i) => makeRoute(route, deps.chains, deps.decoders?.[i]));
    this.#writers = deps.writers;
    this.#client = new RequestClient(init.clientKeysByLog ?? []);
    this.#deps = deps;
    this.#ring = new RingConsumer(init.requestRing);
    this.#ringView = new DataView(
      this.#ring.bytes.buffer,
      this.#ring.bytes.byteOffset,
      this.#ring.bytes.byteLength,
    );
    this.#control = new Int32Array(init.control);
    this.#acks = new AckChannel(init.ackRing, deps.meter);
    this.#turn = deps.meter.latency('pipeline_turn');
    this.#ringWait = deps.meter.latency('ring_wait');
    this.#groupCommit = deps.meter.latency('group_commit');
    this.#decodedBytes = deps.meter.counter('millrace_pipeline_decoded_bytes');
    this.#enqueueFailed = init.logs.map(({ cursorNames, signal }) =>
      cursorNames.map((exporter) =>
        deps.meter.counter(`otelcol_exporter_enqueue_failed_${ITEM_SUFFIX[signal]}`, { exporter }),
      ),
    );
    this.#group = new CommitGroup(deps.writers.length);
  }

  /** Runs until `stop` and an empty ring; everything taken is answered before it returns. */
  async run(): Promise<void> {
    const { clock } = this.#deps;
    while (!this.#isStopping || this.#ring.hasMore()) {
      const turnStartMs = clock.monotonicMs();
      this.#takeFrames();
      this.#acks.flush();
      if (!this.#group.isEmpty) this.#startCommit();
      if (this.#inFlight.size >= COMMITS_IN_FLIGHT_MAX) await Promise.race(this.#inFlight);
      else if (this.#ring.hasMore()) {
        await nextTurn();
        this.#turn.record((clock.monotonicMs() - turnStartMs) * 1000);
      } else if (!this.#isStopping) {
        const asleep = this.#ring.sleep();
        this.#hasSlept = asleep !== undefined;
        await asleep;
      }
    }
    await Promise.all(this.#inFlight);
  }

  /** Makes `run` return once the ring is empty. */
  stop(): void {
    this.#isStopping = true;
    this.#ring.interrupt();
  }

  #takeFrames(): void {
    let takenBytes = 0;
    while (takenBytes < TURN_BYTES && this.#ring.tryRead()) {
      takenBytes += this.#ring.payloadEnd - this.#ring.payloadStart;
      this.#takeFrame();
    }
    if (takenBytes === 0) return;
    Atomics.store(this.#control, WORD_CURRENT_REQUEST, 0);
    failpoint('pipeline.before_release');
    // Everything of value was copied into records or answered: the space goes back to the receivers.
    this.#ring.release();
  }

  #takeFrame(): void {
    const meta = this.#meta;
    meta.read(this.#ringView, this.#ring.payloadStart);
    Atomics.store(this.#control, WORD_CURRENT_REQUEST, meta.requestId);
    failpoint('pipeline.frame_read');
    this.#ringWait.record((this.#deps.clock.monotonicMs() - meta.receivedMonotonicMs) * 1000);
    let itemCount = 0;
    try {
      const route = this.#routes[meta.route]!;
      let bytes = this.#ring.bytes;
      let start = this.#ring.payloadStart + meta.bodyOffset;
      this.#client.begin(bytes, start - meta.contextBytes, start);
      let end = this.#ring.payloadEnd;
      if (meta.compression !== 0) {
        bytes = decompress(meta.compression, bytes.subarray(start, end), meta.decodedBytesMax);
        start = 0;
        end = bytes.byteLength;
      }
      this.#decodedBytes.add(end - start);
      if (meta.encoding === 1) {
        bytes = jsonToProto(route.signal, bytes.subarray(start, end));
        start = 0;
        end = bytes.byteLength;
      } else if (meta.encoding === 2) {
        bytes = decodeRecord(route.decoder, bytes.subarray(start, end), meta.receivedUnixMs);
        start = 0;
        end = bytes.byteLength;
      }
      const index = this.#index;
      scanRequest(route.signal, bytes, start, end, index);
      itemCount = index.itemCount;
      const { acceptedCount, rejectedCount } = index;
      if (index.needsRewrite) {
        bytes = withoutRejected(route.signal, bytes, start, end, index);
        start = 0;
        end = bytes.byteLength;
        // Processors work by the index, which has to be that of the bytes they get.
        if (route.hasProcessors) scanRequest(route.signal, bytes, start, end, index);
      }
      const { resource } = this.#client.context;
      if (resource !== undefined && acceptedCount > 0) {
        bytes = withResourceAttributes(route.signal, bytes, start, end, resource);
        start = 0;
        end = bytes.byteLength;
        if (route.hasProcessors) scanRequest(route.signal, bytes, start, end, index);
      }
      failpoint('pipeline.decoded');
      if (acceptedCount > 0) this.#process(route, bytes, start, end, acceptedCount);
      this.#append(route, acceptedCount, rejectedCount);
    } catch (error) {
      this.#answerError(error, itemCount);
    }
  }

  /** Works out what each pipeline stores before anything is stored, so that a refusal leaves nothing behind. */
  #process(route: Route, bytes: Uint8Array, start: number, end: number, itemCount: number): void {
    for (const branch of route.branches) {
      if (branch.chain === undefined) {
        branch.payload = bytes.subarray(start, end);
        branch.itemCount = itemCount;
      } else {
        const result = branch.chain.process(bytes, start, end, this.#index, this.#client.context);
        branch.payload = result.bytes.subarray(result.start, result.end);
        branch.result = result;
        branch.itemCount = result.itemCount;
      }
    }
  }

  #append(route: Route, itemCount: number, rejectedCount: number): void {
    const meta = this.#meta;
    if (itemCount === 0) return this.#accept(meta.requestId, rejectedCount, rejectedCount);
    if (this.#hasFailed) return this.#unavailable(itemCount, 'storage failed');
    if (this.#group.isEmpty) this.#group.startedMs = this.#deps.clock.monotonicMs();
    let isStored = false;
    for (const branch of route.branches) {
      if (branch.itemCount === 0) continue;
      if (branch.stage !== undefined) {
        const refusal = branch.stage.take(branch.result!, meta.receivedUnixMs);
        if (refusal !== undefined) return this.#answerError(refusal, itemCount);
        this.#group.touch(branch.stage.log);
        isStored = true;
        continue;
      }
      for (const log of branch.logs) {
        const context = this.#client.storedFor(log);
        const { payload, itemCount: count } = branch;
        if (!this.#writers[log]!.tryAppend(payload, count, meta.receivedUnixMs, false, context)) {
          for (const counter of this.#enqueueFailed[log]!) counter.add(branch.itemCount);
          return this.#unavailable(itemCount, 'the queue on disk is full');
        }
        this.#group.touch(log);
        isStored = true;
      }
    }
    if (isStored) this.#group.add(meta.requestId, itemCount + rejectedCount, rejectedCount);
    else this.#accept(meta.requestId, itemCount + rejectedCount, rejectedCount);
  }

  #accept(requestId: number, itemCount: number, rejectedCount: number): void {
    const message = rejectedCount === 0 ? '' : `${rejectedCount} items have invalid ids or values`;
    this.#acks.write(requestId, OUTCOME_OK, itemCount, rejectedCount, 0, message);
  }

  #unavailable(itemCount: number, message: string): void {
    this.#acks.write(this.#meta.requestId, OUTCOME_UNAVAILABLE, itemCount, 0, RETRY_AFTER_MS, message);
  }

  #answerError(error: unknown, itemCount: number): void {
    let code: OutcomeCode = OUTCOME_INTERNAL;
    let message = 'internal error';
    if (error instanceof PipelineError && !error.permanent)
      return this.#unavailable(itemCount, error.message);
    if (error instanceof PipelineError) {
      code = OUTCOME_OF_ERROR[error.code] ?? OUTCOME_MALFORMED;
      message = error.message;
    } else {
      this.#deps.logger.error('a request could not be processed', { error: String((error as Error).stack) });
    }
    this.#acks.write(this.#meta.requestId, code, itemCount, 0, 0, message);
  }

  #startCommit(): void {
    const group = this.#group;
    this.#group = new CommitGroup(this.#writers.length);
    const nowMs = this.#deps.clock.monotonicMs();
    const isLight = this.#hasSlept && nowMs - this.#committedMs >= LIGHT_COMMIT_MS;
    const mayBlock = isLight && this.#inFlight.size === 0 && !this.#ring.hasMore();
    this.#hasSlept = false;
    this.#committedMs = nowMs;
    const commit = this.#commit(group, mayBlock).finally(() => this.#inFlight.delete(commit));
    this.#inFlight.add(commit);
  }

  async #commit(group: CommitGroup, mayBlock: boolean): Promise<void> {
    try {
      failpoint('pipeline.before_commit');
      await this.#flush(group.touched(), mayBlock);
      failpoint('pipeline.before_ack');
      this.#groupCommit.record((this.#deps.clock.monotonicMs() - group.startedMs) * 1000);
      for (let i = 0; i < group.count; i++) {
        this.#accept(group.requestIds[i]!, group.items[i]!, group.rejected[i]!);
      }
    } catch (error) {
      this.#commitFailed(error, group);
    }
    this.#acks.flush();
  }

  /** Several logs are flushed side by side, which takes other threads. */
  #flush(logs: readonly number[], mayBlock: boolean): Promise<unknown> {
    if (!mayBlock || logs.length !== 1) return Promise.all(logs.map((log) => this.#writers[log]!.commit()));
    Atomics.store(this.#control, WORD_FLUSHING, 1);
    try {
      failpoint('pipeline.flushing');
      return this.#writers[logs[0]!]!.commit(true);
    } finally {
      Atomics.store(this.#control, WORD_FLUSHING, 0);
    }
  }

  #commitFailed(error: unknown, group: CommitGroup): void {
    const isFull = error instanceof PipelineError && error.code === 'QUEUE_FULL';
    const message = isFull ? 'the disk is full' : 'storage failed';
    for (let i = 0; i < group.count; i++) {
      this.#acks.write(
        group.requestIds[i]!,
        OUTCOME_UNAVAILABLE,
        group.items[i]!,
        0,
        RETRY_AFTER_MS,
        message,
      );
    }
    if (isFull || this.#hasFailed) return;
    this.#hasFailed = true;
    const failure =
      error instanceof PipelineError
        ? error
        : new PipelineError('STORAGE_FAILED', `commit failed: ${String(error)}`, {
            permanent: false,
            cause: error,
          });
    this.#deps.onStorageFailed(failure);
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
