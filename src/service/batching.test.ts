import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCollectorConfig } from '../config/collector-config.ts';
import { deliveryConfig } from '../exporters/helper/delivery.test-peer.ts';
import { BUILTIN } from '../registry/builtin.ts';
import { batchingOf, withBatching } from './batching.ts';

function planOf(processors: string, used: string, queue: string) {
  const text = `
receivers: { otlp: { protocols: { http: } } }
processors: ${processors}
exporters: { nop: { ${queue} } }
service: { pipelines: { traces: { receivers: [otlp], processors: ${used}, exporters: [nop] } } }`;
  const { plan, issues } = parseCollectorConfig('test.yaml', text, BUILTIN.values());
  assert.deepEqual(issues, undefined);
  return plan!;
}

const batch =
  '{ batch: { timeout: 3s, send_batch_size: 100, send_batch_max_size: 200 }, batch/2: { timeout: 0s } }';

function batchOf(processors: string, used: string, queue: string) {
  const plan = planOf(processors, used, queue);
  const factory = [...BUILTIN.values()].find(({ kind, type }) => kind === 'exporter' && type === 'nop')!;
  assert.ok(factory.kind === 'exporter');
  const delivery = factory.delivery(plan.exporters[0]!.config);
  return withBatching(delivery, batchingOf(plan, BUILTIN, plan.pipelines[0]!)).queue.batch;
}

test('the keys of batch hold for exporters that have no batch of their own', () => {
  const sizer = 'items';
  assert.deepEqual(batchOf(batch, '[batch]', ''), {
    flushTimeoutMs: 3000,
    minSize: 100,
    maxSize: 200,
    sizer,
  });
  assert.deepEqual(batchOf(batch, '[batch, batch/2]', ''), {
    flushTimeoutMs: 1,
    minSize: 1,
    maxSize: 0,
    sizer,
  });
  const own = 'sending_queue: { batch: { min_size: 7 } }';
  assert.deepEqual(batchOf(batch, '[batch]', own), { flushTimeoutMs: 200, minSize: 7, maxSize: 0, sizer });
  assert.deepEqual(batchOf(batch, '[]', ''), { flushTimeoutMs: 200, minSize: 8192, maxSize: 0, sizer });
});

test('what batches are parted by comes from whose sizes hold, and from the authenticator', () => {
  const parted = '{ batch: { metadata_keys: [X-A] } }';
  const keys = (metadata: string[]) => ({ address: false, metadata, auth: [] });
  assert.deepEqual(batchOf(parted, '[batch]', '').partition, keys(['x-a']));
  assert.equal(batchOf(parted, '[]', '').partition, undefined);
  assert.equal(batchOf(parted, '[batch]', 'sending_queue: { batch: { min_size: 7 } }').partition, undefined);
  const own = 'sending_queue: { batch: { partition: { metadata_keys: [X-B] } } }';
  assert.deepEqual(batchOf(parted, '[batch]', own).partition, keys(['x-b']));
  const delivery = deliveryConfig({ batch: { partition: keys(['x-b']) } });
  assert.deepEqual(
    withBatching(delivery, undefined, keys(['x-c'])).queue.batch.partition,
    keys(['x-b', 'x-c']),
  );
});
