/**
 * Sends generated requests over a set of connections, at the times of a schedule (open loop) or as fast as answers
 * come (closed loop), and counts how each one ended. One producer runs on one thread.
 */
import type { Clock } from '../src/stdx/clock.ts';
import type { RequestGenerator } from '../src/testkit/generators.ts';
import type { BodySource } from './bodies.ts';
import type { Connection, Outcome, Ticket } from './connection.ts';
import type { Ledger } from './ledger.ts';
import { OpenLoopSchedule } from './schedule.ts';

export interface ProducerSettings {
  readonly producer: number;
  /** Items a second of this producer; 0 = closed loop. */
  readonly itemsPerSecond: number;
  /** Monotonic milliseconds; both phases are sent alike, only the second is counted. */
  readonly startMs: number;
  readonly warmupMs: number;
  readonly durationMs: number;
  readonly timeoutMs: number;
  /** Closed loop: pause of a ticket whose request was refused, so that refusals are not a busy loop. */
  readonly refusedPauseMs: number;
}

/** What happened since the last take. */
export interface ProducerInterval {
  sentRequests: number;
  ackedRequests: number;
  refusedRequests: number;
  failedRequests: number;
  /** Requests by reason of refusal or failure. */
  reasons: Record<string, number>;
  /** Microseconds from the intended send time to the answer, acknowledged requests only. */
  latenciesUs: number[];
  /** Requests that were due and never left, with the microseconds they had waited when the run ended. */
  unsentUs: number[];
  /** Longest delay between intended and real sending. */
  sendLagUsMax: number;
  /** Acknowledgements that came in the counted time, whenever their requests were due: what processor time was spent on. */
  windowAckedRequests: number;
  /** Monotonic milliseconds of the last acknowledgement. */
  lastAckMs: number;
}

/** Longest sleep while nothing is due: bounds how late a timeout is noticed. */
const IDLE_MS = 50;

function emptyInterval(): ProducerInterval {
  return {
    sentRequests: 0,
    ackedRequests: 0,
    refusedRequests: 0,
    failedRequests: 0,
    reasons: {},
    latenciesUs: [],
    unsentUs: [],
    sendLagUsMax: 0,
    windowAckedRequests: 0,
    lastAckMs: 0,
  };
}

export class Producer {
  readonly #settings: ProducerSettings;
  readonly #clock: Clock;
  readonly #bodies: BodySource;
  readonly #itemsPerRequest: number;
  readonly #ledger: Ledger | undefined;
  readonly #connections: Connection[] = [];
  /** Tickets that can be sent, first freed first used, so that the load spreads over the connections. */
  readonly #free: (Ticket | undefined)[] = [];
  #freeFirst = 0;
  #freeCount = 0;
  #ticketCount = 0;
  #schedule: OpenLoopSchedule | undefined;
  /** Requests sent so far: sequence number of the next one, and in an open loop its place in the schedule. */
  #sentCount = 0;
  #measureFromMs = 0;
  #endMs = 0;
  #interval = emptyInterval();
  #isPumping = false;
  #hasEnded = false;
  #timer: NodeJS.Timeout | undefined;
  #timerMs = 0;
  #finish: (() => void) | undefined;

  constructor(
    settings: ProducerSettings,
    clock: Clock,
    bodies: BodySource,
    generator: RequestGenerator,
    ledger: Ledger | undefined,
  ) {
    this.#settings = settings;
    this.#clock = clock;
    this.#bodies = bodies;
    this.#itemsPerRequest = generator.itemsPerRequest;
    this.#ledger = ledger;
  }

  /** Adds a connection with its tickets; before `run`. */
  addTickets(connection: Connection, generator: RequestGenerator, count: number): void {
    this.#connections.push(connection);
    for (let i = 0; i < count; i += 1) {
      const slot = this.#bodies.needsSlot
        ? generator.createSlot((bodyBytes) => connection.header(bodyBytes).length)
        : undefined;
      if (slot !== undefined) connection.header(slot.bodyBytes).copy(slot.buffer, 0);
      this.#ticketCount += 1;
      this.#free.push(undefined);
      this.#release({ connection, slot, seq: 0, intendedMs: 0, sentMs: 0 });
    }
  }

  /** Resolves when the time is over and every request that was sent has its answer or its timeout. */
  run(): Promise<void> {
    const { startMs, warmupMs, durationMs, itemsPerSecond } = this.#settings;
    this.#measureFromMs = startMs + warmupMs;
    this.#endMs = this.#measureFromMs + durationMs;
    if (itemsPerSecond > 0) {
      this.#schedule = new OpenLoopSchedule({
        startMs,
        durationMs: warmupMs + durationMs,
        itemsPerSecond,
        itemsPerRequest: this.#itemsPerRequest,
      });
    }
    return new Promise((resolve) => {
      this.#finish = resolve;
      this.pump();
    });
  }

  /** Sends what is due. Called by its own timer, by freed tickets and by reopened connections. */
  pump(): void {
    // An answer that comes while sending would start a second pump inside the first.
    if (this.#isPumping || this.#finish === undefined) return;
    this.#isPumping = true;
    const nowMs = this.#clock.monotonicMs();
    // What became due in the last moments leaves when its connection is free: late by a timer, not unsent.
    if (!this.#hasEnded) this.#sendDue(Math.min(nowMs, this.#endMs));
    this.#hasEnded = nowMs >= this.#endMs;
    this.#isPumping = false;
    if (nowMs >= this.#endMs && this.#freeCount === this.#ticketCount) this.#end();
    else this.#arm();
  }

  takeInterval(): ProducerInterval {
    const taken = this.#interval;
    this.#interval = emptyInterval();
    return taken;
  }

  /** Called by the connections for every ticket that was sent. */
  done(ticket: Ticket, outcome: Outcome, code: string): void {
    const nowMs = this.#clock.monotonicMs();
    // The ledger has every acknowledgement, counted or not: it is there to find loss.
    if (outcome === 'acked') this.#ledger?.acked(this.#settings.producer, ticket.seq, this.#itemsPerRequest);
    if (outcome === 'acked' && nowMs >= this.#measureFromMs) this.#interval.windowAckedRequests += 1;
    if (ticket.intendedMs >= this.#measureFromMs) this.#count(ticket, outcome, code, nowMs);
    if (outcome === 'acked' || this.#schedule !== undefined) {
      this.#release(ticket);
      this.pump();
      return;
    }
    setTimeout(() => {
      this.#release(ticket);
      this.pump();
    }, this.#settings.refusedPauseMs);
  }

  #count(ticket: Ticket, outcome: Outcome, code: string, nowMs: number): void {
    const interval = this.#interval;
    if (outcome === 'acked') {
      interval.ackedRequests += 1;
      interval.latenciesUs.push((nowMs - ticket.intendedMs) * 1_000);
      interval.lastAckMs = nowMs;
      return;
    }
    if (outcome === 'refused') interval.refusedRequests += 1;
    else interval.failedRequests += 1;
    interval.reasons[code] = (interval.reasons[code] ?? 0) + 1;
  }

  #sendDue(nowMs: number): void {
    const schedule = this.#schedule;
    const due = schedule === undefined ? Number.POSITIVE_INFINITY : schedule.dueCount(nowMs);
    if (nowMs < this.#settings.startMs) return;
    const unixMs = this.#clock.unixMs();
    for (let tries = this.#freeCount; tries > 0 && this.#sentCount < due; tries -= 1) {
      const ticket = this.#takeFree();
      if (!ticket.connection.isOpen()) {
        this.#release(ticket);
        continue;
      }
      ticket.seq = this.#sentCount;
      ticket.sentMs = this.#clock.monotonicMs();
      ticket.intendedMs = schedule === undefined ? ticket.sentMs : schedule.intendedMs(this.#sentCount);
      this.#sentCount += 1;
      if (ticket.intendedMs >= this.#measureFromMs) {
        this.#interval.sentRequests += 1;
        const lagUs = (ticket.sentMs - ticket.intendedMs) * 1_000;
        this.#interval.sendLagUsMax = Math.max(this.#interval.sendLagUsMax, lagUs);
      }
      ticket.connection.send(ticket, this.#bodies.prepare(ticket, unixMs));
    }
  }

  /** Timers have whole milliseconds, so requests leave up to one millisecond late; that counts as latency. */
  #arm(): void {
    const nowMs = this.#clock.monotonicMs();
    let wakeMs = nowMs + IDLE_MS;
    if (nowMs < this.#settings.startMs) wakeMs = this.#settings.startMs;
    else if (
      this.#schedule !== undefined &&
      this.#freeCount > 0 &&
      this.#sentCount < this.#schedule.requestCount
    ) {
      wakeMs = Math.min(wakeMs, this.#schedule.intendedMs(this.#sentCount));
    }
    // Answers come thousands of times a second: a timer that already fires early enough stays.
    if (this.#timer !== undefined && this.#timerMs <= wakeMs) return;
    clearTimeout(this.#timer);
    this.#timerMs = wakeMs;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#expire();
        this.pump();
      },
      Math.max(1, wakeMs - nowMs),
    );
  }

  #expire(): void {
    const sentBeforeMs = this.#clock.monotonicMs() - this.#settings.timeoutMs;
    for (const connection of this.#connections) connection.expire(sentBeforeMs);
  }

  #end(): void {
    const schedule = this.#schedule;
    if (schedule !== undefined) {
      for (let index = this.#sentCount; index < schedule.requestCount; index += 1) {
        const intendedMs = schedule.intendedMs(index);
        if (intendedMs >= this.#measureFromMs)
          this.#interval.unsentUs.push((this.#endMs - intendedMs) * 1_000);
      }
    }
    const finish = this.#finish;
    this.#finish = undefined;
    clearTimeout(this.#timer);
    this.#ledger?.close();
    finish?.();
  }

  #release(ticket: Ticket): void {
    this.#free[(this.#freeFirst + this.#freeCount) % this.#free.length] = ticket;
    this.#freeCount += 1;
  }

  #takeFree(): Ticket {
    const ticket = this.#free[this.#freeFirst];
    if (ticket === undefined) throw new Error('no free ticket');
    this.#freeFirst = (this.#freeFirst + 1) % this.#free.length;
    this.#freeCount -= 1;
    return ticket;
  }
}
