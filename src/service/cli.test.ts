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
  configs: ['a.yaml'],
  sets: [],
  dataDir: './millrace-data',
  durability: 'disk',
  workerCount: undefined,
  diskBudgetBytes: undefined,
  retain: undefined,
  isWatching: false,
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
    configs: ['yaml:a=b'],
    dataDir: '/data',
    durability: 'memory',
    workerCount: 3,
    diskBudgetBytes: 20 * 2 ** 30,
    isWatching: false,
  };
  const flags = ['--config', 'yaml:a=b', '--data-dir', '/data', '--durability', 'memory'];
  assert.deepEqual(commandOf(...flags, '--workers', '3', '--disk-budget', '20GiB'), expected);
  const inline = ['--config=yaml:a=b', '--data-dir=/data', '--durability=memory', '--workers=3'];
  assert.deepEqual(commandOf(...inline, '--disk-budget=21474836480'), expected);
});

test('validate, components, version and help', () => {
  assert.deepEqual(commandOf('validate', '--config', 'a.yaml'), {
    command: 'validate',
    configs: ['a.yaml'],
    sets: [],
    warnings: [],
  });
  assert.deepEqual(commandOf('components'), { command: 'components', format: 'yaml' });
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
  assert.deepEqual(issuesOf('--config=a', 'top'), ['unknown-command command "top" must be the first word']);
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
  const run = commandOf('--config=a.yaml', '--feature-gates=-x.y');
  assert.deepEqual(run.command === 'run' && run.warnings, [
    '--feature-gates=-x.y has no effect: this engine does not have that gate',
  ]);
  const gate = 'processor.tailsamplingprocessor.metricstatcountbytessampled';
  const validate = commandOf('validate', '--config=a.yaml', `--feature-gates=x.y,+${gate}`);
  assert.deepEqual(validate.command === 'validate' && validate.gates, [gate]);
  assert.deepEqual(issuesOf('--config=a', `--feature-gates=${gate}s`), [
    `bad-value no such feature gate "${gate}s" (did you mean "${gate}"?)`,
  ]);
});

test('sources and overrides are repeatable, in their order', () => {
  const words = ['--config=a', '--set', 'x.y=1', '--config', 'env:B', '--set=x.z=a=b'];
  const expected = { configs: ['a', 'env:B'], sets: ['x.y=1', 'x.z=a=b'], warnings: [] };
  assert.deepEqual(commandOf('validate', ...words), { command: 'validate', ...expected });
  assert.deepEqual(issuesOf('--config=a', '--set', 'password'), [
    'bad-value --set must be key.below=value: missing equal sign',
  ]);
  assert.deepEqual(issuesOf('--config=a', '--workers=1', '--workers=2'), [
    'repeated-flag --workers is given more than once',
  ]);
});

test('print-config, under both names, config-schema, and components for documentation', () => {
  const print = {
    command: 'print-config',
    configs: ['a'],
    sets: [],
    warnings: [],
    format: 'yaml',
    isRedacted: true,
  };
  assert.deepEqual(commandOf('print-config', '--config=a'), print);
  assert.deepEqual(commandOf('print-initial-config', '--config=a', '--validate', '--data-dir=x'), print);
  assert.deepEqual(commandOf('print-config', '--config=a', '--format=json', '--mode=unredacted'), {
    ...print,
    format: 'json',
    isRedacted: false,
  });
  assert.deepEqual(commandOf('config-schema'), { command: 'config-schema' });
  assert.deepEqual(commandOf('components', '--markdown'), { command: 'components', format: 'markdown' });
  assert.deepEqual(issuesOf('print-config', '--config=a', '--mode=all', '--validate=x'), [
    'unexpected-value --validate takes no value',
    'bad-value --mode must be redacted or unredacted, got "all"',
  ]);
  assert.deepEqual(issuesOf('validate', '--config=a', '--format=yaml'), [
    'not-for-command --format has no meaning for validate, only for print-config',
  ]);
});

test('a flag named like a member of every object is unknown all the same', () => {
  assert.deepEqual(issuesOf('--config=a', '--__proto__=x', '--constructor'), [
    'unknown-flag unknown flag --__proto__',
    'unknown-flag unknown flag --constructor',
  ]);
});
