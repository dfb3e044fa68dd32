/** kill -9 while cursors are moved back: the position is the old one or the new one, never anything else. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Prng } from '../../stdx/prng.ts';
import { readCursorFile } from './cursor-file.ts';
import { cursorFilePath } from './layout.ts';
import { placeNewCursors } from './new-cursors.ts';
import { ordinalOf, REWIND_PEER } from './rewind.test-peer.ts';

test('ten kills in the middle of rewinds leave the last move that was told, or the next one', {
  timeout: 60_000,
}, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-rewind-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  placeNewCursors(directory, 'a~0', ['sink']);
  const seed = 1 + Math.floor(Math.random() * 1e6);
  const prng = new Prng(seed);
  let told = 0;
  for (let kill = 0; kill < 10; kill++) {
    const child = fork(REWIND_PEER, [directory], {
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const before = told;
    child.on('message', (generation) => {
      told = generation as number;
    });
    await once(child, 'message');
    await sleep(prng.nextInt(40));
    child.kill('SIGKILL');
    await once(child, 'close');
    const state = readCursorFile(cursorFilePath(directory, 'sink'));
    assert.ok(typeof state !== 'string', `seed ${seed}: the position is ${state}`);
    assert.ok(told > before);
    // What was told last may still have been on its way through the pipe when the next moves were made.
    assert.ok(state.generation >= told, `seed ${seed}: ${state.generation} after ${told}`);
    assert.equal(state.ordinal, ordinalOf(state.generation), `seed ${seed}`);
    told = state.generation;
  }
});
