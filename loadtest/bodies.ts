/**
 * Where the bytes of a request come from.
 *
 * Plain requests are patched in the ticket's own buffer. Compressed ones are taken in turn from a set that was
 * compressed before the load began, because compressing 210 KB costs the client many times what the server is
 * measured at; their sequence numbers repeat. A ledger needs every request once, so with a ledger requests are
 * compressed one by one while the load runs.
 */
import * as zlib from 'node:zlib';
import type { RequestGenerator } from '../src/testkit/generators.ts';
import type { Connection, Ticket } from './connection.ts';

export type LoadCompression = 'none' | 'gzip' | 'zstd';

export interface BodySource {
  /** Whether tickets need a slot of their own to be patched. */
  readonly needsSlot: boolean;
  /** Bytes of the request that the ticket stands for, transport header included. */
  prepare(ticket: Ticket, unixMs: number): Buffer;
}

/** `zlib.zstdCompressSync` exists from Node 22.15 on. */
export function isZstdAvailable(): boolean {
  return 'zstdCompressSync' in zlib;
}

export function compressBody(body: Uint8Array, compression: LoadCompression): Uint8Array {
  if (compression === 'gzip') return zlib.gzipSync(body);
  if (compression === 'none') return body;
  if (!isZstdAvailable())
    throw new Error(`--compression zstd needs Node 22.15 or later, this is ${process.version}`);
  return zlib.zstdCompressSync(body);
}

class PlainBodies implements BodySource {
  readonly needsSlot = true;
  readonly #generator: RequestGenerator;

  constructor(generator: RequestGenerator) {
    this.#generator = generator;
  }

  prepare(ticket: Ticket, unixMs: number): Buffer {
    const slot = ticket.slot;
    if (slot === undefined) throw new Error('a plain request needs a slot');
    this.#generator.fill(slot, ticket.seq, unixMs);
    return slot.buffer;
  }
}

class LiveCompressedBodies implements BodySource {
  readonly needsSlot = false;
  readonly #generator: RequestGenerator;
  readonly #compression: LoadCompression;

  constructor(generator: RequestGenerator, compression: LoadCompression) {
    this.#generator = generator;
    this.#compression = compression;
  }

  prepare(ticket: Ticket, unixMs: number): Buffer {
    const body = compressBody(this.#generator.next(ticket.seq, unixMs), this.#compression);
    return Buffer.concat([ticket.connection.header(body.byteLength), body]);
  }
}

class RotatingBodies implements BodySource {
  readonly needsSlot = false;
  readonly #requests: Buffer[] = [];
  #turn = 0;

  constructor(
    generator: RequestGenerator,
    compression: LoadCompression,
    connection: Connection,
    count: number,
  ) {
    for (let seq = 0; seq < count; seq += 1) {
      const body = compressBody(generator.next(seq, Date.now()), compression);
      this.#requests.push(Buffer.concat([connection.header(body.byteLength), body]));
    }
  }

  prepare(): Buffer {
    const request = this.#requests[this.#turn];
    this.#turn = (this.#turn + 1) % this.#requests.length;
    if (request === undefined) throw new Error('no prepared requests');
    return request;
  }
}

export const PREPARED_REQUESTS = 32;

export function createBodies(
  generator: RequestGenerator,
  compression: LoadCompression,
  hasLedger: boolean,
  connection: Connection,
): BodySource {
  if (compression === 'none') return new PlainBodies(generator);
  if (hasLedger) return new LiveCompressedBodies(generator, compression);
  return new RotatingBodies(generator, compression, connection, PREPARED_REQUESTS);
}
