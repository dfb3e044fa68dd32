/** What the tests of batches and deliveries share: requests that name their items, an exporter that follows a script. */
import { PipelineError } from '../../component/errors.ts';
import type { ExportBatch, Exporter, ExportReceipt } from '../../component/exporter.ts';
import type { DeliveryConfig } from '../../component/factory.ts';
import type { LogFields, Logger } from '../../component/settings.ts';
import type { LogCursor, LogReader, LogWriter } from '../../queue/log/contract.ts';
import { MemoryLog } from '../../queue/log/memory-log.ts';
import { createSharedWords } from '../../queue/log/shared-words.ts';
import { type Clock, systemClock } from '../../stdx/clock.ts';
import { Prng } from '../../stdx/prng.ts';
import { MeterAggregate } from '../../telemetry/aggregate.ts';
import { ThreadMeter } from '../../telemetry/registry.ts';
import { requestType } from '../../testkit/otlp-root.ts';
import type { DeadLetterSink } from './dead-letters.ts';
import { Delivery } from './delivery.ts';
import { DeliveryMetrics } from './delivery-metrics.ts';
import { SendSlots } from './send-slots.ts';
import { SendThrottle } from './send-throttle.ts';

/** A traces request in two scopes whose spans are named `first`, `first + 1`, ... */
export function numberedRequest(first: number, count: number, padBytes = 0): Uint8Array {
  const type = requestType('traces');
  const pad = 'x'.repeat(padBytes);
  const spans = Array.from({ length: count }, (_, i) => ({
    trace_id: new Uint8Array(16).fill(1),
    span_id: new Uint8Array(8).fill(2),
    name: `${first + i} ${pad}`,
  }));
  const half = count >> 1;
  const scope_spans = [
    { scope: { name: 'a' }, spans: spans.slice(0, half) },
    { scope: { name: 'b' }, spans: spans.slice(half) },
  ];
  const resource = { attributes: [{ key: 'service.name', value: { string_value: `service ${first}` } }] };
  return type.encode(type.fromObject({ resource_spans: [{ resource, scope_spans }] })).finish();
}

interface DecodedTraces {
  resource_spans: { scope_spans?: { spans?: { name: string }[] }[] }[];
}

/** Numbers of all spans in the slices, each slice decoded by itself and by an independent decoder. */
export function itemNumbers(slices: readonly Uint8Array[]): number[] {
  const type = requestType('traces');
  return slices.flatMap((slice) => {
    const decoded = type.toObject(type.decode(slice)) as DecodedTraces;
    const scopes = decoded.resource_spans.flatMap((resource) => resource.scope_spans ?? []);
    return scopes.flatMap((scope) => scope.spans ?? []).map((span) => Number.parseInt(span.name, 10));
  });
}

export function memoryLog(
  options: { recordBytes?: number; cursorNames?: string[]; budgetBytes?: number } = {},
): MemoryLog {
  const { recordBytes = 4096, cursorNames = ['test'], budgetBytes = 64 << 20 } = options;
  return new MemoryLog({
    logId: 'traces~0',
    signal: 'traces',
    directory: '',
    limits: { budgetBytes, reserveBytes: 0, segmentBytes: 1 << 20, recordBytes, flushTimeoutMs: 1000 },
    flush: true,
    cursorNames,
    shared: createSharedWords(cursorNames.length),
  });
}

/** Appends requests of these item counts and commits; items are numbered on from the log's end. */
export async function fill(writer: LogWriter, counts: readonly number[], padBytes = 0): Promise<void> {
  for (const count of counts) {
    if (!writer.tryAppend(numberedRequest(writer.appendedOrdinal, count, padBytes), count, 1000)) {
      throw new Error('the log refused a request of the test');
    }
  }
  await writer.commit();
}

export function deliveryConfig(changes: {
  timeoutMs?: number;
  retry?: Partial<DeliveryConfig['retry']>;
  numConsumers?: number;
  batch?: Partial<DeliveryConfig['queue']['batch']>;
}): DeliveryConfig {
  return {
    timeoutMs: changes.timeoutMs ?? 1000,
    retry: {
      enabled: true,
      initialIntervalMs: 5,
      randomizationFactor: 0,
      multiplier: 1.5,
      maxIntervalMs: 20,
      maxElapsedMs: undefined,
      ...changes.retry,
    },
    deadLetters: { directory: undefined, totalBytesMax: 1 << 20, filesMax: 0 },
    queue: {
      enabled: true,
      numConsumers: changes.numConsumers ?? 10,
      queueSize: undefined,
      sizer: 'requests',
      storage: undefined,
      isAwaited: false,
      blocksOnOverflow: false,
      batch: { flushTimeoutMs: 5, minSize: 1, maxSize: 0, sizer: 'items', ...changes.batch },
    },
  };
}

type Answer = (
  batch: ExportBatch,
  signal: AbortSignal,
  attempt: number,
) => ReturnType<Exporter['export']> | undefined;

/** Records every attempt with its items and answers it as the test says. */
export class ScriptedExporter implements Exporter {
  readonly attempts: { batchId: string; items: number[]; bytes: string; atMs: number }[] = [];
  readonly delivered: number[] = [];
  inFlight = 0;
  inFlightMax = 0;
  answer: Answer;

  constructor(answer: Answer = () => undefined) {
    this.answer = answer;
  }

  async start(): Promise<void> {}
  async shutdown(): Promise<void> {}

  async export(batch: ExportBatch, signal: AbortSignal): Promise<ExportReceipt | undefined> {
    const items = itemNumbers(batch.slices);
    const attempt = this.attempts.filter(({ batchId }) => batchId === batch.batchId).length;
    const bytes = Buffer.concat(batch.slices).toString('hex');
    this.attempts.push({ batchId: batch.batchId, items, bytes, atMs: performance.now() });
    if (items.length !== batch.itemCount)
      throw new Error(`${items.length} items, ${batch.itemCount} announced`);
    this.inFlight += 1;
    this.inFlightMax = Math.max(this.inFlightMax, this.inFlight);
    try {
      const receipt = await this.answer(batch, signal, attempt);
      this.delivered.push(...items);
      return receipt ?? undefined;
    } finally {
      this.inFlight -= 1;
    }
  }
}

export const retryable = (message = 'try later', retryAfterMs?: number) =>
  new PipelineError('EXPORT_UNAVAILABLE', message, {
    permanent: false,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
export const permanent = () => new PipelineError('EXPORT_REJECTED', 'never', { permanent: true });

/** Never settles unless the attempt is aborted. */
export function hang(signal: AbortSignal): Promise<void> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
}

export class RecordingLogger implements Logger {
  readonly lines: { level: string; message: string; fields: LogFields }[] = [];
  debug = (message: string, fields: LogFields = {}) => this.#add('debug', message, fields);
  info = (message: string, fields: LogFields = {}) => this.#add('info', message, fields);
  warn = (message: string, fields: LogFields = {}) => this.#add('warn', message, fields);
  error = (message: string, fields: LogFields = {}) => this.#add('error', message, fields);
  child = () => this;

  #add(level: string, message: string, fields: LogFields): void {
    this.lines.push({ level, message, fields });
  }
}

export interface Drain {
  delivery: Delivery;
  reader: LogReader;
  cursor: LogCursor;
  logger: RecordingLogger;
  running: Promise<void>;
  counter(name: string, label?: string): number;
  end(): Promise<void>;
}

export interface DrainOptions {
  config?: DeliveryConfig;
  cursorName?: string;
  isDurable?: boolean;
  clock?: Clock;
  slots?: SendSlots;
  throttle?: SendThrottle;
  deadLetters?: DeadLetterSink;
  graceMs?: number;
}

/** Starts a delivery of the log to the exporter. */
export function startDrain(log: MemoryLog, exporter: Exporter, options: DrainOptions = {}): Drain {
  const config = options.config ?? deliveryConfig({});
  const clock = options.clock ?? systemClock;
  const meter = new ThreadMeter();
  const logger = new RecordingLogger();
  const reader = log.openReader();
  const cursor = log.openCursor(options.cursorName ?? 'test');
  const throttle =
    options.throttle ?? new SendThrottle(config, { id: 'test', signal: 'traces', clock, meter, logger });
  const delivery = new Delivery({
    exporter,
    signal: 'traces',
    reader,
    cursor,
    config,
    isDurable: options.isDurable ?? true,
    clock,
    prng: new Prng(7),
    logger,
    metrics: new DeliveryMetrics(meter, 'test', 'traces'),
    slots: options.slots ?? new SendSlots(config.queue.numConsumers),
    throttle,
    ...(options.deadLetters === undefined ? {} : { deadLetters: options.deadLetters }),
    ...(options.graceMs === undefined ? {} : { graceMs: options.graceMs }),
  });
  const running = delivery.run();
  // A test that expects the rejection awaits it; the others must not die of it before their own check.
  running.catch(() => undefined);
  return {
    delivery,
    reader,
    cursor,
    logger,
    running,
    counter: (name, label) => {
      const aggregate = new MeterAggregate(clock);
      aggregate.update('t', meter.takeSnapshot());
      return aggregate
        .counters()
        .filter(
          (series) =>
            series.name === name && (label === undefined || JSON.stringify(series.labels).includes(label)),
        )
        .reduce((sum, series) => sum + series.value, 0);
    },
    end: async () => {
      await delivery.stop();
      await reader.close();
      await running;
      await cursor.close();
      throttle.close();
    },
  };
}
