/**
 * Messages of a queue that were received and are not done with: kept from others while their objects are read, deleted
 * when all is stored, given back when the receiver stops. What fails is let go of, and comes back by itself.
 */
import type { Logger } from '../../component/settings.ts';
import { BATCH_MESSAGES_MAX, type QueueMessage, type RefusedMessage } from '../../s3/sqs-queue.ts';
import { Notifier, sleepUnlessAborted } from '../../stdx/abortable.ts';
import type { Clock } from '../../stdx/clock.ts';

/** What is asked of a queue; see `SqsQueue`. */
export interface HoldingQueue {
  delete(handles: readonly string[], stop: AbortSignal): Promise<RefusedMessage[]>;
  hold(handles: readonly string[], seconds: number, stop: AbortSignal): Promise<RefusedMessage[]>;
}

/** Nothing is received beyond these: what cannot be stored or deleted stays in the queue, for others as well. */
export const HELD_MESSAGES_MAX = 100;
/** Most messages are stored long before: a queue's own timeout, 30 s unless somebody set another one, does for them. */
const HOLD_AFTER_MS = 10_000;
const HOLD_SECONDS = 60;
const HOLD_AGAIN_AFTER_MS = 20_000;
const HOLD_LOOK_MS = 1_000;
const RETRY_MS_MIN = 1_000;
const RETRY_MS_MAX = 60_000;

export interface HeldMessage {
  readonly id: string;
  /** Of the last delivery. */
  handle: string;
  /** Objects that are not stored yet. */
  openObjects: number;
  /** Nobody else gets it until `HOLD_AGAIN_AFTER_MS` after this one. */
  holdAtMs: number;
}

export interface HeldMessagesOptions {
  queue: HoldingQueue;
  deletes: boolean;
  clock: Clock;
  logger: Logger;
  stop: AbortSignal;
  /** Called with how many there are, whenever that changes. */
  onCount(count: number): void;
}

export class HeldMessages {
  readonly #options: HeldMessagesOptions;
  readonly #held = new Map<string, HeldMessage>();
  /** Of `#held`, those that are to be deleted. */
  readonly #finished = new Set<HeldMessage>();
  readonly #changed = new Notifier();

  constructor(options: HeldMessagesOptions) {
    this.#options = options;
    options.stop.addEventListener('abort', () => this.#changed.notify(), { once: true });
  }

  get count(): number {
    return this.#held.size;
  }

  /** @returns undefined for one that is held already: the queue's timeout was over before it was done with. */
  add({ id, handle }: QueueMessage): HeldMessage | undefined {
    const known = this.#held.get(id);
    const holdAtMs = this.#options.clock.monotonicMs() + HOLD_AFTER_MS;
    if (known !== undefined) {
      // The handle before may not be good for anything any more.
      known.handle = handle;
      known.holdAtMs = holdAtMs;
      return undefined;
    }
    const held = { id, handle, openObjects: 0, holdAtMs };
    this.#held.set(id, held);
    this.#count();
    return held;
  }

  has(message: HeldMessage): boolean {
    return this.#held.get(message.id) === message;
  }

  /** All that it names is stored. */
  finish(message: HeldMessage): void {
    if (!this.has(message)) return;
    if (!this.#options.deletes) return this.letGo(message);
    this.#finished.add(message);
    this.#changed.notify();
  }

  /** It stays in the queue, and comes back when its timeout is over. */
  letGo(message: HeldMessage): void {
    this.#finished.delete(message);
    if (this.has(message)) this.#held.delete(message.id);
    this.#count();
    this.#changed.notify();
  }

  /** Resolves when there are at most so many, or the receiver stops. */
  async atMost(count: number): Promise<void> {
    while (this.#held.size > count && !this.#options.stop.aborted) await this.#changed.wait();
  }

  /** Deletes and holds messages until the receiver stops. */
  async run(): Promise<void> {
    await Promise.all([this.#deleteFinished(), this.#holdOthers()]);
  }

  /** For the end, when nothing is stored any more: deletes what is, and gives the others back to the queue at once. */
  async close(signal: AbortSignal): Promise<void> {
    const { queue, logger } = this.#options;
    const finished = [...this.#finished];
    const others = [...this.#held.values()].filter((message) => !this.#finished.has(message));
    try {
      for (const batch of batchesOf(finished)) await queue.delete(handlesOf(batch), signal);
      for (const batch of batchesOf(others)) await queue.hold(handlesOf(batch), 0, signal);
    } catch (error) {
      logger.warn('messages of the queue cannot be given back: they come again after their timeout', {
        error: String(error),
      });
    }
    this.#held.clear();
    this.#count();
  }

  #count(): void {
    this.#options.onCount(this.#held.size);
  }

  async #deleteFinished(): Promise<void> {
    const { logger, stop } = this.#options;
    let waitMs = RETRY_MS_MIN;
    while (!stop.aborted) {
      const batch = [...this.#finished].slice(0, BATCH_MESSAGES_MAX);
      if (batch.length === 0) {
        await this.#changed.wait();
        continue;
      }
      try {
        if (await this.#delete(batch)) {
          waitMs = RETRY_MS_MIN;
          continue;
        }
      } catch (error) {
        if (stop.aborted) return;
        logger.error('messages of the queue cannot be deleted, will be tried again', {
          ...{ error: String(error), interval_ms: waitMs },
        });
      }
      await sleepUnlessAborted(waitMs, stop);
      waitMs = Math.min(waitMs * 2, RETRY_MS_MAX);
    }
  }

  /** @returns false when some of them are to be deleted later. */
  async #delete(batch: readonly HeldMessage[]): Promise<boolean> {
    const { queue, logger, stop } = this.#options;
    const handles = handlesOf(batch);
    const refusals = new Map((await queue.delete(handles, stop)).map((each) => [each.handle, each]));
    for (const [index, message] of batch.entries()) {
      // Delivered again meanwhile: with the handle of before it may still be there.
      if (message.handle !== handles[index]) continue;
      const refusal = refusals.get(message.handle);
      if (refusal !== undefined) {
        const fields = { message_id: message.id, error: refusal.reason };
        logger.warn('a message of the queue is not deleted: it may come again', fields);
      }
      if (refusal?.isFinal !== false) this.letGo(message);
    }
    return [...refusals.values()].every(({ isFinal }) => isFinal);
  }

  async #holdOthers(): Promise<void> {
    const { queue, clock, stop } = this.#options;
    while (await sleepUnlessAborted(HOLD_LOOK_MS, stop)) {
      const nowMs = clock.monotonicMs();
      const due = [...this.#held.values()].filter(({ holdAtMs }) => holdAtMs <= nowMs);
      for (const batch of batchesOf(due)) {
        for (const message of batch) message.holdAtMs = nowMs + HOLD_AGAIN_AFTER_MS;
        try {
          const refused = await queue.hold(handlesOf(batch), HOLD_SECONDS, stop);
          if (refused.length > 0) this.#cannotHold(refused.length, refused[0]!.reason);
        } catch (error) {
          if (stop.aborted) return;
          this.#cannotHold(batch.length, String(error));
        }
      }
    }
  }

  #cannotHold(messages: number, error: string): void {
    this.#options.logger.warn(
      'messages of the queue cannot be held: those that take longer than its timeout are stored twice',
      { messages, error },
    );
  }
}

function handlesOf(messages: readonly HeldMessage[]): string[] {
  return messages.map(({ handle }) => handle);
}

function batchesOf(messages: readonly HeldMessage[]): HeldMessage[][] {
  const batches: HeldMessage[][] = [];
  for (let at = 0; at < messages.length; at += BATCH_MESSAGES_MAX)
    batches.push(messages.slice(at, at + BATCH_MESSAGES_MAX));
  return batches;
}
