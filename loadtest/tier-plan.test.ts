import assert from 'node:assert/strict';
import { test } from 'node:test';
import { costsFrom, planTiers, type TierCosts, type TierLoad } from './tier-plan.ts';

const COSTS: TierCosts = {
  gatewayUs: 4,
  consumeUs: 1,
  samplingUs: 1,
  deliverUs: 5,
  bytesPerTrace: 64,
};

const LOAD: TierLoad = {
  spansPerSecond: 1_000_000,
  spansPerTrace: 8,
  bytesPerSpan: 400,
  keptShare: 0.2,
  decisionWaitSeconds: 40,
  kafkaRatio: 0.1,
  kafkaReplicas: 3,
  coresPerMachine: 2,
  utilisation: 0.5,
};

test('a plan, by hand', () => {
  const plan = planTiers(COSTS, LOAD);
  assert.deepEqual(plan.gateways, { cpuUs: 4, cores: 4, machines: 4 });
  assert.deepEqual(plan.processors, { cpuUs: 3, cores: 3, machines: 3 });
  assert.equal(plan.partitions, 12);
  assert.equal(plan.kafkaInBytesPerSecond, 40_000_000);
  assert.equal(plan.kafkaWrittenBytesPerSecond, 120_000_000);
  assert.equal(plan.pendingTraces, 5_000_000);
  assert.equal(plan.numTraces, 3_333_334);
  assert.equal(plan.indexBytes, 3_333_334 * 64);
  assert.equal(plan.pendingDiskBytes, 16e9 / 3);
  assert.equal(plan.keptSpansPerSecond, 200_000);
});

test('a small load has two of each tier all the same, and nonsense is refused', () => {
  const plan = planTiers(COSTS, { ...LOAD, spansPerSecond: 1000 });
  assert.deepEqual([plan.gateways.machines, plan.processors.machines], [2, 2]);
  assert.throws(() => planTiers(COSTS, { ...LOAD, spansPerSecond: Number.NaN }), /spansPerSecond is NaN/);
  assert.throws(() => planTiers({ ...COSTS, deliverUs: -1 }, LOAD), /deliverUs is -1/);
});

test('costs come from medians; what taking a span costs is counted once, and what is missing is named', () => {
  const measured: Record<string, Record<string, number[]>> = {
    '01-http': { 'traces.cpuUs': [0.5, 0.4, 0.9] },
    '22-tail-sampling': { 'load.cpuUs': [1.5], 'sampling.bytesPerTrace': [61] },
    '29-kafka-keyed': { 'traces.cpuUs': [3] },
    '31-kafka-receiver-keyed': { 'consume.cpuUs': [1.2] },
    '34-clickhouse-and-s3': { 'traces.cpuUs': [4.5] },
  };
  assert.deepEqual(
    costsFrom((scenario) => measured[scenario]!),
    {
      gatewayUs: 3,
      consumeUs: 1.2,
      samplingUs: 1,
      deliverUs: 4,
      bytesPerTrace: 61,
    },
  );
  delete measured['29-kafka-keyed'];
  assert.throws(() => costsFrom((scenario) => measured[scenario] ?? {}), /--scenario 29-kafka-keyed/);
});
