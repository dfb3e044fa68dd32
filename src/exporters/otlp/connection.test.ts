/** Connections of the gRPC client: what fails, what is waited for, where calls go. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { PipelineError } from '../../component/errors.ts';
import { TestAuthority, tempDir, writePair } from '../../testkit/certificates.ts';
import { freePort } from '../../testkit/engine-process.ts';
import { outcomeOf, startTcpBackend, testBatch } from '../helper/otlp-exporters.test-peer.ts';
import { framed, type GrpcAnswer, reply, startExporter, startGrpcBackend } from './grpc-backend.test-peer.ts';

const OK: GrpcAnswer = { status: '0', body: framed(new Uint8Array(0)) };
const LARGE = { ...testBatch(), slices: Array.from({ length: 8 }, () => Buffer.alloc(4 << 20)) };

async function failure(t: TestContext, raw: object, timeoutMs = 9000, batch = testBatch()) {
  const { exporter } = await startExporter(t, raw);
  const error = await outcomeOf(exporter, batch, AbortSignal.timeout(timeoutMs));
  assert.ok(error instanceof PipelineError, 'must fail');
  assert.equal(error.permanent, false);
  return error;
}

test('B1: what is no gRPC server, or none at all, is tried again', async (t) => {
  const refused = await failure(t, { endpoint: `127.0.0.1:${await freePort()}` });
  assert.match(refused.message, /is not reachable: .*ECONNREFUSED/);
  const closing = await startTcpBackend(t, (socket) => void socket.destroy());
  assert.equal((await failure(t, { endpoint: `127.0.0.1:${closing}` })).code, 'EXPORT_UNAVAILABLE');
  const talking = await startTcpBackend(t, (socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  assert.equal((await failure(t, { endpoint: `127.0.0.1:${talking}` })).code, 'EXPORT_UNAVAILABLE');
  const nowhere = await failure(t, { endpoint: 'collector.invalid:4317' });
  assert.equal(nowhere.code, 'EXPORT_UNAVAILABLE');
});

test('B2: a server that says nothing costs one attempt its time, before and after its settings', async (t) => {
  const silent = await startTcpBackend(t, () => undefined);
  const error = await failure(t, { endpoint: `127.0.0.1:${silent}` }, 100);
  assert.equal(error.code, 'EXPORT_TIMEOUT');
  const backend = await startGrpcBackend(t, () => undefined);
  const stalled = await failure(t, { endpoint: `127.0.0.1:${backend.port}` }, 100);
  assert.equal(stalled.code, 'EXPORT_TIMEOUT');
  assert.equal(backend.taken.length, 1);
});

test('B3: a server that stops reading costs one attempt its time; the next one is not held up', async (t) => {
  let calls = 0;
  const backend = await startGrpcBackend(t, (stream) => (++calls > 2 ? reply(stream, OK) : undefined), {
    isDeaf: true,
  });
  const raw = { endpoint: `127.0.0.1:${backend.port}`, compression: 'none' };
  const { exporter } = await startExporter(t, raw);
  for (let sent = 0; sent < 2; sent++) {
    const error = await outcomeOf(exporter, LARGE, AbortSignal.timeout(100));
    assert.ok(error instanceof PipelineError && error.code === 'EXPORT_TIMEOUT', String(error));
  }
  assert.deepEqual(await outcomeOf(exporter, LARGE), { rejectedCount: 0 });
  assert.equal(backend.sessions.length, 1);
});

test('a server that answers without reading is believed, and the connection goes on', async (t) => {
  const backend = await startGrpcBackend(t, (stream) => reply(stream, { status: '14' }), { isDeaf: true });
  const { exporter } = await startExporter(t, { endpoint: `127.0.0.1:${backend.port}`, compression: 'none' });
  for (let sent = 0; sent < 3; sent++) {
    const error = await outcomeOf(exporter, LARGE);
    assert.ok(error instanceof PipelineError && /code = Unavailable/.test(error.message), String(error));
  }
  assert.equal(backend.sessions.length, 1);
});

test('streams that are reset, and connections that go away, are tried again on what works', async (t) => {
  let count = 0;
  const backend = await startGrpcBackend(t, (stream) => {
    count++;
    if (count === 1) stream.close(2);
    else if (count === 2) stream.session!.destroy();
    else reply(stream, OK);
  });
  const { exporter } = await startExporter(t, { endpoint: `127.0.0.1:${backend.port}` });
  for (const end of ['EXPORT_UNAVAILABLE', 'EXPORT_UNAVAILABLE', undefined, undefined]) {
    const outcome = await outcomeOf(exporter, testBatch());
    assert.equal(outcome instanceof PipelineError ? outcome.code : undefined, end);
  }
  assert.equal(backend.sessions.length, 2);
  backend.sessions[1]!.goaway();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(await outcomeOf(exporter, testBatch()), { rejectedCount: 0 });
  assert.equal(backend.sessions.length, 3, 'no call on a connection that goes away');
});

test('B9: an answer longer than 4 MiB is cut and not sent again', async (t) => {
  const backend = await startGrpcBackend(t, (stream) =>
    reply(stream, { status: '0', body: Buffer.alloc(16 << 20) }),
  );
  const { exporter } = await startExporter(t, { endpoint: `127.0.0.1:${backend.port}` });
  const error = await outcomeOf(exporter, testBatch());
  assert.ok(error instanceof PipelineError && error.permanent);
  assert.match(error.message, /longer than 4194304/);
});

test('many large messages at once share one connection', async (t) => {
  const backend = await startGrpcBackend(t, (stream) => reply(stream, OK));
  const { exporter } = await startExporter(t, { endpoint: `127.0.0.1:${backend.port}`, compression: 'none' });
  const outcomes = await Promise.all(Array.from({ length: 6 }, () => outcomeOf(exporter, LARGE)));
  assert.deepEqual(
    outcomes,
    outcomes.map(() => ({ rejectedCount: 0 })),
  );
  assert.equal(backend.sessions.length, 1);
  assert.deepEqual([...new Set(backend.taken.map(({ body }) => body.length))], [(32 << 20) + 5]);
});

test('wait_for_ready waits for a server that comes later', async (t) => {
  const { exporter } = await startExporter(t, {
    endpoint: `unix://${path.join(await tempDir(t), 'otlp.sock')}`,
    wait_for_ready: true,
  });
  const early = await outcomeOf(exporter, testBatch(), AbortSignal.timeout(100));
  assert.ok(early instanceof PipelineError && early.code === 'EXPORT_TIMEOUT');
  const socketPath = path.join(await tempDir(t), 'late.sock');
  const late = await startExporter(t, { endpoint: `unix:${socketPath}`, wait_for_ready: true });
  const sending = outcomeOf(late.exporter, testBatch());
  const backend = await startGrpcBackend(t, (stream) => reply(stream, OK), { path: socketPath });
  assert.deepEqual(await sending, { rejectedCount: 0 });
  assert.equal(backend.taken[0]!.headers[':authority'], 'localhost');
});

test('keepalive pings while nothing is sent only if it may', async (t) => {
  for (const isPermitted of [true, false]) {
    const backend = await startGrpcBackend(t, (stream) => reply(stream, OK));
    const keepalive = { time: '20ms', timeout: '1s', permit_without_stream: isPermitted };
    const { exporter } = await startExporter(t, { endpoint: `127.0.0.1:${backend.port}`, keepalive });
    await exporter.export(testBatch(), AbortSignal.timeout(9000));
    await new Promise((resolve) => setTimeout(resolve, 150));
    assert.equal(backend.pingCount > 0, isPermitted, `${backend.pingCount} pings`);
  }
});

test('TLS: on unless insecure, with authorities, names and client certificates', async (t) => {
  const authority = await TestAuthority.create();
  const pair = await authority.issue('server');
  const backend = await startGrpcBackend(t, (stream) => reply(stream, OK), { tls: pair });
  const directory = await tempDir(t);
  const caFile = path.join(directory, 'ca.crt');
  await writeFile(caFile, authority.cert);
  const { certFile, keyFile } = await writePair(directory, 'client', await authority.issue('client'));
  const outcome = async (endpoint: string, tls: object, more: object = {}) => {
    const { exporter } = await startExporter(t, { endpoint, tls, ...more });
    const end = await outcomeOf(exporter, testBatch());
    return end instanceof PipelineError ? (end.permanent ? 'permanent' : 'retryable') : 'sent';
  };
  const at = `localhost:${backend.port}`;
  const client = { ca_file: caFile, cert_file: certFile, key_file: keyFile };
  assert.equal(await outcome(at, { ca_file: caFile }), 'sent');
  assert.equal(await outcome(`https://${at}`, { ...client, insecure: true }), 'sent');
  assert.equal(await outcome(at, { insecure: true, ca_file: caFile }), 'sent');
  assert.equal(await outcome(at, {}), 'retryable');
  assert.equal(await outcome(at, { insecure: true }), 'retryable');
  assert.equal(await outcome(at, { insecure_skip_verify: true }), 'sent');
  assert.equal(await outcome(at, { ca_file: caFile, server_name_override: 'else.where' }), 'retryable');
  assert.equal(await outcome(at, { ca_file: caFile }, { authority: 'else.where' }), 'retryable');
  assert.equal(await outcome(`127.0.0.1:${backend.port}`, { ca_file: caFile }), 'sent');
});
