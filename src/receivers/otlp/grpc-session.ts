/** One HTTP/2 connection of a gRPC client: its calls, its age, and how often it pings. */
import type { ServerHttp2Session } from 'node:http2';
import { constants } from 'node:http2';
import type { GrpcCall, GrpcCallOwner } from './grpc-call.ts';
import { PING_STRIKES_MAX, WINDOW_BYTES } from './limits.ts';

/** Times in milliseconds; Infinity switches a rule off. */
export interface GrpcKeepaliveConfig {
  connectionIdleMsMax: number;
  connectionAgeMsMax: number;
  connectionAgeGraceMs: number;
  /** Silence after which the server pings, and how long it then waits. */
  timeMs: number;
  timeoutMs: number;
  /** Shortest time between two pings of the client. */
  pingIntervalMsMin: number;
  isPingWithoutStreamAllowed: boolean;
}

/** Collector's idle rule for clients that may not ping without a call: one ping in two hours is tolerated. */
const IDLE_PING_INTERVAL_MS = 2 * 3600 * 1000;

export class GrpcSession implements GrpcCallOwner {
  readonly #session: ServerHttp2Session;
  readonly #config: GrpcKeepaliveConfig;
  readonly #nowMs: () => number;
  readonly #calls = new Set<GrpcCall>();
  readonly #endOfLifeMs: number;
  #lastActiveMs: number;
  #lastPingMs = -Infinity;
  #pingStrikes = 0;
  #isPinged = false;
  #goneAwayAtMs = Infinity;

  /** @param ageFactor spreads the ages of connections that were opened together. */
  constructor(
    session: ServerHttp2Session,
    config: GrpcKeepaliveConfig,
    nowMs: () => number,
    ageFactor: number,
  ) {
    this.#session = session;
    this.#config = config;
    this.#nowMs = nowMs;
    this.#lastActiveMs = nowMs();
    this.#endOfLifeMs = this.#lastActiveMs + config.connectionAgeMsMax * ageFactor;
    session.on('error', () => {});
    session.on('ping', () => this.#countPing());
    // The stream windows are in our SETTINGS; the connection's own one is only widened by this call.
    session.setLocalWindowSize(WINDOW_BYTES);
  }

  callOpened(call: GrpcCall): void {
    this.#calls.add(call);
    this.#lastActiveMs = this.#nowMs();
  }

  callAnswered(): void {
    this.#pingStrikes = 0;
    this.#lastPingMs = -Infinity;
  }

  callClosed(call: GrpcCall): void {
    this.#calls.delete(call);
    this.#lastActiveMs = this.#nowMs();
  }

  /** GOAWAY: no new call, the open ones end by themselves, then the connection closes. */
  goAway(): void {
    if (this.#goneAwayAtMs !== Infinity) return;
    this.#goneAwayAtMs = this.#nowMs();
    if (!this.#session.destroyed) this.#session.close();
  }

  destroy(): void {
    if (!this.#session.destroyed) this.#session.destroy();
  }

  /** Applies the rules of time; called about four times a second. */
  sweep(nowMs: number): void {
    for (const call of this.#calls) call.expire(nowMs);
    const { connectionIdleMsMax, connectionAgeGraceMs, timeMs, timeoutMs } = this.#config;
    if (nowMs >= this.#goneAwayAtMs + connectionAgeGraceMs) {
      this.destroy();
      return;
    }
    const idleMs = this.#calls.size === 0 ? nowMs - this.#lastActiveMs : 0;
    if (nowMs >= this.#endOfLifeMs || idleMs >= connectionIdleMsMax) {
      this.goAway();
      return;
    }
    if (idleMs < timeMs) return;
    if (!this.#isPinged) this.#ping();
    else if (idleMs >= timeMs + timeoutMs) this.destroy();
  }

  #ping(): void {
    this.#isPinged = true;
    this.#session.ping((error) => {
      if (error !== null) return;
      this.#isPinged = false;
      this.#lastActiveMs = this.#nowMs();
    });
  }

  #countPing(): void {
    const nowMs = this.#nowMs();
    const isAllowed = this.#calls.size > 0 || this.#config.isPingWithoutStreamAllowed;
    const intervalMsMin = isAllowed ? this.#config.pingIntervalMsMin : IDLE_PING_INTERVAL_MS;
    const isTooSoon = nowMs - this.#lastPingMs < intervalMsMin;
    this.#lastPingMs = nowMs;
    if (!isTooSoon) return;
    this.#pingStrikes += 1;
    if (this.#pingStrikes <= PING_STRIKES_MAX) return;
    const session = this.#session;
    if (session.destroyed) return;
    // The text is what gRPC clients look for to slow their keepalive down.
    session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, 0, Buffer.from('too_many_pings'));
    session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }
}
