import assert from 'node:assert/strict';
import { test } from 'node:test';
import { processEnvironment } from './expand.ts';
import { readGates } from './gates.ts';
import { loadConfig } from './load.ts';

const BYTES = 'processor.tailsamplingprocessor.metricstatcountbytessampled';
const SPANS = 'processor.tailsamplingprocessor.metricstatcountspanssampled';

/** Values of `count_bytes_sampled` by component id. */
function countsBytes(yaml: string, gates: readonly string[]): [string, unknown][] {
  const { root, issues } = loadConfig({ configs: [`yaml:${yaml}`], gates }, processEnvironment());
  assert.deepEqual(issues, []);
  const processors = root?.kind === 'map' ? root.entries.get('processors')?.node : undefined;
  assert.equal(processors?.kind, 'map');
  return [...(processors?.kind === 'map' ? processors.entries : [])].map(([id, { node }]) => {
    const value = node.kind === 'map' ? node.entries.get('count_bytes_sampled')?.node : undefined;
    return [id, value?.kind === 'scalar' ? value.value : undefined];
  });
}

test('the last word about a gate counts', () => {
  assert.deepEqual(readGates([`+${BYTES},x.y`]), {
    gates: [BYTES],
    warnings: ['--feature-gates=x.y has no effect: this engine does not have that gate'],
    errors: [],
  });
  assert.deepEqual(readGates([BYTES, `-${BYTES}`]).gates, []);
  assert.deepEqual(readGates([`-${BYTES},${BYTES}`]).gates, [BYTES]);
  assert.deepEqual(readGates([SPANS]), { gates: [], warnings: [], errors: [] });
  assert.deepEqual(readGates([`-${SPANS}`]).warnings, [
    `--feature-gates=-${SPANS} has no effect: what it is for is always on here`,
  ]);
});

test('a name that is no gate of a processor whose gates are known is refused, with the nearest one', () => {
  assert.deepEqual(readGates(['+processor.tailsamplingprocessor.metricstatcountbytesampled']).errors, [
    `no such feature gate "processor.tailsamplingprocessor.metricstatcountbytesampled" (did you mean "${BYTES}"?)`,
  ]);
  const absent = readGates(['processor.tailsamplingprocessor.recordpolicy']);
  assert.deepEqual([absent.errors.length, absent.warnings.length], [0, 1]);
});

test('a gate sets its key in every component of its type that does not have it', () => {
  const yaml = `processors:
  tail_sampling: { policies: [] }
  tail_sampling/off: { count_bytes_sampled: false }
  tail_sampling_other: { a: 1 }
  batch:
`;
  assert.deepEqual(countsBytes(yaml, [BYTES]), [
    ['tail_sampling', true],
    ['tail_sampling/off', false],
    ['tail_sampling_other', undefined],
    ['batch', undefined],
  ]);
  assert.deepEqual(countsBytes(yaml, [])[0], ['tail_sampling', undefined]);
});
