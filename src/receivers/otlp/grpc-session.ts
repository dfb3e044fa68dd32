/** One HTTP/2 connection of a gRPC client: its calls, its age, and how often it pings. */
import type { ServerHttp2Session } from 'node:http2';
import { constants } from 'node:http2';
import type { Socket } from 'node:net';
import type { GrpcCall, GrpcCallOwner } from './grpc-call.ts';
import {
  HEADERS_TIMEOUT_MS,
  PING_STRIKES_MAX,
  RESET_BURST,
  RESET_RATE_PER_S,
  SEND_STALL_MS,
  SETTINGS_FRAMES_MAX,
  WINDOW_BYTES,
} from './limits.ts';

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

const SETTINGS_WINDOW_MS = 60_000;
/** Collector's idle rule for clients that may not ping without a call: one ping in two hours is tolerated. */
const IDLE_PING_INTERVAL_MS = 2 * 3600 * 1000;

export class GrpcSession implements GrpcCallOwner {
  readonly #session: ServerHttp2Session;
  readonly #socket: Socket;
  readonly #config: GrpcKeepaliveConfig;
  readonly #nowMs: () => number;
  readonly #calls = new Set<GrpcCall>();
  readonly #openedAtMs: number;
  readonly #endOfLifeMs: number;
  #lastActiveMs: number;
  #lastPingMs = -Infinity;
  #pingStrikes = 0;
  #isPinged = false;
  #resetsLeft = RESET_BURST;
  #resetsAtMs: number;
  #settingsCount = 0;
  #settingsWindowEndMs = -Infinity;
  /** Set by the client's SETTINGS, the first frame of every HTTP/2 connection. */
  #hasBegun = false;
  #goneAwayAtMs = Infinity;

  /**
   * @param socket of the session: a session that is closed still waits for its peer to close, and then only
   *   the socket can be ended.
   * @param ageFactor spreads the ages of connections that were opened together.
   */
  constructor(
    session: ServerHttp2Session,
    socket: Socket,
    config: GrpcKeepaliveConfig,
    nowMs: () => number,
    ageFactor: number,
  ) {
    this.#session = session;
    this.#socket = socket;
    this.#config = config;
    this.#nowMs = nowMs;
    this.#openedAtMs = nowMs();
    this.#lastActiveMs = this.#openedAtMs;
    this.#resetsAtMs = this.#openedAtMs;
    this.#endOfLifeMs = this.#openedAtMs + config.connectionAgeMsMax * ageFactor;
    session.on('error', () => {});
    session.on('remoteSettings', () => {
      this.#hasBegun = true;
      this.#countSettings();
    });
    session.on('ping', () => this.#countPing());
    // The stream windows are in our SETTINGS; the connection's own one is only widened by this call.
    session.setLocalWindowSize(WINDOW_BYTES);
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress ?? '';
  }

  callOpened(call: GrpcCall): void {
    this.#calls.add(call);
    this.#lastActiveMs = this.#nowMs();
  }

  callAnswered(): void {
    this.#pingStrikes = 0;
    this.#lastPingMs = -Infinity;
  }

  /** Rapid reset: node bounds the resets of a session only in its newer versions. */
  callAborted(): void {
    const nowMs = this.#nowMs();
    const refilled = this.#resetsLeft + ((nowMs - this.#resetsAtMs) / 1000) * RESET_RATE_PER_S;
    this.#resetsLeft = Math.min(RESET_BURST, refilled) - 1;
    this.#resetsAtMs = nowMs;
    if (this.#resetsLeft < 0) this.#sendAway('too_many_resets');
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
    this.#socket.destroy();
  }

  /** Applies the rules of time; called about four times a second. */
  sweep(nowMs: number): void {
    for (const call of this.#calls) call.expire(nowMs);
    if (this.#goneAwayAtMs !== Infinity) {
      this.#sweepGoneAway(nowMs);
      return;
    }
    const { connectionIdleMsMax, timeMs, timeoutMs } = this.#config;
    if (!this.#hasBegun && nowMs >= this.#openedAtMs + HEADERS_TIMEOUT_MS) {
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

  /** Open calls have the grace time; a peer without calls only has to close its side. */
  #sweepGoneAway(nowMs: number): void {
    const idleSinceMs = Math.max(this.#goneAwayAtMs, this.#lastActiveMs);
    const isIdleTooLong = this.#calls.size === 0 && nowMs >= idleSinceMs + SEND_STALL_MS;
    if (isIdleTooLong || nowMs >= this.#goneAwayAtMs + this.#config.connectionAgeGraceMs) this.destroy();
  }

  #ping(): void {
    if (this.#session.destroyed) return;
    this.#isPinged = true;
    this.#session.ping((error) => {
      if (error !== null) return;
      this.#isPinged = false;
      this.#lastActiveMs = this.#nowMs();
    });
  }

  /** Node bounds the answers that wait, but not the frames of a peer that takes them. */
  #countSettings(): void {
    const nowMs = this.#nowMs();
    if (nowMs >= this.#settingsWindowEndMs) {
      this.#settingsWindowEndMs = nowMs + SETTINGS_WINDOW_MS;
      this.#settingsCount = 0;
    }
    this.#settingsCount += 1;
    if (this.#settingsCount > SETTINGS_FRAMES_MAX) this.#sendAway('too_many_settings');
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
    // The text is what gRPC clients look for to slow their keepalive down.
    this.#sendAway('too_many_pings');
  }

  #sendAway(reason: string): void {
    const session = this.#session;
    if (session.destroyed) return;
    session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, 0, Buffer.from(reason));
    session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }
}
