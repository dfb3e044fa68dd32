/**
 * What is known of a client, through the real program: headers of SDKs become attributes and headers of exporters, no
 * batch mixes clients, and a crash in between loses none of it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tempDir } from '../certificates.ts';
import { EngineProcess, freePorts, metricSum, until } from '../engine-process.ts';
import {
  configOf,
  deadletter,
  overGrpc,
  overHttp,
  type SentRequest,
  sendSpans,
  startGrpcSink,
  startHttpSink,
} from './metadata.test-peer.ts';
import { afterwards } from './storage.test-peer.ts';

const TENANT_HEADER = {
  headers_setter: {
    headers: [{ key: 'X-Scope-OrgID', from_context: 'X-Tenant', default_value: 'nobody' }],
  },
};
const TENANT_ATTRIBUTE = {
  attributes: {
    actions: [
      { key: 'tenant', action: 'insert', from_context: 'metadata.X-Tenant', default_value: 'nobody' },
      { key: 'peer', action: 'insert', from_context: 'client.address' },
    ],
  },
};
const toSinks = (httpPort: number, grpcPort?: number) => ({
  otlphttp: {
    endpoint: `http://127.0.0.1:${httpPort}`,
    compression: 'none',
    auth: { authenticator: 'headers_setter' },
    retry_on_failure: { initial_interval: '100ms', max_interval: '100ms' },
  },
  ...(grpcPort === undefined
    ? {}
    : {
        otlp: {
          endpoint: `127.0.0.1:${grpcPort}`,
          compression: 'none',
          tls: { insecure: true },
          auth: { authenticator: 'headers_setter' },
        },
      }),
});

/** Each span once, in a request of its client alone. */
function assertPartedByTenant(requests: readonly SentRequest[], names: readonly string[]): void {
  const seen = requests.flatMap(({ spans }) => [...spans.keys()]).sort();
  assert.deepEqual(seen, [...names].sort());
  for (const { headers, spans } of requests) {
    for (const [name, { tenant, peer }] of spans) {
      assert.equal(headers['x-scope-orgid'], name.split('-')[0]);
      assert.equal(tenant, name.split('-')[0]);
      assert.equal(peer, '127.0.0.1');
    }
  }
}

test('headers of SDKs become attributes, and headers of what is sent on, over HTTP and gRPC', async (t) => {
  const [httpSink, grpcSink, ports] = [await startHttpSink(t), await startGrpcSink(t), await freePorts()];
  const engine = await EngineProcess.start({
    config: configOf(ports, toSinks(httpSink.port, grpcSink.port), {
      extensions: TENANT_HEADER,
      processors: { ...TENANT_ATTRIBUTE, batch: { timeout: '300ms', metadata_keys: ['X-TENANT'] } },
    }),
    dataDir: await tempDir(t),
  });
  afterwards(t, () => engine.kill());
  const names: string[] = [];
  for (let round = 0; round < 6; round++) {
    for (const tenant of ['acme', 'umbrella', 'nobody']) {
      const [http, grpc] = [`${tenant}-http-${round}`, `${tenant}-grpc-${round}`];
      names.push(http, grpc);
      const isNamed = tenant !== 'nobody';
      assert.equal(await sendSpans(overHttp(ports, isNamed ? { 'x-tenant': tenant } : {}), [http]), '');
      assert.equal(await sendSpans(overGrpc(ports, isNamed ? [['X-Tenant', tenant]] : []), [grpc]), '');
    }
  }
  for (const { requests } of [httpSink, grpcSink]) {
    await until(
      'everything is delivered',
      () => requests.flatMap(({ spans }) => [...spans]).length >= names.length,
    );
    assertPartedByTenant(requests, names);
    assert.ok(requests.length < names.length, 'requests of one client are batched');
  }
});

test('a crash between the answer and the delivery keeps what is known of clients', async (t) => {
  const [sink, ports, dataDir] = [await startHttpSink(t), await freePorts(), await tempDir(t)];
  const config = configOf(ports, toSinks(sink.port), {
    extensions: TENANT_HEADER,
    processors: TENANT_ATTRIBUTE,
  });
  sink.isDown = true;
  const first = await EngineProcess.start({ config, dataDir });
  afterwards(t, () => first.kill());
  const names: string[] = [];
  for (let round = 0; round < 10; round++) {
    const name = `${['acme', 'umbrella'][round % 2]}-${round}`;
    names.push(name);
    assert.equal(await sendSpans(overHttp(ports, { 'x-tenant': name.split('-')[0]! }), [name]), '');
  }
  await first.kill();
  sink.isDown = false;
  const second = await EngineProcess.start({ config, dataDir });
  afterwards(t, () => second.kill());
  await until(
    'everything is delivered',
    () => sink.requests.flatMap(({ spans }) => [...spans]).length >= names.length,
  );
  assertPartedByTenant(sink.requests, names);
});

for (const point of ['pipeline.before_ack', 'exporter.frozen', 'exporter.sent', 'exporter.before_finish'])
  test(`killed at ${point}, nothing is lost and no client's data goes out for another`, async (t) => {
    const [sink, ports, dataDir] = [await startHttpSink(t), await freePorts(), await tempDir(t)];
    const config = configOf(
      ports,
      { otlphttp: { ...toSinks(sink.port).otlphttp, sending_queue: { batch: { flush_timeout: '50ms' } } } },
      { extensions: TENANT_HEADER, processors: TENANT_ATTRIBUTE },
    );
    const first = await EngineProcess.start({ config, dataDir, failpoints: `${point}=kill@2` });
    afterwards(t, () => first.kill());
    const accepted: string[] = [];
    for (let round = 0; !first.hasExited && round < 500; round++) {
      const tenants = ['acme', 'umbrella', 'nobody'];
      const sent = tenants.map(async (tenant) => {
        const name = `${tenant}-${round}`;
        const headers: Record<string, string> = tenant === 'nobody' ? {} : { 'x-tenant': tenant };
        if ((await sendSpans(overHttp(ports, headers), [name])) === '') accepted.push(name);
      });
      await Promise.race([Promise.all(sent), first.exit()]);
    }
    assert.equal((await first.exit()).signal, 'SIGKILL');
    const acknowledged = [...accepted];
    const second = await EngineProcess.start({ config, dataDir });
    afterwards(t, () => second.kill());
    const arrived = () => new Set(sink.requests.flatMap(({ spans }) => [...spans.keys()]));
    await until('everything that was acknowledged', () => acknowledged.every((name) => arrived().has(name)));
    for (const { headers, spans } of sink.requests) {
      for (const [name, { tenant }] of spans)
        assert.deepEqual([headers['x-scope-orgid'], tenant], Array(2).fill(name.split('-')[0]));
    }
  });

test('dead letters are sent again for their own client, and one client refused is no other', async (t) => {
  const [sink, ports, dataDir] = [await startHttpSink(t), await freePorts(), await tempDir(t)];
  const config = configOf(ports, toSinks(sink.port), {
    extensions: TENANT_HEADER,
    processors: TENANT_ATTRIBUTE,
  });
  const engine = await EngineProcess.start({ config, dataDir });
  afterwards(t, () => engine.kill());
  sink.refused = 'acme';
  const names = ['acme-1', 'umbrella-1', 'acme-2', 'umbrella-2'];
  for (const name of names) {
    assert.equal(await sendSpans(overHttp(ports, { 'x-tenant': name.split('-')[0]! }), [name]), '');
  }
  const isSetAside = async () =>
    metricSum(await engine.metrics(ports.metrics), 'millrace_deadletter_items') === 2 &&
    sink.requests.length > 0;
  await until('two dead letters', isSetAside);
  await until('the other client', () => sink.requests.flatMap(({ spans }) => [...spans]).length === 2);
  const shown = await deadletter(['show', '--data-dir', dataDir]);
  assert.match(shown, /acme-1/);
  assert.doesNotMatch(shown, /"client"/);
  sink.refused = '';
  assert.match(
    await deadletter(['retry', '--data-dir', dataDir, '--config', `yaml:${config}`]),
    /2 delivered/,
  );
  assertPartedByTenant(sink.requests, names);
});

test('who was authenticated reaches attributes and headers, and the secret shows nowhere', async (t) => {
  const [sink, ports] = [await startHttpSink(t), await freePorts()];
  const headers = [
    { key: 'X-User', from_attribute: 'username' },
    { key: 'X-Fallback', from_context: 'x-missing', default_value: 'none' },
  ];
  const engine = await EngineProcess.start({
    config: configOf(ports, toSinks(sink.port), {
      extensions: {
        headers_setter: { headers },
        basicauth: { htpasswd: { inline: 'alice:CANARY-a\nbob:CANARY-b' } },
      },
      processors: {
        attributes: { actions: [{ key: 'user', action: 'upsert', from_context: 'auth.username' }] },
      },
      auth: 'basicauth',
    }),
    dataDir: await tempDir(t),
  });
  afterwards(t, () => engine.kill());
  for (const [user, password] of [
    ['alice', 'CANARY-a'],
    ['bob', 'CANARY-b'],
  ]) {
    const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
    assert.equal(await sendSpans(overHttp(ports, { authorization }), [`${user}-http`]), '');
    assert.equal(await sendSpans(overGrpc(ports, [['authorization', authorization]]), [`${user}-grpc`]), '');
  }
  await until('four spans', () => sink.requests.flatMap(({ spans }) => [...spans]).length >= 4);
  for (const { headers: sent, spans } of sink.requests) {
    assert.equal(sent['x-fallback'], 'none');
    for (const [name, { user }] of spans)
      assert.deepEqual([sent['x-user'], user], Array(2).fill(name.split('-')[0]));
  }
  assert.doesNotMatch(engine.log, /CANARY/);
});

test('more combinations than batch may tell apart are refused for good, and known ones go on', async (t) => {
  const [sink, ports] = [await startHttpSink(t), await freePorts()];
  const { otlphttp } = toSinks(sink.port);
  const engine = await EngineProcess.start({
    config: configOf(
      ports,
      { otlphttp: { ...otlphttp, auth: undefined } },
      { processors: { batch: { metadata_keys: ['x-tenant'], metadata_cardinality_limit: 2 } } },
    ),
    dataDir: await tempDir(t),
    flags: ['--workers', '1'],
  });
  afterwards(t, () => engine.kill());
  const post = (tenant: string) =>
    fetch(`http://127.0.0.1:${ports.http}/v1/traces`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-tenant': tenant },
      body: JSON.stringify({
        resourceSpans: [
          { scopeSpans: [{ spans: [{ traceId: '1'.repeat(32), spanId: '2'.repeat(16), name: tenant }] }] },
        ],
      }),
    });
  const statuses = [];
  for (const tenant of ['a', 'b', 'c', 'a']) statuses.push((await post(tenant)).status);
  assert.deepEqual(statuses, [200, 200, 500, 200]);
  assert.match(await (await post('d')).text(), /too many batcher metadata-value combinations/);
  assert.equal((await post('x'.repeat(9000))).status, 413);
  await until('both tenants are delivered', () => sink.requests.length >= 2);
  for (const { spans } of sink.requests) assert.equal(spans.size, 1);
});
