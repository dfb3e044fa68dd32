import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import test, { describe } from 'node:test';
import { Metadata } from '@grpc/grpc-js';
import type { AuthHeaders, AuthResult, ServerAuthenticator } from '../../component/auth.ts';
import type { Component } from '../../component/component.ts';
import { PipelineError } from '../../component/errors.ts';
import { addressKey } from './address-key.ts';
import { AuthGate } from './auth-gate.ts';
import { AuthLimiter } from './auth-limiter.ts';
import { HTTP_KINDS, startHttpBed, testSettings } from './bed.test-peer.ts';
import { RawGrpcClient, startGrpcBed, TRACES_PATH } from './grpc-bed.test-peer.ts';
import { eventually, post, RawClient, sleep } from './http-client.test-peer.ts';
import { AUTH_ADDRESSES_MAX, AUTH_DELAY_MS, AUTH_DELAYED_MAX, AUTH_FAILURES_FREE } from './limits.ts';

/** Takes `Bearer right`; at once, or after a while as a slow hash would. */
class TestAuthenticator implements Component, ServerAuthenticator {
  readonly headerNames = ['authorization'];
  readonly challenge = 'Bearer';
  delayMs: number | undefined;
  calls = 0;

  async start(): Promise<void> {}
  async shutdown(): Promise<void> {}

  authenticate([value]: AuthHeaders): AuthResult | Promise<AuthResult> {
    this.calls += 1;
    const result: AuthResult =
      value === 'Bearer right'
        ? { isAllowed: true }
        : { isAllowed: false, message: 'missing or wrong credentials' };
    return this.delayMs === undefined ? result : sleep(this.delayMs).then(() => result);
  }
}

function makeGate() {
  const authenticator = new TestAuthenticator();
  const running: { extension: Component | undefined } = { extension: authenticator };
  const settings = { ...testSettings(), findExtension: () => running.extension };
  return { authenticator, running, auth: new AuthGate(settings, 'test', new AuthLimiter()) };
}

const RIGHT = { authorization: 'Bearer right' };

for (const kind of HTTP_KINDS) {
  describe(`OTLP/HTTP authentication on ${kind}`, () => {
    for (const delayMs of [undefined, 20]) {
      test(`lets right credentials in and no others (${delayMs === undefined ? 'at once' : 'late'})`, async (t) => {
        const { auth, authenticator } = makeGate();
        authenticator.delayMs = delayMs;
        const bed = await startHttpBed(kind, { auth });
        t.after(() => bed.stop());
        const body = randomBytes(100_000);
        assert.equal((await post(bed.port, { headers: RIGHT, body })).status, 200);
        assert.equal(
          (await post(bed.port, { headers: { Authorization: 'Bearer right' }, body })).status,
          200,
        );
        const parts = [body.subarray(0, 10), body.subarray(10, 50_000), body.subarray(50_000)];
        assert.equal((await post(bed.port, { headers: RIGHT, body: parts })).status, 200);
        assert.equal(bed.consumer.taken.length, 3);
        for (const taken of bed.consumer.taken) assert.ok(taken.body.equals(body));
        const wrong = await post(bed.port, { headers: { authorization: 'Bearer wrong' } });
        assert.equal(wrong.status, 401);
        assert.equal(wrong.headers['www-authenticate'], 'Bearer');
        assert.equal(wrong.headers['content-type'], 'application/x-protobuf');
        assert.match(wrong.body.toString('latin1'), /missing or wrong credentials/);
        const json = await post(bed.port, {
          headers: { 'content-type': 'application/json' },
          body: Buffer.from('{}'),
        });
        assert.deepEqual(JSON.parse(json.body.toString()), {
          code: 16,
          message: 'missing or wrong credentials',
        });
        assert.equal(bed.consumer.taken.length, 3);
        assert.equal(bed.admission.openExchanges, 0);
        assert.equal(bed.admission.memory.usedBytes, 0);
      });
    }

    test('no spelling of a request gets around it (D18)', async (t) => {
      const { auth } = makeGate();
      const bed = await startHttpBed(kind, { auth });
      t.after(() => bed.stop());
      const paths = [
        '/v1/traces',
        '/v1/traces/',
        '//v1/traces',
        '/v1/traces?authorization=Bearer+right',
        '/V1/traces',
        '/v1/%74races',
        '/',
        '/v1/traces#x',
      ];
      const post401 = async (path: string, method: string) => {
        // Past the free failures every answer takes a second: a gate of its own for each request.
        const own = await startHttpBed(kind, { auth: makeGate().auth });
        t.after(() => own.stop());
        const { status } = await post(own.port, { path, method, body: Buffer.alloc(0) });
        assert.equal(status, 401, `${method} ${path}`);
      };
      for (const path of paths) await post401(path, 'POST');
      for (const method of ['GET', 'PUT', 'OPTIONS', 'HEAD']) await post401('/v1/traces', method);
      const lines = (headers: string, path = '/v1/traces') =>
        `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: 1\r\n${headers}\r\n\r\nx`;
      const hostile = [
        lines('authorization: Bearer wrong\r\nauthorization: Bearer right'),
        lines('authorization: Bearer right\r\nAuthorization: Bearer wrong'),
        lines('x-authorization: Bearer right'),
        lines('proxy-authorization: Bearer right'),
      ];
      for (const bytes of hostile) {
        const client = await RawClient.open(bed.port);
        assert.match(await client.exchange(bytes), /^HTTP\/1\.1 401/, bytes);
        client.close();
      }
      assert.equal(bed.consumer.taken.length, 0);
    });

    test('guessing gets slow, right credentials of the same address do not (D16)', async (t) => {
      const { auth, authenticator } = makeGate();
      const bed = await startHttpBed(kind, { auth });
      t.after(() => bed.stop());
      const guess = () => post(bed.port, { headers: { authorization: 'Bearer guess' } });
      for (let i = 0; i < AUTH_FAILURES_FREE; i++) assert.equal((await guess()).status, 401);
      const startedMs = performance.now();
      const replies = Promise.all(Array.from({ length: AUTH_DELAYED_MAX }, guess));
      await eventually(
        'all are examined',
        () => authenticator.calls === AUTH_FAILURES_FREE + AUTH_DELAYED_MAX,
      );
      const blocked = await guess();
      assert.equal(blocked.status, 429);
      assert.equal(blocked.headers['retry-after'], '1');
      assert.equal(authenticator.calls, AUTH_FAILURES_FREE + AUTH_DELAYED_MAX);
      assert.ok((await replies).every(({ status }) => status === 401));
      assert.ok(performance.now() - startedMs > AUTH_DELAY_MS * 0.9);
      const rightMs = performance.now();
      assert.equal((await post(bed.port, { headers: RIGHT })).status, 200);
      assert.ok(performance.now() - rightMs < AUTH_DELAY_MS / 2);
      const counted = (reason: string) =>
        bed.meter.value(`millrace_receiver_refused_requests{receiver=otlp,transport=http,reason=${reason}}`);
      assert.equal(counted('unauthenticated'), AUTH_FAILURES_FREE + AUTH_DELAYED_MAX);
      assert.equal(counted('auth_limited'), 1);
    });

    test('while the authenticator is exchanged requests are refused retryably; a client that leaves is forgotten', async (t) => {
      const { auth, running, authenticator } = makeGate();
      const bed = await startHttpBed(kind, { auth });
      t.after(() => bed.stop());
      running.extension = undefined;
      assert.equal((await post(bed.port, { headers: RIGHT })).status, 503);
      running.extension = authenticator;
      assert.equal((await post(bed.port, { headers: RIGHT })).status, 200);
      authenticator.delayMs = 100;
      const client = await RawClient.open(bed.port);
      client.socket.write('POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nab');
      await eventually('the check runs', () => authenticator.calls === 2);
      client.close();
      await eventually('it is closed', () => bed.admission.openExchanges === 0);
      await sleep(150);
      assert.equal(bed.admission.memory.usedBytes, 0);
    });
  });
}

describe('OTLP/gRPC authentication', () => {
  for (const delayMs of [undefined, 20]) {
    test(`lets right credentials in and no others (${delayMs === undefined ? 'at once' : 'late'})`, async (t) => {
      const { auth, authenticator } = makeGate();
      authenticator.delayMs = delayMs;
      const bed = await startGrpcBed({ auth });
      t.after(() => bed.stop());
      const metadata = new Metadata();
      metadata.set('Authorization', 'Bearer right');
      const message = randomBytes(100_000);
      assert.equal((await bed.client.export(message, TRACES_PATH, undefined, metadata)).code, 0);
      assert.ok(bed.consumer.taken[0]?.body.equals(message));
      const refused = await bed.client.export(message);
      assert.equal(refused.code, 16);
      assert.equal(refused.message, 'missing or wrong credentials');
      // A stranger learns nothing about methods either.
      assert.equal((await bed.client.export(message, '/no.such.Service/Method')).code, 16);
      assert.equal(bed.consumer.taken.length, 1);
      await eventually(
        'nothing is left',
        () => bed.admission.openExchanges === 0 && bed.admission.memory.usedBytes === 0,
      );
    });
  }

  test('guessing gets slow on many streams as well', async (t) => {
    const { auth, authenticator } = makeGate();
    const bed = await startGrpcBed({ auth });
    t.after(() => bed.stop());
    const client = new RawGrpcClient(bed.port);
    t.after(() => client.close());
    const replies = await Promise.all(
      Array.from({ length: 60 }, () => client.call([randomBytes(50)], { authorization: 'Bearer guess' })),
    );
    assert.equal(replies.filter(({ status }) => status === 16).length, AUTH_FAILURES_FREE + AUTH_DELAYED_MAX);
    assert.equal(authenticator.calls, AUTH_FAILURES_FREE + AUTH_DELAYED_MAX);
    assert.equal((await client.call([Buffer.from([0, 0, 0, 0, 0])], RIGHT)).status, 0);
  });
});

test('the limiter knows addresses, and no more than it may', () => {
  const limiter = new AuthLimiter();
  for (let i = 0; i < 5000; i++) limiter.failed(`10.0.${i >> 8}.${i & 255}`, 0);
  assert.equal(limiter.trackedAddresses, AUTH_ADDRESSES_MAX);
  const site = ['2001:db8:0:1::5', '2001:0db8:0000:0001:0000:0000:0000:0009', '2001:DB8:0:1:ffff::'];
  assert.deepEqual(new Set(site.map(addressKey)), new Set(['2001:db8:0:1']));
  assert.equal(addressKey('::ffff:10.1.2.3'), '10.1.2.3');
  assert.equal(addressKey('::1'), '0:0:0:0');
  for (let i = 0; i <= AUTH_FAILURES_FREE; i++) limiter.failed('10.9.9.9', 0);
  assert.equal(limiter.failed('10.9.9.9', 59_000), AUTH_DELAY_MS);
  assert.equal(limiter.failed('10.9.9.9', 60_000), 0);
});

test('a receiver does not start without its authenticator', () => {
  const make = (extension: Component | undefined) => () =>
    new AuthGate({ ...testSettings(), findExtension: () => extension }, 'bearer/x', new AuthLimiter());
  const idle: Component = { start: async () => {}, shutdown: async () => {} };
  assert.throws(
    make(undefined),
    (error: Error) =>
      error instanceof PipelineError && /"bearer\/x": authenticator not found/.test(error.message),
  );
  assert.throws(make(idle), /"bearer\/x" is not a server authenticator/);
});
