import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ITEM_REJECTED, RequestIndex } from './request-index.ts';

test('levels grow far past their first capacity and keep what they hold', () => {
  const index = new RequestIndex();
  const resources = 300;
  for (let resource = 0; resource < resources; resource++) {
    index.addResource(resource, resource + 1);
    index.addScope(resource * 2, resource * 2 + 1);
    index.addMetric(resource * 3, resource * 3 + 1, resource * 3 + 2);
    for (let item = 0; item < 10; item++) {
      const at = resource * 10 + item;
      index.addItem(at, at + 1, at + 2, at + 3, item === 0 ? ITEM_REJECTED : 0);
    }
    index.closeMetric();
    index.closeScope();
    index.closeResource();
  }
  assert.deepEqual(
    [index.resourceCount, index.scopeCount, index.metricCount, index.itemCount, index.rejectedCount],
    [resources, resources, resources, resources * 10, resources],
  );
  assert.equal(index.acceptedCount, resources * 9);
  for (let resource = 0; resource < resources; resource++) {
    assert.equal(index.resourceFirstScope[resource], resource);
    assert.equal(index.scopeResource[resource], resource);
    assert.equal(index.metricScope[resource], resource);
    assert.equal(index.metricBody[resource], resource * 3 + 1);
    assert.equal(index.metricItemEnd(resource) - index.metricFirstItem[resource]!, 10);
    assert.equal(index.scopeItemEnd(resource), resource * 10 + 10);
    const item = resource * 10 + 7;
    assert.deepEqual(
      [
        index.itemStart[item],
        index.itemBody[item],
        index.itemEnd[item],
        index.itemTraceId[item],
        index.itemScope[item],
      ],
      [item, item + 1, item + 2, item + 3, resource],
    );
  }
});

test('containers that got no item are forgotten, also when their items were taken back', () => {
  const index = new RequestIndex();
  index.addResource(0, 9);
  index.addScope(1, 8);
  const metric = index.addMetric(2, 3, 7);
  index.addItem(3, 4, 5, 0, ITEM_REJECTED);
  index.truncateItems(index.metricFirstItem[metric]!);
  assert.deepEqual([index.itemCount, index.rejectedCount], [0, 0]);
  index.closeMetric();
  index.closeScope();
  index.closeResource();
  assert.deepEqual([index.metricCount, index.scopeCount, index.resourceCount], [0, 0, 0]);
});

test('reset starts over and gives back what a flood of items had taken', () => {
  const index = new RequestIndex();
  index.addResource(0, 1);
  index.addScope(0, 1);
  for (let item = 0; item < 200_000; item++) index.addItem(item, item, item, 0, 0);
  assert.ok(index.itemStart.length >= 200_000);
  index.isFragmented = true;
  index.reset();
  assert.ok(index.itemStart.length < 200_000);
  assert.deepEqual([index.itemCount, index.scopeCount, index.resourceCount], [0, 0, 0]);
  assert.equal(index.needsRewrite, false);
});
