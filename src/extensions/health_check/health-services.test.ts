import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as secureRequest } from 'node:https';
import { type TestContext, test } from 'node:test';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import type { Component } from '../../component/component.ts';
import type { ComponentSettings, Logger } from '../../component/settings.ts';
import type { ComponentState, ComponentStatus, EngineView } from '../../component/status.ts';
import { ThreadMeter } from '../../telemetry/registry.ts';
import { TestAuthority, tempDir, writePair } from '../../testkit/certificates.ts';
import { healthCheckConfigSchema } from './config.ts';
import { HealthServices } from './health-services.ts';

/** grpc/health/v1/health.proto, as gRPC publishes it. */
const HEALTH_PROTO = `syntax = "proto3"; package grpc.health.v1;
message HealthCheckRequest { string service = 1; }
message HealthCheckResponse {
  enum ServingStatus { UNKNOWN = 0; SERVING = 1; NOT_SERVING = 2; SERVICE_UNKNOWN = 3; }
  ServingStatus status = 1;
}`;
const { root } = protobuf.parse(HEALTH_PROTO);
const Request = root.lookupType('grpc.health.v1.HealthCheckRequest');
const Response = root.lookupType('grpc.health.v1.HealthCheckResponse');
const encode = (service: string) => Buffer.from(Request.encode(Request.create({ service })).finish());
const decode = (bytes: Buffer) =>
  Response.toObject(Response.decode(bytes), { enums: String, defaults: true }).status;

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };
const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const STARTED = NOW - 60_000;

class Engine {
  readonly version = '1';
  readonly startedUnixMs = STARTED;
  reasons: string[] = [];
  states = new Map<string, ComponentState>([
    ['receiver:otlp', 'ok'],
    ['exporter:a', 'ok'],
    ['exporter:b', 'ok'],
    ['extension:health_check', 'ok'],
  ]);
  errorSinceMs = NOW - 5_000;

  readiness() {
    const isReady = this.reasons.length === 0;
    return { isReady, reasons: this.reasons, readySinceUnixMs: isReady ? STARTED + 100 : 0 };
  }

  components(): ComponentStatus[] {
    return [...this.states].map(([key, state]) => {
      const [kind, id] = key.split(':') as [ComponentStatus['kind'], string];
      const isError = state.endsWith('error');
      const sinceUnixMs = isError ? this.errorSinceMs : STARTED + 50;
      return { kind, id, state, message: isError ? `${id} is down` : '', sinceUnixMs };
    });
  }

  pipelines() {
    const pipeline = { receivers: ['otlp'], processors: ['batch'] };
    return [
      { id: 'traces', signal: 'traces' as const, ...pipeline, exporters: ['a'] },
      { id: 'logs/x', signal: 'logs' as const, ...pipeline, exporters: ['b'] },
    ];
  }
}

const authenticator = {
  headerNames: ['authorization'],
  challenge: 'Bearer',
  authenticate: ([value]: (string | undefined)[]) =>
    value === 'Bearer t0k' ? { isAllowed: true } : { isAllowed: false, message: 'no' },
} as unknown as Component;

async function start(t: TestContext, raw: object) {
  const parsed = healthCheckConfigSchema.parse({ use_v2: true, ...raw });
  assert.deepEqual(parsed.issues, []);
  const engine = new Engine();
  const settings: ComponentSettings = {
    id: 'health_check',
    logger: quiet,
    clock: { unixMs: () => NOW, monotonicMs: () => 0 },
    meter: new ThreadMeter(),
    engine: engine as unknown as EngineView,
    findExtension: (id) => (id === 'bearertokenauth' ? authenticator : undefined),
  };
  const services = new HealthServices(settings, parsed.value!);
  await services.start();
  t.after(() => services.shutdown());
  const get = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(`http://127.0.0.1:${services.httpPort}${path}`, init);
    const text = await response.text();
    return { status: response.status, headers: response.headers, text };
  };
  const status = async (query = '') => {
    const { status: code, text } = await get(`/status${query}`);
    return { code, body: text === '' ? undefined : JSON.parse(text) };
  };
  return { engine, services, get, status };
}

const HTTP = { http: { endpoint: '127.0.0.1:0' } };
const GRPC = { grpc: { endpoint: '127.0.0.1:0' } };

test('the status of the whole, of a pipeline, and of every part', async (t) => {
  const { status } = await start(t, HTTP);
  const started = new Date(STARTED).toISOString();
  const wellSince = new Date(STARTED + 100).toISOString();
  assert.deepEqual(await status(), {
    code: 200,
    body: { start_time: started, healthy: true, status: 'StatusOK', status_time: wellSince },
  });
  const { body } = await status('?verbose');
  assert.deepEqual(Object.keys(body.components), ['extensions', 'pipeline:traces', 'pipeline:logs/x']);
  assert.deepEqual(Object.keys(body.components['pipeline:logs/x'].components), [
    'receiver:otlp',
    'processor:batch',
    'exporter:b',
  ]);
  assert.deepEqual(body.components.extensions.components['extension:health_check'], {
    healthy: true,
    status: 'StatusOK',
    status_time: new Date(STARTED + 50).toISOString(),
  });
  assert.equal((await status('?pipeline=logs/x')).code, 200);
  assert.equal((await status('?pipeline=nothing')).code, 404);
  const verbose = await status('?pipeline=traces&verbose');
  assert.deepEqual(Object.keys(verbose.body.components), ['receiver:otlp', 'processor:batch', 'exporter:a']);
});

test('errors of components count as configured, and only where they are', async (t) => {
  const plain = await start(t, HTTP);
  plain.engine.states.set('exporter:a', 'permanent_error');
  const { code, body } = await plain.status();
  assert.deepEqual(
    [code, body.status, body.healthy, body.error],
    [200, 'StatusPermanentError', true, 'a is down'],
  );
  const strict = await start(t, {
    ...HTTP,
    component_health: {
      include_permanent_errors: true,
      include_recoverable_errors: true,
      recovery_duration: '10s',
    },
  });
  strict.engine.states.set('exporter:a', 'permanent_error');
  assert.equal((await strict.status()).code, 500);
  assert.equal((await strict.status('?pipeline=traces')).code, 500);
  assert.equal((await strict.status('?pipeline=logs/x')).code, 200);
  strict.engine.states.set('exporter:a', 'recoverable_error');
  assert.equal((await strict.status()).code, 200, 'it may still recover');
  strict.engine.errorSinceMs = NOW - 10_001;
  const late = await strict.status();
  assert.deepEqual([late.code, late.body.status, late.body.healthy], [500, 'StatusRecoverableError', false]);
  strict.engine.states.set('exporter:b', 'fatal_error');
  assert.deepEqual((await strict.status()).body.status, 'StatusFatalError');
  assert.equal((await strict.status()).code, 500);
});

test('what does not run or takes no data is 503, and says why', async (t) => {
  const { engine, status } = await start(t, HTTP);
  engine.reasons = ['log traces takes no data'];
  const refusing = await status('?pipeline=traces');
  assert.equal(refusing.code, 503);
  assert.equal(refusing.body.error, 'log traces takes no data');
  engine.reasons = ['shutting down'];
  engine.states.set('receiver:otlp', 'stopping');
  assert.equal((await status('?pipeline=traces')).code, 503);
});

function grpcClient(t: TestContext, port: number, channel = credentials.createInsecure()): Client {
  const client = new Client(`localhost:${port}`, channel);
  t.after(() => client.close());
  return client;
}

function check(client: Client, service: string, metadata = new Metadata()): Promise<string | ServiceError> {
  const path = '/grpc.health.v1.Health/Check';
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, encode, decode, service, metadata, {}, (error, answer) =>
      resolve(error ?? answer!),
    );
  });
}

test('grpc.health.v1: Check by pipeline, Watch as states change', { timeout: 20_000 }, async (t) => {
  const { engine, services } = await start(t, GRPC);
  const client = grpcClient(t, services.grpcPort);
  assert.equal(await check(client, ''), 'SERVING');
  assert.equal(await check(client, 'traces'), 'SERVING');
  assert.equal(((await check(client, 'nothing')) as ServiceError).code, 5);
  const path = '/grpc.health.v1.Health/Watch';
  const watch = client.makeServerStreamRequest(path, encode, decode, 'traces', new Metadata(), {});
  watch.on('error', () => {});
  assert.deepEqual(await once(watch, 'data'), ['SERVING']);
  engine.reasons = ['shutting down'];
  assert.deepEqual(await once(watch, 'data'), ['NOT_SERVING']);
  assert.equal(await check(client, ''), 'NOT_SERVING');
  watch.cancel();
  const unknown = client.makeServerStreamRequest(path, encode, decode, 'nothing', new Metadata(), {});
  unknown.on('error', () => {});
  assert.deepEqual(await once(unknown, 'data'), ['SERVICE_UNKNOWN']);
  unknown.cancel();
});

test('TLS and authentication, of pages and of gRPC', { timeout: 20_000 }, async (t) => {
  const authority = await TestAuthority.create();
  const directory = await tempDir(t);
  const files = await writePair(directory, 'server', await authority.issue('localhost'));
  const tls = { cert_file: files.certFile, key_file: files.keyFile };
  const auth = { authenticator: 'bearertokenauth' };
  const { services } = await start(t, {
    http: { endpoint: '127.0.0.1:0', tls, auth, response_headers: { 'X-Site': 'a' } },
    grpc: { endpoint: '127.0.0.1:0', tls, auth },
  });
  const ask = (headers: Record<string, string>) =>
    new Promise<[number, string | undefined, unknown]>((resolve, reject) => {
      const options = { port: services.httpPort, path: '/status', ca: authority.cert, headers };
      secureRequest({ host: 'localhost', ...options, agent: false }, (response) => {
        response.resume();
        const { statusCode, headers: got } = response;
        resolve([statusCode!, got['www-authenticate'], got['x-site']]);
      })
        .on('error', reject)
        .end();
    });
  assert.deepEqual(await ask({}), [401, 'Bearer', 'a']);
  assert.deepEqual(await ask({ authorization: 'Bearer t0k' }), [200, undefined, 'a']);
  const client = grpcClient(t, services.grpcPort, credentials.createSsl(Buffer.from(authority.cert)));
  assert.equal(((await check(client, '')) as ServiceError).code, 16);
  const metadata = new Metadata();
  metadata.set('authorization', 'Bearer t0k');
  assert.equal(await check(client, '', metadata), 'SERVING');
});

test('browsers of allowed origins may read; other paths and methods are refused', async (t) => {
  const cors = { allowed_origins: ['https://app.example'], max_age: 60 };
  const { get } = await start(t, { http: { endpoint: '127.0.0.1:0', cors } });
  const origin = 'https://app.example';
  const allowed = await get('/status', { headers: { origin } });
  assert.equal(allowed.headers.get('access-control-allow-origin'), origin);
  const other = await get('/status', { headers: { origin: 'https://evil' } });
  assert.equal(other.headers.get('access-control-allow-origin'), null);
  const preflight = { origin, 'access-control-request-method': 'GET' };
  const asked = await get('/status', { method: 'OPTIONS', headers: preflight });
  assert.deepEqual([asked.status, asked.headers.get('access-control-allow-methods')], [204, 'GET, HEAD']);
  assert.equal((await get('/')).status, 404);
  assert.equal((await get('/status', { method: 'POST' })).status, 405);
});
