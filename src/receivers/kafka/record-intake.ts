/**
 * From records to requests of the engine, and from the engine's answers to offsets that may be committed. Main thread.
 *
 * | answer of the engine               | what becomes of the record                                                |
 * | ---------------------------------- | ------------------------------------------------------------------------- |
 * | flushed                            | done                                                                      |
 * | no room in the rings               | the consumer waits with it in its hands, and fetches nothing              |
 * | could be taken later               | its partition is held, it is tried again; see MarkingRules for the end    |
 * | can never be taken                 | counted and passed, or its partition is held                              |
 * | an error inside the engine         | tried again some times, then as if it could never be taken                |
 */
import {
  OUTCOME_INTERNAL,
  OUTCOME_MALFORMED,
  OUTCOME_OK,
  OUTCOME_TOO_LARGE,
  OUTCOME_UNAVAILABLE,
  type RawRequest,
  type RequestConsumer,
  type RequestOutcome,
} from '../../component/consumer.ts';
import type { ComponentSettings } from '../../component/settings.ts';
import type { Signal } from '../../component/signal.ts';
import type { PartitionOffsets } from '../../kafka/consumer-offsets.ts';
import type { FramePool } from '../../kafka/fetch-frames.ts';
import type { KafkaRecord } from '../../kafka/fetched-batches.ts';
import type { RecordTaker } from '../../kafka/record-taker.ts';
import type { Prng } from '../../stdx/prng.ts';
import type { MarkingRules } from './config-marking.ts';
import { HeldRecords } from './held-records.ts';
import type { DropReason, PartitionSeries, ReceiverMetrics } from './metrics.ts';
import type { RecordContext } from './record-context.ts';

/** The consumer, as far as the intake speaks to it. */
export interface IntakeConsumer {
  finished(): void;
  hold(offsets: PartitionOffsets): void;
  release(offsets: PartitionOffsets): void;
}

export interface TopicUse {
  signal: Signal;
  encoding: RawRequest['encoding'];
}

export interface RecordIntakeOptions {
  settings: Pick<ComponentSettings, 'logger' | 'clock'>;
  next: RequestConsumer;
  metrics: ReceiverMetrics;
  rules: MarkingRules;
  context: RecordContext;
  prng: Prng;
  /** What a topic holds; undefined for one that is not read any more. */
  useOf(topic: string): TopicUse | undefined;
  recordBytesMax: number;
  inFlightBytesMax: number;
  consumer: IntakeConsumer;
  /** Memory that values lie in. */
  frames: Pick<FramePool, 'retain' | 'release'>;
}

/** A record between its reading and its end. */
interface PendingRecord {
  readonly offsets: PartitionOffsets;
  readonly offset: number;
  readonly request: RawRequest;
  readonly series: PartitionSeries;
  readonly sizeBytes: number;
  failures: number;
  /** It is larger than the engine takes, which no other try changes. */
  readonly isTooLarge: boolean;
  /** Whether the buffer that the client has read it into is let go of. */
  isCopied: boolean;
}

/** Tries of a record that meets an error inside the engine: another one may not meet it. */
const INTERNAL_TRIES = 5;

export class RecordIntake implements RecordTaker {
  readonly #options: RecordIntakeOptions;
  readonly #held: HeldRecords<PendingRecord>;
  readonly #series = new Map<PartitionOffsets, PartitionSeries>();
  #inFlightBytes = 0;

  constructor(options: RecordIntakeOptions) {
    this.#options = options;
    const { settings, rules, prng, consumer } = options;
    this.#held = new HeldRecords({
      backoff: rules.backoff,
      clock: settings.clock,
      prng,
      retry: (record) => {
        options.metrics.retries.add(1);
        return this.#consume(record);
      },
      hold: (offsets) => consumer.hold(offsets),
      release: (offsets) => consumer.release(offsets),
    });
  }

  /** Values that were read and are not done. */
  get inFlightBytes(): number {
    return this.#inFlightBytes;
  }

  partitionStarted(offsets: PartitionOffsets): void {
    const { metrics, useOf } = this.#options;
    metrics.partitionsStarted.add(1);
    const use = useOf(offsets.topic);
    if (use === undefined) return;
    this.#series.set(offsets, metrics.partition(offsets.topic, offsets.partition, use.signal));
  }

  partitionEnded(offsets: PartitionOffsets): void {
    this.#options.metrics.partitionsEnded.add(1);
    // Whoever has it now counts on.
    this.#series.get(offsets)?.lag.set(0);
    this.#series.delete(offsets);
    for (const record of this.#held.drop(offsets)) this.#letGo(record);
    this.#options.metrics.heldPartitions.set(this.#held.count);
  }

  batchRead(offsets: PartitionOffsets, records: readonly KafkaRecord[], lag: number): void {
    const series = this.#series.get(offsets);
    const last = records.at(-1);
    if (series === undefined || last === undefined) return;
    series.read.add(records.length);
    series.readOld.add(records.length);
    series.bytes.add(records.reduce((sum, { value }) => sum + (value?.byteLength ?? 0), 0));
    series.currentOffset.set(last.offset);
    series.lag.set(lag);
    series.delay?.record(Math.max(0, this.#options.settings.clock.unixMs() - last.timeUnixMs) / 1000);
  }

  tryTake(offsets: PartitionOffsets, read: KafkaRecord): boolean {
    const { useOf, next, context, frames, inFlightBytesMax, recordBytesMax } = this.#options;
    const use = useOf(offsets.topic);
    const series = this.#series.get(offsets);
    // Until the consumer has seen that the topic is not read any more, it waits.
    if (use === undefined || series === undefined) return false;
    const { offset, value } = read;
    // A tombstone says that a key is gone, which means nothing to a stream of telemetry.
    if (value === null) return this.#finish(offsets, offset);
    const sizeBytes = value.byteLength;
    if (this.#inFlightBytes > 0 && this.#inFlightBytes + sizeBytes > inFlightBytesMax) return false;
    const place = { topic: offsets.topic, partition: offsets.partition, offset };
    const encoded = context.encode(next.clientKeys, place, read);
    const record: PendingRecord = {
      offsets,
      offset,
      request: {
        signal: use.signal,
        transport: 'kafka',
        encoding: use.encoding,
        compression: 'identity',
        chunks: [value],
        sizeBytes,
        decodedBytesMax: recordBytesMax,
        ...(encoded === undefined || encoded === 'too_large' ? {} : { context: encoded }),
      },
      series,
      sizeBytes,
      failures: 0,
      isTooLarge: sizeBytes > recordBytesMax || encoded === 'too_large',
      isCopied: false,
    };
    this.#changeInFlight(sizeBytes);
    frames.retain(value);
    if (record.isTooLarge) {
      const reason = encoded === 'too_large' ? 'headers' : 'too_large';
      this.#permanent(record, reason, 'it is larger than the engine takes');
      return true;
    }
    if (this.#consume(record)) return true;
    this.#letGo(record);
    return false;
  }

  #consume(record: PendingRecord): boolean {
    if (record.isTooLarge) {
      setImmediate(() => this.#hold(record));
      return true;
    }
    return this.#options.next.tryConsume(record.request, (outcome) => this.#answered(record, outcome));
  }

  #answered(record: PendingRecord, outcome: RequestOutcome): void {
    this.#options.metrics.countOutcome(record.request.signal, outcome);
    const { code, message } = outcome;
    if (code === OUTCOME_OK) return this.#done(record);
    if (code === OUTCOME_UNAVAILABLE) return this.#temporary(record, message);
    if (code === OUTCOME_INTERNAL && record.failures + 1 < INTERNAL_TRIES) return this.#hold(record);
    if (code === OUTCOME_MALFORMED && record.failures === 0) record.series.unmarshalFailed.add(1);
    const reasons: Partial<Record<RequestOutcome['code'], DropReason>> = {
      [OUTCOME_MALFORMED]: 'malformed',
      [OUTCOME_TOO_LARGE]: 'too_large',
    };
    this.#permanent(record, reasons[code] ?? 'internal', message);
  }

  #temporary(record: PendingRecord, message: string): void {
    const { giveUpAfterMs } = this.#options.rules;
    if (this.#held.heldForMs(record.offsets) < giveUpAfterMs) this.#hold(record);
    else this.#drop(record, 'given_up', message);
  }

  #permanent(record: PendingRecord, reason: DropReason, message: string): void {
    if (this.#options.rules.passesPermanent) return this.#drop(record, reason, message);
    this.#report('a record that cannot be taken stops its partition', record, message);
    this.#hold(record);
  }

  #drop(record: PendingRecord, reason: DropReason, message: string): void {
    this.#options.metrics.countDropped(reason);
    record.series.failed.add(1);
    record.series.failedBytes.add(record.sizeBytes);
    this.#report('a record was passed without being stored', record, message);
    this.#done(record);
  }

  #report(text: string, { offsets, offset, sizeBytes }: PendingRecord, message: string): void {
    const { topic, partition } = offsets;
    this.#options.settings.logger.warn(text, { topic, partition, offset, bytes: sizeBytes, reason: message });
  }

  #hold(record: PendingRecord): void {
    const wasHeld = record.failures > 0;
    record.failures += 1;
    if (!record.offsets.isOurs) return this.#letGo(record);
    if (!record.isCopied) {
      // A small record would keep all of the answer in memory that it came in.
      const [value] = record.request.chunks;
      record.request.chunks = [Buffer.from(value!)];
      this.#options.frames.release(value!);
      record.isCopied = true;
    }
    this.#held.add(record, wasHeld);
    this.#options.metrics.heldPartitions.set(this.#held.count);
  }

  #done(record: PendingRecord): void {
    this.#letGo(record);
    this.#finish(record.offsets, record.offset);
    if (record.failures > 0) {
      this.#held.finished(record.offsets);
      this.#options.metrics.heldPartitions.set(this.#held.count);
    }
  }

  #finish(offsets: PartitionOffsets, offset: number): true {
    offsets.finish(offset);
    this.#options.consumer.finished();
    return true;
  }

  #letGo(record: PendingRecord): void {
    if (!record.isCopied) this.#options.frames.release(record.request.chunks[0]!);
    this.#changeInFlight(-record.sizeBytes);
  }

  #changeInFlight(bytes: number): void {
    this.#inFlightBytes += bytes;
    this.#options.metrics.inFlightBytes.set(this.#inFlightBytes);
  }
}
