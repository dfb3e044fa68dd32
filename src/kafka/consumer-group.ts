/**
 * A member of a consumer group for as long as its owner lives: sessions one after the other, begun anew when the
 * topics to read have changed, when the brokers were away, or when the group has thrown the member out.
 */
import type { ComponentSettings } from '../component/settings.ts';
import { within } from '../stdx/abortable.ts';
import { backoffMs } from '../stdx/backoff.ts';
import type { Prng } from '../stdx/prng.ts';
import type { KafkaClient } from './client.ts';
import type { PartitionOffsets } from './consumer-offsets.ts';
import { type ConsumerKeys, ConsumerSession } from './consumer-session.ts';
import { type SelectedTopics, selectTopics, type TopicSelection } from './consumer-topics.ts';
import { readKafkaError } from './errors.ts';
import type { RecordTaker } from './record-taker.ts';

export interface GroupConsumerOptions {
  client: KafkaClient;
  keys: ConsumerKeys;
  /** Asked for each time that topics are looked up. */
  selection(): TopicSelection;
  taker: RecordTaker;
  settings: Pick<ComponentSettings, 'logger' | 'clock'>;
  prng: Prng;
}

const RETRY = { initialIntervalMs: 500, multiplier: 2, randomizationFactor: 0.3, maxIntervalMs: 15_000 };
/** Only somebody's change of a configuration can help. */
const CREDENTIALS_RETRY_MS = 30_000;
/** Topics that were asked for by name and are not there yet are looked for more often than new ones of a pattern. */
const MISSING_LOOK_MS = 5000;
const SESSION_END_MS = 5000;

export class GroupConsumer {
  readonly #options: GroupConsumerOptions;
  #session: ConsumerSession | undefined;
  #isStopping = false;
  #endWait: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #lookTimer: NodeJS.Timeout | undefined;
  #failures = 0;

  constructor(options: GroupConsumerOptions) {
    this.#options = options;
  }

  /** Begins in the background: brokers that are away must not keep the engine from starting. */
  start(): void {
    this.#running = this.#run();
  }

  /** See ConsumerSession.stop. */
  async stop(deadlineMs: number): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#lookTimer);
    this.#endWait?.();
    await this.#session?.stop(deadlineMs);
    // Brokers that do not answer keep whoever asks them longer than the deadline.
    const leftMs = deadlineMs - this.#options.settings.clock.monotonicMs();
    if (this.#running !== undefined) await within(this.#running, leftMs);
  }

  finished(): void {
    this.#session?.finished();
  }

  hold(offsets: PartitionOffsets): void {
    this.#session?.hold(offsets);
  }

  release(offsets: PartitionOffsets): void {
    this.#session?.release(offsets);
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) {
      try {
        await this.#runSession();
      } catch (error) {
        if (!this.#isStopping) await this.#wait(this.#failed(error));
      }
    }
  }

  async #runSession(): Promise<void> {
    const { client, keys, taker, settings } = this.#options;
    const { topics, missing } = await this.#select();
    if (this.#isStopping) return;
    if (topics.length === 0) {
      settings.logger.warn('there is no topic to read yet', { missing: missing.join(', ') });
      return this.#wait(MISSING_LOOK_MS);
    }
    const session = new ConsumerSession({ kafka: client.kafka, keys, topics, taker, settings });
    this.#session = session;
    this.#lookLater(missing);
    try {
      await session.run(() => {
        this.#failures = 0;
      });
    } finally {
      clearTimeout(this.#lookTimer);
      // After a stop there is nothing left to do; after a failure the client has to be let go of.
      if (!this.#isStopping) await session.stop(settings.clock.monotonicMs() + SESSION_END_MS);
    }
  }

  /** The selection may have changed: looks up the topics now, and begins anew when they are others. */
  async reselect(): Promise<void> {
    clearTimeout(this.#lookTimer);
    await this.#look([]);
    this.#endWait?.();
  }

  /** @returns how long to wait. */
  #failed(error: unknown): number {
    const { client, settings, prng } = this.#options;
    const { kind, type, message } = readKafkaError(error);
    const fields = { brokers: client.peer, error: type === undefined ? message : `${message} [${type}]` };
    if (kind === 'credentials') {
      settings.logger.error(
        'the brokers refuse the consumer until credentials, permissions or certificates are changed',
        fields,
      );
      return CREDENTIALS_RETRY_MS;
    }
    settings.logger.warn('the consumer could not go on and begins anew', fields);
    const waitMs = backoffMs(RETRY, this.#failures, prng);
    this.#failures += 1;
    return waitMs;
  }

  /** While topics are missing, or patterns may find new ones, somebody has to look. */
  #lookLater(missing: readonly string[]): void {
    const { keys, selection } = this.#options;
    if (missing.length === 0 && selection().patterns.length === 0) return;
    const waitMs = missing.length > 0 ? MISSING_LOOK_MS : keys.metadataMaxAgeMs;
    this.#lookTimer = setTimeout(() => void this.#look(missing), waitMs);
    this.#lookTimer.unref();
  }

  async #look(missing: readonly string[]): Promise<void> {
    const { settings } = this.#options;
    const session = this.#session;
    if (session === undefined || this.#isStopping) return;
    let selected: SelectedTopics | undefined;
    try {
      selected = await this.#select();
    } catch (error) {
      settings.logger.debug('the topics could not be listed', { error: String(error) });
    }
    if (this.#isStopping || this.#session !== session) return;
    const isSame = selected === undefined || selected.topics.join() === session.topics.join();
    if (isSame) return this.#lookLater(selected?.missing ?? missing);
    settings.logger.info('the topics to read have changed', { topics: selected!.topics.join(', ') });
    await session.stop(settings.clock.monotonicMs() + SESSION_END_MS);
  }

  async #select(): Promise<SelectedTopics> {
    const { client, selection } = this.#options;
    const admin = client.kafka.admin();
    try {
      await admin.connect();
      return selectTopics(selection(), await admin.listTopics());
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
  }

  #wait(waitMs: number): Promise<void> {
    if (this.#isStopping) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#endWait?.(), waitMs);
      this.#endWait = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
