import { PipelineError } from '../../component/errors.ts';
import type { ExportBatch, Exporter, ExportReceipt } from '../../component/exporter.ts';
import type { ComponentSettings, Counter, Histogram } from '../../component/settings.ts';
import type { Signal } from '../../component/signal.ts';
import { itemsOf } from '../../otlp/slice.ts';
import { Prng } from '../../stdx/prng.ts';
import { OtlpExporter } from '../helper/grpc/otlp-exporter.ts';
import { type LoadBalancingConfig, type RoutingKey, withPort } from './config.ts';
import { HashRing } from './hash-ring.ts';
import { type Progress, ProgressTable } from './progress.ts';
import { type LookUp, Resolver } from './resolver.ts';
import { NO_BACKEND, Router } from './routing.ts';

const KEYS: Readonly<Record<Signal, readonly RoutingKey[]>> = {
  traces: ['traceID', 'service', 'attributes'],
  logs: ['service', 'traceID', 'attributes'],
  metrics: ['service', 'metric', 'resource', 'streamID', 'attributes'],
};

interface Backend {
  exporter: OtlpExporter;
  latency: Histogram;
  succeeded: Counter;
  failed: Counter;
}

/** What of a batch goes to one backend. */
interface Share {
  slices: Uint8Array[];
  itemCount: number;
  sizeBytes: number;
}

/** Sends each item of a batch to the backend that its key belongs to. */
export class LoadBalancingExporter implements Exporter {
  readonly #settings: ComponentSettings;
  readonly #config: LoadBalancingConfig;
  readonly #signal: Signal;
  readonly #router: Router;
  readonly #resolver: Resolver;
  readonly #backends = new Map<string, Backend>();
  readonly #progress = new ProgressTable();
  #ring: HashRing | undefined;

  /** @throws PipelineError CONFIG_INVALID for a routing key that the signal does not have. */
  constructor(settings: ComponentSettings, config: LoadBalancingConfig, signal: Signal, lookUp?: LookUp) {
    const key = config.routingKey ?? KEYS[signal][0]!;
    if (!KEYS[signal].includes(key)) {
      const message = `${settings.id}: unsupported routing_key: "${key}" for ${signal}, which have ${KEYS[signal].join(', ')}`;
      throw new PipelineError('CONFIG_INVALID', message, { permanent: true });
    }
    this.#settings = settings;
    this.#config = config;
    this.#signal = signal;
    this.#router = new Router(signal, key, config.routingAttributes, new Prng(settings.clock.unixMs() >>> 0));
    this.#resolver = new Resolver(settings, config, (endpoints) => this.#setBackends(endpoints), lookUp);
  }

  start(): Promise<void> {
    return this.#resolver.start();
  }

  async shutdown(): Promise<void> {
    this.#resolver.stop();
    await Promise.all([...this.#backends.values()].map(({ exporter }) => exporter.shutdown()));
    this.#backends.clear();
    this.#ring = undefined;
  }

  /** Items that were taken are remembered, so that the next attempt has the others alone, by the ring of then. */
  async export(batch: ExportBatch, signal: AbortSignal): Promise<ExportReceipt> {
    const ring = this.#ring;
    if (ring === undefined)
      throw new PipelineError('EXPORT_UNAVAILABLE', 'no backend is resolved', { permanent: false });
    const progress = this.#progress.of(batch);
    const owners = batch.slices.map((slice) => this.#router.ownersOf(slice, ring));
    progress.leaveOut(owners);
    const errors: PipelineError[] = [];
    if (owners.some((each) => each.includes(NO_BACKEND))) {
      const message = 'unable to get service name from a resource: data points of it belong to no backend';
      errors.push(new PipelineError('EXPORT_REJECTED', message, { permanent: true }));
    }
    const sends = ring.endpoints.map(async (endpoint, owner) => {
      const share = shareOf(batch, owners, owner);
      if (share.itemCount === 0) return;
      try {
        progress.rejectedCount += await this.#send(batch, endpoint, share, signal);
        progress.finish(owners, owner);
      } catch (error) {
        errors.push(asPipelineError(error));
      }
    });
    await Promise.all(sends);
    if (errors.length > 0) throw combined(errors, this.#progress, batch, progress);
    this.#progress.forget(batch);
    return { rejectedCount: Math.min(progress.rejectedCount, batch.itemCount) };
  }

  async #send(batch: ExportBatch, endpoint: string, share: Share, signal: AbortSignal): Promise<number> {
    const backend = this.#backends.get(endpoint);
    if (backend === undefined) {
      const message = `backend ${endpoint} is not there any more`;
      throw new PipelineError('EXPORT_UNAVAILABLE', message, { permanent: false });
    }
    const { clock } = this.#settings;
    const startedMs = clock.monotonicMs();
    try {
      const receipt = await backend.exporter.export(
        { ...batch, ...share, batchId: `${batch.batchId}@${endpoint}` },
        signal,
      );
      backend.succeeded.add(1);
      return receipt.rejectedCount;
    } catch (error) {
      backend.failed.add(1);
      throw error;
    } finally {
      backend.latency.record(clock.monotonicMs() - startedMs);
    }
  }

  /** New ones first: the ring must never name a backend that is not there. */
  async #setBackends(endpoints: readonly string[]): Promise<void> {
    for (const endpoint of endpoints)
      if (!this.#backends.has(endpoint)) this.#backends.set(endpoint, await this.#open(endpoint));
    this.#ring = endpoints.length === 0 ? undefined : new HashRing(endpoints);
    for (const [endpoint, { exporter }] of this.#backends) {
      if (endpoints.includes(endpoint)) continue;
      this.#backends.delete(endpoint);
      // Calls in flight end; what they do not take goes to the others.
      void exporter.shutdown();
    }
  }

  async #open(endpoint: string): Promise<Backend> {
    const { meter, logger } = this.#settings;
    const { delivery, protocol } = this.#config;
    const { timeoutMs, ...otlp } = protocol.otlp;
    const settings = { ...this.#settings, logger: logger.child({ endpoint }) };
    const timed = { ...delivery, timeoutMs: delivery.timeoutMs > 0 ? delivery.timeoutMs : timeoutMs };
    const exporter = new OtlpExporter(
      settings,
      { ...otlp, endpoint: withPort(endpoint), delivery: timed },
      this.#signal,
    );
    await exporter.start();
    const outcome = 'otelcol_loadbalancer_backend_outcome';
    return {
      exporter,
      latency: meter.histogram('otelcol_loadbalancer_backend_latency', { endpoint }),
      succeeded: meter.counter(outcome, { endpoint, success: 'true' }),
      failed: meter.counter(outcome, { endpoint, success: 'false' }),
    };
  }
}

function shareOf(batch: ExportBatch, owners: readonly Int16Array[], owner: number): Share {
  const share: Share = { slices: [], itemCount: 0, sizeBytes: 0 };
  for (const [number, slice] of batch.slices.entries()) {
    const ofSlice = owners[number]!;
    let itemCount = 0;
    for (const each of ofSlice) if (each === owner) itemCount++;
    if (itemCount === 0) continue;
    const part = itemCount === ofSlice.length ? slice : itemsOf(batch.signal, slice, ofSlice, owner);
    share.slices.push(part);
    share.itemCount += itemCount;
    share.sizeBytes += part.byteLength;
  }
  return share;
}

function asPipelineError(error: unknown): PipelineError {
  if (error instanceof PipelineError) return error;
  return new PipelineError('EXPORT_UNAVAILABLE', String(error), { permanent: false, cause: error });
}

/** As long as one of the failures may pass, everything is tried again; what is refused for good comes last. */
function combined(
  errors: readonly PipelineError[],
  table: ProgressTable,
  batch: ExportBatch,
  progress: Progress,
): PipelineError {
  table.keep(batch, progress);
  const passing = errors.filter(({ permanent }) => !permanent);
  const [first] = passing.length > 0 ? passing : errors;
  const { code, message } = first!;
  const waits = passing.flatMap(({ retryAfterMs }) => retryAfterMs ?? []);
  return new PipelineError(code, message, {
    permanent: passing.length === 0,
    ...(waits.length === 0 ? {} : { retryAfterMs: Math.max(...waits) }),
    // Parts fare better when a part was taken.
    isIndivisible: !progress.hasFinished && errors.every(({ isIndivisible }) => isIndivisible),
    cause: first,
  });
}
