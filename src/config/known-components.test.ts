import assert from 'node:assert/strict';
import test from 'node:test';
import { isKnownType, kindsOfType, spellingOf } from './known-components.ts';

test('both spellings of a renamed type are known and lead to each other', () => {
  const pairs = [
    ['exporter', 'otlp', 'otlp_grpc'],
    ['exporter', 'otlphttp', 'otlp_http'],
    ['exporter', 'prometheusremotewrite', 'prometheus_remote_write'],
    ['exporter', 'loadbalancing', 'load_balancing'],
    ['exporter', 'logging', 'debug'],
    ['processor', 'k8sattributes', 'k8s_attributes'],
    ['processor', 'resourcedetection', 'resource_detection'],
    ['processor', 'logdedup', 'log_dedup'],
    ['processor', 'groupbytrace', 'group_by_trace'],
    ['receiver', 'filelog', 'file_log'],
    ['receiver', 'hostmetrics', 'host_metrics'],
    ['receiver', 'fluentforward', 'fluent_forward'],
    ['connector', 'spanmetrics', 'span_metrics'],
    ['connector', 'servicegraph', 'service_graph'],
  ] as const;
  for (const [kind, old, now] of pairs) {
    assert.deepEqual(spellingOf(kind, old), { other: now, isOld: true });
    assert.deepEqual(spellingOf(kind, now), { other: old, isOld: false });
    assert.ok(isKnownType(kind, old) && isKnownType(kind, now), now);
  }
});

test('a type has one name unless it was renamed in its kind', () => {
  // The receiver kept the name that the exporter lost.
  assert.deepEqual(spellingOf('receiver', 'otlp'), { other: undefined, isOld: false });
  assert.deepEqual(spellingOf('exporter', 'kafka'), { other: undefined, isOld: false });
  assert.equal(isKnownType('exporter', 'otlpp'), false);
  assert.equal(isKnownType('receiver', 'constructor'), false);
});

test('the kinds of a type are found for a component in the wrong section', () => {
  assert.deepEqual(kindsOfType('batch'), ['processor']);
  assert.deepEqual(kindsOfType('kafka'), ['receiver', 'exporter']);
  assert.deepEqual(kindsOfType('memory_limiter'), ['processor', 'extension']);
  assert.deepEqual(kindsOfType('nonsense'), []);
});
