/** The command line, the policies it reads and what it prints. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { ReadProgress } from './read-progress.ts';
import {
  jsonLines,
  recordedRequests,
  SIMPLE,
  SPANS,
  sample,
  sampleReport,
  TRACES,
  tempDirectory,
  writeText,
} from './sample.test-peer.ts';
import { parseSampleCli } from './sample-cli.ts';

const REQUESTS = 30;

const CONFIG = `processors:
  batch: {}
  tail_sampling/eu:
    decision_wait: 1s
    policies:
      - { name: everything, type: always_sample }
  tail_sampling:
    decision_wait: 1s
    policies:
      - { name: no-third, type: drop, drop: { drop_sub_policy: [{ name: third, type: probabilistic, probabilistic: { sampling_percentage: 33, hash_salt: other } }] } }
      - { name: share, type: probabilistic, probabilistic: { sampling_percentage: 20 } }
exporters: { nop: {} }
`;

test('mistakes in the words are told together', async () => {
  const { code, errors } = await sample(
    '--polices',
    'a.yaml',
    '--since',
    'yesterday',
    '--workers',
    '0',
    'data',
  );
  assert.equal(code, 1);
  assert.match(errors, /unknown flag --polices of sample \(did you mean "--policies"\?\)/);
  assert.match(errors, /--since must be a time such as .* or a duration such as 30m, got "yesterday"/);
  assert.match(errors, /--workers must be a number from 1 to 64, got "0"/);
  assert.match(errors, /unexpected argument "data": files are named by --policies and --from/);
  assert.match(errors, /sample needs --from: /);
  const help = await sample('--help');
  assert.equal(help.code, 0);
  assert.match(help.out, /Examples\n {2}millrace sample --policies/);
  assert.match(help.out, /49 bytes a span/);
});

test('--since is a time or a duration back', () => {
  const since = (text: string) => {
    const { command } = parseSampleCli(['--policies', 'a', '--from', 'b', '--since', text]);
    return command === undefined || command === 'help' ? undefined : command.sinceUnixMs;
  };
  assert.equal(since('2026-03-01T08:00:00Z'), Date.UTC(2026, 2, 1, 8));
  assert.equal(since('2026-03-01T08:00:00.5+01:00'), Date.UTC(2026, 2, 1, 7, 0, 0, 500));
  assert.equal(since('1h30m'), -5_400_000);
  assert.equal(since('2026-13-01T08:00:00Z'), undefined);
  assert.equal(since('0'), undefined);
});

test('policies are checked with file, line and column', async (t) => {
  const directory = tempDirectory(t);
  const from = writeText(directory, 'a.json', jsonLines(recordedRequests(1)));
  const refused = async (text: string, ...flags: string[]) => {
    const file = writeText(directory, 'bad.yaml', text);
    const { code, errors } = await sample('--policies', file, '--from', from, ...flags);
    assert.equal(code, 1);
    return errors.replaceAll(file, 'bad.yaml');
  };
  const wrong = 'policies:\n  - { name: slow, type: latency, latency: { threshold: 5 } }\n';
  assert.match(await refused(wrong), /^error: bad\.yaml:2:\d+: policies::0::latency: .*"threshold"/m);
  const below = `processors:\n  tail_sampling:\n    policies:\n      - { name: a, type: lateness }\n`;
  assert.match(await refused(below), /^error: bad\.yaml:4:\d+: processors::tail_sampling::policies::0/m);
  assert.match(
    await refused('receivers: { otlp: {} }\n'),
    /needs a processor tail_sampling, or "policies:" by itself/,
  );
  assert.match(await refused(CONFIG), /choose with --processor: tail_sampling\/eu, tail_sampling/);
  assert.match(
    await refused(CONFIG, '--processor', 'tail_sampling/us'),
    /has no processor "tail_sampling\/us"/,
  );
  assert.match(await refused('policies: [\n'), /^error: bad\.yaml:\d+:\d+: .*YAML/m);
  const missing = await sample('--policies', join(directory, 'none.yaml'), '--from', from);
  assert.match(missing.errors, /none\.yaml:1:1: no such file/);
});

test('the document has policies and services with what they keep', async (t) => {
  const directory = tempDirectory(t);
  const config = writeText(directory, 'gateway.yaml', CONFIG);
  const from = writeText(directory, 'a.json', jsonLines(recordedRequests(REQUESTS)));
  const report = await sampleReport(
    ...['--policies', config, '--from', from, '--processor', 'tail_sampling', '--store-ratio', '0.5'],
  );
  const [side] = report.sides;
  assert.equal(side!.processor, 'tail_sampling');
  assert.deepEqual(
    side!.outcomes.map(({ name, type, isKept }) => [name, type, isKept]),
    [
      ['no-third', 'drop', false],
      ['share', 'probabilistic', true],
      ['(not sampled)', undefined, false],
    ],
  );
  const sum = (pick: (outcome: { traces: number; spans: number; bytes: number }) => number) =>
    side!.outcomes.reduce((total, outcome) => total + pick(outcome), 0);
  assert.equal(
    sum(({ traces }) => traces),
    REQUESTS * TRACES,
  );
  assert.equal(
    sum(({ spans }) => spans),
    REQUESTS * SPANS,
  );
  assert.equal(
    side!.seen.bytes,
    sum(({ bytes }) => bytes),
  );
  assert.equal(side!.seen.storeBytes, Math.round(side!.seen.bytes / 2));
  const [, share] = side!.outcomes;
  assert.deepEqual([share!.traces, share!.bytes], [side!.kept.traces, side!.kept.bytes]);
  assert.equal(share!.examples.length, share!.traces);
  assert.match(share!.examples[0]!, /^[0-9a-f]{32}$/);
  assert.equal(
    side!.services.reduce((total, { seen }) => total + seen.traces, 0),
    REQUESTS * TRACES,
  );
  assert.ok(
    side!.services.every(({ service }) => ['frontend', 'orders', 'inventory', 'payments'].includes(service)),
  );
  assert.equal(report.comparison, undefined);
});

test('--compare tells which traces one file keeps and the other does not', async (t) => {
  const directory = tempDirectory(t);
  const first = writeText(directory, 'first.yaml', SIMPLE);
  const second = writeText(
    directory,
    'second.yaml',
    SIMPLE.replace('[ERROR]', '[OK]').replace(': 20', ': 40'),
  );
  const from = writeText(directory, 'a.json', jsonLines(recordedRequests(REQUESTS)));
  const flags = ['--policies', first, '--compare', second, '--from', from];
  const report = await sampleReport(...flags, '--workers', '2');
  const { keptBy, differences } = report.comparison!;
  const ids = (side: number) =>
    new Set(report.sides[side]!.outcomes.filter(({ isKept }) => isKept).flatMap(({ examples }) => examples));
  const [one, other] = [ids(0), ids(1)];
  assert.equal(keptBy.both.traces, [...one].filter((id) => other.has(id)).length);
  assert.equal(keptBy.first.traces, [...one].filter((id) => !other.has(id)).length);
  assert.equal(keptBy.second.traces, [...other].filter((id) => !one.has(id)).length);
  assert.equal(
    keptBy.both.traces + keptBy.first.traces + keptBy.second.traces + keptBy.neither.traces,
    REQUESTS * TRACES,
  );
  assert.ok(keptBy.first.traces > 0 && keptBy.second.traces > 0 && keptBy.both.traces > 0);
  const lost = differences.filter((each) => each.keptBy === 'first');
  assert.ok(lost.every((each) => each.first === 'errors' && each.second === '(not sampled)'));
  assert.deepEqual(
    lost.flatMap(({ examples }) => examples).toSorted(),
    [...one].filter((id) => !other.has(id)).toSorted(),
  );
  const { out } = await sample(...flags, '--examples', '1');
  assert.match(out, /kept by the first only +\d+/);
  assert.match(out, /\nfirst +frontend +errors +\(not sampled\) .* [0-9a-f]{32}\n/);
});

test('people get tables, and a line about the speed on stderr', async (t) => {
  const directory = tempDirectory(t);
  const policies = writeText(directory, 'policies.yaml', SIMPLE.replace('100000', '20'));
  const from = writeText(directory, 'a.json', `${jsonLines(recordedRequests(REQUESTS))}oops\n`);
  const { code, out, errors } = await sample('--policies', policies, '--from', from);
  assert.equal(code, 0);
  assert.match(out, /^30 requests with 1 920 spans, /);
  assert.match(out, /1 parts could not be read:\n {2}.*a\.json:31: /);
  assert.match(out, /\nPOLICY +TRACES +% +SPANS +% +BYTES +% +CLICKHOUSE\nerrors +\d+/);
  assert.match(out, /traces were decided early: num_traces was too small for them/);
  assert.match(errors, /^replayed 1 920 spans in \d+\.\d\d s, [\d ]+ spans\/s\n$/);
});

test('a terminal gets a bar with what is left', () => {
  let nowMs = 0;
  let shown = '';
  const progress = new ReadProgress({
    ...{ totalBytes: () => 4000, items: 'spans', done: 'replayed', isTerminal: true },
    clock: { unixMs: () => nowMs, monotonicMs: () => nowMs },
    write: (text) => {
      shown += text;
    },
  });
  nowMs = 1000;
  progress.show(1000, 500_000);
  nowMs = 1050;
  progress.show(1100, 510_000);
  assert.equal(
    shown,
    '\r\u001b[K[########......................] 25 % 1.00 KB of 4.00 KB, 500 000 spans/s, 3 s left',
  );
  progress.end(2_000_000, 4);
  assert.match(shown, /\r\u001b\[Kreplayed 2 000 000 spans in 4\.00 s, 500 000 spans\/s\n$/);
});
