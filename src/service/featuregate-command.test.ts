import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FEATURE_GATES } from '../config/gates.ts';
import { runFeatureGate } from './featuregate-command.ts';

const BYTES = 'processor.tailsamplingprocessor.metricstatcountbytessampled';

function run(...argv: string[]): { exitCode: number; out: string; error: string } {
  const texts = { out: '', error: '' };
  const exitCode = runFeatureGate({
    argv,
    writeOut: (text) => {
      texts.out += text;
    },
    writeError: (text) => {
      texts.error += text;
    },
  });
  return { exitCode, ...texts };
}

test('without an id every gate is a line, with the columns of the Collector', () => {
  const { exitCode, out } = run();
  const [head, ...rows] = out.trimEnd().split('\n');
  assert.equal(exitCode, 0);
  assert.deepEqual(head!.split(/ {2,}/), ['ID', 'Enabled', 'Stage', 'Description']);
  assert.deepEqual(
    rows.map((row) => row.split(' ')[0]),
    FEATURE_GATES.map(({ id }) => id),
  );
  assert.match(
    rows[0]!,
    /^processor\.tailsamplingprocessor\.metricstatcountbytessampled {2}false {4}Alpha {3}\S/,
  );
});

test('with an id that gate is described', () => {
  const { exitCode, out } = run(BYTES);
  assert.equal(exitCode, 0);
  assert.deepEqual(out.split('\n').slice(0, 3), [`Feature: ${BYTES}`, 'Enabled: false', 'Stage: Alpha']);
});

test('what is no gate, a gate that is only the Collector’s, a flag and a second id are refused', () => {
  for (const [argv, message] of [
    [[BYTES.slice(0, -1)], 'no such feature gate'],
    [['processor.tailsamplingprocessor.recordpolicy'], 'of the Collector is not supported yet'],
    [['--all'], 'unknown flag --all of featuregate'],
    [[BYTES, BYTES], 'takes at most one id, and here are 2'],
  ] as const) {
    const { exitCode, out, error } = run(...argv);
    assert.deepEqual([exitCode, out], [1, '']);
    assert.ok(error.startsWith('millrace: ') && error.includes(message), error);
  }
});

test('--help tells what it is for', () => {
  assert.match(run('--help').out, /what --feature-gates can turn on[\s\S]*Exit codes/);
});
