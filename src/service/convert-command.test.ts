import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { runConvert } from './convert-command.ts';

function rulesFile(t: TestContext, text: string, name = 'rules.yaml'): string {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-convert-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, name);
  writeFileSync(file, text);
  return file;
}

function convert(...argv: string[]): { code: number; out: string; error: string } {
  let out = '';
  let error = '';
  const code = runConvert({
    argv,
    writeOut: (text) => {
      out += text;
    },
    writeError: (text) => {
      error += text;
    },
  });
  return { code, out, error };
}

const SIMPLE = `RulesVersion: 2
Samplers:
  __default__:
    DeterministicSampler:
      SampleRate: 8
  production:
    EMAThroughputSampler:
      GoalThroughputPerSec: 50
      FieldList: [http.route]
`;

test('each sampler is a processor, and what stands for something else is told', (t) => {
  const file = rulesFile(t, SIMPLE);
  const { code, out, error } = convert('refinery', file);
  assert.equal(code, 0);
  assert.match(out, /^ {2}tail_sampling:$/m);
  assert.match(out, /sampling_percentage: 12.5$/m);
  assert.match(out, /^ {2}tail_sampling\/production:$/m);
  assert.equal(
    error,
    `${file}:7:5: different: Samplers::production::EMAThroughputSampler: a volume as the goal has no equivalent: ` +
      'becomes "rate_limiting", which keeps 50 spans a second of all keys together, the first ones\n',
  );
  assert.ok(out.includes('#   - line 7: a volume as the goal has no equivalent'));
});

test('one sampler alone', (t) => {
  const file = rulesFile(t, SIMPLE);
  const { code, out, error } = convert('refinery', '--sampler=__default__', file);
  assert.equal(code, 0);
  assert.equal(error, '');
  assert.ok(out.includes('  tail_sampling:\n') && !out.includes('production'));
  const wrong = convert('refinery', file, '--sampler', 'prodution');
  assert.equal(wrong.code, 1);
  assert.match(wrong.error, /no sampler "prodution".*production/);
});

test('mistakes in a file are told with line and column, all at once', (t) => {
  const file = rulesFile(
    t,
    `RulesVersion: 2
Samplers:
  staging:
    DeterministicSampler:
      SampleRat: 8
  production:
    RulesBasedSampler:
      Rules:
        - Conditions:
            - { Field: a, Operator: "==", Value: 1 }
            - { Operator: exists }
        - Sampler: {}
`,
  );
  const { code, out, error } = convert('refinery', file);
  assert.equal(code, 1);
  assert.equal(out, '');
  const lines = error.trim().split('\n');
  for (const wanted of [
    /rules\.yaml:2:\d+: Samplers: needs "__default__"/,
    /rules\.yaml:5:7: Samplers::staging::DeterministicSampler: unknown key "SampleRat"/,
    /rules\.yaml:10:\d+: .*Conditions::0::Operator: expected one of =, !=/,
    /rules\.yaml:11:\d+: .*Conditions::1: needs "Field" or "Fields"/,
    /rules\.yaml:12:\d+: .*Rules::1::Sampler: needs a sampler/,
  ]) {
    assert.ok(
      lines.some((line) => wanted.test(line)),
      `${wanted} in\n${error}`,
    );
  }
});

test('files that are no rules of version 2 are refused', (t) => {
  const errorOf = (text: string, name?: string) => convert('refinery', rulesFile(t, text, name)).error;
  assert.match(errorOf('Samplers: {}'), /needs "RulesVersion: 2"/);
  assert.match(errorOf('RulesVersion: 1\nSamplers: {}'), /:1:15: RulesVersion: must be 2/);
  assert.match(errorOf(''), /expected a map/);
  assert.match(errorOf('a: [', 'x.yaml'), /x\.yaml:1:/);
  assert.match(errorOf('RulesVersion = 2\n[Samplers]\n[Samplers.a', 'x.toml'), /write them as YAML/);
  const several =
    '{DeterministicSampler: {SampleRate: 1}, TotalThroughputSampler: {GoalThroughputPerSec: 1, FieldList: [a]}}';
  assert.match(
    errorOf(`RulesVersion: 2\nSamplers: {__default__: ${several}}`),
    /has several samplers: DeterministicSampler, TotalThroughputSampler/,
  );
});

test('a command line that makes no sense is told, and the help teaches', () => {
  const errorOf = (...argv: string[]) => {
    const { code, error } = convert(...argv);
    assert.equal(code, 1);
    return error;
  };
  assert.match(errorOf(), /needs a source: refinery/);
  assert.match(errorOf('refinary', 'x'), /does not know "refinary".*refinery/);
  assert.match(errorOf('refinery'), /needs the path/);
  assert.match(errorOf('refinery', 'x', '--smapler', 'y'), /unknown flag --smapler.*--sampler/);
  assert.match(errorOf('refinery', 'x', 'y'), /unexpected argument "y"/);
  assert.match(errorOf('refinery', 'x', '--sampler'), /--sampler needs a name/);
  assert.match(errorOf('refinery', '/nowhere/rules.yaml'), /no such file/);
  const { code, out } = convert('--help');
  assert.equal(code, 0);
  assert.match(out, /millrace convert refinery rules\.yaml > sampling\.yaml/);
});
