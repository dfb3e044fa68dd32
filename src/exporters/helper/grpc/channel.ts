/** Connections to all addresses behind one name; calls go to them in turn, or to the first that answers. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { sleepUnlessAborted } from '../../../stdx/abortable.ts';
import type { Clock } from '../../../stdx/clock.ts';
import type { Balancer } from './config.ts';
import { type ConnectionOptions, type ConnectionTls, GrpcConnection } from './connection.ts';
import type { GrpcTarget } from './target.ts';

export interface ChannelOptions extends Omit<ConnectionOptions, 'at'> {
  target: GrpcTarget;
  balancer: Balancer;
  waitsForReady: boolean;
  clock: Clock;
  /** Instead of the system's name resolution, for tests. */
  resolve?: (target: GrpcTarget) => Promise<Address[]>;
}

export type Address = ConnectionOptions['at'];

/** One address and what is known about it. */
interface Line {
  readonly address: Address;
  connection: GrpcConnection | undefined;
  opening: Promise<GrpcConnection> | undefined;
  /** Monotonic; other addresses go first until then. */
  avoidedUntilMs: number;
}

/** Names move: a new answer is asked for at most this often, and after each failure to connect. */
const RESOLVE_INTERVAL_MS = 30_000;
const AVOID_MS = 5_000;
const RECONNECT_MS = 1_000;
const ADDRESSES_MAX = 64;

export class GrpcChannel {
  readonly #options: ChannelOptions;
  #tls: ConnectionTls | undefined;
  #lines: Line[] = [];
  #turn = 0;
  #resolving: Promise<void> | undefined;
  #resolvedMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor(options: ChannelOptions) {
    this.#options = options;
    this.#tls = options.tls;
  }

  /**
   * A connection that takes calls.
   * @throws Error of the last address that was tried, or of the name; or when the signal aborts.
   */
  async acquire(signal: AbortSignal): Promise<GrpcConnection> {
    for (;;) {
      try {
        return await unlessAborted(this.#pick(), signal);
      } catch (error) {
        if (!this.#options.waitsForReady || signal.aborted || this.#isClosed) throw error;
        if (!(await sleepUnlessAborted(RECONNECT_MS, signal))) throw error;
      }
    }
  }

  /** New connections use this; the ones before end with their calls. */
  setTls(tls: ConnectionTls): void {
    this.#tls = tls;
    for (const line of this.#lines) {
      line.connection?.close();
      line.connection = undefined;
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const { connection } of this.#lines) connection?.destroy();
    this.#lines = [];
  }

  async #pick(): Promise<GrpcConnection> {
    if (this.#isClosed) throw new Error('the channel is closed');
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#lines.length === 0) await this.#resolve();
    else if (nowMs - this.#resolvedMs > RESOLVE_INTERVAL_MS) this.#resolve().catch(() => undefined);
    let failure: unknown = new Error('the name has no addresses');
    for (const line of this.#inOrder(nowMs)) {
      if (line.connection?.isUsable === true) return line.connection;
      try {
        return await this.#open(line);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  #inOrder(nowMs: number): Line[] {
    const { balancer } = this.#options;
    const isRoundRobin = balancer === 'round_robin';
    const first = isRoundRobin ? this.#turn++ % Math.max(this.#lines.length, 1) : 0;
    const turned = [...this.#lines.slice(first), ...this.#lines.slice(0, first)];
    const rank = (line: Line): number => {
      if (line.connection?.isUsable === true) return 0;
      if (line.avoidedUntilMs > nowMs) return 2;
      return isRoundRobin ? 0 : 1;
    };
    return turned.toSorted((one, other) => rank(one) - rank(other));
  }

  #open(line: Line): Promise<GrpcConnection> {
    line.opening ??= this.#connect(line).finally(() => {
      line.opening = undefined;
    });
    return line.opening;
  }

  async #connect(line: Line): Promise<GrpcConnection> {
    const { clock, authority, keepalive } = this.#options;
    try {
      const connection = await GrpcConnection.open({
        at: line.address,
        authority,
        keepalive,
        tls: this.#tls,
      });
      // Nobody would close it later.
      if (this.#isClosed || !this.#lines.includes(line)) connection.close();
      line.connection = connection;
      line.avoidedUntilMs = 0;
      return connection;
    } catch (error) {
      line.avoidedUntilMs = clock.monotonicMs() + AVOID_MS;
      this.#resolvedMs = Number.NEGATIVE_INFINITY;
      throw error;
    }
  }

  #resolve(): Promise<void> {
    this.#resolving ??= this.#lookUp().finally(() => {
      this.#resolving = undefined;
    });
    return this.#resolving;
  }

  async #lookUp(): Promise<void> {
    const { clock, target, resolve = addressesOf } = this.#options;
    const addresses = await resolve(target);
    if (this.#isClosed) return;
    this.#resolvedMs = clock.monotonicMs();
    const before = new Map(this.#lines.map((line) => [JSON.stringify(line.address), line]));
    this.#lines = addresses.slice(0, ADDRESSES_MAX).map((address) => {
      const key = JSON.stringify(address);
      const known = before.get(key);
      before.delete(key);
      return known ?? { address, connection: undefined, opening: undefined, avoidedUntilMs: 0 };
    });
    for (const { connection } of before.values()) connection?.close();
  }
}

async function addressesOf({ at }: GrpcTarget): Promise<Address[]> {
  if ('path' in at || isIP(at.host) !== 0) return [at];
  const found = await lookup(at.host, { all: true });
  return found.map(({ address }) => ({ host: address, port: at.port }));
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(new Error('the attempt was aborted'));
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
