/** HTTP/2 written frame by frame, for clients that no library would be. */
import { connect, type Socket } from 'node:net';

export const FRAME_DATA = 0;
export const FRAME_HEADERS = 1;
export const FRAME_PRIORITY = 2;
export const FRAME_RST_STREAM = 3;
export const FRAME_SETTINGS = 4;
export const FRAME_PING = 6;
export const FRAME_GOAWAY = 7;
export const FRAME_WINDOW_UPDATE = 8;
export const FRAME_CONTINUATION = 9;
export const FLAG_END_STREAM = 1;
export const FLAG_END_HEADERS = 4;

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

export function frame(type: number, flags: number, streamId: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.byteLength, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

/** A literal header field without indexing (RFC 7541, section 6.2.2). */
export function field(name: string, value: string): Buffer {
  const text = (part: string) => {
    const bytes = Buffer.from(part);
    if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
    const rest = bytes.length - 127;
    return Buffer.concat([Buffer.from([127, (rest & 127) | 128, rest >> 7]), bytes]);
  };
  return Buffer.concat([Buffer.from([0]), text(name), text(value)]);
}

export function callHeaders(path: string): Buffer {
  return Buffer.concat([
    field(':method', 'POST'),
    field(':scheme', 'http'),
    field(':path', path),
    field(':authority', 'x'),
    field('content-type', 'application/grpc'),
    field('te', 'trailers'),
  ]);
}

/** A connection that has greeted; `reads` decides whether it takes what it is sent. */
export class FrameClient {
  readonly socket: Socket;
  isClosed = false;
  /** Types of the frames that came, and the error of GOAWAY. */
  readonly received: number[] = [];
  goAwayCode: number | undefined;
  #rest = Buffer.alloc(0);

  constructor(socket: Socket, reads: boolean) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('close', () => {
      this.isClosed = true;
    });
    if (reads) socket.on('data', (data: Buffer) => this.#parse(data));
    else socket.pause();
    socket.write(Buffer.concat([PREFACE, frame(FRAME_SETTINGS, 0, 0, Buffer.alloc(0))]));
  }

  static open(port: number, reads = true): Promise<FrameClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, noDelay: true }, () =>
        resolve(new FrameClient(socket, reads)),
      );
      socket.once('error', reject);
    });
  }

  /** Sends the bytes again and again, until the server closes or the time is over. @returns how often. */
  async flood(next: (index: number) => Uint8Array, timeoutMs: number): Promise<number> {
    const endMs = performance.now() + timeoutMs;
    let count = 0;
    while (!this.isClosed && !this.socket.destroyed && performance.now() < endMs) {
      this.socket.write(next(count));
      count += 1;
      // In batches, so that the flood is one and the test's own loop still turns.
      if (count % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    return count;
  }

  close(): void {
    this.socket.destroy();
  }

  #parse(data: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, data]);
    while (this.#rest.length >= 9) {
      const sizeBytes = 9 + this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < sizeBytes) return;
      const type = this.#rest[3]!;
      this.received.push(type);
      if (type === FRAME_GOAWAY) this.goAwayCode = this.#rest.readUInt32BE(13);
      this.#rest = this.#rest.subarray(sizeBytes);
    }
  }
}
