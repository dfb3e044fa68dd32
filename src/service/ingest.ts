/**
 * Main thread's side of the rings: hands complete requests to pipeline workers and completes them when the ack
 * comes. Every request that was taken is answered exactly once, whatever happens to the worker.
 */
import { type ClientKeys, mergeClientKeys } from '../component/client-context.ts';
import {
  OUTCOME_MALFORMED,
  OUTCOME_UNAVAILABLE,
  type RawRequest,
  type RequestConsumer,
  type RequestDone,
  type RequestOutcome,
} from '../component/consumer.ts';
import type { Logger } from '../component/settings.ts';
import type { Signal } from '../component/signal.ts';
import { RingConsumer } from '../ring/consumer.ts';
import { createRing } from '../ring/layout.ts';
import { RingProducer } from '../ring/producer.ts';
import { assert } from '../stdx/assert.ts';
import type { Clock } from '../stdx/clock.ts';
import { ACK_RING_BYTES, OUTSTANDING_MAX } from './ack-channel.ts';
import { countDispatch, frameRequestId, RequestMetaWriter, readAck } from './frame.ts';
import type { RoutePlan } from './messages.ts';
import { WakePacer } from './wake-pacer.ts';

const RETRY_AFTER_MS = 1000;
/** A frame that was being worked on when this many workers died is poison and is not given to a third. */
const DISPATCHES_MAX = 2;

/** Bytes of the ring that one worker's answers come back through. */
export function ackRingBytes(): number {
  let bytes = 4096;
  while (bytes < ACK_RING_BYTES) bytes *= 2;
  return bytes;
}

/** Rings and unanswered requests of one pipeline worker. */
export class WorkerLane {
  requestRing: RingProducer;
  ackRing: SharedArrayBuffer;
  readonly pending = new Map<number, RequestDone>();
  #acks: RingConsumer;
  #ackView: DataView;
  readonly #requestRingBytes: number;

  constructor(requestRingBytes: number) {
    this.#requestRingBytes = requestRingBytes;
    this.requestRing = RingProducer.create(requestRingBytes);
    this.ackRing = createRing(ackRingBytes());
    this.#acks = new RingConsumer(this.ackRing);
    this.#ackView = viewOf(this.#acks);
  }

  /** Completes every request whose ack has come. Returns how many. */
  completeAcks(): number {
    let count = 0;
    while (this.#acks.tryRead()) {
      const ack = readAck(this.#acks.bytes, this.#ackView, this.#acks.payloadStart, this.#acks.payloadEnd);
      const done = this.pending.get(ack.requestId);
      if (done === undefined) continue;
      this.pending.delete(ack.requestId);
      done(ack);
      count += 1;
    }
    this.#acks.release();
    return count;
  }

  sleep(): Promise<unknown> | undefined {
    return this.#acks.sleep();
  }

  /** Ends a sleep, so that its owner looks again whether it is still wanted. */
  interrupt(): void {
    this.#acks.interrupt();
  }

  /** Fresh rings for a new worker; returns the frames that the dead one had not released, as private copies. */
  reset(): Uint8Array[] {
    const frames: Uint8Array[] = [];
    const left = new RingConsumer(this.requestRing.memory);
    while (left.tryRead()) frames.push(left.bytes.slice(left.payloadStart, left.payloadEnd));
    // The old rings stay with whatever is left of the dead thread: a late write of it must reach nobody.
    this.requestRing = RingProducer.create(this.#requestRingBytes);
    const replaced = this.#acks;
    this.ackRing = createRing(ackRingBytes());
    this.#acks = new RingConsumer(this.ackRing);
    this.#ackView = viewOf(this.#acks);
    replaced.interrupt();
    return frames;
  }
}

function viewOf(ring: RingConsumer): DataView {
  return new DataView(ring.bytes.buffer, ring.bytes.byteOffset, ring.bytes.byteLength);
}

export class Ingest {
  readonly lanes: readonly WorkerLane[];
  readonly #routes: readonly RoutePlan[];
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #meta = new RequestMetaWriter();
  readonly #parts: Uint8Array[] = [];
  readonly #pacer = new WakePacer();
  #nextRequestId = 1;
  #isWakeScheduled = false;
  #wakeTimer: NodeJS.Timeout | undefined;
  #isClosed = false;
  #isRefusing = false;

  constructor(lanes: WorkerLane[], routes: readonly RoutePlan[], clock: Clock, logger: Logger) {
    this.lanes = lanes;
    this.#routes = routes;
    this.#clock = clock;
    this.#logger = logger;
    for (const lane of lanes) void this.#pumpAcks(lane);
  }

  /** The consumer that one receiver writes to. */
  consumerFor(receiverId: string): RequestConsumer {
    const routeBySignal = new Map<Signal, number>();
    let clientKeys: ClientKeys | undefined;
    for (const [index, route] of this.#routes.entries()) {
      if (route.receiverId !== receiverId) continue;
      routeBySignal.set(route.signal, index);
      clientKeys = mergeClientKeys([clientKeys, route.clientKeys]);
    }
    return {
      signals: new Set(routeBySignal.keys()),
      clientKeys,
      tryConsume: (request, done) => {
        const route = routeBySignal.get(request.signal);
        assert(route !== undefined, 'the receiver refuses signals without a pipeline');
        return this.#tryConsume(route, request, done);
      },
    };
  }

  get pendingCount(): number {
    return this.lanes.reduce((sum, lane) => sum + lane.pending.size, 0);
  }

  /** After a failure that ends the process. */
  get isRefusing(): boolean {
    return this.#isRefusing;
  }

  /** From now on every request is refused retryably: storage failed or no worker is left. */
  refuseAll(): void {
    this.#isRefusing = true;
    for (const lane of this.lanes) this.#failPending(lane, 'the engine cannot go on');
  }

  /** Resolves when every taken request was answered, or at the deadline after answering the rest retryably. */
  async drain(deadlineMs: number): Promise<void> {
    while (this.pendingCount > 0 && this.#clock.monotonicMs() < deadlineMs) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    this.#isClosed = true;
    for (const lane of this.lanes) {
      this.#failPending(lane, 'the server is shutting down');
      lane.interrupt();
    }
  }

  /**
   * A worker died or was terminated. Frames it had not released are given to its successor, the suspect at most
   * once more; everything else that was unanswered may or may not be durable and is answered retryably.
   * @param suspectId request id in the dead worker's control block, 0 when it was between frames.
   */
  replaceWorker(lane: WorkerLane, suspectId: number): void {
    lane.completeAcks();
    const frames = lane.reset();
    const kept = new Set<number>();
    for (const frame of frames) {
      const requestId = frameRequestId(frame);
      const done = lane.pending.get(requestId);
      if (done === undefined) continue;
      if (requestId === suspectId && countDispatch(frame) > DISPATCHES_MAX) {
        lane.pending.delete(requestId);
        this.#logger.error('a request killed two workers and is refused for good', {
          bytes: frame.byteLength,
        });
        done({ ...outcome(OUTCOME_MALFORMED, 'the request could not be processed'), retryAfterMs: 0 });
      } else if (lane.requestRing.tryWrite([frame], frame.byteLength)) kept.add(requestId);
    }
    this.#failPending(lane, 'a worker was restarted', kept);
    void this.#pumpAcks(lane);
  }

  #failPending(lane: WorkerLane, message: string, kept?: ReadonlySet<number>): void {
    for (const [requestId, done] of lane.pending) {
      if (kept?.has(requestId)) continue;
      lane.pending.delete(requestId);
      done(outcome(OUTCOME_UNAVAILABLE, message));
    }
  }

  #tryConsume(route: number, request: RawRequest, done: RequestDone): boolean {
    if (this.#isRefusing || this.#isClosed) return false;
    const requestId = this.#nextRequestId;
    this.#nextRequestId = requestId === 0xffff_ffff ? 1 : requestId + 1;
    const clock = this.#clock;
    const head = this.#meta.write(requestId, route, request, clock.monotonicMs(), clock.unixMs());
    this.#parts.length = 0;
    this.#parts.push(head, ...request.chunks);
    const lane = this.#leastLoadedLane();
    if (lane === undefined) return false;
    if (!lane.requestRing.tryWrite(this.#parts, head.byteLength + request.sizeBytes)) return false;
    lane.pending.set(requestId, done);
    this.#scheduleWake();
    return true;
  }

  /** The lane with the fewest bytes waiting, of those that may have one more request unanswered. */
  #leastLoadedLane(): WorkerLane | undefined {
    let best: WorkerLane | undefined;
    for (const lane of this.lanes) {
      if (lane.pending.size >= OUTSTANDING_MAX) continue;
      if (best === undefined || lane.requestRing.queuedBytes < best.requestRing.queuedBytes) best = lane;
    }
    return best;
  }

  /** One wake-up for everything that arrived in the same turn of the event loop, or while the pacer waits. */
  #scheduleWake(): void {
    if (this.#isWakeScheduled) return;
    // Whoever is awake looks for more before it sleeps.
    if (!this.lanes.some(({ requestRing }) => requestRing.isConsumerAsleep)) return this.#pacer.woken();
    const waitMs = this.#pacer.arrived(this.#clock.monotonicMs());
    clearTimeout(this.#wakeTimer);
    if (waitMs > 0) {
      this.#wakeTimer = setTimeout(() => {
        this.#pacer.expired();
        this.#wake();
      }, waitMs);
      return;
    }
    this.#isWakeScheduled = true;
    setImmediate(() => {
      this.#isWakeScheduled = false;
      this.#wake();
    });
  }

  #wake(): void {
    this.#pacer.woken();
    for (const lane of this.lanes) lane.requestRing.wake();
  }

  async #pumpAcks(lane: WorkerLane): Promise<void> {
    const memory = lane.ackRing;
    while (!this.#isClosed && lane.ackRing === memory) {
      lane.completeAcks();
      await lane.sleep();
    }
  }
}

function outcome(code: RequestOutcome['code'], message: string): RequestOutcome {
  return { code, itemCount: 0, rejectedCount: 0, message, retryAfterMs: RETRY_AFTER_MS };
}
