/** Everything that crosses a thread as a message. Telemetry itself only crosses through rings and logs. */
import type { MessagePort } from 'node:worker_threads';
import type { ClientKeys } from '../component/client-context.ts';
import type { ErrorMessage } from '../component/errors.ts';
import type { Batching } from '../component/factory.ts';
import type { Signal } from '../component/signal.ts';
import type { ComponentPlan } from '../config/collector-plan.ts';
import type { LogDescriptor } from '../queue/log/contract.ts';
import type { ProfileKind } from '../stdx/profile.ts';
import type { LoggerOptions } from '../telemetry/logger.ts';
import type { MeterSnapshot } from '../telemetry/registry.ts';
import type { TracerOptions } from '../telemetry/tracer.ts';
import type { LinkRings } from './holding-links.ts';

/** Int32 words of a worker's control block, written by the worker and read by the supervisor. */
export const CONTROL_BYTES = 64;
/** Counts up on every turn and twice a second: standing still means the thread hangs. */
export const WORD_HEARTBEAT = 0;
/** Request id of the frame being worked on, or 0: the suspect when the thread dies or hangs. */
export const WORD_CURRENT_REQUEST = 1;
/** Not 0 while the thread itself waits for the disk: that is no hang, but it has a limit of its own. */
export const WORD_FLUSHING = 2;

/** Longest wait for one flush before the storage counts as failed. */
export const FLUSH_TIMEOUT_MS = 30_000;

/** One way of a request through the engine: all logs it must be flushed to. */
export interface RoutePlan {
  receiverId: string;
  signal: Signal;
  /** Indexes into `logs` of the worker. */
  logs: number[];
  /** What of a request's client its receiver has to keep; undefined: nothing. */
  clientKeys?: ClientKeys | undefined;
  /** Encoding of src/encodings, of requests with the encoding `record`; undefined: the receiver sends none. */
  recordEncoding?: string | undefined;
}

/** Processors between a receiver and the logs of one pipeline. */
export interface ChainPlan {
  pipelineId: string;
  signal: Signal;
  /** Indexes into `logs` of the worker: what is stored in all of them is the result. */
  logs: number[];
  /** In the order of the pipeline; up to the one that holds items back, where there is one. */
  processors: ComponentPlan[];
  /** Holds items back: they are in this log of the worker until they go on. */
  holding?: ComponentPlan & { log: number };
  /** Those behind the holding one. */
  after: ComponentPlan[];
}

interface WorkerInit {
  /** Name of this incarnation, e.g. `pipeline-0#2`. */
  name: string;
  control: SharedArrayBuffer;
  port: MessagePort;
  logger: LoggerOptions;
  /** undefined: no spans. */
  tracing: TracerOptions | undefined;
  failpoints: string | undefined;
}

export interface PipelineWorkerInit extends WorkerInit {
  /** Number of the worker. */
  slot: number;
  /** By chain, for those that hold items back in several workers. */
  links: (LinkRings | undefined)[];
  requestRing: SharedArrayBuffer;
  ackRing: SharedArrayBuffer;
  routes: RoutePlan[];
  /** Of pipelines that have processors. */
  chains: ChainPlan[];
  logs: LogDescriptor[];
  /** What of a request's client the log keeps, by index of `logs`. */
  clientKeysByLog?: readonly (ClientKeys | undefined)[];
}

/** One exporter instance and the logs that it drains. */
export interface ExporterPlan {
  id: string;
  type: string;
  signal: Signal;
  config: unknown;
  logs: LogDescriptor[];
  /** By log id: what the `batch` processor of its pipeline says. */
  batchings: Map<string, Batching>;
  /** What the authenticator of the exporter puts on requests. */
  clientKeys?: ClientKeys | undefined;
}

export interface ExporterWorkerInit extends WorkerInit {
  exporters: ExporterPlan[];
  /** All of the service: exporters may name them as authenticators. */
  extensions: readonly ComponentPlan[];
  /** Durable logs retry for ever unless the user bounds it. */
  isDurable: boolean;
}

export type ToWorker =
  | { type: 'snapshot'; token: number }
  | { type: 'profile'; token: number; kind: ProfileKind; seconds: number }
  | { type: 'stop'; deadlineMs: number };

export type FromWorker =
  | { type: 'ready' }
  | { type: 'snapshot'; token: number; snapshot: MeterSnapshot }
  /** One part of a profile; undefined behind the last. */
  | { type: 'profile'; token: number; text: string | undefined }
  /** A flush failed: nothing may be acknowledged any more, the process must end. */
  | { type: 'storage_failed'; error: ErrorMessage }
  | { type: 'start_failed'; error: ErrorMessage };
