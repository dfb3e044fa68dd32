import assert from 'node:assert/strict';
import test from 'node:test';
import { HAS_ZSTD } from '../helper/body-compression.ts';
import { isPlainText } from '../helper/grpc/config.ts';
import { parseTarget } from '../helper/grpc/target.ts';
import { otlpConfigSchema } from './config.ts';

test('defaults are the Collector’s, batches are bounded by bytes', () => {
  const { value, issues } = otlpConfigSchema.parse({ endpoint: 'collector:4317' });
  assert.deepEqual(issues, []);
  const { delivery, tls, ...own } = value!;
  assert.deepEqual(own, {
    endpoint: 'collector:4317',
    compression: 'gzip',
    keepalive: undefined,
    waitsForReady: false,
    headers: {},
    userAgent: undefined,
    balancer: 'round_robin',
    authority: undefined,
    auth: undefined,
  });
  assert.equal(tls.insecure, false);
  assert.equal(delivery.timeoutMs, 5000);
  assert.equal(delivery.queue.numConsumers, 10);
  assert.deepEqual(delivery.queue.batch, {
    flushTimeoutMs: 200,
    minSize: 2_097_152,
    maxSize: 3_670_016,
    sizer: 'bytes',
  });
});

test('a full configuration of the Collector is read', () => {
  const { value, issues, warnings } = otlpConfigSchema.parse({
    endpoint: 'https://collector:4317',
    compression: 'snappy',
    tls: { insecure: false, insecure_skip_verify: true, min_version: '1.3' },
    keepalive: { time: '20s', timeout: '5s', permit_without_stream: true },
    read_buffer_size: 123,
    write_buffer_size: 524_288,
    wait_for_ready: true,
    headers: { 'X-Tenant': 'a' },
    user_agent: 'mine',
    balancer_name: 'pick_first',
    authority: 'else.where:443',
    timeout: '10s',
    sending_queue: { num_consumers: 2, batch: { min_size: 100 } },
    retry_on_failure: { enabled: false },
  });
  assert.deepEqual(issues, []);
  assert.deepEqual(
    warnings?.map(({ key, path }) => key ?? path.at(-1)),
    ['read_buffer_size', 'write_buffer_size'],
  );
  assert.deepEqual(value!.keepalive, { timeMs: 20_000, timeoutMs: 5000, permitsWithoutStream: true });
  assert.deepEqual(value!.delivery.queue.batch, {
    flushTimeoutMs: 200,
    minSize: 100,
    maxSize: 0,
    sizer: 'items',
  });
  assert.deepEqual(otlpConfigSchema.parse({ endpoint: 'a:1', keepalive: null }).value!.keepalive, {
    timeMs: 10_000,
    timeoutMs: 10_000,
    permitsWithoutStream: false,
  });
});

const bad: [string, object, string, RegExp][] = [
  ['no endpoint', {}, 'endpoint', /requires a non-empty "endpoint"/],
  ['a bad port', { endpoint: 'localhost:http' }, 'endpoint', /invalid port "http"/],
  ['a large port', { endpoint: 'localhost:70000' }, 'endpoint', /invalid port "70000"/],
  ['no host', { endpoint: ':4317' }, 'endpoint', /expected host:port/],
  ['unknown compression', { endpoint: 'a:1', compression: 'lz4' }, 'compression', /none, gzip, snappy, zstd/],
  ['unknown balancer', { endpoint: 'a:1', balancer_name: 'random' }, 'balancer_name', /round_robin/],
  ['a name of gRPC', { endpoint: 'a:1', headers: { 'grpc-timeout': '1' } }, 'headers', /reserved/],
  ['no header name', { endpoint: 'a:1', headers: { 'a b': 's3cret' } }, 'headers', /"a b" is not a header/],
  ['a line end', { endpoint: 'a:1', headers: { a: 's3cret\r\nb: c' } }, 'headers', /value of "a"/],
  ['framing', { endpoint: 'a:1', headers: { TE: 's3cret' } }, 'headers', /connection itself/],
  ['a bad authority', { endpoint: 'a:1', authority: 'a/b' }, 'authority', /expected a host/],
  ['middlewares', { endpoint: 'a:1', middlewares: [] }, 'middlewares', /not supported/],
  ['unknown key', { endpoint: 'a:1', loadbalancer: 'x' }, 'loadbalancer', /unknown key/],
];
for (const [name, raw, key, message] of bad) {
  test(`refused: ${name}`, () => {
    const { value, issues } = otlpConfigSchema.parse(raw);
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
  const { issues } = otlpConfigSchema.parse({ endpoint: 'a:1', compression: 'zstd' });
  assert.equal(issues.length, HAS_ZSTD ? 0 : 1);
  if (!HAS_ZSTD) assert.match(issues[0]!.message, /zstd needs Node.js 22.15/);
});

test('a printed configuration shows no header values', () => {
  const { value } = otlpConfigSchema.parse({ endpoint: 'a:1', headers: { authorization: 's3cret' } });
  assert.doesNotMatch(JSON.stringify(otlpConfigSchema.redact(value!)), /s3cret/);
});

const targets: [string, object][] = [
  [
    'collector:4317',
    { isSecure: undefined, at: { host: 'collector', port: 4317 }, authority: 'collector:4317' },
  ],
  ['collector', { isSecure: undefined, at: { host: 'collector', port: 443 }, authority: 'collector' }],
  ['http://c:4317', { isSecure: false, at: { host: 'c', port: 4317 }, authority: 'c:4317' }],
  ['https://c:4317/', { isSecure: true, at: { host: 'c', port: 4317 }, authority: 'c:4317' }],
  ['dns:///c:4317', { isSecure: undefined, at: { host: 'c', port: 4317 }, authority: 'c:4317' }],
  ['dns:c:4317', { isSecure: undefined, at: { host: 'c', port: 4317 }, authority: 'c:4317' }],
  ['passthrough:///c:1', { isSecure: undefined, at: { host: 'c', port: 1 }, authority: 'c:1' }],
  ['[::1]:4317', { isSecure: undefined, at: { host: '::1', port: 4317 }, authority: '[::1]:4317' }],
  ['unix:///run/o.sock', { isSecure: undefined, at: { path: '/run/o.sock' }, authority: 'localhost' }],
  ['unix:o.sock', { isSecure: undefined, at: { path: 'o.sock' }, authority: 'localhost' }],
];
for (const [text, target] of targets) {
  test(`target ${text}`, () => assert.deepEqual(parseTarget(text), target));
}

test('a scheme wins over insecure, an authority file over insecure', () => {
  const isPlain = (endpoint: string, tls: object) => {
    const target = parseTarget(endpoint);
    return isPlainText(
      otlpConfigSchema.parse({ endpoint, tls }).value!,
      'error' in target ? undefined : target.isSecure,
    );
  };
  assert.equal(isPlain('a:1', {}), false);
  assert.equal(isPlain('a:1', { insecure: true }), true);
  assert.equal(isPlain('a:1', { insecure: true, ca_file: '/x' }), false);
  assert.equal(isPlain('https://a:1', { insecure: true }), false);
  assert.equal(isPlain('http://a:1', {}), true);
});
