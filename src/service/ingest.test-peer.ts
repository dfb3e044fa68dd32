/** The data path from the receiver's side of the rings to the log, in one thread and with logs in memory. */
import type { Compression, PayloadEncoding, RequestOutcome } from '../component/consumer.ts';
import type { PipelineError } from '../component/errors.ts';
import type { Signal } from '../component/signal.ts';
import { RecordingLogger } from '../exporters/helper/delivery.test-peer.ts';
import type { LogWriter } from '../queue/log/contract.ts';
import { MemoryLog } from '../queue/log/memory-log.ts';
import { createSharedWords } from '../queue/log/shared-words.ts';
import { systemClock } from '../stdx/clock.ts';
import { ThreadMeter } from '../telemetry/registry.ts';
import { Ingest, WorkerLane } from './ingest.ts';
import { CONTROL_BYTES, type PipelineWorkerInit, type RoutePlan } from './messages.ts';
import { PipelineWorker, type PipelineWorkerDependencies } from './pipeline-worker.ts';

export interface SendOptions {
  signal?: Signal;
  encoding?: PayloadEncoding;
  compression?: Compression;
  decodedBytesMax?: number;
}

export interface DataPathOptions {
  routes?: RoutePlan[];
  /** Budget of each log; their number is the number of logs. */
  budgets?: number[];
  lanes?: number;
  ringBytes?: number;
  /** As in the engine: each worker writes to a log of its own. Otherwise all logs are the only worker's. */
  hasLogPerLane?: boolean;
  /** Processors in front of logs, made for each worker. */
  chains?(meter: ThreadMeter): PipelineWorkerDependencies['chains'];
  wrapWriter?(writer: LogWriter, log: number): LogWriter;
}

export class DataPath {
  readonly logs: MemoryLog[];
  readonly lanes: WorkerLane[];
  readonly ingest: Ingest;
  readonly logger = new RecordingLogger();
  readonly meter = new ThreadMeter();
  readonly failures: PipelineError[] = [];
  readonly #routes: RoutePlan[];
  readonly #options: DataPathOptions;
  readonly #workers: { worker: PipelineWorker; running: Promise<void> }[] = [];

  constructor(options: DataPathOptions = {}) {
    const { lanes = 1, ringBytes = 1 << 20, hasLogPerLane = false } = options;
    const { budgets = new Array<number>(hasLogPerLane ? lanes : 1).fill(64 << 20) } = options;
    this.#options = options;
    this.#routes = options.routes ?? [{ receiverId: 'otlp', signal: 'traces', logs: [0] }];
    this.logs = budgets.map(
      (budgetBytes, log) =>
        new MemoryLog({
          logId: `traces~${log}`,
          signal: 'traces',
          directory: '',
          limits: {
            budgetBytes,
            reserveBytes: 0,
            segmentBytes: 1 << 20,
            recordBytes: 1 << 16,
            flushTimeoutMs: 1000,
          },
          flush: true,
          cursorNames: ['nop'],
          shared: createSharedWords(1),
        }),
    );
    this.lanes = Array.from({ length: lanes }, () => new WorkerLane(ringBytes));
    this.ingest = new Ingest(this.lanes, this.#routes, systemClock, this.logger);
  }

  /** Starts a worker on the lane's present rings. */
  startWorker(lane = 0): PipelineWorker {
    const logs = this.#options.hasLogPerLane === true ? [this.logs[lane]!] : this.logs;
    const init = {
      control: new SharedArrayBuffer(CONTROL_BYTES),
      requestRing: this.lanes[lane]!.requestRing.memory,
      ackRing: this.lanes[lane]!.ackRing,
      routes: this.#routes,
      chains: [],
      logs: logs.map(({ descriptor }) => descriptor),
    } as unknown as PipelineWorkerInit;
    const worker = new PipelineWorker(init, {
      writers: logs.map((log, i) => this.#options.wrapWriter?.(log.openWriter(), i) ?? log.openWriter()),
      chains: this.#options.chains?.(this.meter) ?? [],
      clock: systemClock,
      meter: this.meter,
      logger: this.logger,
      onStorageFailed: (error) => this.failures.push(error),
    });
    this.#workers.push({ worker, running: worker.run() });
    return worker;
  }

  /** Hands a request in; undefined when it was refused, else the promise of its one answer. */
  trySend(body: Uint8Array, options: SendOptions = {}): Promise<RequestOutcome> | undefined {
    const {
      signal = 'traces',
      encoding = 'proto',
      compression = 'identity',
      decodedBytesMax = 1 << 20,
    } = options;
    let answers = 0;
    let answer!: (outcome: RequestOutcome) => void;
    const answered = new Promise<RequestOutcome>((resolve) => {
      answer = resolve;
    });
    const half = body.byteLength >> 1;
    const isTaken = this.ingest.consumerFor('otlp').tryConsume(
      {
        signal,
        transport: 'http',
        encoding,
        compression,
        chunks: [body.subarray(0, half), body.subarray(half)],
        sizeBytes: body.byteLength,
        decodedBytesMax,
      },
      (outcome) => {
        answers += 1;
        if (answers > 1) throw new Error('a request was answered twice');
        answer({ ...outcome });
      },
    );
    return isTaken ? answered : undefined;
  }

  async send(body: Uint8Array, options: SendOptions = {}): Promise<RequestOutcome> {
    const answered = this.trySend(body, options);
    if (answered === undefined) throw new Error('the ring refused a request of the test');
    return answered;
  }

  /** All bytes that are flushed in one log. */
  stored(log = 0): Uint8Array[] {
    return this.logs[log]!.records.map(({ payload }) => payload);
  }

  async end(): Promise<void> {
    for (const { worker } of this.#workers) worker.stop();
    await this.ingest.drain(systemClock.monotonicMs() + 1000);
    await Promise.all(this.#workers.map(({ running }) => running));
  }
}
