/** HTTP clients of the tests: a well-behaved one, and one that writes whatever bytes it is told. */
import { type Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { connect, type Socket } from 'node:net';

export interface ClientReply {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export interface PostOptions {
  method?: string;
  path?: string;
  headers?: Record<string, string | string[]>;
  body?: Uint8Array | readonly Uint8Array[];
  agent?: Agent;
}

/** Sends one request; several body parts are sent chunked with a pause between them. */
export function post(port: number, options: PostOptions = {}): Promise<ClientReply> {
  const body = options.body ?? Buffer.from('body');
  const isWhole = body instanceof Uint8Array;
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        host: '127.0.0.1',
        port,
        method: options.method ?? 'POST',
        path: options.path ?? '/v1/traces',
        headers: {
          'content-type': 'application/x-protobuf',
          ...(isWhole ? { 'content-length': String(body.byteLength) } : {}),
          ...options.headers,
        },
        ...(options.agent === undefined ? {} : { agent: options.agent }),
      },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(parts),
          }),
        );
      },
    );
    request.on('error', reject);
    if (isWhole) request.end(body);
    else void sendParts(body, request);
  });
}

async function sendParts(
  parts: readonly Uint8Array[],
  request: { write(part: Uint8Array): void; end(): void },
): Promise<void> {
  for (const part of parts) {
    request.write(part);
    await sleep(2);
  }
  request.end();
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until `check` holds; fails with its name after half a minute. */
export async function eventually(name: string, check: () => boolean): Promise<void> {
  for (let tries = 0; tries < 3000; tries++) {
    if (check()) return;
    await sleep(10);
  }
  throw new Error(`never happened: ${name}`);
}

/** A connection that sends raw bytes and collects the answer. */
export class RawClient {
  readonly socket: Socket;
  text = '';
  isClosed = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (data: Buffer) => {
      this.text += data.toString('latin1');
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isClosed = true;
    });
    // A half-closed connection counts: the server will send nothing more.
    socket.on('end', () => {
      this.isClosed = true;
    });
  }

  static open(port: number): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, noDelay: true }, () =>
        resolve(new RawClient(socket)),
      );
      socket.once('error', reject);
    });
  }

  /** Sends the bytes and waits for a whole status line, or for the connection to close. */
  async exchange(bytes: string | Uint8Array): Promise<string> {
    this.socket.write(bytes);
    await eventually('an answer or a close', () => this.text.includes('\r\n\r\n') || this.isClosed);
    return this.text;
  }

  close(): void {
    this.socket.destroy();
  }
}
