import assert from 'node:assert/strict';
import test from 'node:test';
import * as zlib from 'node:zlib';
import { PipelineError } from '../../component/errors.ts';
import { SIGNALS } from '../../component/signal.ts';
import { encodeExportResponse, encodeStatus } from '../../otlp/status.ts';
import { outcomeOf, testAuth, testBatch } from '../helper/otlp-exporters.test-peer.ts';
import { loadSnappy } from '../helper/snappy-codec.ts';
import { framed, type GrpcAnswer, reply, startExporter, startGrpcBackend } from './grpc-backend.test-peer.ts';

const OK: GrpcAnswer = { status: '0', body: framed(new Uint8Array(0)) };

const SERVICES = { traces: 'trace.v1.Trace', metrics: 'metrics.v1.Metrics', logs: 'logs.v1.Logs' };

for (const signal of SIGNALS) {
  test(`${signal}: slices arrive as one message of the signal's service, byte for byte`, async (t) => {
    const backend = await startGrpcBackend(t, (stream) => reply(stream, OK));
    const raw = {
      endpoint: `127.0.0.1:${backend.port}`,
      compression: 'none',
      headers: { 'X-Token': '7', 'blob-bin': 'ab' },
      authority: 'collector.example',
    };
    const { exporter } = await startExporter(t, raw, signal);
    const batch = testBatch(signal);
    assert.deepEqual(await outcomeOf(exporter, batch), { rejectedCount: 0 });
    const [{ headers, body }] = backend.taken as [(typeof backend.taken)[0]];
    assert.ok(body.equals(framed(Buffer.concat(batch.slices))));
    assert.equal(headers[':path'], `/opentelemetry.proto.collector.${SERVICES[signal]}Service/Export`);
    assert.equal(headers[':authority'], 'collector.example');
    assert.equal(headers['content-type'], 'application/grpc');
    assert.equal(headers.te, 'trailers');
    assert.equal(headers['grpc-timeout'], '5000m');
    assert.equal(headers['grpc-encoding'], undefined);
    assert.equal(headers['x-token'], '7');
    assert.equal(headers['blob-bin'], 'YWI=');
    assert.match(headers['user-agent']!, /^millrace\/\d+\.\d+\.\d+\S* \(\w+\/\w+\)$/);
  });
}

test('messages are compressed as the encoding says', async (t) => {
  const snappy = loadSnappy();
  const codecs: [string, (bytes: Uint8Array) => Uint8Array][] = [
    ['gzip', zlib.gunzipSync],
    ['snappy', (bytes) => snappy.unframe(bytes, 1 << 24)],
  ];
  if (typeof zlib.zstdDecompressSync === 'function') codecs.push(['zstd', zlib.zstdDecompressSync]);
  for (const [compression, decompress] of codecs) {
    const backend = await startGrpcBackend(t, (stream) => reply(stream, OK));
    const { exporter } = await startExporter(t, { endpoint: `127.0.0.1:${backend.port}`, compression });
    const batch = testBatch();
    await exporter.export(batch, AbortSignal.timeout(9000));
    const [{ headers, body }] = backend.taken as [(typeof backend.taken)[0]];
    assert.equal(headers['grpc-encoding'], compression);
    assert.equal(body[0], 1);
    assert.equal(body.readUInt32BE(1), body.length - 5);
    assert.ok(Buffer.concat(batch.slices).equals(decompress(body.subarray(5))), compression);
  }
});

const RETRY_INFO = encodeStatus({ code: 8, message: '', retryDelayMs: 1500 });
const RETRYABLE = [1, 4, 10, 11, 14, 15];
const PERMANENT = [2, 3, 5, 6, 7, 8, 9, 12, 13, 16, 99];
const statuses: [string, GrpcAnswer, { permanent: boolean; retryAfterMs?: number; text?: RegExp }][] = [
  ...RETRYABLE.map((code): (typeof statuses)[number] => [
    `code ${code}`,
    { status: String(code) },
    { permanent: false },
  ]),
  ...PERMANENT.map((code): (typeof statuses)[number] => [
    `code ${code}`,
    { status: String(code), body: new Uint8Array(0) },
    { permanent: true },
  ]),
  [
    'ResourceExhausted with RetryInfo',
    { status: '8', details: RETRY_INFO },
    { permanent: false, retryAfterMs: 1500 },
  ],
  [
    'Unavailable with RetryInfo',
    { status: '14', details: RETRY_INFO, body: new Uint8Array(0) },
    { permanent: false, retryAfterMs: 1500 },
  ],
  ['garbage for details', { status: '8', details: Buffer.from('\xff\xff\xff') }, { permanent: true }],
  [
    'a message in percent encoding',
    { status: '3', message: 'k%C3%B6ln 100%25' },
    { permanent: true, text: /code = InvalidArgument desc = köln 100%$/ },
  ],
  [
    'a message with a bare percent sign',
    { status: '3', message: '100% wrong' },
    { permanent: true, text: /100% wrong$/ },
  ],
  ['no number for a status', { status: 'x' }, { permanent: true }],
  ['a proxy without backend', { http: 502 }, { permanent: false }],
  ['a proxy that throttles', { http: 429, body: Buffer.from('slow') }, { permanent: false }],
  ['another kind of server', { http: 404 }, { permanent: true }],
  ['no access', { http: 401 }, { permanent: true }],
  ['no status at all', { http: 200, body: Buffer.from('<html>') }, { permanent: false }],
];

for (const [name, answer, wanted] of statuses) {
  test(`answer: ${name}`, async (t) => {
    const backend = await startGrpcBackend(t, (stream) => reply(stream, answer));
    const { exporter } = await startExporter(t, {
      endpoint: `127.0.0.1:${backend.port}`,
      headers: { authorization: 's3cret' },
    });
    const error = await outcomeOf(exporter, testBatch());
    assert.ok(error instanceof PipelineError);
    assert.equal(error.permanent, wanted.permanent, error.message);
    assert.equal(error.retryAfterMs, wanted.retryAfterMs);
    assert.equal(error.code, wanted.permanent ? 'EXPORT_REJECTED' : 'EXPORT_UNAVAILABLE');
    if (wanted.text !== undefined) assert.match(error.message, wanted.text);
    assert.doesNotMatch(error.message, /s3cret/);
    assert.equal(backend.taken.length, 1);
  });
}

const PARTIAL = encodeExportResponse({ rejectedCount: 4, message: 'four' });
const LONG_PARTIAL = encodeExportResponse({ rejectedCount: 4, message: 'four '.repeat(100) });
const taken: [string, GrpcAnswer, number, RegExp | undefined][] = [
  ['nothing at all', { status: '0' }, 0, undefined],
  ['partial success', { status: '0', body: framed(PARTIAL) }, 4, /Partial success/],
  [
    'partial success in gzip',
    { status: '0', body: framed(zlib.gzipSync(LONG_PARTIAL), 1), encoding: 'gzip' },
    4,
    /Partial success/,
  ],
  [
    'partial success in snappy',
    { status: '0', body: framed(Buffer.concat(loadSnappy().frames([LONG_PARTIAL])), 1), encoding: 'snappy' },
    4,
    /Partial success/,
  ],
  [
    'a bomb',
    { status: '0', body: framed(zlib.gzipSync(Buffer.alloc(1 << 26)), 1), encoding: 'gzip' },
    0,
    /cannot be read/,
  ],
  ['an unknown encoding', { status: '0', body: framed(PARTIAL, 1), encoding: 'br' }, 0, /cannot be read/],
  ['garbage', { status: '0', body: framed(Buffer.from('\xff\xff')) }, 0, /cannot be read/],
  ['a message that is cut off', { status: '0', body: framed(PARTIAL).subarray(0, 9) }, 0, /cannot be read/],
];

for (const [name, answer, rejectedCount, line] of taken) {
  test(`taken: ${name}`, async (t) => {
    const backend = await startGrpcBackend(t, (stream) => reply(stream, answer));
    const { exporter, lines } = await startExporter(t, { endpoint: `127.0.0.1:${backend.port}` });
    assert.deepEqual(await outcomeOf(exporter, testBatch()), { rejectedCount });
    assert.deepEqual(
      lines.map(({ message }) => line?.test(message)),
      line === undefined ? [] : [true],
    );
  });
}

test('an authenticator signs each attempt anew, cannot break the call, and may insist on TLS', async (t) => {
  const backend = await startGrpcBackend(t, (stream) => reply(stream, OK));
  const raw = { endpoint: `127.0.0.1:${backend.port}`, auth: { authenticator: 'token' } };
  await assert.rejects(startExporter(t, raw), /"token": authenticator not found/);
  await assert.rejects(startExporter(t, raw, 'traces', testAuth(true)), /"token" needs TLS/);
  const { exporter } = await startExporter(t, raw, 'traces', testAuth(false));
  for (const wanted of ['sent', 'sent', 'no token now']) {
    const end = await outcomeOf(exporter, testBatch());
    assert.equal(end instanceof PipelineError ? end.message : 'sent', wanted);
  }
  assert.deepEqual(
    backend.taken.map(({ headers }) => [headers.authorization, headers['content-type']]),
    ['1', '2'].map((call) => [`Bearer ${call}`, 'application/grpc']),
  );
});
