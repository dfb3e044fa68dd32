import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PipelineError } from '../../component/errors.ts';
import type { ProcessorRequest } from '../../component/processor.ts';
import { RecordingLogger } from '../../exporters/helper/delivery.test-peer.ts';
import { systemClock } from '../../stdx/clock.ts';
import { ThreadMeter } from '../../telemetry/registry.ts';
import { configIssues } from '../helper/processor.test-peer.ts';
import { memoryLimiterProcessorFactory } from './factory.ts';
import { MemoryLimiterProcessor } from './memory-limiter-processor.ts';
import { processMemory } from './process-memory.ts';

const MIB = 1 << 20;
const REQUEST = { itemCount: 3 } as ProcessorRequest;

/** A limiter over figures of the test's own; memory and time move when the test says so. */
function limiterOf(raw: Record<string, unknown>, total = 1000 * MIB) {
  const memory = { used: 0, garbage: 0, collections: 0 };
  let nowMs = 0;
  const source = {
    usedBytes: () => memory.used,
    totalBytes: () => total,
    collect: () => {
      memory.collections++;
      memory.used -= memory.garbage;
      memory.garbage = 0;
    },
  };
  const { value, issues } = memoryLimiterProcessorFactory.configSchema.parse({
    check_interval: '1s',
    ...raw,
  });
  assert.deepEqual(issues, []);
  const logger = new RecordingLogger();
  const meter = new ThreadMeter();
  const clock = { ...systemClock, monotonicMs: () => nowMs };
  const limiter = new MemoryLimiterProcessor(
    { id: 'memory_limiter', meter, logger, clock },
    value!,
    'traces',
    source,
  );
  const isRefused = () => {
    try {
      limiter.process(REQUEST);
      return false;
    } catch (error) {
      assert.ok(error instanceof PipelineError && !error.permanent && error.code === 'MEMORY_LIMITED');
      assert.equal(error.message, 'data refused due to high memory usage');
      return true;
    }
  };
  return {
    limiter,
    memory,
    meter,
    isRefused,
    /** The next look after the check interval. */
    later: (ms = 1000) => {
      nowMs += ms;
      return isRefused();
    },
  };
}

test('limits come from MiB, else from a share of the memory, with a fifth between soft and hard', () => {
  const limits = (raw: Record<string, unknown>) => {
    const { hardBytes, softBytes } = limiterOf(raw).limiter;
    return [hardBytes / MIB, softBytes / MIB];
  };
  assert.deepEqual(limits({ limit_mib: 100 }), [100, 80]);
  assert.deepEqual(limits({ limit_mib: 100, spike_limit_mib: 30, limit_percentage: 50 }), [100, 70]);
  assert.deepEqual(limits({ limit_percentage: 50 }), [500, 400]);
  assert.deepEqual(limits({ limit_percentage: 50, spike_limit_percentage: 5 }), [500, 450]);
});

test('above the soft limit everything is refused until memory is back, looked at once an interval', () => {
  const { memory, meter, isRefused, later } = limiterOf({ limit_mib: 100 });
  assert.equal(isRefused(), false);
  memory.used = 80 * MIB;
  assert.equal(isRefused(), false, 'the interval is not over');
  assert.equal(later(), true);
  memory.used = 79 * MIB;
  assert.equal(isRefused(), true);
  assert.equal(later(), false);
  const counted = meter.takeSnapshot().counters.map(({ name, value }) => [name, value]);
  assert.deepEqual(counted, [
    ['otelcol_processor_accepted_spans', 9],
    ['otelcol_processor_memory_limiter_accepted_spans', 9],
    ['otelcol_processor_refused_spans', 6],
    ['otelcol_processor_memory_limiter_refused_spans', 6],
  ]);
});

test('a collection that frees enough refuses nothing; one that frees little makes the next one wait', () => {
  const { memory, later } = limiterOf({ limit_mib: 100 });
  Object.assign(memory, { used: 90 * MIB, garbage: 20 * MIB });
  assert.equal(later(), false);
  assert.equal(memory.collections, 1);
  memory.used = 90 * MIB;
  assert.equal(later(), true, 'ten seconds between collections below the hard limit');
  assert.equal(memory.collections, 1);
  memory.used = 120 * MIB;
  assert.equal(later(), true);
  assert.equal(memory.collections, 2, 'above the hard limit at once');
  assert.equal(later(), true);
  assert.equal(memory.collections, 2, 'it freed nothing');
  for (let i = 0; i < 60; i++) later();
  assert.ok(memory.collections > 3 && memory.collections < 9, `${memory.collections}`);
});

test('the memory of the process is read, and a collection works in this thread', () => {
  const before = processMemory.usedBytes();
  const ballast = new Uint8Array(64 * MIB).fill(1);
  const during = processMemory.usedBytes();
  assert.ok(during - before > 48 * MIB && ballast[5] === 1, `${during - before}`);
  assert.ok(processMemory.totalBytes() >= during);
  processMemory.collect();
});

test('limits that cannot be are refused', () => {
  const issues = (raw: unknown) => configIssues(memoryLimiterProcessorFactory, raw);
  assert.deepEqual(issues({}), [
    'check_interval: must be greater than zero',
    ': "limit_mib" or "limit_percentage" must be set to greater than zero',
  ]);
  const interval = { check_interval: '1s' };
  assert.match(issues({ ...interval, limit_mib: 10, spike_limit_mib: 10 })[0]!, /smaller than "limit_mib"/);
  assert.match(issues({ ...interval, limit_percentage: 101 })[0]!, /at most 100/);
  assert.match(issues({ ...interval, limit_percentage: 10, spike_limit_percentage: 20 })[0]!, /smaller than/);
});
