/** Batches on their way to one broker: what comes while requests are under way goes together into the next one. */
import type { KafkaBroker } from './client.ts';
import type { PartitionAnswer, PartitionBatch } from './produce-request.ts';
import type { ProduceOptions, ProducerBrokers, SentRequest } from './producer-brokers.ts';

/** A broker works at one request of a connection at a time; the second one is there when it is done with the first. */
const REQUESTS_IN_FLIGHT_MAX = 2;

interface Waiting {
  broker: KafkaBroker;
  batch: PartitionBatch;
  signal: AbortSignal;
  resolve(answer: PartitionAnswer | undefined): void;
  reject(error: unknown): void;
}

export class BrokerQueue {
  readonly #brokers: ProducerBrokers;
  readonly #options: ProduceOptions;
  readonly #requestBytesMax: number;
  #waiting: Waiting[] = [];
  #inFlight = 0;
  #isPlanned = false;

  constructor(brokers: ProducerBrokers, options: ProduceOptions, requestBytesMax: number) {
    this.#brokers = brokers;
    this.#options = options;
    this.#requestBytesMax = requestBytesMax;
  }

  /**
   * The caller never has two batches of one partition here.
   * @param signal aborted: the memory of the batch must not be read any more. The promise settles soon after.
   * @returns undefined when brokers are not asked for answers.
   */
  send(
    broker: KafkaBroker,
    batch: PartitionBatch,
    signal: AbortSignal,
  ): Promise<PartitionAnswer | undefined> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ broker, batch, signal, resolve, reject });
      this.#plan();
    });
  }

  /** Behind what else this turn of the event loop brings: the other partitions of the same batch. */
  #plan(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    setImmediate(() => {
      this.#isPlanned = false;
      while (this.#waiting.length > 0 && this.#inFlight < REQUESTS_IN_FLIGHT_MAX) void this.#sendSome();
    });
  }

  async #sendSome(): Promise<void> {
    const some = this.#takeSome();
    if (some.length === 0) return;
    this.#inFlight++;
    let sent: SentRequest | undefined;
    const onAbort = () => {
      // Nobody else's request is spared: without the connection their outcome is open, and they are sent again.
      if (sent !== undefined && !sent.isFlushed()) sent.abandon();
    };
    for (const { signal } of some) signal.addEventListener('abort', onAbort, { once: true });
    try {
      sent = this.#brokers.send(
        some[0]!.broker,
        some.map(({ batch }) => batch),
        this.#options,
      );
      const answer = await sent.answer;
      for (const { batch, resolve, reject } of some) {
        const own = answer?.partitions.find(
          ({ topic, partition }) => topic === batch.topic && partition === batch.partition,
        );
        if (own === undefined && answer !== undefined) reject(new Error('the broker left a partition out'));
        else resolve(own);
      }
    } catch (error) {
      for (const { reject } of some) reject(error);
    } finally {
      for (const { signal } of some) signal.removeEventListener('abort', onAbort);
      this.#inFlight--;
      if (this.#waiting.length > 0) this.#plan();
    }
  }

  /** What goes into one request; batches of attempts that are over leave without being sent. */
  #takeSome(): Waiting[] {
    const some: Waiting[] = [];
    const rest: Waiting[] = [];
    let sizeBytes = 0;
    for (const each of this.#waiting) {
      if (each.signal.aborted) {
        each.reject(new Error('the attempt was ended'));
        continue;
      }
      const fits = some.length === 0 || sizeBytes + each.batch.sizeBytes <= this.#requestBytesMax;
      if (fits && each.broker === (some[0]?.broker ?? each.broker)) {
        some.push(each);
        sizeBytes += each.batch.sizeBytes;
      } else rest.push(each);
    }
    this.#waiting = rest;
    return some;
  }
}
