/**
 * Messages between pipeline workers that hold back for one pipeline: one ring for each direction of each pair. What
 * does not fit waits on the sender's side, where the processor keeps it anyway.
 */
import type { HoldingProcessor } from '../component/holding.ts';
import { RingConsumer } from '../ring/consumer.ts';
import { createRing, ringDataBytes } from '../ring/layout.ts';
import { RingProducer } from '../ring/producer.ts';
import type { Clock } from '../stdx/clock.ts';

/** Holds messages of 64 KiB. */
const RING_BYTES = 1 << 20;
/** Between two tries to hand a message over for which there was no room. */
const ROOM_RETRY_MS = 5;

/** Rings of one pipeline by sender and receiver; those of a worker to itself are not used. */
export type LinkRings = readonly (readonly SharedArrayBuffer[])[];

export function createLinkRings(workers: number): LinkRings {
  const none = new SharedArrayBuffer(0);
  return Array.from({ length: workers }, (_, from) =>
    Array.from({ length: workers }, (_unused, to) =>
      from === to ? none : createRing(ringDataBytes(RING_BYTES / 2, RING_BYTES)),
    ),
  );
}

interface Link {
  peer: number;
  producer: RingProducer;
  consumer: RingConsumer;
  /** Taken from the processor, and not in the ring yet. */
  waiting: Uint8Array | undefined;
}

export class HoldingLinks {
  readonly #holder: HoldingProcessor;
  readonly #clock: Clock;
  readonly #links: Link[];
  readonly #onNews: () => void;
  #isClosed = false;
  #running: Promise<unknown> = Promise.resolve();

  /** @param onNews called behind messages that were taken in. */
  constructor(
    holder: HoldingProcessor,
    worker: number,
    rings: LinkRings,
    { clock, onNews }: { clock: Clock; onNews: () => void },
  ) {
    this.#holder = holder;
    this.#clock = clock;
    this.#onNews = onNews;
    const peers = [...rings.keys()].filter((peer) => peer !== worker);
    this.#links = peers.map((peer) => ({
      peer,
      producer: new RingProducer(rings[worker]![peer]!),
      consumer: new RingConsumer(rings[peer]![worker]!),
      waiting: undefined,
    }));
  }

  /** Begins to take messages in. */
  start(): void {
    this.#running = Promise.all(this.#links.map((link) => this.#receive(link)));
  }

  /** Sends what there is to say, as far as there is room. */
  send(): void {
    for (const link of this.#links) {
      let isSent = false;
      for (;;) {
        const message = link.waiting ?? bytesOf(this.#holder.outgoing(link.peer));
        if (message === undefined) break;
        link.waiting = message;
        if (!link.producer.tryWrite([message], message.byteLength)) break;
        link.waiting = undefined;
        isSent = true;
      }
      if (isSent) link.producer.wake();
    }
  }

  async #receive({ peer, consumer }: Link): Promise<void> {
    while (!this.#isClosed) {
      let hasNews = false;
      while (!this.#isClosed && consumer.tryRead()) {
        const { payloadStart, payloadEnd } = consumer;
        const message = new Uint32Array((payloadEnd - payloadStart) / 4);
        new Uint8Array(message.buffer).set(consumer.bytes.subarray(payloadStart, payloadEnd));
        consumer.release();
        while (!this.#isClosed && !this.#holder.incoming(peer, message, this.#clock.unixMs()))
          await new Promise((resolve) => setTimeout(resolve, ROOM_RETRY_MS));
        hasNews = true;
      }
      if (hasNews) this.#onNews();
      if (!this.#isClosed) await consumer.sleep();
    }
  }

  /** What is in the rings then is said again behind the next start. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { consumer } of this.#links) consumer.interrupt();
    await this.#running;
  }
}

function bytesOf(words: Uint32Array | undefined): Uint8Array | undefined {
  return words === undefined ? undefined : new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}
