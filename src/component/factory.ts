import type { ClientAuthenticator } from './auth.ts';
import type { ClientKeys } from './client-context.ts';
import type { Component } from './component.ts';
import type { ConfigSchema } from './config-schema.ts';
import type { RequestConsumer } from './consumer.ts';
import type { Exporter } from './exporter.ts';
import type { HoldingProcessor, HoldingShare } from './holding.ts';
import type { Processor } from './processor.ts';
import type { ComponentSettings } from './settings.ts';
import type { Signal } from './signal.ts';

export type ComponentKind = 'receiver' | 'processor' | 'exporter' | 'connector' | 'extension';
export type Stability = 'development' | 'alpha' | 'beta' | 'stable';

interface FactoryBase<C> {
  /** YAML type, letter for letter the folder's name. */
  readonly type: string;
  readonly configSchema: ConfigSchema<C>;
}

/** A key of a configuration that names an authenticator. */
export interface AuthReference {
  /** Keys below the component. */
  path: readonly string[];
  id: string;
}

/** Built on the main thread: one instance per id, whatever the number of signals. */
export interface ReceiverFactory<C> extends FactoryBase<C> {
  readonly kind: 'receiver';
  readonly stability: Partial<Record<Signal, Stability>>;
  /** Must not open anything: `start` does. May return a promise to load its modules late. */
  create(settings: ComponentSettings, config: C, next: RequestConsumer): Component | Promise<Component>;
  /** Authenticators that this configuration names; they are checked before anything starts. */
  authenticators?(config: C): readonly AuthReference[];
  /** Largest body in bytes that the receiver can hand on; sizes the rings. */
  bodyBytesMax(config: C): number;
  /** Encodings of src/encodings by signal, for requests with the encoding `record`; signals without any have none. */
  recordEncodings?(config: C): Partial<Record<Signal, string>>;
  /** Bytes of bodies that are still arriving, of all connections together: part of the memory budget. */
  assemblyBytesMax?(config: C): number;
}

/** Key `dead_letters`: where items go that a backend refuses for good, and how many. */
export interface DeadLettersConfig {
  /** undefined: beside the logs; without durability there are none then. */
  directory: string | undefined;
  /** Of all files of one signal. */
  totalBytesMax: number;
  /** Of one signal; 0: as many as there are bytes for. */
  filesMax: number;
}

/** Keys of `sending_queue`, `retry_on_failure`, `timeout` and `dead_letters`, parsed: see exporters/helper/config.ts. */
export interface DeliveryConfig {
  timeoutMs: number;
  /** The exporter reads batches piece by piece, so that they may be larger than memory: `ExportBatch.readSlices`. */
  streamsBatches?: true;
  retry: {
    enabled: boolean;
    initialIntervalMs: number;
    randomizationFactor: number;
    multiplier: number;
    maxIntervalMs: number;
    /** undefined: the user did not set it; 0: for ever. */
    maxElapsedMs: number | undefined;
  };
  deadLetters: DeadLettersConfig;
  queue: {
    enabled: boolean;
    numConsumers: number;
    /** undefined: bounded by the disk budget alone. */
    queueSize: number | undefined;
    sizer: 'requests' | 'items' | 'bytes';
    /** Id of a storage extension, e.g. `file_storage`. */
    storage: string | undefined;
    /** Answers wait until the exporter is done with what they are about. */
    isAwaited: boolean;
    /** Requests wait for room in the log instead of being refused. */
    blocksOnOverflow: boolean;
    /** The user wrote `batch`, which then counts more than the processor of that name. */
    hasOwnBatch?: true;
    batch: Omit<Batching, 'processorId'> & { sizer: 'items' | 'bytes' };
  };
}

/** Built in an exporter worker: one instance per id and signal. */
export interface ExporterFactory<C> extends FactoryBase<C> {
  readonly kind: 'exporter';
  readonly stability: Partial<Record<Signal, Stability>>;
  create(settings: ComponentSettings, config: C, signal: Signal): Exporter | Promise<Exporter>;
  /** Authenticators that this configuration names; they are checked before anything starts. */
  authenticators?(config: C): readonly AuthReference[];
  /** What of the clients it puts on what it sends; batches are parted by it. */
  clientKeys?(config: C): ClientKeys | undefined;
  /** How the engine reads, batches and retries for this exporter. */
  delivery(config: C): DeliveryConfig;
}

/** Built in every pipeline worker: one instance for each pipeline that names the id. */
export interface ProcessorFactory<C> extends FactoryBase<C> {
  readonly kind: 'processor';
  readonly stability: Partial<Record<Signal, Stability>>;
  create(settings: ComponentSettings, config: C, signal: Signal): Processor | Promise<Processor>;
  /** What a pipeline of this signal cannot have, one message each; only for what the table cannot say. */
  signalIssues?(config: C, signal: Signal): string[];
  /**
   * Only processors that hold items back on disk have it; the engine calls it instead of `create`, in every pipeline
   * worker, once for each pipeline.
   */
  createHolding?(
    settings: ComponentSettings,
    config: C,
    share: HoldingShare,
  ): HoldingProcessor | Promise<HoldingProcessor>;
  /** Only `batch` has it: how exporters of the pipeline cut batches unless they say so themselves. */
  batching?(config: C): Batching;
  /** What it reads of `ProcessorRequest.client`; nothing else is there. */
  clientKeys?(config: C): ClientKeys;
}

/** Sizes in items; `maxSize` 0 means no bound. */
export interface Batching {
  flushTimeoutMs: number;
  minSize: number;
  maxSize: number;
  /** What the requests of one batch have in common of their clients; undefined: nothing. */
  partition?: ClientKeys | undefined;
  /** Which processor says so; the engine adds it. */
  processorId?: string;
}

/** Delivered data that is kept all the same: since it arrived, in ms, and in bytes; a bound that is absent is none. */
export interface RetentionConfig {
  timeMs?: number | undefined;
  sizeBytes?: number | undefined;
}

/** Built on the main thread, started before everything else. */
export interface ExtensionFactory<C> extends FactoryBase<C> {
  readonly kind: 'extension';
  readonly stability: Stability;
  create(settings: ComponentSettings, config: C): Component | Promise<Component>;
  /** Only storage extensions have it: the directory that `sending_queue.storage` means by naming this extension. */
  storageDirectory?(config: C): string;
  /** Only storage extensions have it: how long what was delivered stays in the logs of that directory. */
  retention?(config: C): RetentionConfig | undefined;
  /** Authenticators that this configuration names for whoever asks its own pages; checked before anything starts. */
  authenticators?(config: C): readonly AuthReference[];
  /** Whether its components are `ServerAuthenticator`s of component/auth.ts. */
  readonly isServerAuthenticator?: boolean;
  /**
   * What its `ClientAuthenticator` reads of the context that `apply` gets; nothing else is there. Batches of exporters
   * that use it are parted by these keys.
   */
  clientKeys?(config: C): ClientKeys;
  /**
   * Only extensions that authenticate exporters have it. Called in every exporter worker, at most once for an id;
   * the worker starts the result before it hands it to exporters.
   * @throws PipelineError START_FAILED when this configuration is made for the other direction.
   */
  createClientAuth?(
    settings: ComponentSettings,
    config: C,
  ): ClientAuthenticator | Promise<ClientAuthenticator>;
}

// biome-ignore lint/suspicious/noExplicitAny: a registry holds factories of every config type.
type AnyConfig = any;
export type AnyFactory =
  | ReceiverFactory<AnyConfig>
  | ProcessorFactory<AnyConfig>
  | ExporterFactory<AnyConfig>
  | ExtensionFactory<AnyConfig>;
