import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClientKeys } from '../component/client-context.ts';
import { parseCollectorConfig } from '../config/collector-config.ts';
import { BUILTIN } from '../registry/builtin.ts';
import { planThreads } from './thread-plan.ts';

function planOf(text: string) {
  const { plan, issues } = parseCollectorConfig('test.yaml', text, BUILTIN.values());
  assert.deepEqual(issues, undefined);
  return planThreads(plan!, BUILTIN, {
    dataDir: '/data',
    isDurable: true,
    pipelineWorkers: 2,
    exporterWorkers: 1,
    limits: {
      budgetBytes: 1 << 30,
      reserveBytes: 0,
      segmentBytes: 1 << 28,
      recordBytes: 1 << 20,
      flushTimeoutMs: 1000,
    },
    listNames: () => [],
  });
}

const keys = (metadata: string[] = [], auth: string[] = [], address = false): ClientKeys => ({
  address,
  metadata,
  auth,
});

const COMPONENTS = `
receivers:
  otlp: { protocols: { http: { include_metadata: true } } }
  otlp/2: { protocols: { grpc: { endpoint: 'localhost:1' } } }
processors:
  attributes:
    actions:
      - { action: insert, key: a, from_context: metadata.X-Read }
      - { action: insert, key: b, from_context: auth.raw }
      - { action: insert, key: c, from_context: client.address }
  batch: { metadata_keys: [X-Batch] }
extensions:
  headers_setter:
    headers: [{ key: a, from_context: X-Out }, { key: b, from_attribute: username }]
exporters:
  nop:
  otlphttp: { endpoint: 'http://localhost:2', auth: { authenticator: headers_setter } }
  otlphttp/own:
    endpoint: 'http://localhost:2'
    sending_queue: { batch: { partition: { metadata_keys: [X-Own] } } }
`;

test('a log keeps what its exporters part batches by, and a request carries what processors read as well', () => {
  const threads = planOf(`${COMPONENTS}
service:
  extensions: [headers_setter]
  pipelines:
    traces: { receivers: [otlp], processors: [attributes, batch], exporters: [nop, otlphttp, otlphttp/own] }
    logs: { receivers: [otlp], exporters: [otlphttp] }
    metrics: { receivers: [otlp/2], exporters: [nop] }
`);
  assert.deepEqual(threads.clientKeysByLog, [
    keys(['x-batch', 'x-out', 'x-own'], ['username']),
    keys(['x-out'], ['username']),
    undefined,
  ]);
  const routes = threads.routes.map(({ receiverId, signal, clientKeys }) => [receiverId, signal, clientKeys]);
  assert.deepEqual(routes, [
    ['otlp', 'traces', keys(['x-batch', 'x-out', 'x-own', 'x-read'], ['raw', 'username'], true)],
    ['otlp', 'logs', keys(['x-out'], ['username'])],
    ['otlp/2', 'metrics', undefined],
  ]);
  const exporters = threads.exportersByWorker
    .flat()
    .map(({ id, signal, clientKeys }) => [id, signal, clientKeys]);
  assert.deepEqual(exporters, [
    ['nop', 'traces', undefined],
    ['otlphttp', 'traces', keys(['x-out'], ['username'])],
    ['otlphttp/own', 'traces', undefined],
    ['otlphttp', 'logs', keys(['x-out'], ['username'])],
    ['nop', 'metrics', undefined],
  ]);
});

test('a configuration that names nothing of clients makes receivers keep nothing', () => {
  const threads = planOf(`${COMPONENTS}
service: { extensions: [headers_setter], pipelines: { traces: { receivers: [otlp], exporters: [nop] } } }
`);
  assert.deepEqual(threads.clientKeysByLog, [undefined]);
  assert.deepEqual(
    threads.routes.map((route) => 'clientKeys' in route),
    [false],
  );
});
