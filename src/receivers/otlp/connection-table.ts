/** The sockets of one listener: bounded in total by the server, by address here, and ended when it closes. */
import type { Socket } from 'node:net';
import { addressKey } from './address-key.ts';

export interface ConnectionLimits {
  /** 0: no bound. */
  perAddressMax: number;
  /** Called for a connection that is closed because its address has enough. */
  refused(): void;
}

export class ConnectionTable {
  readonly #limits: ConnectionLimits;
  readonly #sockets = new Set<Socket>();
  readonly #counts = new Map<string, number>();

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#sockets.size;
  }

  /** @returns false when the socket was closed because its address has too many. */
  tryAdd(socket: Socket): boolean {
    const key = addressKey(socket.remoteAddress ?? '');
    const count = (this.#counts.get(key) ?? 0) + 1;
    const { perAddressMax } = this.#limits;
    if (perAddressMax > 0 && count > perAddressMax) {
      this.#limits.refused();
      socket.destroy();
      return false;
    }
    this.#counts.set(key, count);
    this.#sockets.add(socket);
    socket.once('close', () => this.#remove(socket, key));
    return true;
  }

  /** Also ends what is still in its handshake, which no server of node would. */
  destroyAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #remove(socket: Socket, key: string): void {
    this.#sockets.delete(socket);
    const count = this.#counts.get(key)! - 1;
    if (count > 0) this.#counts.set(key, count);
    else this.#counts.delete(key);
  }
}
