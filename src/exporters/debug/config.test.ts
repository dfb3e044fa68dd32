import assert from 'node:assert/strict';
import test from 'node:test';
import { debugConfigSchema } from './config.ts';

test('defaults are the Collector’s', () => {
  const { value, issues } = debugConfigSchema.parse(null);
  assert.deepEqual(issues, []);
  const { delivery, ...own } = value!;
  assert.deepEqual(own, {
    verbosity: 'basic',
    samplingInitial: 2,
    samplingThereafter: 1,
    usesInternalLogger: true,
    outputPaths: undefined,
  });
  assert.equal(delivery.timeoutMs, 0);
  assert.equal(delivery.queue.batch.minSize, 1);
});

test('a full configuration of the Collector is read', () => {
  const raw = {
    verbosity: 'Detailed',
    sampling_initial: 5,
    sampling_thereafter: 200,
    use_internal_logger: false,
    output_paths: ['stdout', 'stderr'],
    sending_queue: { enabled: true, num_consumers: 2 },
  };
  const { value, issues, warnings } = debugConfigSchema.parse(raw);
  assert.deepEqual([issues, warnings], [[], []]);
  assert.equal(value?.verbosity, 'detailed');
  assert.deepEqual(value?.outputPaths, ['stdout', 'stderr']);
  assert.equal(value?.delivery.queue.numConsumers, 2);
});

const bad: [string, object, string, RegExp][] = [
  ['unknown verbosity', { verbosity: 'none' }, 'verbosity', /basic, normal, detailed/],
  ['negative sampling', { sampling_initial: -1 }, 'sampling_initial', /non-negative/],
  ['outputs of the log', { output_paths: ['stdout'] }, 'output_paths', /use_internal_logger is true/],
  [
    'a file as output',
    { use_internal_logger: false, output_paths: ['/tmp/x'] },
    'output_paths',
    /"\/tmp\/x" is not supported/,
  ],
  ['no output', { use_internal_logger: false, output_paths: [] }, 'output_paths', /must name/],
  ['replaced key', { loglevel: 'debug' }, 'loglevel', /replaced by "verbosity"/],
  ['unknown key', { level: 'debug' }, 'level', /unknown key/],
];

for (const [name, raw, key, message] of bad) {
  test(`refused: ${name}`, () => {
    const { value, issues } = debugConfigSchema.parse(raw);
    assert.equal(value, undefined);
    assert.equal(issues.length, 1);
    assert.equal(issues[0]!.key ?? issues[0]!.path[0], key);
    assert.match(issues[0]!.message, message);
  });
}
