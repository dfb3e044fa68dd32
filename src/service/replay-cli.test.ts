import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseReplayCli, REPLAY_HELP, type ReplayCommand } from './replay-cli.ts';

function parsed(line: string): ReplayCommand {
  const { command, ...rest } = parseReplayCli(line.split(/\s+/));
  assert.ok(command !== undefined && command !== 'help', JSON.stringify(rest));
  return command;
}

test('every example of the help is a valid command line, and every flag is explained', () => {
  const examples = REPLAY_HELP.slice(REPLAY_HELP.indexOf('Examples'))
    .replaceAll(/\\\n\s*/g, ' ')
    .match(/^ {2}millrace replay .*$/gm)!;
  assert.equal(examples.length, 2);
  for (const example of examples) parsed(example.trim().replace('millrace replay ', ''));
  const flags = [
    'from',
    'to',
    'since',
    'until',
    'timezone',
    'signal',
    'rate',
    'config',
    'set',
    'data-dir',
    'state',
    'patience',
  ];
  for (const flag of [
    ...flags,
    'object-size-max',
    's3-endpoint',
    's3-region',
    's3-role',
    's3-path-style',
    'json',
    'restart',
    'dry-run',
  ])
    assert.match(REPLAY_HELP, new RegExp(`--${flag}\\b`));
  for (const line of REPLAY_HELP.split('\n')) assert.ok(line.length <= 100, line);
});

test('targets are endpoints or exporters', () => {
  const target = (to: string) => parsed(`--from x --to ${to} --config c.yaml`).target;
  assert.deepEqual(target('http://h:4318'), {
    kind: 'endpoint',
    transport: 'http',
    url: 'http://h:4318',
    isSecure: false,
  });
  assert.deepEqual(target('https://h'), {
    kind: 'endpoint',
    transport: 'http',
    url: 'https://h',
    isSecure: true,
  });
  for (const to of ['h:4317', 'grpc://h:4317'])
    assert.deepEqual(target(to), { kind: 'endpoint', transport: 'grpc', url: 'h:4317', isSecure: false });
  assert.deepEqual(target('grpcs://[::1]:4317'), {
    kind: 'endpoint',
    transport: 'grpc',
    url: '[::1]:4317',
    isSecure: true,
  });
  assert.deepEqual(target('clickhouse/eu'), { kind: 'exporter', id: 'clickhouse/eu' });
});

test('a password in an address is neither shown nor kept', () => {
  const { to, target } = parsed('--from x --to http://user:secret@h:4318/?token=1');
  assert.equal(to, 'http://[REDACTED]@h:4318/?[REDACTED]');
  assert.equal(target.kind === 'endpoint' ? target.url : '', 'http://user:secret@h:4318/?token=1');
});

test('sources are buckets or paths', () => {
  const bucket = parsed(
    '--from s3://b/a/prefix --to h:1 --s3-endpoint http://s:9000 --s3-path-style --s3-region eu-west-1',
  ).source;
  assert.deepEqual(bucket, {
    kind: 'bucket',
    bucket: 'b',
    prefix: 'a/prefix',
    endpoint: 'http://s:9000',
    region: 'eu-west-1',
    role: undefined,
    forcesPathStyle: true,
  });
  assert.deepEqual(parsed('--from ./s3 --to h:1').source, { kind: 'path', path: './s3' });
  const issues = parseReplayCli([
    '--from',
    'x',
    '--to',
    'h:1',
    '--s3-role',
    'r',
    '--to',
    'h:2',
    'more',
    '--rates',
    '1',
  ]);
  assert.deepEqual(
    'issues' in issues ? issues.issues.map(({ code, argument }) => `${code} ${argument}`) : [],
    [
      'unknown-flag --rates',
      'unexpected-value more',
      'unexpected-value 1',
      'repeated-flag --to',
      'not-for-command --s3-role',
    ],
  );
});
