import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CollectorPlan, ComponentPlan } from '../config/collector-plan.ts';
import { readDefaults } from '../config/schema.ts';
import { telemetryShape } from '../config/telemetry-config.ts';
import type { RunCommand } from './cli.ts';
import type { Engine } from './engine.ts';
import { startupText } from './startup-text.ts';

const TELEMETRY = readDefaults(telemetryShape);

function text(options: {
  http?: { host: string | undefined; port: number };
  grpc?: { host: string | undefined; port: number };
  metrics?: { host: string; port: number };
  durability?: RunCommand['durability'];
  exporters?: ComponentPlan[];
  extensions?: ComponentPlan[];
}): string {
  const protocols = { http: options.http, grpc: options.grpc };
  const plan: CollectorPlan = {
    receivers: [{ id: 'otlp/a', type: 'otlp', config: { protocols } }],
    processors: [],
    exporters: options.exporters ?? [],
    extensions: options.extensions ?? [],
    pipelines: [],
    telemetry: { ...TELEMETRY, metrics: { ...TELEMETRY.metrics, prometheus: options.metrics } },
    warnings: [],
  };
  const command: RunCommand = {
    command: 'run',
    configs: ['x.yaml'],
    sets: [],
    dataDir: 'd',
    durability: options.durability ?? 'disk',
    workerCount: undefined,
    diskBudgetBytes: undefined,
    retain: undefined,
    isWatching: false,
    warnings: [],
  };
  return startupText(command, plan, {
    dataDir: '/var/millrace',
    memoryParts: [{ part: 'rings', bytes: 3 << 20 }],
  } as unknown as Engine);
}

test('addresses can be pasted into a browser or an SDK, whatever the form of the host', () => {
  const hosts: [string | undefined, string][] = [
    ['127.0.0.1', '127.0.0.1'],
    ['localhost', 'localhost'],
    [undefined, '0.0.0.0'],
    ['', '0.0.0.0'],
    ['::1', '[::1]'],
    ['::', '[::]'],
  ];
  for (const [host, shown] of hosts) {
    const lines = text({
      http: { host, port: 4318 },
      grpc: { host, port: 4317 },
      metrics: { host: host ?? '', port: 8888 },
    });
    for (const address of lines.match(/http:\/\/\S+/g)!) assert.ok(URL.canParse(address), address);
    assert.match(lines, /OTLP\/HTTP/);
    for (const port of ['4318   (otlp/a)', '4317   (otlp/a)', '8888/metrics'])
      assert.ok(lines.includes(`http://${shown}:${port}`), lines);
  }
});

test('what is not there is not announced', () => {
  const lines = text({ http: { host: 'h', port: 1 } });
  assert.ok(!lines.includes('gRPC') && !lines.includes('metrics') && !lines.includes('query'));
  assert.ok(!/undefined|NaN|null/.test(lines));
});

test('durability says where the data is and what memory gives up', () => {
  assert.match(text({}), /data on disk +\/var\/millrace/);
  assert.match(text({ durability: 'memory' }), /\/var\/millrace is never flushed and deleted at the end/);
});

test('the query line names the exporter and its database when the store is embedded', () => {
  const exporters = [
    { id: 'clickhouse', type: 'clickhouse', config: { endpoint: 'http://127.0.0.1:8123', database: 'otel' } },
  ];
  const extensions = [{ id: 'embedded_clickhouse', type: 'embedded_clickhouse', config: {} }];
  assert.match(text({ exporters, extensions }), /curl 'http:\/\/127\.0\.0\.1:8123\/' .*otel\.otel_traces/);
  assert.ok(!text({ exporters }).includes('curl'));
});

test('the memory line has the sum and every part', () => {
  assert.match(text({}), /memory at most +3 MiB +\(every bounded buffer full: rings 3\)/);
});
