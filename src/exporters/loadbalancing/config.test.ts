import assert from 'node:assert/strict';
import test from 'node:test';
import { HAS_ZSTD } from '../helper/body-compression.ts';
import { loadBalancingConfigSchema, withPort } from './config.ts';
import { loadBalancingExporterFactory } from './factory.ts';

const resolver = { static: { hostnames: ['tail-0.tail', 'tail-1.tail:4319'] } };

function issuesOf(raw: object): string[] {
  return loadBalancingConfigSchema
    .parse(raw)
    .issues.map(({ path, message }) => `${path.join('::')}: ${message}`);
}

test('keys of the Collector are accepted, and what is without effect here warns', () => {
  const raw = {
    timeout: '3s',
    routing_key: 'attributes',
    routing_attributes: ['tenant', 'span.kind'],
    protocol: {
      otlp: {
        endpoint: 'placeholder:4317',
        compression: 'zstd',
        tls: { insecure: true },
        headers: { 'x-tier': 'front' },
        timeout: '1s',
        sending_queue: { enabled: false },
        retry_on_failure: { max_elapsed_time: '1m' },
      },
    },
    resolver: { dns: { hostname: 'tail.svc', port: '4318', interval: '2s', timeout: '500ms' } },
    sending_queue: { num_consumers: 4 },
    retry_on_failure: { initial_interval: '1s' },
  };
  if (!HAS_ZSTD) raw.protocol.otlp.compression = 'gzip';
  const { value, issues, warnings } = loadBalancingConfigSchema.parse(raw);
  assert.deepEqual(issues, []);
  assert.deepEqual(
    warnings?.map(({ key }) => key),
    ['endpoint', 'sending_queue', 'retry_on_failure'],
  );
  assert.deepEqual(value?.resolver.dns, {
    hostname: 'tail.svc',
    port: '4318',
    intervalMs: 2000,
    timeoutMs: 500,
  });
  assert.equal(loadBalancingExporterFactory.delivery(value!).timeoutMs, 3000);
  const { timeout: _, ...without } = raw;
  const inner = loadBalancingConfigSchema.parse(without).value!;
  assert.equal(loadBalancingExporterFactory.delivery(inner).timeoutMs, 1000);
  assert.equal(inner.delivery.queue.numConsumers, 4);
});

test('resolvers: exactly one, of those that are built', () => {
  assert.deepEqual(issuesOf({}), ['resolver: no resolvers specified for the exporter']);
  assert.deepEqual(issuesOf({ resolver: { ...resolver, dns: { hostname: 'tail' } } }), [
    'resolver: only one resolver should be specified',
  ]);
  assert.deepEqual(issuesOf({ resolver: { static: {} } }), [
    'resolver::static::hostnames: no endpoints specified for the static resolver',
  ]);
  assert.deepEqual(issuesOf({ resolver: { dns: {} } }), [
    'resolver::dns::hostname: no hostname specified to resolve the backends',
  ]);
  assert.deepEqual(issuesOf({ resolver: { dns: { hostname: 'tail', port: 'x' } } }), [
    'resolver::dns::port: must be a port number',
  ]);
  const numbered = loadBalancingConfigSchema.parse({ resolver: { dns: { hostname: 'tail', port: 4318 } } });
  assert.equal(numbered.value?.resolver.dns?.port, '4318');
  assert.match(issuesOf({ resolver: { k8s: { service: 'tail' } } }).join(), /k8s.*not supported/);
  assert.match(
    issuesOf({ resolver: { aws_cloud_map: { namespace: 'a' } } }).join(),
    /aws_cloud_map.*not supported/,
  );
  assert.match(issuesOf({ resolver: { static: { hostnames: ['a:b:c:d'] } } }).join(), /"a:b:c:d"/);
});

test('routing keys: those of the Collector, and attributes need names', () => {
  assert.deepEqual(issuesOf({ resolver, routing_key: 'streamID' }), []);
  assert.match(issuesOf({ resolver, routing_key: 'span' }).join(), /^routing_key: /);
  assert.match(
    issuesOf({ resolver, routing_key: 'attributes' }).join(),
    /^routing_attributes: must be specified/,
  );
  assert.match(
    issuesOf({ resolver, routing_attributes: ['a'] }).join(),
    /^routing_attributes: can only be used/,
  );
  assert.deepEqual(issuesOf({ resolver, routing_key: 'service' }), []);
});

test('a backend without a port has 4317', () => {
  const cases = ['tail', 'tail:4319', '10.0.0.1', '[::1]', '[::1]:4318'].map(withPort);
  assert.deepEqual(cases, ['tail:4317', 'tail:4319', '10.0.0.1:4317', '[::1]:4317', '[::1]:4318']);
});
