/** kill -9 while requests are acknowledged: what was acknowledged is there after every start. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../component/settings.ts';
import { systemClock } from '../../stdx/clock.ts';
import { crc32 } from '../../stdx/crc32.ts';
import { Prng } from '../../stdx/prng.ts';
import { createNumberedRequest, forkPeer, readLogInChild } from './log.test-peer.ts';
import { prepareLog } from './prepare.ts';

const errors: string[] = [];
const logger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: (message, fields) => void errors.push(`${message} ${JSON.stringify(fields)}`),
  child: () => logger,
};

/** Kills the writer after a random time; returns the numbers it reported as committed. */
async function writeUntilKilled(directory: string, startNumber: number, aliveMs: number): Promise<number[]> {
  const acknowledged: number[] = [];
  const child = forkPeer(['write', directory, String(startNumber)]);
  const exited = new Promise<NodeJS.Signals | null>((resolve) =>
    child.once('exit', (_code, signal) => resolve(signal)),
  );
  const firstAck = new Promise<void>((resolve) => child.once('message', () => resolve()));
  child.on('message', (number) => acknowledged.push(number as number));
  await Promise.race([firstAck, exited]);
  await sleep(aliveMs);
  child.kill('SIGKILL');
  assert.equal(await exited, 'SIGKILL');
  return acknowledged;
}

test('ten kills under load: acknowledged is a subset of readable, nothing else appears, nothing is set aside', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'log-crash-'));
  const seed = 1 + Math.floor(Math.random() * 1e6);
  const prng = new Prng(seed);
  const acknowledged = new Set<number>();
  let nextNumber = 1;
  try {
    for (let cycle = 0; cycle < 10; cycle++) {
      for (const number of await writeUntilKilled(directory, nextNumber, prng.nextInt(300)))
        acknowledged.add(number);
      const prepared = await prepareLog({ logId: 'traces~0', directory, clock: systemClock, logger });
      assert.deepEqual(prepared.quarantined, [], `seed ${seed}`);
      nextNumber = Math.max(...acknowledged) + 10_000;
    }
    const { hashes, items, damagedItems } = await readLogInChild(directory);
    assert.equal(damagedItems, 0);
    const stored = new Set(Object.values(hashes));
    assert.equal(stored.size, items, 'a request is stored twice');
    for (const number of acknowledged) {
      assert.ok(stored.has(crc32(createNumberedRequest(number))), `seed ${seed}: request ${number} is lost`);
    }
    assert.ok(acknowledged.size > 100, `only ${acknowledged.size} requests were acknowledged`);
    assert.deepEqual(errors, []);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
