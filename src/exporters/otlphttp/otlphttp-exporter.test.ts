import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import * as zlib from 'node:zlib';
import { PipelineError } from '../../component/errors.ts';
import type { ExportReceipt } from '../../component/exporter.ts';
import { SIGNALS } from '../../component/signal.ts';
import { jsonToProto } from '../../otlp/json-to-proto.ts';
import { encodeExportResponse, encodeExportResponseJson, encodeStatus } from '../../otlp/status.ts';
import { TestAuthority, tempDir } from '../../testkit/certificates.ts';
import { flattenRequest } from '../../testkit/otlp-flatten.ts';
import {
  outcomeOf,
  recordingSettings,
  startHttpBackend,
  startTcpBackend,
  testAuth,
  testBatch,
} from '../helper/otlp-exporters.test-peer.ts';
import { otlpHttpConfigSchema } from './config.ts';
import { OtlpHttpExporter } from './otlphttp-exporter.ts';

const PROTO = { 'content-type': 'application/x-protobuf' };
const ok = (response: ServerResponse) => void response.writeHead(200, PROTO).end();

async function startExporter(t: TestContext, raw: object, signal: (typeof SIGNALS)[number] = 'traces') {
  const { value, issues } = otlpHttpConfigSchema.parse(raw);
  assert.deepEqual(issues, []);
  const { settings, lines } = recordingSettings('otlphttp');
  const exporter = new OtlpHttpExporter(settings, value!, signal);
  await exporter.start();
  t.after(() => exporter.shutdown());
  return { exporter, lines };
}

for (const signal of SIGNALS) {
  test(`${signal}: slices arrive as one request, byte for byte, at the signal's path`, async (t) => {
    const backend = await startHttpBackend(t, ok);
    const raw = { endpoint: `${backend.url}/base/`, compression: 'none', headers: { 'X-Token': 'ü7' } };
    const { exporter } = await startExporter(t, raw, signal);
    const batch = testBatch(signal);
    assert.deepEqual(await outcomeOf(exporter, batch), { rejectedCount: 0 });
    const [taken] = backend.taken;
    assert.equal(taken!.url, `/base/v1/${signal}`);
    assert.ok(taken!.body.equals(Buffer.concat(batch.slices)));
    assert.equal(taken!.headers['content-type'], 'application/x-protobuf');
    assert.equal(taken!.headers['content-encoding'], undefined);
    assert.equal(taken!.headers['x-token'], 'ü7');
    assert.match(taken!.headers['user-agent']!, /^millrace\/\d+\.\d+\.\d+\S* \(\w+\/\w+\)$/);
  });

  test(`${signal}: JSON says the same`, async (t) => {
    const backend = await startHttpBackend(t, ok);
    const raw = { [`${signal}_endpoint`]: `${backend.url}/here`, encoding: 'json' };
    const { exporter } = await startExporter(t, raw, signal);
    const batch = testBatch(signal);
    await exporter.export(batch, AbortSignal.timeout(9000));
    const [taken] = backend.taken;
    assert.equal(taken!.url, '/here');
    assert.equal(taken!.headers['content-type'], 'application/json');
    assert.equal(taken!.headers['content-encoding'], 'gzip');
    const proto = jsonToProto(signal, zlib.gunzipSync(taken!.body));
    // As the Collector does, the text has an empty status where there is none.
    const itemsOf = (bytes: Uint8Array) =>
      flattenRequest(signal, bytes).map((flat) => ({ ...flat, item: { status: {}, ...flat.item } }));
    assert.deepEqual(itemsOf(proto), batch.slices.flatMap(itemsOf));
  });
}

const answers: [string, (response: ServerResponse) => void, { permanent: boolean; retryAfterMs?: number }][] =
  [
    ...[429, 502, 503, 504].map((status): (typeof answers)[number] => [
      `${status}`,
      (response) => void response.writeHead(status).end('busy'),
      { permanent: false },
    ]),
    ...[301, 307, 400, 401, 404, 408, 413, 500, 501, 505].map((status): (typeof answers)[number] => [
      `${status}`,
      (response) => void response.writeHead(status, { location: 'http://127.0.0.1:9/' }).end(),
      { permanent: true },
    ]),
    [
      'Retry-After in seconds',
      (response) => void response.writeHead(503, { 'retry-after': '7' }).end(),
      { permanent: false, retryAfterMs: 7000 },
    ],
    [
      'Retry-After is not for 502',
      (response) => void response.writeHead(502, { 'retry-after': '7' }).end(),
      { permanent: false },
    ],
    [
      'Retry-After in the past',
      (response) => void response.writeHead(429, { 'retry-after': 'Wed, 21 Oct 2015 07:28:00 GMT' }).end(),
      { permanent: false },
    ],
    [
      'a negative Retry-After',
      (response) => void response.writeHead(429, { 'retry-after': '-5' }).end(),
      { permanent: false },
    ],
    [
      'RetryInfo in the body',
      (response) =>
        void response.writeHead(429, PROTO).end(encodeStatus({ code: 8, message: 'm', retryDelayMs: 1500 })),
      { permanent: false, retryAfterMs: 1500 },
    ],
    [
      'an endless error body is classified by its status',
      (response) => {
        response.writeHead(400);
        const more = () => {
          if (!response.destroyed && response.write(Buffer.alloc(64 * 1024))) setImmediate(more);
        };
        response.on('drain', more);
        more();
      },
      { permanent: true },
    ],
  ];

for (const [name, answer, wanted] of answers) {
  test(`answer: ${name}`, async (t) => {
    const backend = await startHttpBackend(t, answer);
    const { exporter } = await startExporter(t, {
      endpoint: backend.url,
      headers: { authorization: 's3cret' },
    });
    const error = await outcomeOf(exporter, testBatch());
    assert.ok(error instanceof PipelineError);
    assert.equal(error.permanent, wanted.permanent);
    assert.equal(error.retryAfterMs, wanted.retryAfterMs);
    assert.equal(error.code, wanted.permanent ? 'EXPORT_REJECTED' : 'EXPORT_UNAVAILABLE');
    assert.match(error.message, /^error exporting items, request to http.* HTTP Status Code \d+/);
    assert.doesNotMatch(error.message, /s3cret/);
    assert.equal(backend.taken.length, 1, 'neither repeated nor redirected');
  });
}

test('the text of a status is part of the error; a date to wait for counts from now', async (t) => {
  const until = new Date(Date.now() + 60_000).toUTCString();
  const backend = await startHttpBackend(t, (response) => {
    response.writeHead(429, { ...PROTO, 'retry-after': until });
    response.end(encodeStatus({ code: 8, message: 'too much' }));
  });
  const { exporter } = await startExporter(t, { endpoint: backend.url });
  const error = await outcomeOf(exporter, testBatch());
  assert.ok(error instanceof PipelineError);
  assert.match(error.message, /Code 429, Message=too much$/);
  assert.ok(error.retryAfterMs! > 50_000 && error.retryAfterMs! <= 60_000, `${error.retryAfterMs}`);
});

const taken: [string, (response: ServerResponse) => void, number, RegExp | undefined][] = [
  [
    'partial success',
    (response) =>
      void response.writeHead(200, PROTO).end(encodeExportResponse({ rejectedCount: 4, message: 'four' })),
    4,
    /Partial success response/,
  ],
  [
    'partial success in JSON',
    (response) =>
      void response
        .writeHead(202, { 'content-type': 'application/json; charset=utf-8' })
        .end(encodeExportResponseJson('traces', { rejectedCount: 5, message: '' })),
    5,
    /Partial success response/,
  ],
  [
    'more refused than sent',
    (response) =>
      void response.writeHead(200, PROTO).end(encodeExportResponse({ rejectedCount: 999, message: '' })),
    60,
    /Partial success response/,
  ],
  [
    'a warning',
    (response) =>
      void response.writeHead(200, PROTO).end(encodeExportResponse({ rejectedCount: 0, message: 'hm' })),
    0,
    /Partial success response/,
  ],
  ['another type', (response) => void response.writeHead(200).end('<html>'), 0, undefined],
  ['garbage', (response) => void response.writeHead(200, PROTO).end('\xff\xff'), 0, /cannot be read/],
  [
    'a compressed body',
    (response) =>
      void response
        .writeHead(200, { ...PROTO, 'content-encoding': 'gzip' })
        .end(zlib.gzipSync(Buffer.alloc(1 << 24))),
    0,
    /cannot be read/,
  ],
  [
    'a body that breaks off',
    (response) => {
      response.writeHead(200, { ...PROTO, 'content-length': '100' });
      response.write('x');
      setTimeout(() => response.destroy(), 20);
    },
    0,
    /cannot be read/,
  ],
];

for (const [name, answer, rejectedCount, line] of taken) {
  test(`taken: ${name}`, async (t) => {
    const backend = await startHttpBackend(t, answer);
    const { exporter, lines } = await startExporter(t, { endpoint: backend.url });
    assert.deepEqual(await outcomeOf(exporter, testBatch()), { rejectedCount });
    assert.deepEqual(
      lines.map(({ message }) => line?.test(message)),
      line === undefined ? [] : [true],
    );
  });
}

test('B9: the answer to a success is cut at 4 MiB; the batch is taken all the same', async (t) => {
  let writtenBytes = 0;
  const backend = await startHttpBackend(t, (response) => {
    response.writeHead(200, PROTO);
    const more = () => {
      if (response.destroyed) return;
      writtenBytes += 1 << 20;
      if (response.write(Buffer.alloc(1 << 20))) setImmediate(more);
    };
    response.on('drain', more);
    more();
  });
  const { exporter, lines } = await startExporter(t, { endpoint: backend.url });
  assert.deepEqual(await outcomeOf(exporter, testBatch()), { rejectedCount: 0 });
  assert.match(String(lines[0]!.fields?.error), /longer than 4194304/);
  assert.ok(writtenBytes < 64 << 20, `${writtenBytes} bytes were taken`);
});

const connections: [string, Parameters<typeof startTcpBackend>[1]][] = [
  ['closes at once', (socket) => void socket.destroy()],
  ['closes after the request', (socket) => void socket.on('data', () => socket.end())],
  ['answers with garbage', (socket) => void socket.end('HELO\r\n\r\n')],
  ['breaks off in its head', (socket) => void socket.end('HTTP/1.1 200 OK\r\nContent-Le')],
];
for (const [name, serve] of connections) {
  test(`B1: a server that ${name} is tried again`, async (t) => {
    const port = await startTcpBackend(t, serve);
    const { exporter } = await startExporter(t, { endpoint: `http://127.0.0.1:${port}` });
    const error = await outcomeOf(exporter, testBatch());
    assert.ok(error instanceof PipelineError);
    assert.deepEqual([error.code, error.permanent], ['EXPORT_UNAVAILABLE', false]);
  });
}

test('B2: a server that never reads or never answers costs one attempt its time', async (t) => {
  for (const serve of [() => undefined, (socket: { pause(): void }) => void socket.pause()]) {
    const port = await startTcpBackend(t, serve);
    const { exporter } = await startExporter(t, {
      endpoint: `http://127.0.0.1:${port}`,
      compression: 'none',
    });
    const large = { ...testBatch(), slices: Array.from({ length: 8 }, () => Buffer.alloc(4 << 20)) };
    const error = await outcomeOf(exporter, large, AbortSignal.timeout(150));
    assert.ok(error instanceof PipelineError);
    assert.deepEqual([error.code, error.permanent], ['EXPORT_TIMEOUT', false]);
  }
});

test('a refused connection is tried again', async (t) => {
  const { exporter } = await startExporter(t, { endpoint: 'http://127.0.0.1:9' });
  const error = await outcomeOf(exporter, testBatch());
  assert.ok(error instanceof PipelineError && !error.permanent);
  assert.match(error.message, /^http:\/\/127.0.0.1:9\/v1\/traces is not reachable: .*ECONNREFUSED/);
});

test('connections are kept, unless they are not wanted', async (t) => {
  for (const [extra, count] of [
    [{}, 1],
    [{ disable_keep_alives: true }, 3],
  ] as const) {
    const backend = await startHttpBackend(t, ok);
    const { exporter } = await startExporter(t, { endpoint: backend.url, ...extra });
    for (let sent = 0; sent < 3; sent++) await exporter.export(testBatch(), AbortSignal.timeout(9000));
    assert.equal(backend.connectionCount, count);
  }
});

test('a proxy gets the request with the whole URL; user information becomes a header', async (t) => {
  const proxy = await startHttpBackend(t, ok);
  const { exporter } = await startExporter(t, {
    endpoint: 'http://me:s%20cret@collector.invalid:4318',
    proxy_url: proxy.url,
  });
  assert.deepEqual(await outcomeOf(exporter, testBatch()), { rejectedCount: 0 });
  assert.equal(proxy.taken[0]!.url, 'http://collector.invalid:4318/v1/traces');
  assert.equal(proxy.taken[0]!.headers.authorization, `Basic ${btoa('me:s cret')}`);
});

test('https: unknown authorities are refused, known ones and names are checked', async (t) => {
  const authority = await TestAuthority.create();
  const pair = await authority.issue('server');
  const server = createServer(pair, (request, response) => {
    request.resume();
    request.on('end', () => ok(response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const caFile = path.join(await tempDir(t), 'ca.crt');
  await writeFile(caFile, authority.cert);
  const outcome = async (tls: object) => {
    const endpoint = `https://localhost:${(server.address() as AddressInfo).port}`;
    const { exporter } = await startExporter(t, { endpoint, tls });
    const end = await outcomeOf(exporter, testBatch());
    return end instanceof PipelineError ? (end.permanent ? 'permanent' : 'retryable') : 'sent';
  };
  assert.equal(await outcome({}), 'retryable');
  assert.equal(await outcome({ insecure: true }), 'retryable');
  assert.equal(await outcome({ ca_file: caFile }), 'sent');
  assert.equal(await outcome({ ca_file: caFile, server_name_override: 'else.where' }), 'retryable');
  assert.equal(await outcome({ insecure_skip_verify: true }), 'sent');
});

test('an authenticator signs each attempt anew, and cannot break the request', async (t) => {
  const backend = await startHttpBackend(t, ok);
  const { value } = otlpHttpConfigSchema.parse({ endpoint: backend.url, auth: { authenticator: 'token' } });
  const { settings } = recordingSettings('otlphttp');
  await assert.rejects(
    new OtlpHttpExporter(settings, value!, 'traces').start(),
    /"token": authenticator not found/,
  );
  const auth = testAuth(true);
  const exporter = new OtlpHttpExporter({ ...settings, findClientAuth: async () => auth }, value!, 'traces');
  await exporter.start();
  t.after(() => exporter.shutdown());
  const ends: (ExportReceipt | PipelineError)[] = [];
  for (let sent = 0; sent < 3; sent++) ends.push(await outcomeOf(exporter, testBatch()));
  assert.deepEqual(
    backend.taken.map(({ headers }) => [headers.authorization, headers['content-type']]),
    ['1', '2'].map((call) => [`Bearer ${call}`, 'application/x-protobuf']),
  );
  assert.ok(ends[2] instanceof PipelineError && !ends[2].permanent && /no token now/.test(ends[2].message));
});

test('a file that is missing fails the start', async () => {
  const raw = { endpoint: 'https://localhost:1', tls: { ca_file: '/nowhere/ca.crt' } };
  const exporter = new OtlpHttpExporter(
    recordingSettings('otlphttp').settings,
    otlpHttpConfigSchema.parse(raw).value!,
    'logs',
  );
  await assert.rejects(
    exporter.start(),
    (error: PipelineError) => error.code === 'START_FAILED' && /nowhere/.test(error.message),
  );
});

test('changed certificate files are used for new connections', async (t) => {
  const [old, next] = [await TestAuthority.create('old'), await TestAuthority.create('next')];
  const server = createServer(await next.issue('server'), (request, response) => {
    request.resume();
    request.on('end', () => ok(response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const caFile = path.join(await tempDir(t), 'ca.crt');
  await writeFile(caFile, old.cert);
  const { exporter } = await startExporter(t, {
    endpoint: `https://localhost:${(server.address() as AddressInfo).port}`,
    tls: { ca_file: caFile, reload_interval: '20ms' },
  });
  assert.ok((await outcomeOf(exporter, testBatch())) instanceof PipelineError);
  await writeFile(caFile, next.cert);
  for (let tries = 0; (await outcomeOf(exporter, testBatch())) instanceof PipelineError; tries++) {
    assert.ok(tries < 100, 'the new file is never used');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});
