/**
 * Positions of exporters that join a log. What is only retained belongs to those who had it: a newcomer gets what
 * somebody still waits for. Decided and written down before any thread runs, because the others move on from then.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { flushDirectory } from './clean-marker.ts';
import { encodeCursorState, readCursorFile, SLOT_BYTES } from './cursor-file.ts';
import { cursorFilePath, cursorsDirectory, listNames, listSegments, logHash } from './layout.ts';

/**
 * Where the slowest of the cursors on disk is. A damaged one will begin at the oldest item, which is then the answer.
 * @returns undefined when there is no cursor.
 */
export function slowestPosition(logDirectory: string, logId: string): number | undefined {
  const hash = logHash(logId);
  let slowest: number | undefined;
  for (const name of listNames(cursorsDirectory(logDirectory))) {
    const state = readCursorFile(join(cursorsDirectory(logDirectory), name, 'position'));
    if (state === 'absent') continue;
    if (state === 'damaged' || state.logHash !== hash) return 0;
    slowest = Math.min(slowest ?? state.ordinal, state.ordinal);
  }
  return slowest;
}

/**
 * Writes a position for each of the names that has none; those of a log without any begin at the oldest item. It has to
 * be there before anything is taken: after a crash the others have come further, and one without a position would be
 * taken for a newcomer and begin where they are.
 */
export function placeNewCursors(logDirectory: string, logId: string, names: readonly string[]): void {
  const begin = listSegments(logDirectory)[0] ?? 0;
  const slowest = slowestPosition(logDirectory, logId) ?? begin;
  for (const name of names) {
    const path = cursorFilePath(logDirectory, name);
    if (readCursorFile(path) !== 'absent') continue;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const state = { sequence: 2, ordinal: Math.max(slowest, begin), logHash: logHash(logId) };
    // Sequence 2 is the slot at the beginning of the file; the next one follows behind it.
    const slot = new Uint8Array(SLOT_BYTES);
    slot.set(encodeCursorState({ ...state, generation: 0, frozen: [] }));
    writeFileSync(path, slot, { mode: 0o600, flush: true });
    for (const directory of [dirname(path), cursorsDirectory(logDirectory)]) flushDirectory(directory);
  }
}
