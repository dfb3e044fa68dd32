import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type OtlpConfig, otlpConfigSchema } from './config.ts';

function parse(protocols: unknown): OtlpConfig {
  const parsed = otlpConfigSchema.parse({ protocols });
  assert.deepEqual(parsed.issues, []);
  return parsed.value!.protocols;
}

function messages(protocols: unknown): string[] {
  return otlpConfigSchema
    .parse({ protocols })
    .issues.map(({ path, key, message }) =>
      [...path, ...(key === undefined ? [] : [key]), message].join(' '),
    );
}

test('bare protocol keys switch both on with the defaults of the Collector and our bounds', () => {
  const { grpc, http } = parse({ grpc: null, http: null });
  assert.equal(grpc?.host, 'localhost');
  assert.equal(grpc.port, 4317);
  assert.equal(grpc.messageBytesMax, 4 * 1024 * 1024);
  assert.equal(grpc.concurrentStreamsMax, 128);
  assert.deepEqual(grpc.keepalive, {
    connectionIdleMsMax: Infinity,
    connectionAgeMsMax: 30 * 60_000,
    connectionAgeGraceMs: 60_000,
    timeMs: 2 * 3_600_000,
    timeoutMs: 20_000,
    pingIntervalMsMin: 10_000,
    isPingWithoutStreamAllowed: false,
  });
  assert.equal(http?.host, 'localhost');
  assert.equal(http.port, 4318);
  assert.equal(http.bodyBytesMax, 20 * 1024 * 1024);
  assert.deepEqual(http.paths, { traces: '/v1/traces', metrics: '/v1/metrics', logs: '/v1/logs' });
  assert.deepEqual(http.compressions, ['identity', 'gzip', 'zstd', 'deflate']);
  assert.equal(http.cors, undefined);
});

test('one protocol is enough, none is an error', () => {
  assert.equal(parse({ http: null }).grpc, undefined);
  const text = 'protocols must specify at least one protocol when using the OTLP receiver';
  assert.deepEqual(messages({}), [text]);
  assert.deepEqual(messages(null), [text]);
});

test('keys of the Collector reach the servers', () => {
  const { grpc, http } = parse({
    grpc: {
      endpoint: '0.0.0.0:14317',
      max_recv_msg_size_mib: 16,
      max_concurrent_streams: 7,
      read_buffer_size: 524288,
      keepalive: {
        server_parameters: { max_connection_age: '10m', max_connection_idle: '1m', time: '0s' },
        enforcement_policy: { min_time: '1m', permit_without_stream: true },
      },
    },
    http: {
      endpoint: ':14318',
      max_request_body_size: 1000,
      traces_url_path: 'custom/traces',
      compression_algorithms: ['gzip'],
      response_headers: { 'X-A': 'b' },
      read_timeout: '3s',
      cors: { allowed_origins: ['https://*.example.com'], max_age: 60 },
    },
  });
  assert.equal(grpc?.host, '0.0.0.0');
  assert.equal(grpc.messageBytesMax, 16 * 1024 * 1024);
  assert.equal(grpc.concurrentStreamsMax, 7);
  assert.equal(grpc.keepalive.connectionAgeMsMax, 600_000);
  assert.equal(grpc.keepalive.timeMs, Infinity);
  assert.equal(grpc.keepalive.isPingWithoutStreamAllowed, true);
  assert.ok(http !== undefined);
  assert.equal(http.host, undefined, 'every address');
  assert.equal(http.port, 14318);
  assert.equal(http.bodyBytesMax, 1000);
  assert.equal(http.paths.traces, '/custom/traces');
  assert.deepEqual(http.compressions, ['gzip']);
  assert.deepEqual(http.responseHeaders, { 'X-A': 'b' });
  assert.equal(http.readTimeoutMs, 3000);
  assert.equal(http.cors?.maxAgeS, 60);
});

test('what cannot be kept is refused by name', () => {
  const cases: [unknown, RegExp][] = [
    [{ grpc: { tls: {} } }, /protocols grpc tls TLS configuration must include both certificate and key/],
    [{ http: { auth: {} } }, /auth authenticator is required/],
    [
      { http: { auth: { authenticator: 'a', request_params: ['b'] } } },
      /"request_params" is not supported yet/,
    ],
    [{ http: { keep_alives_enabled: false } }, /keep_alives_enabled false is not supported yet/],
    [{ http: { compression_algorithms: ['lz4'] } }, /"lz4" is not supported yet/],
    [{ http: { compression_algorithms: ['zip'] } }, /unknown algorithm "zip"/],
    [{ http: { compression_algorithms: ['constructor'] } }, /unknown algorithm "constructor"/],
    [{ http: { logs_url_path: 'v1/traces' } }, /the paths of the signals must differ/],
    [{ http: { response_headers: { a: 'b\r\nc: d' } } }, /"a" is not a header that can be sent/],
    [{ http: { cors: { allowed_origins: ['*.*'] } } }, /more than one \*/],
    [{ grpc: { endpoint: 'localhost' } }, /endpoint expected host:port/],
    [{ grpc: { max_recv_msg_size_mib: 65 } }, /must be at most 64/],
    [{ grpc: { endpont: 'x' } }, /unknown key "endpont"/],
  ];
  for (const [protocols, pattern] of cases) assert.match(messages(protocols).join('\n'), pattern);
});
