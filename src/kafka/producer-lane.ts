/**
 * The order of one partition: one batch at a time, and under one producer id every batch has its number. A batch whose
 * outcome is not known keeps its number, and nothing overtakes it: sent again it is either written now or recognised.
 *
 * Its memory belongs to the attempt that sends it, so between two attempts only the Ticket is left of it here.
 */
import type { Clock } from '../stdx/clock.ts';
import type { ProducerStamp } from './record-batch.ts';

/** One record batch over all attempts to send it. Its owner keeps it from the first attempt to the last. */
export interface Ticket {
  readonly topic: string;
  readonly partition: number;
  isWritten: boolean;
  /** Number under which it was sent and may have been written; undefined: it is in no log for sure. */
  stamp: ProducerStamp | undefined;
  /**
   * Its partition is not there any more, because the topic was made again with fewer: nobody will ever say whether it was
   * written, and what was is gone. Its records need another ticket.
   */
  isMissing: boolean;
}

export function newTicket(topic: string, partition: number): Ticket {
  return { topic, partition, isWritten: false, stamp: undefined, isMissing: false };
}

/** Records of one ticket, ready but for their number. */
export interface PackedRecords {
  /** Back to back the packed records; may be views of memory that is valid for the attempt only. */
  chunks: readonly Uint8Array[];
  codecId: number;
  recordCount: number;
  /** Before they were packed. */
  plainBytes: number;
  timeUnixMs: number;
}

export interface Job {
  readonly ticket: Ticket;
  readonly records: PackedRecords;
  readonly signal: AbortSignal;
  /** Once; later calls do nothing. */
  settle(error?: unknown): void;
  isSettled(): boolean;
}

/** A broker that has not heard of the newest partitions yet has in less. */
const MISSING_MS = 5_000;
/** Numbers are 31 bits and go on with 0. */
const SEQUENCE_MASK = 0x7fff_ffff;

export class Lane {
  readonly topic: string;
  readonly partition: number;
  readonly #clock: Clock;
  readonly #jobs: Job[] = [];
  #nextSequence = 0;
  #producerId: bigint | undefined;
  #openTicket: Ticket | undefined;
  #openSinceMs = 0;
  #missingSinceMs: number | undefined;
  /** Somebody sends for this lane right now. */
  isBusy = false;

  constructor(topic: string, partition: number, clock: Clock) {
    this.topic = topic;
    this.partition = partition;
    this.#clock = clock;
  }

  get waitingCount(): number {
    return this.#jobs.length;
  }

  push(job: Job): void {
    this.#jobs.push(job);
  }

  remove(job: Job): void {
    const at = this.#jobs.indexOf(job);
    if (at >= 0) this.#jobs.splice(at, 1);
  }

  /** The job that may be sent next, which leaves the lane; undefined: none, or none but the one that is not here. */
  take(): Job | undefined {
    const open = this.#openTicket;
    const at = open === undefined ? 0 : this.#jobs.findIndex(({ ticket }) => ticket === open);
    return at < 0 ? undefined : this.#jobs.splice(at, 1)[0];
  }

  /** Since when a batch of unknown outcome keeps waiting jobs back without coming again; undefined: none does. */
  blockedSinceMs(): number | undefined {
    const isBlocked = this.#openTicket !== undefined && !this.isBusy && this.#jobs.length > 0;
    return isBlocked ? this.#openSinceMs : undefined;
  }

  /** The number to send a ticket under; from here on its outcome is open. */
  open(ticket: Ticket, recordCount: number, producer: { id: bigint; epoch: number }): ProducerStamp {
    this.#follow(producer.id);
    if (ticket.stamp === undefined || ticket.stamp.id !== producer.id) {
      ticket.stamp = { ...producer, sequence: this.#nextSequence };
      this.#nextSequence = (this.#nextSequence + recordCount) & SEQUENCE_MASK;
    }
    this.#openTicket = ticket;
    this.#openSinceMs = this.#clock.monotonicMs();
    return ticket.stamp;
  }

  /** It is in the log. */
  written(ticket: Ticket): void {
    ticket.isWritten = true;
    if (this.#openTicket === ticket) this.#openTicket = undefined;
  }

  /** It is not in the log, and neither is anything behind it: its number is the next one again. */
  absent(ticket: Ticket): void {
    if (ticket.stamp?.id === this.#producerId && ticket.stamp !== undefined)
      this.#nextSequence = ticket.stamp.sequence;
    ticket.stamp = undefined;
    if (this.#openTicket === ticket) this.#openTicket = undefined;
  }

  /** Brokers name this partition among those of the topic. */
  found(): void {
    this.#missingSinceMs = undefined;
  }

  /** They do not. When that stays so, the ticket is told. */
  missing(ticket: Ticket): void {
    const nowMs = this.#clock.monotonicMs();
    this.#missingSinceMs ??= nowMs;
    if (nowMs - this.#missingSinceMs < MISSING_MS) return;
    ticket.isMissing = true;
    this.absent(ticket);
  }

  /** Numbers begin again under a new producer id; what was sent under an old one is not recognised any more. */
  #follow(producerId: bigint): void {
    if (this.#producerId === producerId) return;
    this.#producerId = producerId;
    this.#nextSequence = 0;
    this.#openTicket = undefined;
  }

  /** The producer id is given up. */
  forgetOpen(): void {
    this.#openTicket = undefined;
  }
}
