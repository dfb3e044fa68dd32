import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { PipelineError } from '../../component/errors.ts';
import type { ComponentSettings, Logger } from '../../component/settings.ts';
import type { EngineView } from '../../component/status.ts';
import type { Clock } from '../../stdx/clock.ts';
import { healthCheckConfigSchema } from './config.ts';
import { goDuration, HealthCheckExtension } from './health-check-extension.ts';

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };
const READY_AT = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const clock: Clock = { unixMs: () => READY_AT + 62_500, monotonicMs: () => 0 };

/** What the engine would say; `reasons` is changed by the tests. */
class Engine implements Pick<EngineView, 'readiness'> {
  reasons: string[] = [];
  readiness() {
    const isReady = this.reasons.length === 0;
    return { isReady, reasons: this.reasons, readySinceUnixMs: isReady ? READY_AT : 0 };
  }
}

async function start(t: TestContext, raw: object) {
  const parsed = healthCheckConfigSchema.parse({ endpoint: '127.0.0.1:0', ...raw });
  assert.deepEqual(parsed.issues, []);
  const engine = new Engine();
  const settings: ComponentSettings = {
    id: 'health_check',
    logger: quiet,
    clock,
    meter: {
      counter: () => ({ add() {} }),
      gauge: () => ({ set() {} }),
      latency: () => ({ record() {} }),
      histogram: () => ({ record() {} }),
    },
    engine: engine as unknown as EngineView,
  };
  const extension = new HealthCheckExtension(settings, parsed.value!);
  await extension.start();
  t.after(() => extension.shutdown());
  const get = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(`http://127.0.0.1:${extension.port}${path}`, init);
    const type = response.headers.get('content-type');
    return { status: response.status, type, text: await response.text() };
  };
  return { engine, extension, get };
}

test('ready and not ready are the answers of the Collector, byte for byte but for the times', async (t) => {
  const { engine, get } = await start(t, {});
  assert.deepEqual(await get('/'), {
    status: 200,
    type: 'application/json',
    text: '{"status":"Server available","upSince":"2026-01-02T03:04:05.678Z","uptime":"1m2.5s"}',
  });
  engine.reasons = ['shutting down'];
  assert.deepEqual(await get('/any/path'), {
    status: 503,
    type: 'application/json',
    text: '{"status":"Server not available","upSince":"0001-01-01T00:00:00Z","uptime":""}',
  });
  assert.match((await get('/?verbose')).text, /"reasons":\["shutting down"\]/);
});

test('a path of its own answers there alone; texts replace the JSON, each for itself', async (t) => {
  const { engine, get } = await start(t, { path: '/health', response_body: { healthy: 'I am good' } });
  assert.deepEqual(await get('/health?x=1'), {
    status: 200,
    type: 'text/plain; charset=utf-8',
    text: 'I am good',
  });
  for (const path of ['/', '/health/', '/healthy']) assert.equal((await get(path)).status, 404, path);
  engine.reasons = ['x'];
  const { status, text } = await get('/health');
  assert.equal(status, 503);
  assert.match(text, /Server not available/);
});

test('only GET and HEAD are answered, and HEAD without a body', async (t) => {
  const { get } = await start(t, {});
  assert.equal((await get('/', { method: 'POST', body: 'x' })).status, 405);
  assert.deepEqual(await get('/', { method: 'HEAD' }), { status: 200, type: 'application/json', text: '' });
});

test('an address that is taken stops the start with its name; shutting down twice is fine', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  t.after(() => other.close());
  await new Promise((resolve) => other.once('listening', resolve));
  const { port } = other.address() as { port: number };
  await assert.rejects(start(t, { endpoint: `127.0.0.1:${port}` }), (error: unknown) => {
    assert.ok(error instanceof PipelineError);
    assert.equal(error.code, 'START_FAILED');
    assert.equal(error.message, `extension health_check: cannot listen on 127.0.0.1:${port}: EADDRINUSE`);
    return true;
  });
  const { extension } = await start(t, {});
  await extension.shutdown();
  await extension.shutdown();
});

test('keys: defaults, what has no effect warns, what is missing is refused by name', () => {
  const open = { tls: undefined, auth: undefined, cors: undefined, responseHeaders: {} };
  assert.deepEqual(healthCheckConfigSchema.parse(null).value, {
    server: { endpoint: 'localhost:13133', ...open },
    path: '/',
    responseBody: undefined,
    usesV2: false,
    http: undefined,
    grpc: undefined,
    componentHealth: { includesPermanent: false, includesRecoverable: false, recoveryMs: 0 },
  });
  const accepted = healthCheckConfigSchema.parse({
    check_collector_pipeline: { enabled: true, interval: '1m', exporter_failure_threshold: 3 },
  });
  assert.deepEqual(accepted.issues, []);
  assert.deepEqual(
    accepted.warnings?.map(({ key }) => key),
    ['check_collector_pipeline'],
  );
  const issuesOf = (raw: object) => {
    const { issues } = healthCheckConfigSchema.parse(raw);
    return issues.map(({ path, key, message }) => `${[...path, key ?? ''].join('.')} ${message}`).join('\n');
  };
  for (const [raw, message] of [
    [{ path: 'health' }, /must start with \//],
    [{ grpc: {} }, /grpc.*belongs to use_v2: true/],
    [{ use_v2: true }, /must be configured with http, grpc or both/],
    [{ use_v2: true, http: { config: { enabled: true } } }, /config.*is not supported yet/],
    [{ use_v2: true, grpc: { transport: 'unix' } }, /transport.*expected one of tcp/],
    [{ tls: {} }, /must include both certificate and key/],
    [{ auth: {} }, /authenticator.*is required/],
    [{ response_headers: { 'a b': 'x' } }, /"a b" cannot be a header/],
    [{ check_collector_pipeline: { interval: 'soon' } }, /interval/],
  ] as const)
    assert.match(issuesOf(raw), message);
  const v2 = healthCheckConfigSchema.parse({ use_v2: true, path: '/x', http: null });
  assert.deepEqual(v2.issues, []);
  assert.equal(v2.warnings?.length, 1);
});

test('durations are printed as Go prints them', () => {
  const texts = [0, 0.2, 850, 1000, 61_250, 3_600_000, 90_061_001].map(goDuration);
  assert.deepEqual(texts, ['0s', '0s', '850ms', '1s', '1m1.25s', '1h0m0s', '25h1m1.001s']);
});
