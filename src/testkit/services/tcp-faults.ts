/** Stands between a client and a server of any protocol over TCP, and does to their connections what networks do. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/**
 * `drip`: answers come a byte a second. `lost`: what is sent arrives, and the connection breaks instead of the answer.
 * `flood`: instead of an answer, bytes without end. `reset`: nothing arrives, connections break.
 */
export type TcpFault = 'drip' | 'lost' | 'flood' | 'reset' | undefined;

const DRIP_MS = 1000;
const PIECE = Buffer.alloc(65_536, 0x7f);

export class TcpFaultProxy {
  readonly port: number;
  /** How often the current fault was met. */
  hits = 0;
  #fault: TcpFault;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #target = 0;

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (client) => this.#join(client));
  }

  static async start(): Promise<TcpFaultProxy> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new TcpFaultProxy(server);
  }

  /** Port on this machine where connections end; those of before stay where they are. */
  forwardTo(port: number): void {
    this.#target = port;
  }

  /** What happens from now on, also to connections that are open. */
  set(fault: TcpFault): void {
    this.#fault = fault;
    this.hits = 0;
    // What was spoiled stays so: a client would wait for the rest of an answer that never comes.
    if (fault === undefined) for (const socket of this.#sockets) socket.destroy();
  }

  stop(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #join(client: Socket): void {
    const server = connect(this.#target, '127.0.0.1');
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    client.on('data', (bytes) => {
      if (this.#fault === 'reset') this.#break(client);
      else server.write(bytes);
    });
    server.on('data', (bytes) => this.#answer(client, server, bytes));
  }

  #answer(client: Socket, server: Socket, bytes: Buffer): void {
    if (this.#fault === undefined) return void client.write(bytes);
    if (this.#fault === 'lost' || this.#fault === 'reset') return this.#break(client);
    this.hits += 1;
    server.pause();
    if (this.#fault === 'flood') return flood(client);
    let at = 0;
    const timer = setInterval(() => client.write(bytes.subarray(at, ++at)), DRIP_MS);
    client.on('close', () => clearInterval(timer));
  }

  #break(client: Socket): void {
    this.hits += 1;
    client.resetAndDestroy();
  }
}

function flood(client: Socket): void {
  while (!client.destroyed) if (!client.write(PIECE)) return void client.once('drain', () => flood(client));
}
