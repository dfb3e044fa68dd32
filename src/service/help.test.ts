import assert from 'node:assert/strict';
import test from 'node:test';
import * as yaml from 'yaml';
import { testFactories } from '../config/factories.test-peer.ts';
import { parseCli } from './cli.ts';
import { cliIssuesText, componentsText, helpText, versionText } from './help.ts';

test('every example of the help is a valid command line', () => {
  const examples = helpText()
    .split('\n')
    .filter(
      (line) =>
        line.startsWith('  millrace ') &&
        !/FILE|^ {2}millrace (cursors|deadletter|featuregate|replay|top) /.test(line),
    )
    .map((line) => line.trim().split(/ {2,}/)[0]!.split(' ').slice(1));
  assert.ok(examples.length >= 9);
  for (const argv of examples) assert.deepEqual(parseCli(argv).issues, [], argv.join(' '));
});

test('the help names every flag and every exit code, and fits a terminal', () => {
  for (const flag of [
    '--config',
    '--set',
    '--data-dir',
    '--durability',
    '--disk-budget',
    '--workers',
    '--format',
    '--mode',
  ]) {
    assert.ok(new RegExp(`^  ${flag} [A-Z=]+ {2,}\\S`, 'm').test(helpText()), flag);
  }
  for (const code of [0, 1, 70, 74, 75]) assert.match(helpText(), new RegExp(`^  ${code} +\\w`, 'm'));
  for (const line of helpText().split('\n')) assert.ok(line.length <= 100, line);
});

test('components is YAML in the shape of the Collector, with a stability for each signal', () => {
  const document = yaml.parse(componentsText(testFactories, '1.2.3'));
  assert.deepEqual(document, {
    buildinfo: { command: 'millrace', version: '1.2.3' },
    receivers: [{ name: 'otlp', stability: { logs: 'Stable', metrics: 'Stable', traces: 'Stable' } }],
    processors: [],
    exporters: [
      { name: 'clickhouse', stability: { logs: 'Beta', metrics: 'Beta', traces: 'Beta' } },
      { name: 'debug', stability: { traces: 'Beta' } },
    ],
    connectors: [],
    extensions: [
      { name: 'file_storage', stability: { extension: 'Beta' } },
      { name: 'health_check', stability: { extension: 'Beta' } },
    ],
    providers: [{ scheme: 'env' }, { scheme: 'file' }, { scheme: 'yaml' }],
  });
});

test('a bad command line prints every mistake and where to read on', () => {
  const { issues } = parseCli(['--config=a', '--workers=x', '--durability=y']);
  const lines = cliIssuesText(issues).trimEnd().split('\n');
  assert.equal(lines.length, 3);
  assert.match(lines[0]!, /^millrace: --durability must be/);
  assert.match(lines.at(-1)!, /--help/);
  assert.equal(versionText('1.2.3'), 'millrace version 1.2.3\n');
});
