import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { PipelineError } from '../component/errors.ts';
import { SIGNALS, type Signal } from '../component/signal.ts';
import type { CollectorPlan } from '../config/collector-plan.ts';
import { readDefaults } from '../config/schema.ts';
import { telemetryShape } from '../config/telemetry-config.ts';
import { deliveryConfig } from '../exporters/helper/delivery.test-peer.ts';
import { BUILTIN } from '../registry/builtin.ts';
import { planThreads, type ThreadPlanOptions } from './thread-plan.ts';

interface TestPipeline {
  receivers?: string[];
  exporters: string[];
}

interface TestExporter {
  storage?: string;
  queueSize?: number;
  sizer?: 'requests' | 'items' | 'bytes';
}

/** A plan as the configuration would give it: `otlp` receivers, `nop` exporters, `file_storage` extensions. */
function collectorPlan(
  pipelines: Record<string, TestPipeline>,
  exporters: Record<string, TestExporter> = {},
  storages: Record<string, string> = {},
): CollectorPlan {
  const all = Object.values(pipelines);
  const receiverIds = [...new Set(all.flatMap(({ receivers = ['otlp'] }) => receivers))];
  const exporterIds = [...new Set(all.flatMap((pipeline) => pipeline.exporters))];
  const protocols = { http: { bodyBytesMax: 20 << 20 }, grpc: { messageBytesMax: 4 << 20 } };
  return {
    receivers: receiverIds.map((id) => ({ id, type: 'otlp', config: { protocols } })),
    processors: [],
    exporters: exporterIds.map((id) => {
      const delivery = deliveryConfig({});
      const { storage, queueSize, sizer = 'requests' } = exporters[id] ?? {};
      return {
        id,
        type: 'nop',
        config: { delivery: { ...delivery, queue: { ...delivery.queue, storage, queueSize, sizer } } },
      };
    }),
    extensions: Object.entries(storages).map(([id, directory]) => ({
      id,
      type: 'file_storage',
      config: { directory },
    })),
    pipelines: Object.entries(pipelines).map(([id, pipeline]) => ({
      id,
      signal: id.split('/')[0] as Signal,
      receivers: pipeline.receivers ?? ['otlp'],
      processors: [],
      exporters: pipeline.exporters,
    })),
    telemetry: readDefaults(telemetryShape),
    warnings: [],
  };
}

const LIMITS = {
  budgetBytes: 1 << 30,
  reserveBytes: 1,
  segmentBytes: 1 << 20,
  recordBytes: 1 << 16,
  flushTimeoutMs: 1000,
};

function planned(plan: CollectorPlan, changes: Partial<ThreadPlanOptions> = {}) {
  return planThreads(plan, BUILTIN, {
    dataDir: '/data',
    isDurable: true,
    pipelineWorkers: 1,
    exporterWorkers: 1,
    limits: LIMITS,
    listNames: () => [],
    ...changes,
  });
}

test('one log a pipeline and worker, and a route to it for each receiver and signal', () => {
  const plan = collectorPlan({
    traces: { exporters: ['nop'] },
    logs: { exporters: ['nop'] },
    metrics: { receivers: ['otlp/2'], exporters: ['nop'] },
  });
  const { routes, logsByWorker, bodyBytesMax } = planned(plan, { pipelineWorkers: 2 });
  assert.deepEqual(routes, [
    { receiverId: 'otlp', signal: 'traces', logs: [0] },
    { receiverId: 'otlp', signal: 'logs', logs: [1] },
    { receiverId: 'otlp/2', signal: 'metrics', logs: [2] },
  ]);
  assert.deepEqual(
    logsByWorker.map((logs) => logs.map(({ logId, signal, directory }) => [logId, signal, directory])),
    [0, 1].map((worker) => [
      [`traces~${worker}`, 'traces', `/data/logs/traces~${worker}`],
      [`logs~${worker}`, 'logs', `/data/logs/logs~${worker}`],
      [`metrics~${worker}`, 'metrics', `/data/logs/metrics~${worker}`],
    ]),
  );
  assert.equal(bodyBytesMax, 20 << 20);
});

test('several pipelines of one signal: the request goes to the logs of all, each read by its own exporters', () => {
  const plan = collectorPlan({
    traces: { exporters: ['nop', 'nop/b'] },
    'traces/2': { receivers: ['otlp', 'otlp/2'], exporters: ['nop/b'] },
  });
  const { routes, logsByWorker, exportersByWorker } = planned(plan);
  assert.deepEqual(routes, [
    { receiverId: 'otlp', signal: 'traces', logs: [0, 1] },
    { receiverId: 'otlp/2', signal: 'traces', logs: [1] },
  ]);
  assert.deepEqual(
    logsByWorker[0]!.map(({ cursorNames }) => cursorNames),
    [['nop', 'nop/b'], ['nop/b']],
  );
  assert.deepEqual(
    exportersByWorker[0]!.map(({ id, logs }) => [id, logs.map(({ logId }) => logId)]),
    [
      ['nop', ['traces~0']],
      ['nop/b', ['traces~0', 'traces.2f2~0']],
    ],
  );
});

test('exporters of a pipeline share a log only when they keep their queue in the same directory', () => {
  const plan = collectorPlan(
    { traces: { exporters: ['nop', 'nop/a', 'nop/b', 'nop/c'] } },
    {
      'nop/a': { storage: 'file_storage' },
      'nop/b': { storage: 'file_storage/x' },
      'nop/c': { storage: 'file_storage' },
    },
    { file_storage: '/one', 'file_storage/x': '/two' },
  );
  const { logsByWorker, routes } = planned(plan);
  assert.deepEqual(
    logsByWorker[0]!.map(({ directory, cursorNames }) => [directory, cursorNames]),
    [
      ['/data/logs/traces~0', ['nop']],
      ['/one/logs/traces@file_storage~0', ['nop/a', 'nop/c']],
      ['/two/logs/traces@file_storage.2fx~0', ['nop/b']],
    ],
  );
  assert.deepEqual(routes[0]!.logs, [0, 1, 2]);

  const memory = planned(plan, { isDurable: false, dataDir: '/tmp/x' });
  assert.deepEqual(
    memory.logsByWorker[0]!.map(({ directory, flush }) => [directory, flush]),
    [['/tmp/x/logs/traces~0', false]],
  );
});

test('a storage that is not one is a configuration error', () => {
  const wrong = collectorPlan({ traces: { exporters: ['nop'] } }, { nop: { storage: 'file_storage' } });
  assert.throws(
    () => planned(wrong),
    (error: PipelineError) => error instanceof PipelineError && error.code === 'CONFIG_INVALID',
  );
});

test('logs of a larger worker count are drained by their exporters and owned by worker 0', () => {
  const asked: string[] = [];
  const names: Record<string, string[]> = {
    '/data/logs': [
      'traces~0',
      'traces~1',
      'traces~10',
      'traces~3',
      'traces.2f2~4',
      'traces~x',
      'traces~',
      'traces~1e1',
      'traces~-1',
      'traces~3.corrupt',
      'tracesX~7',
      'lost+found',
    ],
  };
  const plan = collectorPlan({ traces: { exporters: ['nop'] }, 'traces/2': { exporters: ['nop/2'] } });
  const { logsByWorker, exportersByWorker, routes } = planned(plan, {
    pipelineWorkers: 2,
    exporterWorkers: 2,
    listNames: (directory) => {
      asked.push(directory);
      return names[directory]!;
    },
  });
  assert.deepEqual(
    logsByWorker.map((logs) => logs.map(({ logId }) => logId)),
    [
      ['traces~0', 'traces.2f2~0', 'traces~3', 'traces~10', 'traces.2f2~4'],
      ['traces~1', 'traces.2f2~1'],
    ],
  );
  assert.deepEqual(routes[0]!.logs, [0, 1], 'nothing new is written to them');
  assert.deepEqual(
    exportersByWorker.map((exporters) =>
      exporters.map(({ id, logs }) => [id, logs.map(({ logId }) => logId)]),
    ),
    [
      [['nop', ['traces~0', 'traces~1', 'traces~3', 'traces~10']]],
      [['nop/2', ['traces.2f2~0', 'traces.2f2~1', 'traces.2f2~4']]],
    ],
  );
  assert.ok(asked.every((directory) => directory === '/data/logs'));
});

test('exporter instances are dealt out evenly, each to one worker, with every log of theirs', () => {
  const signals = fc.subarray([...SIGNALS], { minLength: 1 });
  const exporterIds = fc.subarray(['nop', 'nop/a', 'nop/b', 'nop/c', 'nop/d'], { minLength: 1 });
  fc.assert(
    fc.property(
      signals,
      exporterIds,
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 1, max: 4 }),
      (kinds, ids, exporterWorkers, pipelineWorkers) => {
        const plan = collectorPlan(Object.fromEntries(kinds.map((signal) => [signal, { exporters: ids }])));
        const { exportersByWorker, logsByWorker } = planned(plan, { exporterWorkers, pipelineWorkers });
        const instances = exportersByWorker.flat();
        assert.equal(
          new Set(instances.map(({ id, signal }) => `${id} ${signal}`)).size,
          kinds.length * ids.length,
        );
        assert.equal(instances.length, kinds.length * ids.length);
        const counts = exportersByWorker.map((exporters) => exporters.length);
        assert.ok(Math.max(...counts) - Math.min(...counts) <= 1 && Math.min(...counts) >= 1);
        assert.ok(counts.length <= exporterWorkers);
        for (const { signal, logs, id } of instances) {
          assert.equal(logs.length, pipelineWorkers);
          for (const log of logs) {
            assert.ok(logsByWorker.flat().includes(log), 'the very descriptor: its words are shared');
            assert.ok(log.signal === signal && log.cursorNames.includes(id));
          }
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('distinct ids give distinct directories below the logs, whatever characters and lengths they have', () => {
  const name = fc.oneof(
    fc.string({
      unit: fc.constantFrom('a', 'B', '.', '~', '@', '/', '-', '2f', '..', 'é', '𠀀', '𠀁'),
      minLength: 1,
      maxLength: 8,
    }),
    fc.string({ unit: fc.constantFrom('a', 'é'), minLength: 60, maxLength: 1024 }),
  );
  fc.assert(
    fc.property(fc.uniqueArray(name, { minLength: 2, maxLength: 6 }), (names) => {
      const pipelines = Object.fromEntries(
        names.map((each) => [`traces/${each}`, { exporters: ['nop', 'nop/s'] }]),
      );
      const plan = collectorPlan(
        pipelines,
        { 'nop/s': { storage: 'file_storage/é' } },
        { 'file_storage/é': '/data' },
      );
      const directories = planned(plan).logsByWorker[0]!.map(({ directory }) => directory);
      assert.equal(new Set(directories).size, 2 * names.length);
      for (const directory of directories) {
        const last = directory.slice('/data/logs/'.length);
        assert.equal(directory, join('/data/logs', last));
        assert.match(last, /^[A-Za-z0-9_.@~]+$/);
        assert.ok(last.length <= 210, `${last.length} bytes`);
      }
    }),
  );
});

test('queue_size bounds the log in its own unit: the smallest of its exporters, shared out among workers', () => {
  const plan = collectorPlan(
    {
      traces: { exporters: ['nop', 'nop/a', 'nop/b'] },
      logs: { exporters: ['nop/c'] },
      metrics: { exporters: ['nop/d'] },
    },
    {
      'nop/a': { queueSize: 1000, sizer: 'items' },
      'nop/b': { queueSize: 500, sizer: 'items' },
      'nop/c': { queueSize: 64 << 20, sizer: 'bytes' },
      'nop/d': { queueSize: 10, sizer: 'requests' },
    },
  );
  const limits = planned(plan, { pipelineWorkers: 4 }).logsByWorker[3]!.map((log) => log.limits);
  assert.deepEqual(limits, [
    { ...LIMITS, itemsMax: 125 },
    { ...LIMITS, budgetBytes: 16 << 20 },
    { ...LIMITS, requestsMax: 2 },
  ]);
});

test('every log counts against one disk budget, those of earlier worker counts included', () => {
  const plan = collectorPlan({ traces: { exporters: ['nop'] }, logs: { exporters: ['nop'] } });
  const { logsByWorker } = planned(plan, { pipelineWorkers: 2, listNames: () => ['traces~5', 'logs~1'] });
  const logs = logsByWorker.flat();
  assert.equal(logs.length, 5);
  for (const { group } of logs) {
    assert.equal(group?.budgetBytes, LIMITS.budgetBytes);
    assert.deepEqual(new Set(group.logs), new Set(logs.map(({ shared }) => shared)));
  }
});
