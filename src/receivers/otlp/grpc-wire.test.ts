/** What gRPC clients do that no gRPC library would: broken frames, vanishing clients, ping floods. */
import assert from 'node:assert/strict';
import { connect, constants } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { test } from 'node:test';
import { OK_OUTCOME, ShiftedClock } from './bed.test-peer.ts';
import {
  type GrpcBed,
  type GrpcBedOptions,
  RawGrpcClient,
  startGrpcBed,
  TEST_MESSAGE_BYTES_MAX,
  TRACES_PATH,
} from './grpc-bed.test-peer.ts';
import { frameMessage } from './grpc-frames.ts';
import { eventually, sleep } from './http-client.test-peer.ts';

const HEADERS = {
  ':method': 'POST',
  ':path': TRACES_PATH,
  'content-type': 'application/grpc',
  te: 'trailers',
};

async function withBed(
  run: (bed: GrpcBed, raw: RawGrpcClient) => Promise<void>,
  options?: GrpcBedOptions,
): Promise<void> {
  const bed = await startGrpcBed(options);
  const raw = new RawGrpcClient(bed.port);
  try {
    await run(bed, raw);
    await eventually('every exchange is closed', () => bed.admission.openExchanges === 0);
    assert.equal(bed.admission.memory.usedBytes, 0, 'every byte is given back');
    await eventually('nothing is in flight', () => bed.admission.inFlightBytes === 0);
  } finally {
    raw.close();
    bed.stop();
  }
}

test('a message split at every byte of its stream arrives whole (C16)', () =>
  withBed(async ({ consumer }, raw) => {
    const message = Buffer.from('0123456789');
    const stream = Buffer.from(frameMessage(message));
    for (let at = 0; at <= stream.byteLength; at++) {
      const reply = await raw.call([stream.subarray(0, at), stream.subarray(at)]);
      assert.equal(reply.status, 0, `split at ${at}`);
      assert.deepEqual(reply.body, Buffer.alloc(5), 'an empty response message');
      assert.ok(consumer.taken.pop()?.body.equals(message));
    }
    const bytes = [...stream].map((byte) => Buffer.of(byte));
    assert.equal((await raw.call(bytes)).status, 0);
    assert.ok(consumer.taken.pop()?.body.equals(message));
  }));

test('broken frames get their status, and the same connection stays usable (C16)', () =>
  withBed(async ({ consumer }, raw) => {
    const good = Buffer.from(frameMessage(Buffer.of(7)));
    const oversized = Buffer.alloc(5);
    oversized.writeUInt32BE(TEST_MESSAGE_BYTES_MAX + 1, 1);
    const cases: Record<string, { parts: Uint8Array[]; status: number }> = {
      'bad flag': { parts: [Buffer.of(2, 0, 0, 0, 1, 7)], status: 13 },
      'two messages in one DATA': { parts: [Buffer.concat([good, good])], status: 12 },
      'two messages in two DATA': { parts: [good, good], status: 12 },
      'length over the limit': { parts: [oversized], status: 8 },
      'length 2^32-1 with data': { parts: [Buffer.of(0, 255, 255, 255, 255), Buffer.alloc(1000)], status: 8 },
      'prefix only': { parts: [Buffer.of(0, 0, 0, 0, 9)], status: 13 },
      'half a prefix': { parts: [Buffer.of(0, 0)], status: 13 },
      'half a message': { parts: [good.subarray(0, 5)], status: 13 },
      'no message': { parts: [], status: 12 },
      'compressed flag without encoding': { parts: [Buffer.of(1, 0, 0, 0, 1, 7)], status: 13 },
    };
    for (const [name, { parts, status }] of Object.entries(cases)) {
      const reply = await raw.call(parts);
      assert.equal(reply.httpStatus, 200, name);
      assert.equal(reply.status, status, name);
      assert.equal(reply.headers['grpc-status-details-bin'], undefined, `${name} is not retryable`);
      assert.equal(consumer.taken.length, 0, name);
      assert.equal((await raw.call([good])).status, 0, `the connection works after: ${name}`);
      consumer.taken.length = 0;
    }
    const identity = await raw.call([Buffer.of(1, 0, 0, 0, 1, 7)], { 'grpc-encoding': 'identity' });
    assert.equal(identity.status, 13);
  }));

test('a refused upload is stopped without an error of HTTP/2', () =>
  withBed(async (_bed, raw) => {
    const header = Buffer.of(0, 255, 255, 255, 255);
    const endless = Array.from({ length: 50 }, () => Buffer.alloc(16_384));
    const reply = await raw.call([header, ...endless], {}, 1);
    assert.equal(reply.status, 8);
    assert.equal(reply.resetCode, constants.NGHTTP2_NO_ERROR);
  }));

test('a disconnect or reset inside a message leaks nothing and hands nothing on (D1)', () =>
  withBed(async ({ port, consumer, admission, meter }) => {
    for (const end of ['reset', 'disconnect'] as const) {
      const session = connect(`http://127.0.0.1:${port}`);
      session.on('error', () => {});
      const stream = session.request(HEADERS);
      stream.on('error', () => {});
      stream.write(Buffer.concat([Buffer.of(0, 0, 0, 0xff, 0xff), Buffer.alloc(20_000)]));
      await eventually('the call is open', () => admission.memory.usedBytes > 0);
      if (end === 'reset') stream.close(constants.NGHTTP2_CANCEL);
      else session.destroy();
      await eventually('the call is closed', () => admission.openExchanges === 0);
      assert.equal(admission.memory.usedBytes, 0);
      session.destroy();
    }
    assert.equal(consumer.taken.length, 0);
    // Node's client ends a stream before it resets it, which makes the message a truncated one.
    const refused = 'millrace_receiver_refused_requests{receiver=otlp,transport=grpc,reason=';
    assert.equal(meter.value(`${refused}aborted}`) + meter.value(`${refused}malformed}`), 2);
  }));

test('a disconnect before the answer is tolerated, and the data still counts (D1)', () =>
  withBed(async ({ port, consumer, admission, meter }) => {
    consumer.outcome = undefined;
    const session = connect(`http://127.0.0.1:${port}`);
    session.on('error', () => {});
    const stream = session.request(HEADERS);
    stream.on('error', () => {});
    stream.end(frameMessage(Buffer.of(7)));
    await eventually('the request arrived', () => consumer.taken.length === 1);
    session.destroy();
    await eventually('the disconnect was seen', () => admission.openExchanges === 0);
    consumer.taken[0]?.done(OK_OUTCOME);
    assert.equal(meter.value('otelcol_receiver_accepted_spans{receiver=otlp,transport=grpc}'), 3);
  }));

test('what is not HTTP/2 is disconnected and harms nobody', () =>
  withBed(async ({ port }, raw) => {
    for (const bytes of ['GET / HTTP/1.1\r\nHost: a\r\n\r\n', Buffer.alloc(5000, 0xff)]) {
      const socket = connectTcp(port, '127.0.0.1');
      socket.on('error', () => {});
      const closed = new Promise((resolve) => socket.on('close', resolve));
      socket.resume();
      socket.write(bytes);
      await closed;
    }
    assert.equal((await raw.call([frameMessage(Buffer.of(7))])).status, 0);
  }));

test('a client that pings too often is told so and disconnected; one that is served may ping', () =>
  withBed(async ({ port }) => {
    const served = new RawGrpcClient(port);
    for (let i = 0; i < 6; i++) {
      await new Promise((resolve) => served.session.ping(resolve));
      assert.equal((await served.call([frameMessage(Buffer.of(7))])).status, 0);
    }
    served.close();
    const session = connect(`http://127.0.0.1:${port}`);
    session.on('error', () => {});
    let reason = '';
    session.on('goaway', (code, _id, data) => {
      reason = `${code} ${Buffer.from(data ?? []).toString()}`;
    });
    await new Promise((resolve) => session.once('connect', resolve));
    for (let i = 0; i < 4 && !session.destroyed; i++) {
      session.ping(() => {});
      await sleep(20);
    }
    await eventually('the session is closed', () => session.destroyed);
    assert.equal(reason, `${constants.NGHTTP2_ENHANCE_YOUR_CALM} too_many_pings`);
  }));

test('an old connection is sent away, and its open call is still answered', () =>
  withBed(
    async ({ port, consumer, server }) => {
      consumer.outcome = undefined;
      const raw = new RawGrpcClient(port);
      let hasGoneAway = false;
      raw.session.on('goaway', () => {
        hasGoneAway = true;
      });
      const call = raw.call([frameMessage(Buffer.of(7))]);
      await eventually('GOAWAY', () => hasGoneAway);
      consumer.taken[0]?.done(OK_OUTCOME);
      assert.equal((await call).status, 0);
      await eventually('the connection is closed', () => raw.session.destroyed);
      assert.ok(server.connectionCount <= 1, 'only the idle client of the test is left');
    },
    { keepalive: { connectionAgeMsMax: 200, connectionAgeGraceMs: 5000 } },
  ));

test('more calls at once than allowed wait on the client side, none is lost', () =>
  withBed(
    async ({ consumer }, raw) => {
      // Before the settings of the server have come a client does not know the limit.
      await new Promise((resolve) => raw.session.once('remoteSettings', resolve));
      const calls = Array.from({ length: 20 }, (_, i) => raw.call([frameMessage(Buffer.of(i))]));
      const replies = await Promise.all(calls);
      assert.ok(replies.every(({ status }) => status === 0));
      assert.equal(consumer.taken.length, 20);
    },
    { server: { concurrentStreamsMax: 2 } },
  ));

test('a connection without HTTP/2, an upload that stalls and an idle client are ended by the clock', () => {
  const clock = new ShiftedClock();
  return withBed(
    async ({ port, server, consumer, meter, admission }) => {
      const silent = connectTcp(port, '127.0.0.1');
      const silentClosed = new Promise((resolve) => silent.on('close', resolve));
      silent.resume();
      const stalled = connect(`http://127.0.0.1:${port}`);
      stalled.on('error', () => {});
      const stream = stalled.request(HEADERS);
      stream.on('error', () => {});
      const status = new Promise((resolve) => {
        stream.on('response', (headers) => resolve(headers['grpc-status']));
      });
      stream.write(Buffer.of(0, 0, 0));
      await eventually('all are connected', () => server.connectionCount === 3);
      clock.shiftMs = 11_000;
      await silentClosed;
      clock.shiftMs = 31_000;
      assert.equal(await status, '14');
      const series = 'millrace_receiver_refused_requests{receiver=otlp,transport=grpc,reason=deadline}';
      assert.equal(meter.value(series), 1);
      // The refused call closes a moment after its answer, which is when the connection becomes idle.
      await eventually('the calls are closed', () => admission.openExchanges === 0);
      await sleep(50);
      clock.shiftMs = 200_000;
      await eventually('idle connections are sent away', () => server.connectionCount === 0);
      assert.equal(consumer.taken.length, 0);
      stalled.destroy();
    },
    { clock, keepalive: { connectionIdleMsMax: 60_000 } },
  );
});

test('windows and session memory carry 128 uploads of a quarter megabyte at once', () =>
  withBed(
    async ({ consumer }, raw) => {
      const message = frameMessage(Buffer.alloc(250_000, 7));
      const replies = await Promise.all(Array.from({ length: 128 }, () => raw.call([message])));
      assert.ok(replies.every(({ status }) => status === 0));
      assert.equal(consumer.taken.length, 128);
    },
    { limits: { assemblyBytesMax: 64 << 20, inFlightBytesMax: 64 << 20 } },
  ));

test('a peer that takes no notice of GOAWAY is cut off', () => {
  const clock = new ShiftedClock();
  return withBed(
    async ({ port, server }) => {
      const socket = connectTcp(port, '127.0.0.1');
      const closed = new Promise((resolve) => socket.on('close', resolve));
      socket.on('error', () => {});
      // A whole HTTP/2 opening, then nothing: neither reading nor closing.
      socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
      socket.write(Buffer.of(0, 0, 0, 4, 0, 0, 0, 0, 0));
      await eventually('it is connected', () => server.connectionCount === 2);
      await sleep(50);
      clock.shiftMs = 61_000;
      await sleep(400);
      assert.ok(server.connectionCount >= 1, 'it has not closed by itself');
      clock.shiftMs = 92_000;
      await eventually('all connections are closed', () => server.connectionCount === 0);
      socket.resume();
      await closed;
    },
    { clock, keepalive: { connectionIdleMsMax: 60_000 } },
  );
});
