import assert from 'node:assert/strict';
import test from 'node:test';
import { HAS_ZSTD } from '../helper/body-compression.ts';
import { otlpHttpConfigSchema, signalUrl } from './config.ts';

test('defaults are the Collector’s, batches are bounded by bytes', () => {
  const { value, issues } = otlpHttpConfigSchema.parse({ endpoint: 'http://c:4318' });
  assert.deepEqual(issues, []);
  const { delivery, tls, ...own } = value!;
  assert.deepEqual(own, {
    endpoint: 'http://c:4318',
    tracesEndpoint: undefined,
    metricsEndpoint: undefined,
    logsEndpoint: undefined,
    encoding: 'proto',
    compression: 'gzip',
    compressionParams: { level: undefined },
    headers: {},
    proxyUrl: undefined,
    auth: undefined,
    connectionsMax: 0,
    idleTimeoutMs: 90_000,
    disablesKeepAlives: false,
  });
  assert.equal(tls.insecure, false);
  assert.equal(delivery.timeoutMs, 30_000);
  assert.equal(delivery.queue.batch.sizer, 'bytes');
});

test('a full configuration of the Collector is read; what has no effect warns', () => {
  const { value, issues, warnings } = otlpHttpConfigSchema.parse({
    endpoint: 'https://c/',
    traces_endpoint: 'https://c/t',
    encoding: 'json',
    compression: 'deflate',
    compression_params: { level: 9 },
    headers: { authorization: 'x' },
    tls: { ca_file: '/ca' },
    proxy_url: 'http://proxy:3128',
    timeout: '10s',
    read_buffer_size: 1,
    write_buffer_size: 2,
    max_idle_conns: 3,
    max_idle_conns_per_host: 4,
    max_conns_per_host: 5,
    idle_conn_timeout: '1m',
    disable_keep_alives: true,
    http2_read_idle_timeout: '10s',
    http2_ping_timeout: '10s',
    force_attempt_http2: true,
    profiles_endpoint: 'https://c/p',
  });
  assert.deepEqual(issues, []);
  assert.deepEqual(
    warnings?.map(({ key, path }) => key ?? path.at(-1)),
    [
      'read_buffer_size',
      'write_buffer_size',
      'max_idle_conns',
      'max_idle_conns_per_host',
      'http2_read_idle_timeout',
      'http2_ping_timeout',
      'force_attempt_http2',
      'profiles_endpoint',
    ],
  );
  assert.equal(value!.connectionsMax, 5);
  assert.equal(value!.compressionParams.level, 9);
});

test('the base URL gets the signal’s path behind one slash; an own URL is taken as it is', () => {
  const urlOf = (raw: object) => signalUrl(otlpHttpConfigSchema.parse(raw).value!, 'logs');
  assert.equal(urlOf({ endpoint: 'http://c:1' }), 'http://c:1/v1/logs');
  assert.equal(urlOf({ endpoint: 'http://c:1/' }), 'http://c:1/v1/logs');
  assert.equal(urlOf({ endpoint: 'http://c:1/base' }), 'http://c:1/base/v1/logs');
  assert.equal(urlOf({ endpoint: 'http://c:1', logs_endpoint: 'http://d/x/' }), 'http://d/x/');
  assert.equal(urlOf({ traces_endpoint: 'http://d/x' }), undefined);
});

const at = { endpoint: 'http://c:1' };
const bad: [string, object, string | undefined, RegExp][] = [
  ['no endpoint', {}, undefined, /at least one endpoint must be specified/],
  ['no URL', { endpoint: 'c:4318' }, 'endpoint', /URL with scheme http, https/],
  ['unknown encoding', { ...at, encoding: 'xml' }, 'encoding', /proto, json/],
  ['lz4', { ...at, compression: 'lz4' }, 'compression', /expected one of/],
  ['a level of gzip', { ...at, compression_params: { level: 10 } }, 'compression_params', /-1 to 9/],
  [
    'a level of snappy',
    { ...at, compression: 'snappy', compression_params: { level: 3 } },
    'compression_params',
    /no levels/,
  ],
  ['a line end', { ...at, headers: { a: 's3cret\n' } }, 'headers', /value of "a"/],
  ['framing', { ...at, headers: { 'Content-Length': 's3cret' } }, 'headers', /connection itself/],
  ['cookies', { ...at, cookies: { enabled: true } }, 'cookies', /not supported/],
  ['middlewares', { ...at, middlewares: [] }, 'middlewares', /not supported/],
];
for (const [name, raw, key, message] of bad) {
  test(`refused: ${name}`, () => {
    const { value, issues } = otlpHttpConfigSchema.parse(raw);
    assert.equal(value, undefined);
    assert.deepEqual(
      issues.map((issue) => issue.key ?? issue.path[0]),
      [key],
    );
    assert.match(issues[0]!.message, message);
    assert.doesNotMatch(issues[0]!.message, /s3cret/);
  });
}

test('zstd is refused where Node.js does not have it', () => {
  const { issues } = otlpHttpConfigSchema.parse({ ...at, compression: 'zstd' });
  assert.equal(issues.length, HAS_ZSTD ? 0 : 1);
});

test('a printed configuration shows neither header values nor passwords', () => {
  const { value } = otlpHttpConfigSchema.parse({
    endpoint: 'http://u:s3cret@c:1?k=s3cret',
    headers: { authorization: 's3cret' },
    proxy_url: 'http://u:s3cret@proxy',
  });
  assert.doesNotMatch(JSON.stringify(otlpHttpConfigSchema.redact(value!)), /s3cret/);
});
