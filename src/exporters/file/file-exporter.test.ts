import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import * as zlib from 'node:zlib';
import { PipelineError } from '../../component/errors.ts';
import { SIGNALS, type Signal } from '../../component/signal.ts';
import { jsonToProto } from '../../otlp/json-to-proto.ts';
import { generateRequest } from '../../testkit/generators.ts';
import { requestType } from '../../testkit/otlp-root.ts';
import {
  batchOf,
  bodiesOf,
  bodiesOfLines,
  createExporter,
  logRequest,
  readFrames,
} from './file.test-peer.ts';

const never = new AbortController().signal;
const hasZstd = 'zstdCompress' in zlib;

async function tempDir(t: TestContext): Promise<string> {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'millrace-file-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function writeOne(raw: object, slices: Uint8Array[]): Promise<void> {
  const exporter = await createExporter(raw);
  await exporter.start();
  await exporter.export(batchOf('logs', slices), never);
  await exporter.shutdown(0);
}

/** A request as plain data. A status, resource or scope that is there and empty is the same as none. */
function plainObject(signal: Signal, bytes: Uint8Array): unknown {
  const type = requestType(signal);
  const text = JSON.stringify(type.toObject(type.decode(bytes), { bytes: String, longs: String }));
  return JSON.parse(text, (_, value) =>
    typeof value === 'object' && Object.keys(value).length === 0 ? undefined : value,
  );
}

for (const signal of SIGNALS) {
  test(`json: the ${signal} of a line are those that were exported`, async (t) => {
    const file = path.join(await tempDir(t), 'out.json');
    const exporter = await createExporter({ path: file }, signal);
    await exporter.start();
    const requests = [1, 2, 3].map((seed) => generateRequest({ signal, itemsPerRequest: 20, seed }));
    await exporter.export(batchOf(signal, requests.slice(0, 2)), never);
    await exporter.export(batchOf(signal, requests.slice(2)), never);
    await exporter.shutdown(0);
    const lines = (await readFile(file, 'utf8')).split('\n');
    assert.equal(lines.pop(), '');
    assert.equal(lines.length, 2, 'one document for each batch');
    const read = lines.map((line) => plainObject(signal, jsonToProto(signal, Buffer.from(line))));
    const written = [Buffer.concat(requests.slice(0, 2)), requests[2]!].map((bytes) =>
      plainObject(signal, bytes),
    );
    assert.deepEqual(read, written);
  });
}

test('proto: each message stands behind its length', async (t) => {
  const file = path.join(await tempDir(t), 'out.bin');
  await writeOne({ path: file, format: 'proto' }, [logRequest('a', 0), logRequest('a', 1)]);
  const frames = await readFrames(file);
  assert.deepEqual(frames.map(bodiesOf), [['a-0-0', 'a-1-0']]);
});

test('a batch larger than a message is cut between resources', async (t) => {
  const file = path.join(await tempDir(t), 'out.bin');
  const requests = Array.from({ length: 8 }, (_, batch) => logRequest('a', batch, 1, 400_000));
  await writeOne({ path: file, format: 'proto' }, [Buffer.concat(requests)]);
  const frames = await readFrames(file);
  assert.ok(frames.length >= 3 && frames.every((frame) => frame.length < 1_500_000));
  assert.deepEqual(
    frames.flatMap(bodiesOf),
    requests.flatMap((request) => bodiesOf(request)),
  );
});

if (hasZstd) {
  test('zstd: each message is compressed by itself', async (t) => {
    const directory = await tempDir(t);
    for (const format of ['json', 'proto']) {
      const file = path.join(directory, format);
      await writeOne({ path: file, format, compression: 'zstd', compression_params: { level: 6 } }, [
        logRequest('z', 0, 3),
      ]);
      const [frame, ...others] = await readFrames(file);
      assert.equal(others.length, 0);
      const plain = zlib.zstdDecompressSync(frame!);
      const proto = format === 'json' ? jsonToProto('logs', plain) : plain;
      assert.deepEqual(bodiesOf(proto), ['z-0-0', 'z-0-1', 'z-0-2']);
    }
  });
} else {
  test('zstd on a Node without it is refused at start', async (t) => {
    const file = path.join(await tempDir(t), 'out');
    const exporter = await createExporter({ path: file, compression: 'zstd' });
    await assert.rejects(exporter.start(), { code: 'START_FAILED', message: /Node 22\.15/ });
  });
}

test('control characters in data break neither lines nor terminals', async (t) => {
  const file = path.join(await tempDir(t), 'out.json');
  const hostile = 'a\r\n\u0000\u001b[2J\u007f\u009b31m\u0085\u2028\u2029b';
  await writeOne({ path: file }, [logRequest(hostile, 0)]);
  const text = await readFile(file, 'utf8');
  assert.doesNotMatch(text.slice(0, -1), /[\p{Cc}\u2028\u2029]/u);
  assert.deepEqual(await bodiesOfLines(file), [`${hostile}-0-0`]);
});

test('an older process’s file is emptied once, and not by a worker that is replaced', async (t) => {
  const file = path.join(await tempDir(t), 'out.json');
  await writeFile(file, 'from before\n');
  await utimes(file, new Date(1e12), new Date(1e12));
  await writeOne({ path: file }, [logRequest('a', 0)]);
  await writeOne({ path: file }, [logRequest('a', 1)]);
  assert.deepEqual(await bodiesOfLines(file), ['a-0-0', 'a-1-0']);
});

test('append keeps what is there and begins a line of its own', async (t) => {
  const file = path.join(await tempDir(t), 'out.json');
  await writeFile(file, 'half a li');
  await utimes(file, new Date(1e12), new Date(1e12));
  await writeOne({ path: file, append: true }, [logRequest('a', 0)]);
  const [first, ...others] = (await readFile(file, 'utf8')).split('\n');
  assert.equal(first, 'half a li');
  assert.deepEqual(bodiesOf(jsonToProto('logs', Buffer.from(others[0]!))), ['a-0-0']);
});

test('a file that ends inside a message is moved aside', async (t) => {
  const directory = await tempDir(t);
  const file = path.join(directory, 'out.bin');
  await writeOne({ path: file, format: 'proto' }, [logRequest('a', 0)]);
  await appendFile(file, Buffer.from([0, 0, 1, 0, 42]));
  await writeOne({ path: file, format: 'proto', append: true }, [logRequest('a', 1)]);
  assert.deepEqual((await readFrames(file)).map(bodiesOf), [['a-1-0']]);
  const backups = (await readdir(directory)).filter((name) => name !== 'out.bin');
  assert.equal(backups.length, 1);
  await assert.rejects(readFrames(path.join(directory, backups[0]!)), /middle of a message/);
});

test('a batch that is not protobuf is dropped and leaves nothing behind', async (t) => {
  const file = path.join(await tempDir(t), 'out.json');
  const exporter = await createExporter({ path: file });
  await exporter.start();
  await exporter.export(batchOf('logs', [logRequest('a', 0)]), never);
  const sizeBefore = (await stat(file)).size;
  const good = logRequest('a', 1, 1, 1_100_000);
  const bad = batchOf('logs', [good, Buffer.from([0x0a, 0x7f])]);
  await assert.rejects(exporter.export(bad, never), { code: 'OTLP_MALFORMED', permanent: true });
  assert.equal((await stat(file)).size, sizeBefore);
  await exporter.shutdown(0);
});

test('an aborted batch leaves nothing behind', async (t) => {
  const file = path.join(await tempDir(t), 'out.json');
  const exporter = await createExporter({ path: file });
  await exporter.start();
  const batch = batchOf('logs', [logRequest('a', 0)]);
  await assert.rejects(exporter.export(batch, AbortSignal.abort()), {
    code: 'EXPORT_TIMEOUT',
    permanent: false,
  });
  assert.equal((await stat(file)).size, 0);
  await exporter.shutdown(0);
});

test('a full device is a retryable error with the path', async () => {
  const exporter = await createExporter({ path: '/dev/full' });
  await exporter.start();
  await assert.rejects(exporter.export(batchOf('logs', [logRequest('a', 0)]), never), {
    code: 'EXPORT_UNAVAILABLE',
    permanent: false,
    message: /"\/dev\/full" cannot be written \(ENOSPC\)/,
  });
  await exporter.shutdown(0);
});

test('a missing directory is an error at start, unless it may be created', async (t) => {
  const directory = await tempDir(t);
  const file = path.join(directory, 'a/b/out.json');
  const exporter = await createExporter({ path: file });
  await assert.rejects(exporter.start(), { code: 'START_FAILED', message: /ENOENT.*create_directory/ });
  await writeOne({ path: file, create_directory: true, directory_permissions: '0700' }, [logRequest('a', 0)]);
  assert.deepEqual(await bodiesOfLines(file), ['a-0-0']);
  assert.equal((await stat(path.dirname(file))).mode & 0o777, 0o700);
});

test('a directory as path is an error at start', async (t) => {
  const exporter = await createExporter({ path: await tempDir(t) });
  await assert.rejects(exporter.start(), { code: 'START_FAILED', message: /EISDIR/ });
});

test('shutdown twice and before start are harmless, and a batch after it is kept', async (t) => {
  const exporter = await createExporter({ path: path.join(await tempDir(t), 'out.json') });
  await exporter.shutdown(0);
  await exporter.start();
  await exporter.shutdown(0);
  await exporter.shutdown(0);
  await assert.rejects(
    exporter.export(batchOf('logs', [logRequest('a', 0)]), never),
    (error) => error instanceof PipelineError && !error.permanent,
  );
});
