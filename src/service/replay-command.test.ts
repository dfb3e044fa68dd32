import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { until } from '../testkit/engine-process.ts';
import { deliveredSpans } from '../testkit/file-sink.ts';
import { SPANS_PER_REQUEST } from '../testkit/ledger-client.ts';
import {
  asJson,
  fileTarget,
  putArchive,
  putFile,
  ReplayCall,
  replay,
  spansOf,
  tempFolder,
} from './replay.test-peer.ts';

interface Summary {
  outcome: string;
  items: number;
  objects: number;
  batches: number;
  objects_left_out: number;
  objects_wrong: number;
  wrong: { key: string; reason: string; items_read: number }[];
}

/** How often each span arrived, at most. */
function most(sink: string): number {
  return Math.max(...deliveredSpans(sink).values());
}

test('every span of every format arrives once', async (t) => {
  const directory = tempFolder(t);
  const archive = join(directory, 'archive');
  const folder = 'year=2026/month=03/day=01/hour=08/minute=30';
  putFile(archive, `${folder}/traces_1.binpb`, spansOf(0, 10));
  putFile(archive, `${folder}/traces_2.binpb.gz`, gzipSync(spansOf(10, 10)));
  putFile(archive, `${folder}/traces_3.json`, asJson(spansOf(20, 10)));
  putFile(archive, `${folder}/traces_4.json.gz`, gzipSync(asJson(spansOf(30, 10))));
  const lines = [40, 41, 42].map((first) => `${asJson(spansOf(first, 1))}\n`).join('');
  putFile(archive, 'from-a-file-exporter.json', Buffer.from(lines));
  const framed = [43, 44]
    .map((first) => spansOf(first, 1))
    .flatMap((message) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(message.length);
      return [length, message];
    });
  putFile(archive, 'traces.bin', Buffer.concat(framed));
  const sink = join(directory, 'sink');
  const { code, out } = await replay(
    '--from',
    archive,
    '--to',
    'file',
    '--config',
    fileTarget(directory, sink),
    '--data-dir',
    directory,
    '--json',
  );
  const summary = JSON.parse(out) as Summary;
  assert.deepEqual(summary.wrong, []);
  assert.equal(code, 0);
  assert.equal(summary.items, 45 * SPANS_PER_REQUEST);
  assert.equal(deliveredSpans(sink).size, 45 * SPANS_PER_REQUEST);
  assert.equal(most(sink), 1);
});

test('what cannot be read is listed, and the rest arrives', async (t) => {
  const directory = tempFolder(t);
  const archive = join(directory, 'archive');
  const spans = putArchive(archive, { hours: 1 });
  const whole = gzipSync(spansOf(1000, 2000));
  putFile(archive, 'prod/traces_cut.binpb.gz', whole.subarray(0, whole.length - 20));
  putFile(archive, 'prod/logs_1.txt', Buffer.from('a body'));
  putFile(archive, 'prod/traces_noise.binpb', Buffer.from('no protobuf'));
  putFile(archive, 'prod/traces_other.json', Buffer.from('{"date": 1}\n{"date": 2}\n'));
  putFile(archive, 'prod/unnamed.binpb', spansOf(1, 1));
  putFile(archive, 'prod/_manifest.json', Buffer.from('{}'));
  putFile(archive, 'prod/traces_empty.binpb', Buffer.alloc(0));
  const sink = join(directory, 'sink');
  const { code, out } = await replay(
    '--from',
    archive,
    '--to',
    'file',
    '--config',
    fileTarget(directory, sink),
    '--data-dir',
    directory,
    '--json',
  );
  const summary = JSON.parse(out) as Summary;
  assert.equal(code, 2);
  assert.deepEqual(
    summary.wrong.map(({ key, reason }) => `${key}: ${reason}`),
    [
      'prod/logs_1.txt: text of log bodies alone (marshaler body): nothing else of the records is in it',
      'prod/traces_cut.binpb.gz: is not valid gzip: unexpected end of file',
      'prod/traces_noise.binpb: neither OTLP/JSON nor OTLP protobuf',
      'prod/traces_other.json: a JSON document at byte 10 without resourceSpans, resourceLogs or resourceMetrics',
      'prod/unnamed.binpb: protobuf whose name does not say which signal it is: --signal says so',
    ],
  );
  assert.equal(summary.objects_left_out, 1);
  const cut = summary.wrong.find(({ key }) => key.includes('cut'))!;
  assert.ok(cut.items_read > 1000, `${cut.items_read} items before the cut`);
  assert.equal(summary.items, spans + cut.items_read);
  assert.equal(deliveredSpans(sink).size, spans + cut.items_read);
});

test('a time range takes the folders that lie in it, in their time zone', async (t) => {
  const directory = tempFolder(t);
  const archive = join(directory, 'archive');
  const spans = putArchive(archive, { hours: 4, objects: 2 });
  const sink = join(directory, 'sink');
  const flags = ['--from', archive, '--to', 'file', '--config', fileTarget(directory, sink)];
  const range = ['--since', '2026-03-01T01:00:00Z', '--until', '2026-03-01T03:00:00Z'];
  const inUtc = await replay(...flags, ...range, '--data-dir', directory, '--json');
  assert.equal(inUtc.code, 0);
  assert.equal((JSON.parse(inUtc.out) as Summary).items, spans / 2);
  const dry = await replay(
    '--from',
    archive,
    '--dry-run',
    '--timezone',
    'Europe/Berlin',
    '--since',
    '2026-03-01',
    '--json',
  );
  assert.equal((JSON.parse(dry.out) as Summary).items, (spans * 3) / 4);
  assert.equal(dry.code, 0);
});

test('a replay that was stopped goes on, and a finished one begins anew', async (t) => {
  const directory = tempFolder(t);
  const archive = join(directory, 'archive');
  const spans = putArchive(archive, { hours: 3, objects: 4, requests: 25 });
  const sink = join(directory, 'sink');
  const flags = [
    '--from',
    archive,
    '--to',
    'file',
    '--config',
    fileTarget(directory, sink, 100),
    '--data-dir',
    directory,
  ];
  const first = new ReplayCall(...flags, '--rate', '1000');
  await until('the first spans', () => deliveredSpans(sink).size > 100);
  first.stop();
  const stopped = await first.result;
  assert.equal(stopped.code, 75, stopped.errors);
  assert.match(
    stopped.out,
    /stopped before the end; the same command goes on from here \(position in .*\.json\)\n$/,
  );
  const before = deliveredSpans(sink).size;
  assert.ok(before < spans, `${before} of ${spans} spans`);
  const second = await replay(...flags);
  assert.equal(second.code, 0, second.errors);
  assert.match(second.errors, /^going on where .*\.json says\n/);
  assert.match(second.out, /^1 200 spans of 12 objects, /);
  assert.equal(deliveredSpans(sink).size, spans);
  assert.equal(most(sink), 1);
  const third = await replay(...flags);
  assert.equal(third.code, 0);
  assert.equal(most(sink), 2);
});

test('a rate is kept', async (t) => {
  const directory = tempFolder(t);
  const archive = join(directory, 'archive');
  const spans = putArchive(archive, { hours: 1, objects: 3, requests: 100 });
  const sink = join(directory, 'sink');
  const flags = ['--from', archive, '--to', 'file', '--config', fileTarget(directory, sink, 100)];
  const started = performance.now();
  const { code } = await replay(...flags, '--data-dir', directory, '--rate', '1000');
  const seconds = (performance.now() - started) / 1000;
  assert.equal(code, 0);
  assert.equal(deliveredSpans(sink).size, spans);
  // The last batch leaves when those before it have had their time.
  assert.ok(seconds >= (spans - 100) / 1000 - 0.05 && seconds < 20, `${spans} spans in ${seconds} s`);
});

test('mistakes are told before anything is read', async (t) => {
  const directory = tempFolder(t);
  const wrong = await replay('--from', 's3://', '--rate', '0', '--signal', 'spans', '--since', 'yesterday');
  assert.equal(wrong.code, 1);
  assert.match(wrong.errors, /--from s3:\/\/ needs a bucket/);
  assert.match(wrong.errors, /replay needs --to/);
  assert.match(wrong.errors, /--rate must be a number of items a second from 1, got "0"/);
  assert.match(wrong.errors, /--signal knows traces, metrics, logs, got "spans"/);
  assert.match(wrong.errors, /--since must be a time/);
  const noConfig = await replay('--from', directory, '--to', 'clickhouse');
  assert.match(
    noConfig.errors,
    /--to clickhouse names an exporter: its configuration is needed, --config FILE/,
  );
  const noExporter = await replay('--from', directory, '--to', 'nop', '--config', fileTarget(directory, 'x'));
  assert.match(
    noExporter.errors,
    /--to nop: no pipeline of the configuration has such an exporter; there are: file/,
  );
  const noPath = await replay('--from', join(directory, 'absent'), '--dry-run');
  assert.equal(noPath.code, 1);
  assert.match(noPath.errors, /absent: no such file or directory/);
});
