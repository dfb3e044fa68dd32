import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { lockDataDirectory } from './data-lock.ts';

let parent = '';
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'data-lock-'));
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

/** A process that takes the lock, says so or says the code of its error, and stays. */
function startHolder(dataDir: string, options: { uid?: number } = {}): ChildProcess {
  const source = `
    import { lockDataDirectory } from ${JSON.stringify(new URL(`./data-lock${extname(import.meta.url)}`, import.meta.url).href)};
    setInterval(() => undefined, 1000);
    lockDataDirectory(${JSON.stringify(dataDir)}).then(
      () => process.stdout.write('locked\\n'),
      (error) => process.stdout.write(error.code + ' ' + error.message + '\\n'),
    );`;
  return spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
    ...options,
  });
}

async function firstLine(child: ChildProcess): Promise<string> {
  const [chunk] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  return chunk.toString().trim();
}

test('a second instance is refused at once, in this process and in another', async () => {
  const dataDir = join(parent, 'data');
  const lock = await lockDataDirectory(dataDir);
  const startMs = performance.now();
  await assert.rejects(lockDataDirectory(dataDir), { code: 'STORAGE_LOCKED' });
  assert.ok(performance.now() - startMs < 5_000);
  const other = startHolder(dataDir);
  assert.match(await firstLine(other), /^STORAGE_LOCKED/);
  other.kill('SIGKILL');
  await lock.release();
  const again = await lockDataDirectory(dataDir);
  await again.release();
  assert.deepEqual(readdirSync(dataDir), []);
});

test('what kill -9 leaves behind does not stop the next start', async () => {
  const dataDir = join(parent, 'data');
  const holder = startHolder(dataDir);
  assert.equal(await firstLine(holder), 'locked');
  await assert.rejects(lockDataDirectory(dataDir), { code: 'STORAGE_LOCKED' });
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  assert.ok(existsSync(join(dataDir, 'lock.sock')));
  const lock = await lockDataDirectory(dataDir);
  await lock.release();
});

test('of many starts on a stale lock exactly one wins', async () => {
  const dataDir = join(parent, 'data');
  const holder = startHolder(dataDir);
  assert.equal(await firstLine(holder), 'locked');
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  const results = await Promise.allSettled(Array.from({ length: 8 }, () => lockDataDirectory(dataDir)));
  const won = results.filter((result) => result.status === 'fulfilled');
  assert.equal(won.length, 1);
  for (const result of won) await result.value.release();
});

test('a directory with a path longer than a socket address can be locked', async () => {
  const dataDir = join(parent, 'x'.repeat(120), 'y'.repeat(60));
  const lock = await lockDataDirectory(dataDir);
  await assert.rejects(lockDataDirectory(dataDir), { code: 'STORAGE_LOCKED' });
  await lock.release();
});

test('a directory that cannot be written is named in the error', async () => {
  const dataDir = join(parent, 'locked', 'data');
  mkdirSync(join(parent, 'locked'));
  const isRoot = process.getuid?.() === 0;
  if (!isRoot) {
    chmodSync(join(parent, 'locked'), 0o500);
    await assert.rejects(lockDataDirectory(dataDir), (error: { code: string; message: string }) => {
      return error.code === 'START_FAILED' && error.message.includes(dataDir);
    });
    return;
  }
  // Root may write everywhere, so a process without its rights tries.
  chmodSync(parent, 0o755);
  const other = startHolder(dataDir, { uid: 65_534 });
  const line = await firstLine(other);
  other.kill('SIGKILL');
  assert.match(line, /^START_FAILED/);
  assert.ok(line.includes(dataDir));
});
