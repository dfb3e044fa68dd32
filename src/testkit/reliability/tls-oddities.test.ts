/** What scanners and broken clients do to a TLS listener (D14): the process lives, and a good client is served all the time. */
import assert from 'node:assert/strict';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { credentials } from '@grpc/grpc-js';
import { OTLPTraceExporter as GrpcTraces } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as ProtoTraces } from '@opentelemetry/exporter-trace-otlp-proto';
import type { SpanExporter } from '@opentelemetry/sdk-trace-base';
import { TestAuthority, tempDir, writePair } from '../certificates.ts';
import { afterwards } from '../e2e/storage.test-peer.ts';
import { EngineProcess, engineConfig, freePorts } from '../engine-process.ts';

/** The protocol and suite that were agreed on, or the error. */
function handshake(port: number, options: ConnectionOptions): Promise<string> {
  return new Promise((resolve) => {
    const socket = connectTls({ port, host: '127.0.0.1', ...options });
    socket.setTimeout(5000, () => socket.destroy(new Error('no answer')));
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.on('close', () => resolve('closed'));
    socket.on('secureConnect', () => {
      resolve(`${socket.getProtocol()} ${socket.getCipher().standardName}`);
      socket.destroy();
    });
  });
}

/** Sends bytes and waits for the server to close, or for a second. */
function sendRaw(port: number, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const socket = connectTcp({ port, host: '127.0.0.1' }, () => socket.write(bytes));
    const timer = setTimeout(() => socket.destroy(), 1000);
    socket.on('error', () => {});
    socket.on('data', () => {});
    socket.on('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

const told = (exporter: SpanExporter): Promise<string> =>
  new Promise((resolve) => {
    exporter.export([], ({ code, error }) => resolve(code === 0 ? 'taken' : (error?.message ?? 'failed')));
  });

async function startBed(t: TestContext) {
  const directory = await tempDir(t);
  const authority = await TestAuthority.create();
  const files = await writePair(directory, 'server', await authority.issue('server'));
  const ports = await freePorts();
  const config = JSON.parse(engineConfig(ports, { nop: null }, { signals: ['traces'] }));
  const tls = {
    cert_file: files.certFile,
    key_file: files.keyFile,
    min_version: '1.2',
    cipher_suites: ['TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256'],
  };
  config.receivers.otlp.protocols.http.tls = tls;
  config.receivers.otlp.protocols.grpc.tls = tls;
  const engine = await EngineProcess.start({
    config: JSON.stringify(config),
    dataDir: join(directory, 'data'),
  });
  afterwards(t, () => engine.kill());
  return { ports, engine, ca: authority.cert };
}

test('D14: odd server names, old versions and foreign ciphers are answered or refused, and the listener lives', {
  timeout: 180_000,
}, async (t) => {
  const { ports, engine, ca } = await startBed(t);
  const http = new ProtoTraces({
    url: `https://localhost:${ports.http}/v1/traces`,
    httpAgentOptions: { ca, keepAlive: false },
  });
  const grpc = new GrpcTraces({
    url: `https://localhost:${ports.grpc}`,
    credentials: credentials.createSsl(Buffer.from(ca)),
  });
  let isOver = false;
  const healthy = (async () => {
    for (let count = 0; ; count += 1) {
      assert.equal(await told(http), 'taken');
      assert.equal(await told(grpc), 'taken');
      if (isOver) return count;
    }
  })();
  for (const [port, protocols] of [
    [ports.http, ['http/1.1']],
    [ports.grpc, ['h2']],
  ] as const) {
    const shake = (options: ConnectionOptions) =>
      handshake(port, {
        ca,
        checkServerIdentity: () => undefined,
        ALPNProtocols: [...protocols],
        ...options,
      });
    // A name is of no account: there is one certificate, and the client decides whether it will do.
    for (const servername of [
      '',
      'x',
      '*.example.com',
      'xn--nxasmq6b',
      'a'.repeat(250),
      'LOCALHOST',
      'a b\tc',
    ]) {
      assert.match(await shake({ servername }), /^TLSv1\.3 TLS_AES_/, `server name "${servername}"`);
    }
    const old = { ciphers: 'DEFAULT@SECLEVEL=0' };
    for (const version of ['TLSv1', 'TLSv1.1'] as const) {
      const answer = await shake({ ...old, minVersion: version, maxVersion: version });
      assert.doesNotMatch(answer, /^TLSv/, version);
    }
    const twelve = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const;
    const agreed = 'TLSv1.2 TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256';
    assert.equal(await shake(twelve), agreed);
    assert.equal(
      await shake({ ...twelve, ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256' }),
      agreed,
    );
    for (const ciphers of [
      'ECDHE-ECDSA-AES256-GCM-SHA384',
      'ECDHE-RSA-AES128-GCM-SHA256',
      'NULL-SHA256@SECLEVEL=0',
    ]) {
      assert.doesNotMatch(await shake({ ...twelve, ciphers }), /^TLSv/, ciphers);
    }
    const raw = [
      Buffer.from('GET / HTTP/1.0\r\n\r\n'),
      Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
      // A record that says it is 64 KiB long, an alert before any hello, a hello of one byte.
      Buffer.from([0x16, 3, 1, 0xff, 0xff, 1]),
      Buffer.from([0x15, 3, 3, 0, 2, 2, 40]),
      Buffer.from([0x16, 3, 1, 0, 1, 1]),
      Buffer.alloc(20_000, 0x16),
    ];
    await Promise.all(raw.map((bytes) => sendRaw(port, bytes)));
  }
  isOver = true;
  assert.ok((await healthy) > 5);
  await Promise.all([http.shutdown(), grpc.shutdown()]);
  // Nothing that is left open holds up the end.
  assert.deepEqual(await engine.kill('SIGTERM'), { code: 0, signal: null }, engine.log);
});
