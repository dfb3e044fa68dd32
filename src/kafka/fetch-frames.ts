/**
 * How answers of brokers get into memory. The client takes what Node.js allocates for each read and joins it to an answer,
 * twice the bytes of a topic in buffers outside of the heap, and the collector runs for them all the time: it cost more
 * than everything else that the receiver does. Here one buffer is read into again and again, every answer is put together
 * once, and those of fetches in memory that is used again when nobody needs their records any more.
 *
 * A connection that is opened again begins anew: the client keeps what it has of an answer when a connection ends, and goes
 * on to read the old one, so bytes of two of them were read as one answer, of any length.
 *
 * ```
 * answer: int32 bytes of the rest | int32 correlation id | body
 * ```
 */
import { connect, type Socket } from 'node:net';

/** What is used of the client's connection: kafkajs 2.2.4, src/network/connection.js. */
interface ClientConnection {
  /** The last one, also when it is closed. */
  readonly socket: Socket | undefined;
  /** While credentials are being shown. */
  readonly authHandlers: object | null;
  readonly requestQueue: {
    readonly inflight: ReadonlyMap<number, { readonly entry: { readonly apiKey: number } }>;
    fulfillRequest(answer: { size: number; correlationId: number; payload: Buffer }): void;
  };
  /** Of an answer that is not complete. */
  chunks: Buffer[];
  bytesBuffered: number;
  bytesNeeded: number;
  isConnected(): boolean;
  connect(): Promise<unknown>;
  processData(chunk: Buffer): void;
}

export interface ClientConnectionClass {
  readonly prototype: ClientConnection;
}

const HEAD_BYTES = 8;
const CORRELATION_BYTES = 4;
const FETCH_API_KEY = 1;
const READ_BYTES = 256 << 10;
/** Smaller answers cost nothing worth saving. */
const POOLED_BYTES_MIN = 64 << 10;
const GRANULE_BYTES = 256 << 10;
/** Memory that is kept for later answers, and what is in use, together; more comes and goes. */
export const POOL_BYTES_MAX = 48 << 20;
/** What no broker sends: whoever does is none. */
const FETCH_BYTES_MAX = 1 << 30;
const ANSWER_BYTES_MAX = 100 << 20;
/** Of the length in front of an answer, which is what the client waits for first. */
const LENGTH_BYTES = 4;

interface Frame {
  readonly buffer: Buffer;
  users: number;
}

/** Memory of answers, by who still reads them. */
export class FramePool {
  readonly #frames = new Map<ArrayBufferLike, Frame>();
  #free: Buffer[] = [];
  #bytes = 0;

  /** Answers that somebody reads. */
  get usedCount(): number {
    return this.#frames.size;
  }

  /** @returns at least so many bytes, with the caller as its first user. */
  take(sizeBytes: number): Buffer {
    const index = this.#free.findIndex(({ byteLength }) => byteLength >= sizeBytes);
    let buffer = this.#free[index];
    if (buffer === undefined) {
      buffer = Buffer.allocUnsafeSlow(Math.ceil(sizeBytes / GRANULE_BYTES) * GRANULE_BYTES);
      this.#bytes += buffer.byteLength;
    } else {
      this.#free.splice(index, 1);
    }
    this.#frames.set(buffer.buffer, { buffer, users: 1 });
    return buffer;
  }

  /** @param bytes part of an answer, or of other memory, about which nothing has to be known. */
  retain(bytes: Uint8Array): void {
    const frame = this.#frames.get(bytes.buffer);
    if (frame !== undefined) frame.users += 1;
  }

  /** Once for each `take` and `retain`. */
  release(bytes: Uint8Array): void {
    const frame = this.#frames.get(bytes.buffer);
    if (frame === undefined) return;
    frame.users -= 1;
    if (frame.users > 0) return;
    this.#frames.delete(bytes.buffer);
    if (this.#bytes <= POOL_BYTES_MAX) this.#free.push(frame.buffer);
    else this.#bytes -= frame.buffer.byteLength;
  }
}

/** Puts the answers of one connection together. */
class AnswerReader {
  readonly #pool: FramePool;
  readonly #head = Buffer.alloc(HEAD_BYTES);
  #headBytes = 0;
  #body: Buffer | undefined;
  #bodyBytes = 0;
  #filledBytes = 0;
  /** The answer before, whose records may still be on their way to whoever takes them. */
  #lastPooled: Buffer | undefined;

  constructor(pool: FramePool) {
    this.#pool = pool;
  }

  /** @param chunk read only during the call. */
  read(connection: ClientConnection, chunk: Buffer): void {
    let at = 0;
    while (at < chunk.byteLength) {
      if (this.#body === undefined) {
        at += this.#readHead(chunk, at);
        if (this.#headBytes < HEAD_BYTES) return;
        if (!this.#begin(connection)) return;
      }
      const part = Math.min(this.#bodyBytes - this.#filledBytes, chunk.byteLength - at);
      chunk.copy(this.#body!, this.#filledBytes, at, at + part);
      this.#filledBytes += part;
      at += part;
      if (this.#filledBytes === this.#bodyBytes) this.#complete(connection);
    }
  }

  #readHead(chunk: Buffer, at: number): number {
    const part = Math.min(HEAD_BYTES - this.#headBytes, chunk.byteLength - at);
    chunk.copy(this.#head, this.#headBytes, at, at + part);
    this.#headBytes += part;
    return part;
  }

  #begin({ socket, requestQueue }: ClientConnection): boolean {
    const bodyBytes = this.#head.readInt32BE(0) - CORRELATION_BYTES;
    const isFetch =
      requestQueue.inflight.get(this.#head.readInt32BE(CORRELATION_BYTES))?.entry.apiKey === FETCH_API_KEY;
    if (bodyBytes < 0 || bodyBytes > (isFetch ? FETCH_BYTES_MAX : ANSWER_BYTES_MAX)) {
      socket?.destroy(new Error(`an answer of ${bodyBytes} bytes: this is no Kafka broker`));
      return false;
    }
    this.#bodyBytes = bodyBytes;
    this.#filledBytes = 0;
    this.#body =
      isFetch && bodyBytes >= POOLED_BYTES_MIN ? this.#pooled(bodyBytes) : Buffer.allocUnsafe(bodyBytes);
    return true;
  }

  /** The client asks for more only when all records of the answer before were taken or left. */
  #pooled(sizeBytes: number): Buffer {
    if (this.#lastPooled !== undefined) this.#pool.release(this.#lastPooled);
    this.#lastPooled = this.#pool.take(sizeBytes);
    return this.#lastPooled;
  }

  #complete({ requestQueue }: ClientConnection): void {
    const payload = this.#body!.subarray(0, this.#bodyBytes);
    this.#body = undefined;
    this.#headBytes = 0;
    requestQueue.fulfillRequest({
      size: this.#bodyBytes + CORRELATION_BYTES,
      correlationId: this.#head.readInt32BE(CORRELATION_BYTES),
      payload,
    });
  }
}

/** The readers by socket; of sockets that were opened otherwise the client reads in its own way. */
const READERS = new WeakMap<Socket, AnswerReader>();
const PATCHED = new WeakSet<object>();
const OPENING = new WeakMap<object, Promise<unknown>>();

/** @param connectionClass changed once, for all connections of the thread. */
export function readOwnAnswers(connectionClass: ClientConnectionClass): void {
  const { prototype } = connectionClass;
  if (PATCHED.has(prototype)) return;
  PATCHED.add(prototype);
  const { connect: connectAgain, processData } = prototype;
  prototype.connect = function open(this: ClientConnection): Promise<unknown> {
    if (this.isConnected()) return connectAgain.call(this);
    // The client opens one socket for each request that comes meanwhile, and forgets all but the last.
    const opening = OPENING.get(this);
    if (opening !== undefined) return opening;
    this.socket?.removeAllListeners('data').destroy();
    this.chunks = [];
    this.bytesBuffered = 0;
    this.bytesNeeded = LENGTH_BYTES;
    const opened = connectAgain.call(this).finally(() => OPENING.delete(this));
    OPENING.set(this, opened);
    return opened;
  };
  prototype.processData = function read(this: ClientConnection, chunk: Buffer): void {
    const reader = this.socket === undefined ? undefined : READERS.get(this.socket);
    if (reader === undefined) processData.call(this, chunk);
    // Answers about credentials come one at a time and are told by whoever asked; the next read goes over the chunk.
    else if (this.authHandlers !== null) processData.call(this, Buffer.from(chunk));
    else reader.read(this, chunk);
  };
}

/** The answers on this socket are read as this file says. */
export function readAnswersOf(socket: Socket, pool: FramePool): void {
  READERS.set(socket, new AnswerReader(pool));
}

/** Opens a socket that reads into one buffer, whose `data` is only good for the time of the event. */
export function connectReading(address: { host: string; port: number }, onConnect: () => void): Socket {
  const socket = connect(
    {
      ...address,
      onread: {
        buffer: Buffer.allocUnsafeSlow(READ_BYTES),
        callback: (count, buffer) => {
          socket.emit('data', (buffer as Buffer).subarray(0, count));
          return true;
        },
      },
    },
    onConnect,
  );
  return socket;
}
