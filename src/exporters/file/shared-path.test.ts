/** Several threads and processes that write to one path. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import {
  batchOf,
  bodiesOf,
  bodiesOfLines,
  createExporter,
  logRequest,
  type PeerData,
  readFrames,
} from './file.test-peer.ts';

const never = new AbortController().signal;
const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const peer = new URL(`./file.test-peer${extension}`, import.meta.url);

async function tempDir(t: TestContext): Promise<string> {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'millrace-shared-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function runWorker(data: PeerData): Promise<{ retries: number }> {
  const worker = new Worker(peer, { workerData: data });
  const [result] = await once(worker, 'message');
  await worker.terminate();
  return result;
}

function expectedBodies(writers: string[], batches: number, records: number): string[] {
  return writers
    .flatMap((writer) =>
      Array.from({ length: batches * records }, (_, i) => {
        return `${writer}-${Math.floor(i / records)}-${i % records}`;
      }),
    )
    .sort();
}

test('two threads, rotation: every document once, whole, files within their size', {
  timeout: 60_000,
}, async (t) => {
  const directory = await tempDir(t);
  const file = path.join(directory, 'out.json');
  const config = { path: file, rotation: { max_megabytes: 1, max_backups: 0 } };
  const data = { config, batches: 60, records: 40, bodyChars: 1_000 };
  const results = await Promise.all(['a', 'b'].map((writer) => runWorker({ ...data, writer })));
  assert.deepEqual(
    results.map((result) => result.retries),
    [0, 0],
  );
  const names = await readdir(directory);
  assert.ok(names.length >= 4, `rotated into ${names.length} files`);
  const bodies: string[] = [];
  for (const name of names) {
    const { size } = await stat(path.join(directory, name));
    assert.ok(size > 500_000 || name === 'out.json', `${name} was rotated at ${size} bytes`);
    assert.ok(size <= 1 << 20, `${name} has ${size} bytes`);
    bodies.push(...(await bodiesOfLines(path.join(directory, name))));
  }
  assert.deepEqual(bodies.sort(), expectedBodies(['a', 'b'], 60, 40));
});

test('two threads, protobuf: lengths and messages do not mix', { timeout: 60_000 }, async (t) => {
  const file = path.join(await tempDir(t), 'out.bin');
  const data = { config: { path: file, format: 'proto' }, batches: 50, records: 5, bodyChars: 3_000 };
  await Promise.all(['a', 'b'].map((writer) => runWorker({ ...data, writer })));
  const bodies = (await readFrames(file)).flatMap(bodiesOf);
  assert.deepEqual(bodies.sort(), expectedBodies(['a', 'b'], 50, 5));
});

test('a file that is renamed while a thread writes: it goes on in a new one, nothing is lost', {
  timeout: 60_000,
}, async (t) => {
  const directory = await tempDir(t);
  const file = path.join(directory, 'out.json');
  const data = { config: { path: file }, writer: 'a', batches: 300, records: 2, bodyChars: 100 };
  let isDone = false;
  const run = runWorker(data).finally(() => {
    isDone = true;
  });
  let renames = 0;
  while (!isDone) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    await rename(file, path.join(directory, `moved-${renames}`)).then(
      () => renames++,
      () => {},
    );
  }
  assert.equal((await run).retries, 0);
  assert.ok(renames >= 2, `renamed ${renames} times`);
  const bodies: string[] = [];
  for (const name of await readdir(directory))
    bodies.push(...(await bodiesOfLines(path.join(directory, name))));
  assert.deepEqual(bodies.sort(), expectedBodies(['a'], 300, 2));
});

test('only the newest backups are kept, and files of other names are left alone', async (t) => {
  const directory = await tempDir(t);
  const file = path.join(directory, 'out.json');
  const bystander = path.join(directory, 'out-of-scope.json');
  const other = await createExporter({ path: bystander });
  await other.start();
  await other.shutdown(0);
  const exporter = await createExporter({ path: file, rotation: { max_megabytes: 1, max_backups: 2 } });
  await exporter.start();
  for (let batch = 0; batch < 5; batch++) {
    await exporter.export(batchOf('logs', [logRequest('a', batch, 1, 700_000)]), never);
  }
  await exporter.shutdown(0);
  const names = (await readdir(directory)).sort();
  const backups = names.filter((name) => /^out-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}\.json$/.test(name));
  assert.equal(backups.length, 2);
  assert.deepEqual(
    names.filter((name) => !backups.includes(name)),
    ['out-of-scope.json', 'out.json'],
  );
  const kept = await Promise.all(backups.map((name) => bodiesOfLines(path.join(directory, name))));
  assert.deepEqual(kept.flat(), ['a-2-0', 'a-3-0']);
  assert.deepEqual(await bodiesOfLines(file), ['a-4-0']);
});

test('a thread that ends with the lock held does not stop the others', { timeout: 30_000 }, async (t) => {
  const file = path.join(await tempDir(t), 'out.json');
  const data = { config: { path: file }, batches: 100_000, records: 1, bodyChars: 10, writer: 'a' };
  for (let round = 0; round < 5; round++) {
    const worker = new Worker(peer, { workerData: data });
    await once(worker, 'online');
    while ((await stat(file).catch(() => ({ size: 0 }))).size < 2_000 * (round + 1)) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await worker.terminate();
  }
  const exporter = await createExporter({ path: file });
  await exporter.start();
  await exporter.export(batchOf('logs', [logRequest('b', 0)]), never);
  await exporter.shutdown(0);
  assert.equal((await bodiesOfLines(file)).at(-1), 'b-0-0');
});

test('a batch that fits in part is taken back: no half line, and the file goes on behind it', {
  timeout: 30_000,
}, async (t) => {
  const file = path.join(await tempDir(t), 'out.json');
  const config = { path: file, append: true };
  const data: PeerData = { config, writer: 'a', batches: 6, records: 1, bodyChars: 30_000 };
  // A file size limit cuts the write that passes it short, as a full disk does; the next one fails.
  const script = `ulimit -f 160 && exec "$0" "$1" write-as-process "$2"`;
  const child = spawn('sh', ['-c', script, process.execPath, fileURLToPath(peer), JSON.stringify(data)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  const [code] = await once(child, 'close');
  assert.equal(code, 0);
  const { retries, errors } = JSON.parse(output) as { retries: number; errors: string[] };
  assert.ok(retries > 0 && retries < 6, `${retries} of 6 batches did not fit`);
  assert.match(errors[0]!, /cannot be written \(EFBIG\)/);
  const whole = Array.from({ length: 6 - retries }, (_, batch) => `a-${batch}-0`);
  assert.deepEqual(await bodiesOfLines(file), whole);
  const exporter = await createExporter(config);
  await exporter.start();
  await exporter.export(batchOf('logs', [logRequest('b', 0)]), never);
  await exporter.shutdown(0);
  assert.deepEqual(await bodiesOfLines(file), [...whole, 'b-0-0']);
});
