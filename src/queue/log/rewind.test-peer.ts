/** The other process of the rewind's crash test: moves one cursor back again and again until it is killed. */
import { fileURLToPath } from 'node:url';
import { readCursorFile } from './cursor-file.ts';
import { cursorFilePath } from './layout.ts';
import { rewindCursor } from './rewind.ts';

/** Where the cursor is after so many moves. */
export function ordinalOf(generation: number): number {
  return (generation * 7919) % 100_003;
}

export const REWIND_PEER = fileURLToPath(import.meta.url);

const [, entry, logDirectory] = process.argv;
if (entry === REWIND_PEER && logDirectory !== undefined) {
  const state = readCursorFile(cursorFilePath(logDirectory, 'sink'));
  if (typeof state === 'string') throw new Error(`the position is ${state}`);
  for (let generation = state.generation + 1; process.connected; generation++) {
    rewindCursor({ logDirectory, logId: 'a~0', name: 'sink', ordinal: ordinalOf(generation) });
    process.send?.(generation);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
