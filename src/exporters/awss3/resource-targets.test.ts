import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestType } from '../../testkit/otlp-root.ts';
import { splitByResource } from './resource-targets.ts';

const CONFIG = { bucketAttribute: 'bucket', prefixAttribute: 'tenant', allowedBuckets: ['gold'] };
const type = requestType('traces');

/** A request with one span for each list of attributes; spans are named by their place. */
function request(...resources: Record<string, string>[]): Uint8Array {
  const resource_spans = resources.map((attributes, index) => ({
    resource: {
      attributes: Object.entries(attributes).map(([key, value]) => ({ key, value: { string_value: value } })),
    },
    scope_spans: [{ spans: [{ name: `${index}` }] }],
  }));
  return type.encode(type.fromObject({ resource_spans })).finish();
}

function spanNames(slices: readonly Uint8Array[]): string[] {
  interface Decoded {
    resource_spans: { scope_spans: { spans: { name: string }[] }[] }[];
  }
  const decoded = type.decode(Buffer.concat(slices)) as unknown as Decoded;
  return decoded.resource_spans
    .flatMap(({ scope_spans }) => scope_spans.flatMap(({ spans }) => spans))
    .map(({ name }) => name);
}

test('each resource goes where its attributes say, in the order of the batch', () => {
  const bytes = request(
    { tenant: 'a' },
    {},
    { tenant: 'a' },
    { tenant: 'b', bucket: 'gold' },
    { tenant: 'a' },
  );
  const { targets, refusedBuckets } = splitByResource([bytes, bytes], CONFIG);
  assert.deepEqual(
    targets.map(({ bucket, prefix, slices }) => [bucket, prefix, spanNames(slices)]),
    [
      [undefined, 'a', ['0', '2', '4', '0', '2', '4']],
      [undefined, undefined, ['1', '1']],
      ['gold', 'b', ['3', '3']],
    ],
  );
  assert.equal(refusedBuckets, 0);
});

test('a bucket that is not allowed is not written to', () => {
  const { targets, refusedBuckets } = splitByResource(
    [request({ bucket: 'elsewhere', tenant: 'a' })],
    CONFIG,
  );
  assert.deepEqual(
    targets.map(({ bucket, prefix }) => [bucket, prefix]),
    [[undefined, 'a']],
  );
  assert.equal(refusedBuckets, 1);
});

test('hostile prefixes stay below the prefix, and a batch makes a hundred objects at most', () => {
  const hostile = splitByResource(
    [request({ tenant: '../../other' }, { tenant: '/etc' }, { tenant: '' })],
    CONFIG,
  );
  for (const { prefix = 'none' } of hostile.targets) assert.doesNotMatch(prefix, /^\/|\.\./);
  const many = Array.from({ length: 500 }, (_, i) => ({ tenant: `t${i}` }));
  const first = splitByResource([request(...many)], CONFIG);
  assert.equal(first.targets.length, 101);
  assert.equal(first.foldedTargets, 400);
  assert.equal(
    first.targets.reduce((sum, { slices }) => sum + spanNames(slices).length, 0),
    500,
  );
  // A retry makes the same objects.
  assert.deepEqual(splitByResource([request(...many)], CONFIG), first);
});
