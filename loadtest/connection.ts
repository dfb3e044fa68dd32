import type { RequestSlot } from '../src/testkit/generators.ts';

export const OUTCOMES = ['acked', 'refused', 'failed'] as const;
/**
 * acked: the server took the whole request. refused: it answered anything else. failed: no answer is known,
 * because the connection broke or the time was over; the data may have arrived.
 */
export type Outcome = (typeof OUTCOMES)[number];

/** One place for a request in flight; it belongs to one connection and is used again and again. */
export interface Ticket {
  readonly connection: Connection;
  readonly slot: RequestSlot | undefined;
  seq: number;
  /** Monotonic milliseconds from which latency counts. */
  intendedMs: number;
  sentMs: number;
}

export type TicketDone = (ticket: Ticket, outcome: Outcome, code: string) => void;

/** A client connection with a bounded number of requests in flight. It reconnects by itself. */
export interface Connection {
  /** Bytes that go in front of a body of this size: HTTP header or gRPC frame prefix. */
  header(bodyBytes: number): Buffer;
  connect(): Promise<void>;
  /** False while the connection is being opened again: the ticket would fail at once. */
  isOpen(): boolean;
  /**
   * Sends header and body as prepared; the bytes stay untouched until the ticket is done.
   * `done` of the connection is called exactly once for each ticket sent.
   */
  send(ticket: Ticket, bytes: Buffer): void;
  /** Fails requests that were sent before `sentBeforeMs`. */
  expire(sentBeforeMs: number): void;
  close(): void;
}

export interface ConnectionSettings {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly contentType: string;
  /** Empty for none. */
  readonly contentEncoding: string;
  /** Encrypted, with a certificate that nobody checks. */
  readonly isTls: boolean;
  readonly inFlightMax: number;
  readonly done: TicketDone;
  /** Called when the connection can be used again after a loss. */
  readonly reopened: () => void;
}

/** Pause before a lost connection is opened again. */
export const RECONNECT_MS = 100;
