import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ClientContext, NO_CLIENT_CONTEXT } from '../../component/client-context.ts';
import { systemClock } from '../../stdx/clock.ts';
import { MeterAggregate } from '../../telemetry/aggregate.ts';
import { configIssues, encodeRequest, processorBed } from '../helper/processor.test-peer.ts';
import { batchProcessorFactory } from './factory.ts';

const bytes = encodeRequest('logs', {
  resource_logs: [{ scope_logs: [{ log_records: [{ body: { string_value: 'a' } }] }] }],
});

const clientOf = (...tenants: string[]): ClientContext => ({
  ...NO_CLIENT_CONTEXT,
  metadata: new Map([
    ['x-tenant', tenants],
    ['x-other', [String(Math.sqrt(tenants.length))]],
  ]),
});

test('one combination too many is refused for good, and those that are known are not', async () => {
  const config = { metadata_keys: ['X-Tenant'], metadata_cardinality_limit: 3 };
  const bed = await processorBed('logs', [[batchProcessorFactory, config]]);
  const process = (client?: ClientContext) => bed.process(bytes, client).itemCount;
  // Values are compared as a list, and to have none is a combination as well.
  for (const client of [clientOf('a'), clientOf('a', 'b'), undefined, clientOf('a')])
    assert.equal(process(client), 1);
  const wanted = {
    code: 'METADATA_CARDINALITY',
    permanent: true,
    message: 'too many batcher metadata-value combinations',
  };
  assert.throws(() => process(clientOf('c')), wanted);
  assert.throws(() => process(clientOf('c')), wanted);
  assert.equal(process(clientOf('a', 'b')), 1);
  const aggregate = new MeterAggregate(systemClock);
  aggregate.update('test', bed.meter.takeSnapshot());
  const gauge = aggregate
    .gauges()
    .find(({ name }) => name === 'otelcol_processor_batch_metadata_cardinality');
  assert.deepEqual([gauge?.value, gauge?.labels], [3, { processor: 'batch' }]);
});

test('without a limit or without keys nothing is refused', async () => {
  for (const config of [
    { metadata_keys: ['x-tenant'], metadata_cardinality_limit: 0 },
    { metadata_cardinality_limit: 1 },
  ]) {
    const bed = await processorBed('logs', [[batchProcessorFactory, config]]);
    for (let i = 0; i < 2000; i++) assert.equal(bed.process(bytes, clientOf(`t${i}`)).itemCount, 1);
  }
});

test('the keys part batches, whatever their letter case and order', () => {
  const parsed = batchProcessorFactory.configSchema.parse({ metadata_keys: ['X-Tenant', 'x-A'] }).value!;
  const keys = { address: false, metadata: ['x-a', 'x-tenant'], auth: [] };
  assert.deepEqual(batchProcessorFactory.batching!(parsed).partition, keys);
  assert.deepEqual(batchProcessorFactory.clientKeys!(parsed), keys);
  const plain = batchProcessorFactory.configSchema.parse({}).value!;
  assert.equal(Object.hasOwn(batchProcessorFactory.batching!(plain), 'partition'), false);
  assert.deepEqual(configIssues(batchProcessorFactory, { metadata_keys: ['a', 'B', 'A'] }), [
    'metadata_keys: duplicate entry in metadata_keys: "a" (case-insensitive)',
  ]);
});
