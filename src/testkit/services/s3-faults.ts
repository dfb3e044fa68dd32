/** Stands between the engine and a real S3 server and answers some requests itself, as the test says. */
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { S3Server } from './s3-server.ts';

/**
 * `reset`: the connection breaks before the server sees the request. `lost`: the server does what it was asked for, and
 * the answer is lost. A function does what it likes, also nothing. An answer of an S3 server otherwise; undefined: nothing
 * is wrong.
 */
export type S3Fault =
  | 'reset'
  | 'lost'
  | { status: number; code: string }
  | ((incoming: IncomingMessage, outgoing: ServerResponse) => void)
  | undefined;
export type S3FaultScript = (method: string, url: string) => S3Fault;

export class S3FaultProxy {
  readonly endpoint: string;
  /** Asked for every request; tests exchange it. */
  script: S3FaultScript = () => undefined;
  readonly requests: string[] = [];
  /** What the store itself answered. */
  readonly statuses = new Set<number>();
  readonly #server: Server;
  readonly #store: S3Server;

  private constructor(server: Server, store: S3Server) {
    this.#server = server;
    this.#store = store;
    this.endpoint = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
    server.on('request', (incoming, outgoing) => this.serve(incoming, outgoing));
  }

  static async start(store: S3Server): Promise<S3FaultProxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new S3FaultProxy(server, store);
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** Also for servers that speak TLS in front of it. */
  serve(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { method = '', url = '' } = incoming;
    this.requests.push(`${method} ${url}`);
    const fault = this.script(method, url);
    if (fault === 'reset') return void incoming.socket.destroy();
    if (typeof fault === 'function') return fault(incoming, outgoing);
    if (typeof fault === 'object') {
      incoming.resume();
      incoming.on('end', () => {
        outgoing.writeHead(fault.status, { 'content-type': 'application/xml' });
        outgoing.end(`<Error><Code>${fault.code}</Code><Message>as the test says</Message></Error>`);
      });
      return;
    }
    const { port } = this.#store;
    const forwarded = request(
      { host: '127.0.0.1', port, method, path: url, headers: incoming.headers },
      (answer) => {
        this.statuses.add(answer.statusCode ?? 0);
        if (fault === 'lost') {
          answer.resume();
          answer.on('end', () => incoming.socket.destroy());
          return;
        }
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(outgoing);
      },
    );
    forwarded.on('error', () => incoming.socket.destroy());
    incoming.pipe(forwarded);
  }
}
