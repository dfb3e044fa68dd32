import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { credentials } from '@grpc/grpc-js';
import { Agent, fetch } from 'undici';
import type { TlsServerSettings } from '../../stdx/tls-settings.ts';
import { TestAuthority, tempDir, writePair } from '../../testkit/certificates.ts';
import { startHttpBed, testSettings } from './bed.test-peer.ts';
import { GrpcClient, startGrpcBed } from './grpc-bed.test-peer.ts';
import { eventually, sleep } from './http-client.test-peer.ts';
import { ListenerTls } from './listener-tls.ts';
import { TLS_DEFAULTS } from './tls.test-peer.ts';

async function makeFiles(t: TestContext) {
  const directory = await tempDir(t);
  const authority = await TestAuthority.create();
  const files = await writePair(directory, 'server', await authority.issue('server'));
  const clientCaFile = path.join(directory, 'clients.crt');
  await writeFile(clientCaFile, authority.cert);
  return { directory, authority, files, clientCaFile };
}

function listenerTls(settings: Partial<TlsServerSettings>): ListenerTls {
  return new ListenerTls({ ...TLS_DEFAULTS, ...settings }, testSettings().logger);
}

async function postTls(
  port: number,
  connect: ConnectionOptions,
  agent = new Agent({ connect: connect as object }),
) {
  try {
    const response = await fetch(`https://localhost:${port}/v1/traces`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-protobuf' },
      body: 'body',
      dispatcher: agent,
    });
    return String(response.status);
  } catch (error) {
    const { cause } = error as { cause: NodeJS.ErrnoException };
    return cause.code ?? cause.message;
  } finally {
    await agent.close();
  }
}

/** The protocol of a handshake, or the error; TLS 1.3 tells a refused client certificate after it. */
function handshake(port: number, options: ConnectionOptions): Promise<string> {
  return new Promise((resolve) => {
    const socket = connectTls({ port, host: '127.0.0.1', ...options });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.on('close', () => resolve('closed'));
    socket.on('secureConnect', () =>
      setTimeout(() => {
        // The server's order counts, and its fastest suite comes first.
        if (socket.getProtocol() === 'TLSv1.3')
          assert.equal(socket.getCipher().name, 'TLS_AES_128_GCM_SHA256');
        resolve(String(socket.getProtocol()));
        socket.destroy();
      }, 50),
    );
  });
}

test('HTTP over TLS: a real client sends, versions are honoured, nonsense leaves the listener alive', async (t) => {
  const { authority, files } = await makeFiles(t);
  const bed = await startHttpBed('http1', { server: { tls: listenerTls(files) } });
  t.after(() => bed.stop());
  assert.equal(await postTls(bed.port, { ca: authority.cert }), '200');
  assert.equal(bed.consumer.taken.length, 1);
  assert.match(await postTls(bed.port, {}), /UNABLE_TO|SELF_SIGNED/);
  const old = { ca: authority.cert, ciphers: 'DEFAULT@SECLEVEL=0' };
  assert.match(
    await handshake(bed.port, { ...old, minVersion: 'TLSv1', maxVersion: 'TLSv1.1' }),
    /ALERT|EPROTO/,
  );
  assert.equal(await handshake(bed.port, { ...old, maxVersion: 'TLSv1.2' }), 'TLSv1.2');
  assert.equal(
    await handshake(bed.port, { ca: authority.cert, servername: `${'x'.repeat(200)}.example` }),
    'ERR_TLS_CERT_ALTNAME_INVALID',
  );
  for (const bytes of ['GET / HTTP/1.1\r\n\r\n', '\u0016\u0003\u0001\u00ff\u00ff', '\u0080\u0000']) {
    const socket = connectTcp(bed.port, '127.0.0.1', () => socket.end(Buffer.from(bytes, 'latin1')));
    socket.on('error', () => {});
  }
  await eventually('refused handshakes are counted', () => {
    return (
      bed.meter.value('millrace_receiver_refused_connections{receiver=otlp,transport=http,reason=tls}') >= 4
    );
  });
  assert.equal(await postTls(bed.port, { ca: authority.cert }), '200');
});

test('mutual TLS on both protocols: only certificates of the authority get in', async (t) => {
  const { authority, files, clientCaFile } = await makeFiles(t);
  const stranger = await TestAuthority.create('stranger');
  const [good, expired, foreign] = await Promise.all([
    authority.issue('client'),
    authority.issue('client', { isExpired: true }),
    stranger.issue('client'),
  ]);
  const http = await startHttpBed('http1', { server: { tls: listenerTls({ ...files, clientCaFile }) } });
  const grpc = await startGrpcBed({ server: { tls: listenerTls({ ...files, clientCaFile }) } });
  t.after(() => http.stop());
  t.after(() => grpc.stop());
  const ca = authority.cert;
  assert.equal(await postTls(http.port, { ca, ...good }), '200');
  for (const bad of [{}, expired, foreign]) {
    assert.notEqual(await postTls(http.port, { ca, ...bad }), '200');
  }
  assert.equal(http.consumer.taken.length, 1);
  const call = async (pair: { cert?: string; key?: string }): Promise<number> => {
    const own = pair.key === undefined ? [] : [Buffer.from(pair.key), Buffer.from(pair.cert!)];
    const client = new GrpcClient(grpc.port, {}, credentials.createSsl(Buffer.from(ca), own[0], own[1]));
    t.after(() => client.close());
    return (await client.export(Buffer.from('x'), undefined, Date.now() + 2000)).code;
  };
  assert.equal(await call(good), 0);
  for (const bad of [{}, expired, foreign]) assert.notEqual(await call(bad), 0);
  assert.equal(grpc.consumer.taken.length, 1);
});

test('gRPC over TLS needs HTTP/2: another protocol is refused, and a stalled handshake does not stay at close', async (t) => {
  const { authority, files } = await makeFiles(t);
  const bed = await startGrpcBed({ server: { tls: listenerTls(files) } });
  t.after(() => bed.stop());
  assert.equal(await handshake(bed.port, { ca: authority.cert, ALPNProtocols: ['h2'] }), 'TLSv1.3');
  const http1 = await handshake(bed.port, { ca: authority.cert, ALPNProtocols: ['http/1.1'] });
  assert.match(http1, /ALERT|closed|ECONNRESET/);
  const stalled = connectTcp(bed.port, '127.0.0.1');
  stalled.on('error', () => {});
  await new Promise((resolve) => stalled.once('connect', resolve));
  await sleep(20);
  bed.stop();
  await eventually(
    'the stalled socket is gone',
    () => stalled.closed || stalled.readableEnded || stalled.destroyed,
  );
});

test('certificates are exchanged under load: no handshake fails, broken files change nothing', async (t) => {
  const { directory, authority, files } = await makeFiles(t);
  const bed = await startGrpcBed({ server: { tls: listenerTls({ ...files, reloadIntervalMs: 5 }) } });
  t.after(() => bed.stop());
  const names = new Set<string>();
  const kept = connectHttp2(`https://localhost:${bed.port}`, { ca: authority.cert });
  kept.on('error', () => {});
  t.after(() => kept.destroy());
  await new Promise((resolve) => kept.once('connect', resolve));
  for (let round = 0; round < 20; round++) {
    if (round % 5 === 4) await writeFile(files.certFile, 'broken');
    else await writePair(directory, 'server', await authority.issue(`server-${round}`));
    for (let i = 0; i < 3; i++) {
      const socket = connectTls({
        port: bed.port,
        host: '127.0.0.1',
        ca: authority.cert,
        ALPNProtocols: ['h2'],
      });
      await new Promise((resolve, reject) => {
        socket.once('secureConnect', resolve);
        socket.once('error', reject);
      });
      names.add(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
      await sleep(8);
    }
  }
  assert.ok(names.size > 5, [...names].join());
  assert.equal(kept.destroyed, false);
});
