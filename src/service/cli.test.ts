// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration language writes references so.
import assert from 'node:assert/strict';
import test from 'node:test';
import { type CliCommand, parseCli } from './cli.ts';

function commandOf(...argv: string[]): CliCommand {
  const result = parseCli(argv);
  assert.deepEqual(result.issues, []);
  return result.command!;
}

function issuesOf(...argv: string[]): string[] {
  const result = parseCli(argv);
  assert.equal(result.command, undefined);
  return result.issues.map((issue) => `${issue.code} ${issue.message}`);
}

const RUN = {
  command: 'run',
  config: 'a.yaml',
  dataDir: './millrace-data',
  durability: 'disk',
  workerCount: undefined,
  diskBudgetBytes: undefined,
  warnings: [],
};

test('run is the default command, and durable the default', () => {
  assert.deepEqual(commandOf('--config', 'a.yaml'), RUN);
  assert.deepEqual(commandOf('run', '--config=a.yaml'), RUN);
  assert.deepEqual(commandOf('--config=a.yaml', 'run'), RUN);
});

test('every flag is read, behind a blank and behind an equals sign', () => {
  const expected = {
    ...RUN,
    config: 'yaml:a=b',
    dataDir: '/data',
    durability: 'memory',
    workerCount: 3,
    diskBudgetBytes: 20 * 2 ** 30,
  };
  const flags = ['--config', 'yaml:a=b', '--data-dir', '/data', '--durability', 'memory'];
  assert.deepEqual(commandOf(...flags, '--workers', '3', '--disk-budget', '20GiB'), expected);
  const inline = ['--config=yaml:a=b', '--data-dir=/data', '--durability=memory', '--workers=3'];
  assert.deepEqual(commandOf(...inline, '--disk-budget=21474836480'), expected);
});

test('validate, components, version and help', () => {
  assert.deepEqual(commandOf('validate', '--config', 'a.yaml'), {
    command: 'validate',
    config: 'a.yaml',
    warnings: [],
  });
  assert.deepEqual(commandOf('components'), { command: 'components' });
  for (const word of ['version', '--version', '-v'])
    assert.deepEqual(commandOf(word), { command: 'version' });
  for (const word of ['help', '--help', '-h']) assert.deepEqual(commandOf(word), { command: 'help' });
  assert.deepEqual(commandOf('validate', '--nonsense', '--help'), { command: 'help' });
});

test('mistakes are all listed, each with what was probably meant', () => {
  assert.deepEqual(issuesOf('--cofnig', 'a.yaml'), [
    'unknown-flag unknown flag --cofnig (did you mean "--config"?)',
    'unknown-command unknown command "a.yaml" (to run it: --config a.yaml)',
    'missing-config at least one config flag must be provided: --config FILE',
  ]);
  assert.deepEqual(issuesOf('vaildate', '--config=a', '--durabilty=memory'), [
    'unknown-command unknown command "vaildate" (did you mean "validate"?)',
    'unknown-flag unknown flag --durabilty (did you mean "--durability"?)',
  ]);
  assert.deepEqual(issuesOf('run', 'validate', '--config=a'), [
    'unknown-command one command at a time: "run" and "validate"',
  ]);
});

test('values are checked', () => {
  assert.deepEqual(
    issuesOf('--config=a', '--durability=paper', '--workers=0', '--disk-budget=lots', '--data-dir='),
    [
      'missing-value --data-dir needs a value',
      'bad-value --durability must be disk or memory, got "paper"',
      'bad-value --workers must be a number from 1 to 1024, got "0"',
      'bad-value --disk-budget must be a size such as 20GiB, got "lots"',
    ],
  );
  assert.deepEqual(issuesOf('--config', '--data-dir', 'x'), [
    'missing-value --config needs a value',
    'missing-config at least one config flag must be provided: --config FILE',
  ]);
  assert.deepEqual(issuesOf('--config=a', '--data-dir'), ['missing-value --data-dir needs a value']);
  assert.deepEqual(issuesOf('--config=a', '--help=x'), ['unexpected-value --help takes no value']);
});

test('what the Collector has and this engine has not says so', () => {
  assert.deepEqual(issuesOf('--config=a', '--config', 'b'), [
    'repeated-flag several --config are not merged yet: give one',
  ]);
  assert.deepEqual(issuesOf('--config=a', '--set', 'x.y=1'), [
    'not-supported --set is not supported yet; change the file, or use ${env:NAME} in it',
  ]);
  assert.deepEqual(issuesOf('print-config', '--config=a'), [
    'not-supported command "print-config" is not supported yet',
  ]);
  const run = commandOf('--config=a.yaml', '--feature-gates=-x.y');
  assert.deepEqual(run.command === 'run' && run.warnings, [
    '--feature-gates=-x.y has no effect: this engine has no feature gates',
  ]);
});

test('a flag named like a member of every object is unknown all the same', () => {
  assert.deepEqual(issuesOf('--config=a', '--__proto__=x', '--constructor'), [
    'unknown-flag unknown flag --__proto__',
    'unknown-flag unknown flag --constructor',
  ]);
});
