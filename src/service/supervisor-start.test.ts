import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PipelineError } from '../component/errors.ts';
import { RecordingLogger } from '../exporters/helper/delivery.test-peer.ts';
import { systemClock } from '../stdx/clock.ts';
import { MeterAggregate } from '../telemetry/aggregate.ts';
import { ThreadMeter } from '../telemetry/registry.ts';
import { Supervisor } from './supervisor.ts';

function supervise(failpoints: string, startHangMs: number) {
  const fatal: PipelineError[] = [];
  const supervisor = new Supervisor({
    file: 'exporter-worker',
    task: 'runExporterTask',
    count: 2,
    // Without exporters the worker has nothing to open: what happens at its start is all there is.
    makeInit: (_slot, name, control, port) => ({
      ...{ name, control, port, failpoints, exporters: [], extensions: [], isDurable: true },
      logger: { level: 'error', encoding: 'json' },
    }),
    onDown: () => {},
    onFatal: (error) => fatal.push(error),
    clock: systemClock,
    logger: new RecordingLogger(),
    meter: new ThreadMeter(),
    aggregate: new MeterAggregate(systemClock),
    startHangMs,
  });
  return { supervisor, fatal };
}

test('a worker that hangs before it is ready stops the start with its name', {
  timeout: 180_000,
}, async () => {
  const { supervisor, fatal } = supervise('worker.start=hang', 3000);
  await assert.rejects(supervisor.start(), (error: unknown) => {
    assert.ok(error instanceof PipelineError);
    assert.equal(error.code, 'START_FAILED');
    assert.match(error.message, /^exporter-worker-[01]#1 hangs before it is ready$/);
    return true;
  });
  assert.equal(supervisor.missingCount, 2);
  const startedMs = systemClock.monotonicMs();
  await supervisor.stop(startedMs + 200);
  assert.ok(systemClock.monotonicMs() - startedMs < 5000, 'a hung thread holds the stop up');
  assert.deepEqual(fatal, []);
});

test('a worker that only takes its time is waited for', { timeout: 180_000 }, async () => {
  const { supervisor } = supervise('worker.start=delay:1500', 8000);
  await supervisor.start();
  assert.equal(supervisor.missingCount, 0);
  await supervisor.stop(systemClock.monotonicMs() + 2000);
});
