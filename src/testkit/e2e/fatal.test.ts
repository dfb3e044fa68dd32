/** A failure that ends the process: whoever waits is told to retry before it does, and the exit code says why. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { engineConfig, freePorts } from '../engine-process.ts';
import { ledgerRequest } from '../ledger-client.ts';
import { ledgerClient, startEngine, tempDirectory } from './storage.test-peer.ts';

for (const [what, failpoints, code] of [
  // The first commit fails while the requests behind it are still in the ring.
  ['storage that fails', 'pipeline.frame_read=delay:100;pipeline.before_commit=throw', 74],
  // Every incarnation dies of its first frame, with nothing but the restart budget to end it.
  ['a worker that dies again and again', 'pipeline.decoded=throw;pipeline.before_release=throw', 70],
] as const) {
  test(`${what} answers every client that waits, then exits ${code}`, { timeout: 60_000 }, async (t) => {
    const ports = await freePorts();
    const engine = await startEngine(t, {
      config: engineConfig(ports, { nop: {} }, { signals: ['traces'] }),
      dataDir: join(tempDirectory(t), 'data'),
      failpoints,
      flags: ['--workers', '1'],
    });
    const client = ledgerClient(t, ports.http, 1);
    let sequence = 0;
    const answers: number[] = [];
    while (!engine.hasExited && sequence < 400) {
      // Only connections that were made before the end can be told.
      const burst = Array.from({ length: 8 }, () => client.send(ledgerRequest(0, sequence++)));
      const statuses = await Promise.all(burst.map((each) => each.catch(() => 0)));
      if (statuses.includes(0)) break;
      answers.push(...statuses);
    }
    assert.deepEqual(await engine.exit(), { code, signal: null }, engine.log);
    assert.match(engine.log, /the engine cannot go on/);
    assert.ok(answers.length >= 8, 'the first requests were all answered');
    for (const status of answers) assert.ok([200, 500, 503].includes(status), String(status));
    assert.ok(answers.includes(503), String(answers));
  });
}
