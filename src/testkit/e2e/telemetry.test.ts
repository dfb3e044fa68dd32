/** The engine's own metrics, logs and resource as the real program gives them, beside those of a running Collector. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { GrpcClient } from '../../receivers/otlp/grpc-bed.test-peer.ts';
import { METRICS } from '../../telemetry/metrics.ts';
import { parseScrape } from '../../top/exposition.ts';
import { EngineProcess, engineConfig, freePorts, metricSum, until } from '../engine-process.ts';
import { LedgerClient, ledgerRequest, SPANS_PER_REQUEST } from '../ledger-client.ts';
import { CHECKOUT } from '../source-tree.ts';
import { afterwards } from './storage.test-peer.ts';

interface Described {
  type: string;
  level: string;
  labels: string[];
}

/** Taken from a Collector 0.158 with otlp receiver, batch processor, otlp exporters and one that fails, under load. */
const COLLECTOR: Readonly<Record<string, Described>> = JSON.parse(
  readFileSync(join(CHECKOUT, 'src/telemetry/testdata/collector-0.158-metrics.json'), 'utf8'),
);

/** Names and labels that docs/telemetry.md lists as absent here. */
function writtenDifferences(): Set<string> {
  const page = readFileSync(join(CHECKOUT, 'docs', 'telemetry.md'), 'utf8');
  const table = page.split('### Differences from the Collector')[1]!.split('And these mean')[0]!;
  const rows = table.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| In the'));
  return new Set(
    rows.flatMap((row) => [...row.split('|')[1]!.matchAll(/`(\w+)`/g)].map(([, name]) => name!)),
  );
}

function describe(text: string): Map<string, Omit<Described, 'level'>> {
  const scrape = parseScrape(text);
  const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)];
  return new Map(
    types.map(([, name, type]) => {
      const samples = scrape.get(type === 'histogram' ? `${name}_count` : name!) ?? [];
      const labels = samples.flatMap((sample) => [...sample.labels.keys()]);
      return [name!, { type: type!, labels: [...new Set(labels)].sort() }];
    }),
  );
}

interface Telemetry {
  metrics?: Record<string, unknown>;
  logs?: Record<string, unknown>;
  resource?: Record<string, unknown>;
}

/** A backend that takes everything. */
async function httpSink(t: TestContext): Promise<string> {
  const server = createServer((request, response) => request.resume().on('end', () => response.end()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  afterwards(t, () => server.close().closeAllConnections());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** An engine that has taken one request by each protocol and has exporters of each outcome. */
async function scrapeOf(t: TestContext, { metrics = {}, ...rest }: Telemetry): Promise<string> {
  const ports = await freePorts();
  const dataDir = mkdtempSync(join(tmpdir(), 'millrace-own-'));
  // The absent ones show the labels of exporters that have an address.
  const absent = {
    endpoint: 'http://127.0.0.1:1',
    tls: { insecure: true },
    retry_on_failure: { enabled: false },
  };
  const exporters = {
    nop: {},
    otlp_http: { endpoint: await httpSink(t) },
    'otlp_http/absent': absent,
    otlp_grpc: { ...absent, endpoint: '127.0.0.1:1' },
  };
  const config = JSON.parse(engineConfig(ports, exporters));
  config.processors = { batch: { timeout: '50ms' } };
  config.service.pipelines.traces.processors = ['batch'];
  const { prometheus = {}, ...others } = metrics as { prometheus?: object };
  const reader = {
    pull: { exporter: { prometheus: { host: '127.0.0.1', port: ports.metrics, ...prometheus } } },
  };
  config.service.telemetry = { ...rest, metrics: { ...others, readers: [reader] } };
  const engine = await EngineProcess.start({ config: JSON.stringify(config), dataDir });
  afterwards(t, async () => {
    await engine.kill();
    rmSync(dataDir, { recursive: true, force: true });
  });
  const client = new LedgerClient({ port: ports.http, producers: 1 });
  assert.equal(await client.send(ledgerRequest(0, 0)), 200);
  client.close();
  const grpc = new GrpcClient(ports.grpc);
  assert.equal((await grpc.export(ledgerRequest(0, 1))).code, 0);
  grpc.close();
  let text = '';
  await until('delivery', async () => {
    text = await engine.metrics(ports.metrics);
    const sent = /^otelcol_exporter_sent_spans(?:_total)?\{[^}]*exporter="(?:otlp_http|nop)".* 8$/gm;
    const failed = /^otelcol_exporter_send_failed_spans(?:_total)?\{.* 8$/gm;
    return text.match(sent)?.length === 2 && text.match(failed)?.length === 2;
  });
  return text;
}

test("names, types and labels on the scrape are the Collector's, but for the written differences", {
  timeout: 180_000,
}, async (t) => {
  const ours = describe(await scrapeOf(t, { metrics: { level: 'detailed' } }));
  const differences = writtenDifferences();
  assert.ok(differences.size >= 3, 'the table of the page was not found');
  const unused = new Set(differences);
  for (const [name, { type, labels }] of Object.entries(COLLECTOR)) {
    for (const label of labels) unused.delete(label);
    if (differences.has(name)) {
      assert.equal(ours.get(name), undefined, `${name} is there: strike it from the page`);
      unused.delete(name);
      continue;
    }
    const own = ours.get(name);
    assert.ok(own !== undefined, `${name} is missing and not on the page`);
    assert.equal(own.type, type, `type of ${name}`);
    const wanted = labels.filter((label) => !differences.has(label));
    assert.deepEqual(own.labels, wanted, `labels of ${name}`);
  }
  assert.deepEqual([...unused], [], 'differences that the Collector does not have either');
});

test('a metric that both have shows from the same level on', () => {
  const both = METRICS.filter(({ name }) => Object.hasOwn(COLLECTOR, name));
  assert.ok(both.length > 15);
  for (const { name, level, kind } of both) {
    assert.deepEqual([name, level, kind], [name, COLLECTOR[name]!.level, COLLECTOR[name]!.type]);
  }
});

test('level basic leaves the rest out, with the same figures', { timeout: 180_000 }, async (t) => {
  const text = await scrapeOf(t, { metrics: { level: 'basic' } });
  const shown = [...describe(text).keys()].filter((name) => name !== 'target_info');
  const allowed = new Set(METRICS.filter(({ level }) => level === 'basic').map(({ name }) => name));
  assert.deepEqual(
    shown.filter((name) => !allowed.has(name)),
    [],
  );
  assert.equal(metricSum(text, 'otelcol_receiver_accepted_spans'), 2 * SPANS_PER_REQUEST);
  const capacity = metricSum(text, 'otelcol_exporter_queue_capacity');
  assert.ok(metricSum(text, 'otelcol_exporter_queue_size') < capacity / 1000);
});

test('suffixes, constant labels and the resource as configured', { timeout: 180_000 }, async (t) => {
  const text = await scrapeOf(t, {
    resource: { 'service.name': 'gateway', 'service.version': null, 'deployment.environment': 'a"b' },
    metrics: {
      prometheus: {
        without_type_suffix: false,
        without_units: false,
        with_resource_constant_labels: { included: ['service.name', 'no.such'] },
      },
    },
  });
  const lines = text.split('\n');
  assert.ok(
    lines.includes(
      'otelcol_receiver_accepted_spans_total{receiver="otlp",service_name="gateway",transport="http"} 4',
    ),
    text,
  );
  const info = lines.find((line) => line.startsWith('target_info{'))!;
  const uuid = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
  assert.match(
    info,
    new RegExp(
      `^target_info\\{deployment_environment="a\\\\"b",service_instance_id="${uuid}",service_name="gateway"\\} 1$`,
    ),
  );
  // Names that the Collector printed with the same settings.
  for (const name of [
    ...['otelcol_process_cpu_seconds_total', 'otelcol_process_uptime_seconds_total'],
    ...['otelcol_process_memory_rss_bytes', 'otelcol_process_runtime_heap_alloc_bytes'],
    ...['otelcol_process_runtime_total_sys_memory_bytes', 'otelcol_receiver_refused_spans_total'],
  ]) {
    assert.ok(describe(text).has(name), name);
  }
});

test('log lines go where they are sent, with their first fields, from every thread; repeated ones are thinned', {
  timeout: 30_000,
}, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-log-'));
  afterwards(t, () => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'own.log');
  const ports = await freePorts();
  const config = JSON.parse(engineConfig(ports, { debug: { verbosity: 'basic' } }));
  config.service.telemetry.logs = {
    encoding: 'json',
    output_paths: [file],
    initial_fields: { site: 'a' },
    sampling: { tick: '1h', initial: 2, thereafter: 0 },
  };
  const start = { config: JSON.stringify(config), dataDir: join(directory, 'data') };
  const engine = await EngineProcess.start(start);
  afterwards(t, () => engine.kill());
  const client = new LedgerClient({ port: ports.http, producers: 1 });
  for (let i = 0; i < 5; i++) assert.equal(await client.send(ledgerRequest(0, i)), 200);
  client.close();
  await until('delivery', async () => {
    return metricSum(await engine.metrics(ports.metrics), 'millrace_exporter_queue_items') === 0;
  });
  assert.equal((await engine.kill('SIGTERM')).code, 0);
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  const events = lines.map((line) => JSON.parse(line) as Record<string, string>);
  assert.ok(events.length >= 2, lines.join('\n'));
  for (const event of events) {
    assert.equal(event.site, 'a');
    assert.match(event.ts!, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  }
  assert.ok(events.some(({ msg }) => msg === 'stopping'));
  assert.ok(!engine.log.includes('"msg"'), engine.log);
  const counts = new Map<string, number>();
  for (const { msg, worker } of events) {
    const key = `${worker} ${msg}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  assert.ok(
    [...counts.keys()].some((key) => /^exporter-worker/.test(key)),
    [...counts.keys()].join('\n'),
  );
  for (const [key, count] of counts) assert.ok(count <= 2, `${key}: ${count} lines`);
});

test('an output that cannot be opened stops the start and is named', { timeout: 180_000 }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-log-'));
  afterwards(t, () => rmSync(directory, { recursive: true, force: true }));
  const config = JSON.parse(engineConfig(await freePorts(), { nop: {} }));
  config.service.telemetry.logs = { output_paths: [join(directory, 'no', 'own.log')] };
  const engine = EngineProcess.spawn({ config: JSON.stringify(config), dataDir: join(directory, 'data') });
  assert.deepEqual(await engine.exit(), { code: 1, signal: null });
  assert.match(engine.log, /error: service::telemetry::logs::output_paths: cannot open .*own\.log: ENOENT/);
});
