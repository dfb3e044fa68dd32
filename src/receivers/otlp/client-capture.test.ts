import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, test } from 'node:test';
import { Metadata } from '@grpc/grpc-js';
import type { AuthResult, ServerAuthenticator } from '../../component/auth.ts';
import {
  type ClientContext,
  clientKeys,
  decodeClientContext,
  parseContextSource,
} from '../../component/client-context.ts';
import type { Component } from '../../component/component.ts';
import { AuthGate } from './auth-gate.ts';
import { AuthLimiter } from './auth-limiter.ts';
import { HTTP_KINDS, type RecordingConsumer, startHttpBed, testSettings } from './bed.test-peer.ts';
import { printAddress } from './client-capture.ts';
import { startGrpcBed, TRACES_PATH } from './grpc-bed.test-peer.ts';
import { eventually, post, sleep } from './http-client.test-peer.ts';

const keysOf = (...sources: string[]) => clientKeys(sources.map(parseContextSource));
const EVERYTHING = keysOf(
  'x-tenant',
  'x-twice',
  'x-absent',
  'x-bytes',
  'host',
  'client.address',
  'auth.user',
  'auth.raw',
);

function lastContext(consumer: RecordingConsumer): ClientContext | undefined {
  const { context } = consumer.taken.at(-1)!;
  return context === undefined ? undefined : decodeClientContext(context);
}

/** Lets everybody in who says who it is, at once or late. */
class NamingAuthenticator implements ServerAuthenticator, Component {
  readonly headerNames = ['x-user'];
  readonly challenge = '';
  readonly isLate: boolean;
  asked = 0;

  constructor(isLate: boolean) {
    this.isLate = isLate;
  }

  async start(): Promise<void> {}
  async shutdown(): Promise<void> {}

  authenticate([user]: readonly (string | undefined)[]): AuthResult | Promise<AuthResult> {
    const result: AuthResult =
      user === undefined ? { isAllowed: false, message: 'who are you?' } : { isAllowed: true };
    return this.isLate ? sleep(10).then(() => result) : result;
  }

  attributes([user = '']: readonly (string | undefined)[]) {
    this.asked += 1;
    return { user, other: 'not asked for' };
  }
}

function gateOf(authenticator: NamingAuthenticator): AuthGate {
  const settings = { ...testSettings(), findExtension: () => authenticator };
  return new AuthGate(settings, 'test', new AuthLimiter());
}

/** One request of exactly these bytes. */
async function send(port: number, bytes: Buffer): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  socket.write(bytes);
  await eventually('an answer', () => text.includes('\r\n\r\n'));
  socket.destroy();
  return text;
}

for (const kind of HTTP_KINDS) {
  describe(`clients of OTLP/HTTP on ${kind}`, () => {
    test('what is named is kept as sent, line by line; nothing else is', async (t) => {
      const bed = await startHttpBed(kind, { includesMetadata: true });
      t.after(bed.stop);
      bed.consumer.clientKeys = EVERYTHING;
      const head = [
        'POST /v1/traces HTTP/1.1',
        'Host: collector.test',
        'content-type: application/x-protobuf',
        'X-Tenant: acme',
        'x-twice: 1',
        'X-TWICE: 2, 3',
        'x-secret: CANARY',
        'content-length: 1',
      ].join('\r\n');
      // Not at the ends: uWebSockets.js takes such bytes for blanks there.
      const bytes = Buffer.concat([
        Buffer.from(`${head}\r\nx-bytes: `),
        Buffer.from('bé c', 'utf8'),
        Buffer.from('\r\n\r\n\0'),
      ]);
      assert.match(await send(bed.port, bytes), /^HTTP\/1\.1 200/);
      assert.deepEqual(lastContext(bed.consumer), {
        address: '127.0.0.1',
        metadata: new Map([
          ['host', ['collector.test']],
          ['x-bytes', [Buffer.from('bé c', 'utf8').toString('latin1')]],
          ['x-tenant', ['acme']],
          ['x-twice', ['1', '2, 3']],
        ]),
        auth: new Map(),
      });
      assert.doesNotMatch(Buffer.from(bed.consumer.taken[0]!.context!).toString('latin1'), /CANARY/);
    });

    test('headers need include_metadata, the address does not; a reload changes what is kept', async (t) => {
      const bed = await startHttpBed(kind);
      t.after(bed.stop);
      const headers = { 'x-tenant': 'acme' };
      await post(bed.port, { headers });
      assert.equal(lastContext(bed.consumer), undefined);
      bed.consumer.clientKeys = keysOf('x-tenant');
      await post(bed.port, { headers });
      assert.equal(lastContext(bed.consumer), undefined);
      bed.consumer.clientKeys = EVERYTHING;
      await post(bed.port, { headers });
      assert.deepEqual(lastContext(bed.consumer), {
        address: '127.0.0.1',
        metadata: new Map(),
        auth: new Map(),
      });
    });

    test('more than may be kept is refused for good', async (t) => {
      const bed = await startHttpBed(kind, { includesMetadata: true });
      t.after(bed.stop);
      bed.consumer.clientKeys = keysOf('x-a', 'x-b');
      const large = { 'x-a': 'a'.repeat(3900), 'x-b': 'b'.repeat(3900) };
      assert.equal((await post(bed.port, { headers: large })).status, 200);
      const refused = await post(bed.port, { headers: { ...large, 'x-b': 'b'.repeat(4500) } });
      assert.equal(refused.status, 413);
      assert.match(
        refused.body.toString('latin1'),
        /headers that are kept of a client are larger than 8192 bytes/,
      );
      assert.equal(bed.consumer.taken.length, 1);
    });

    for (const isLate of [false, true])
      test(`who was authenticated ${isLate ? 'late' : 'at once'} is kept as far as it is named`, async (t) => {
        const authenticator = new NamingAuthenticator(isLate);
        const bed = await startHttpBed(kind, { auth: gateOf(authenticator), includesMetadata: true });
        t.after(bed.stop);
        const headers = { 'x-user': 'alice', 'x-tenant': 'acme' };
        await post(bed.port, { headers });
        assert.equal(authenticator.asked, 0, 'nobody wants to know');
        bed.consumer.clientKeys = EVERYTHING;
        assert.equal((await post(bed.port, { headers })).status, 200);
        assert.deepEqual(lastContext(bed.consumer)?.auth, new Map([['user', 'alice']]));
        assert.deepEqual(lastContext(bed.consumer)?.metadata.get('x-tenant'), ['acme']);
        assert.equal((await post(bed.port, {})).status, 401);
        assert.equal(bed.consumer.taken.length, 2);
      });
  });
}

describe('clients of OTLP/gRPC', () => {
  const message = Buffer.from([0x0a, 0]);

  test('metadata is kept value by value, binary values decoded, and the authority is the host', async (t) => {
    const bed = await startGrpcBed({ includesMetadata: true });
    t.after(bed.stop);
    bed.consumer.clientKeys = keysOf('x-tenant', 'x-twice', 'x-blob-bin', 'host', 'client.address');
    const metadata = new Metadata();
    metadata.set('X-Tenant', 'acme');
    metadata.add('x-twice', '1');
    metadata.add('x-twice', '2, 3');
    metadata.add('x-blob-bin', Buffer.from([0, 0xff, 7]));
    assert.equal((await bed.client.export(message, TRACES_PATH, undefined, metadata)).code, 0);
    assert.deepEqual(lastContext(bed.consumer), {
      address: '127.0.0.1',
      metadata: new Map([
        ['host', [`127.0.0.1:${bed.port}`]],
        ['x-blob-bin', ['\u0000\u00ff\u0007']],
        ['x-tenant', ['acme']],
        ['x-twice', ['1', '2, 3']],
      ]),
      auth: new Map(),
    });
    metadata.set('x-tenant', 'a'.repeat(8200));
    const refused = await bed.client.export(message, TRACES_PATH, undefined, metadata);
    assert.deepEqual([refused.code, bed.consumer.taken.length], [8, 1]);
  });

  for (const isLate of [false, true])
    test(`who was authenticated ${isLate ? 'late' : 'at once'} is kept`, async (t) => {
      const bed = await startGrpcBed({ auth: gateOf(new NamingAuthenticator(isLate)) });
      t.after(bed.stop);
      bed.consumer.clientKeys = EVERYTHING;
      const metadata = new Metadata();
      metadata.set('x-user', 'alice');
      assert.equal((await bed.client.export(message, TRACES_PATH, undefined, metadata)).code, 0);
      const { auth, metadata: kept } = lastContext(bed.consumer)!;
      assert.deepEqual([auth.get('user'), kept.size], ['alice', 0]);
    });
});

test('addresses are printed as Go prints them', () => {
  for (const [address, wanted] of [
    ['127.0.0.1', '127.0.0.1'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['0000:0000:0000:0000:0000:ffff:0a01:0203', '10.1.2.3'],
    ['0000:0000:0000:0000:0000:0000:0000:0001', '::1'],
    ['2001:0db8:0000:0000:0000:0000:0000:00A1', '2001:db8::a1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['', ''],
  ] as const)
    assert.equal(printAddress(address), wanted);
});
