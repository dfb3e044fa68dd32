import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { Prng } from '../stdx/prng.ts';
import { type ClientConnectionClass, FramePool, readAnswersOf, readOwnAnswers } from './fetch-frames.ts';

const FETCH = 1;
const METADATA = 3;

/** A connection as the client has it, with a socket that only has an identity. */
class Connection {
  socket = this.#newSocket();
  readonly destroyed: string[] = [];
  readonly authHandlers: object | null = null;
  readonly answers: { correlationId: number; payload: Buffer }[] = [];
  /** What the answers were when they came: the client reads them before it asks for more. */
  readonly copies: Buffer[] = [];
  readonly inflight = new Map<number, { entry: { apiKey: number } }>();
  readonly requestQueue = {
    inflight: this.inflight,
    fulfillRequest: (answer: { correlationId: number; payload: Buffer }) => {
      this.answers.push(answer);
      this.copies.push(Buffer.from(answer.payload));
    },
  };

  processData(_chunk: Buffer): void {
    throw new Error('the way of the client');
  }

  chunks: Buffer[] = [];
  bytesBuffered = 0;
  bytesNeeded = 4;
  connected = true;

  isConnected(): boolean {
    return this.connected;
  }

  connect(): Promise<unknown> {
    this.socket = this.#newSocket();
    return Promise.resolve().then(() => {
      this.connected = true;
    });
  }

  #newSocket(): Socket {
    const socket = new EventEmitter() as unknown as Socket;
    socket.destroy = () => {
      this.destroyed.push('destroyed');
      return socket;
    };
    return socket;
  }
}

readOwnAnswers(Connection as unknown as ClientConnectionClass);

function answer(correlationId: number, body: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeInt32BE(body.byteLength + 4);
  head.writeInt32BE(correlationId, 4);
  return Buffer.concat([head, body]);
}

test('answers are whole and in order however the bytes come, out of one buffer that is read into again', () => {
  const prng = new Prng(5);
  const pool = new FramePool();
  const connection = new Connection();
  readAnswersOf(connection.socket, pool);
  const bodies = Array.from({ length: 30 }, (_, index) => Buffer.alloc(prng.nextInt(200_000), index + 1));
  const bytes = Buffer.concat(bodies.map((body, index) => answer(index, body)));
  const chunk = Buffer.alloc(65_536);
  let checked = 0;
  for (let at = 0; at < bytes.byteLength; ) {
    const size = Math.min(
      1 + prng.nextInt(prng.nextInt(3) === 0 ? 12 : chunk.byteLength),
      bytes.byteLength - at,
    );
    for (let id = checked; id < bodies.length; id++)
      connection.inflight.set(id, { entry: { apiKey: id % 2 === 0 ? FETCH : METADATA } });
    bytes.copy(chunk, 0, at, at + size);
    connection.processData(chunk.subarray(0, size));
    at += size;
    for (; checked < connection.answers.length; checked++) {
      assert.equal(connection.answers[checked]!.correlationId, checked);
      assert.ok(connection.copies[checked]!.equals(bodies[checked]!), `answer ${checked}`);
    }
  }
  assert.equal(checked, bodies.length);
  assert.equal(pool.usedCount, 1, 'only the newest answer to a fetch is in use');
});

test('an answer whose records are in use stays as it is while others come', () => {
  const pool = new FramePool();
  const connection = new Connection();
  readAnswersOf(connection.socket, pool);
  const read = (id: number): Buffer => {
    connection.inflight.set(id, { entry: { apiKey: FETCH } });
    connection.processData(answer(id, Buffer.alloc(100_000, id)));
    return connection.answers.at(-1)!.payload;
  };
  const first = read(1);
  pool.retain(first.subarray(5, 10));
  const second = read(2);
  read(3);
  const fourth = read(4);
  assert.ok(first.every((byte) => byte === 1));
  assert.equal(fourth.buffer, second.buffer, 'memory of the second is used again');
  pool.release(first.subarray(5, 10));
  assert.equal(read(5).byteLength, 100_000);
  assert.equal(pool.usedCount, 1);
  pool.retain(Buffer.alloc(10));
  pool.release(Buffer.alloc(10));
});

test('what is no broker is disconnected', () => {
  const connection = new Connection();
  readAnswersOf(connection.socket, new FramePool());
  connection.processData(Buffer.from('HTTP/1.1 400 Bad Request\r\n'));
  assert.equal(connection.destroyed.length, 1);
});

test('a connection that is opened again begins a new answer, and the old socket says nothing any more', async () => {
  const connection = new Connection();
  const first = connection.socket;
  readAnswersOf(first, new FramePool());
  connection.processData(answer(1, Buffer.alloc(100)).subarray(0, 50));
  // What the client's own way keeps while credentials are shown.
  Object.assign(connection, { chunks: [Buffer.alloc(3)], bytesBuffered: 3, bytesNeeded: 99 });
  first.on('data', () => assert.fail('bytes of the old socket'));
  connection.connected = false;
  await Promise.all([connection.connect(), connection.connect()]);
  assert.deepEqual(connection.destroyed, ['destroyed']);
  assert.deepEqual([connection.chunks, connection.bytesBuffered, connection.bytesNeeded], [[], 0, 4]);
  first.emit('data', Buffer.alloc(50));
  readAnswersOf(connection.socket, new FramePool());
  connection.processData(answer(2, Buffer.from('whole')));
  assert.deepEqual(
    connection.answers.map(({ correlationId, payload }) => [correlationId, String(payload)]),
    [[2, 'whole']],
  );
  // One that is open stays as it is.
  await connection.connect();
  assert.deepEqual(connection.destroyed, ['destroyed']);
});
