/** Recordings of every kind give the same result; what is damaged is named, and the rest of it counts. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import {
  jsonLines,
  protoFile,
  recordedRequests,
  SIMPLE,
  SPANS,
  START_MS,
  STEP_MS,
  sample,
  sampleReport,
  TRACES,
  tempDirectory,
  writeLog,
  writeText,
} from './sample.test-peer.ts';

const REQUESTS = 40;

/** JSON has no place for the zeros and the order that a client wrote, so sizes are those of the same spans, written again. */
function withoutBytes(report: unknown): unknown {
  return JSON.parse(JSON.stringify(report), (key, value) => (/bytes$/i.test(key) ? undefined : value));
}

test('a log, JSON lines and protobuf messages, compressed or not, keep the same traces', async (t) => {
  const directory = tempDirectory(t);
  const policies = writeText(directory, 'policies.yaml', SIMPLE);
  const requests = recordedRequests(REQUESTS);
  const files = {
    'traces.json': jsonLines(requests),
    // The last line may have no end.
    'traces.json.gz': gzipSync(jsonLines(requests).trimEnd()),
    'traces.proto': protoFile(requests),
    'traces.proto.gz': gzipSync(protoFile(requests)),
  };
  await writeLog(join(directory, 'data', 'logs', 'traces+pending~0'), requests);
  const log = await sampleReport('--policies', policies, '--from', join(directory, 'data'), '--workers', '1');
  assert.equal(log.requests, REQUESTS);
  assert.equal(log.spans, REQUESTS * SPANS);
  assert.equal(log.firstTime, new Date(START_MS).toISOString());
  assert.equal(log.lastTime, new Date(START_MS + (REQUESTS - 1) * STEP_MS).toISOString());
  const [side] = log.sides;
  assert.equal(side!.seen.traces, REQUESTS * TRACES);
  assert.ok(side!.kept.traces > 20 && side!.kept.traces < side!.seen.traces);
  for (const [index, [name, bytes]] of Object.entries(files).entries()) {
    const path = writeText(directory, name, bytes);
    for (const workers of index === 0 ? ['1', '3'] : ['2']) {
      const report = await sampleReport('--policies', policies, '--from', path, '--workers', workers);
      const content = name.includes('json') ? withoutBytes : (each: unknown) => each;
      assert.deepEqual(content(report.sides[0]!.outcomes), content(side!.outcomes), name);
      assert.deepEqual(content(report.sides[0]!.services), content(side!.services), name);
      assert.equal(report.skipped.skippedCount, 0);
    }
  }
});

test('logs of several workers are replayed in the order of arrival', async (t) => {
  const directory = tempDirectory(t);
  const policies = writeText(directory, 'policies.yaml', SIMPLE);
  const requests = recordedRequests(REQUESTS);
  const logs = join(directory, 'data', 'logs');
  // A half of every request in each log, half a step apart.
  await writeLog(join(logs, 'traces~0'), requests);
  await writeLog(
    join(logs, 'traces~1'),
    recordedRequests(REQUESTS * 2).slice(REQUESTS),
    START_MS + STEP_MS / 2,
  );
  const report = await sampleReport(
    '--policies',
    policies,
    '--from',
    join(directory, 'data'),
    '--workers',
    '2',
  );
  assert.equal(report.requests, REQUESTS * 2);
  const alone = await sampleReport('--policies', policies, '--from', join(logs, 'traces~0'));
  assert.equal(alone.requests, REQUESTS);

  await writeLog(join(logs, 'traces.eu~0'), requests);
  const several = await sample('--policies', policies, '--from', join(directory, 'data'));
  assert.equal(several.code, 1);
  assert.match(several.errors, /there are several logs, choose with --log: traces, traces\.eu/);
  const chosen = await sampleReport(
    '--policies',
    policies,
    '--from',
    join(directory, 'data'),
    '--log',
    'traces.eu',
  );
  assert.equal(chosen.requests, REQUESTS);
});

test('--since leaves out what arrived before, by a time or from the newest', async (t) => {
  const directory = tempDirectory(t);
  const policies = writeText(directory, 'policies.yaml', SIMPLE);
  const requests = recordedRequests(REQUESTS);
  await writeLog(join(directory, 'data', 'logs', 'traces~0'), requests);
  const file = writeText(directory, 'traces.json', jsonLines(requests));
  const newestMs = START_MS + (REQUESTS - 1) * STEP_MS;
  for (const from of [join(directory, 'data'), file]) {
    for (const since of [new Date(newestMs - 950).toISOString(), '950ms']) {
      const report = await sampleReport('--policies', policies, '--from', from, '--since', since);
      const { traces } = report.sides[0]!.seen;
      // Spans end a little before their request is sent.
      assert.ok(traces >= 9 * TRACES && traces <= 10 * TRACES, `${from} ${since}: ${traces}`);
    }
  }
});

test('bad lines and messages are counted with their place', async (t) => {
  const directory = tempDirectory(t);
  const policies = writeText(directory, 'policies.yaml', SIMPLE);
  const [first, second, third] = recordedRequests(3) as [Uint8Array, Uint8Array, Uint8Array];
  const lines = [jsonLines([first]), '\n', '{"resourceSpans": [}\n', jsonLines([second, third])];
  const json = writeText(directory, 'a.json', lines.join(''));
  const report = await sampleReport('--policies', policies, '--from', json, '--workers', '2');
  assert.equal(report.requests, 3);
  assert.equal(report.skipped.skippedCount, 1);
  assert.equal(report.skipped.skipped[0]!.place, `${json}:3`);

  const bad = second.slice();
  bad[0] = 0xff;
  const proto = writeText(directory, 'a.proto', protoFile([first, bad, third]).subarray(0, -5));
  const cut = await sampleReport('--policies', policies, '--from', proto);
  assert.equal(cut.requests, 1);
  assert.deepEqual(
    cut.skipped.skipped.map(({ place }) => place),
    [`${proto}, byte ${first.length + 4}`, `${proto}, byte ${first.length + second.length + 8}`],
  );
  assert.match(cut.skipped.skipped[1]!.reason, /ends within a message/);

  const gz = writeText(directory, 'a.gz', gzipSync(jsonLines(recordedRequests(100))).subarray(0, -400));
  const torn = await sampleReport('--policies', policies, '--from', gz);
  assert.equal(torn.skipped.skippedCount >= 1, true);
  assert.match(torn.skipped.skipped.at(-1)!.reason + torn.skipped.skipped[0]!.reason, /cannot be inflated/);
  assert.ok(torn.requests > 50);
});

test('a damaged record costs its own spans only, and a damaged segment its own', async (t) => {
  const directory = tempDirectory(t);
  const policies = writeText(directory, 'policies.yaml', SIMPLE);
  const requests = recordedRequests(REQUESTS);
  const log = join(directory, 'traces~0');
  await writeLog(log, requests);
  const segments = readdirSync(join(log, 'segments')).toSorted();
  assert.ok(segments.length > 3, 'several segments');
  const data = join(log, 'segments', segments[0]!, 'data.mdb');
  const bytes = readFileSync(data);
  // In the middle of the second request's payload.
  const at = bytes.indexOf(requests[1]!);
  assert.ok(at > 0);
  bytes[at + 1000]! ^= 0xff;
  writeFileSync(data, bytes);
  const report = await sampleReport('--policies', policies, '--from', log);
  assert.equal(report.requests, REQUESTS - 1);
  assert.equal(report.skipped.skippedCount, 1);
  assert.match(report.skipped.skipped[0]!.place, /0000000000000000: record 64/);
  assert.match(report.skipped.skipped[0]!.reason, /damaged: body checksum/);

  writeFileSync(join(log, 'segments', segments[1]!, 'data.mdb'), Buffer.alloc(8192, 1));
  const worse = await sampleReport('--policies', policies, '--from', log);
  assert.ok(worse.requests < REQUESTS - 1 && worse.requests > REQUESTS / 2);
  assert.ok(worse.skipped.skipped.some(({ place }) => place.endsWith(segments[1]!)));
});

test('what is no recording is refused', async (t) => {
  const directory = tempDirectory(t);
  const policies = writeText(directory, 'policies.yaml', SIMPLE);
  mkdirSync(join(directory, 'empty', 'logs'), { recursive: true });
  const zstd = Buffer.concat([
    Buffer.from([0, 0, 0, 9]),
    Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0, 0, 0]),
  ]);
  for (const [from, message] of [
    [join(directory, 'nothing'), /nothing: no such file or directory/],
    [directory, /is neither a data directory nor a log/],
    [join(directory, 'empty'), /there is no log with traces in it/],
    [writeText(directory, 'text', 'hello\nworld\n'), /holds neither lines of JSON nor protobuf messages/],
    [writeText(directory, 'zstd', zstd), /compressed by zstd, which is not read/],
  ] as const) {
    const { code, out, errors } = await sample('--policies', policies, '--from', from);
    assert.equal(code, 1);
    assert.equal(out, '');
    assert.match(errors, message);
  }
});
