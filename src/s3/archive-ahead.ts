/** Objects in their order, small ones read ahead, so that a store that is far away is not waited for one by one. */
import type { ArchiveObject, ArchiveStore } from './archive-store.ts';

/** Objects that are read at a time. */
export const READS_MAX = 8;
/** Stored bytes that are held ahead of their turn. */
const AHEAD_BYTES_MAX = 32 << 20;
/** Larger objects are read in their turn, in a stream. */
const WHOLE_BYTES_MAX = 4 << 20;

/** One object in its turn. */
export interface InTurn<E> {
  entry: E;
  /** The stored bytes, to be read once. Errors as of `ArchiveStore.read`. */
  chunks: AsyncIterable<Uint8Array>;
}

interface Ahead<E> extends InTurn<E> {
  aheadBytes: number;
}

/** @param stop ends what is being read. */
export async function* readAhead<E extends { object: ArchiveObject }>(
  store: ArchiveStore,
  entries: AsyncGenerator<E>,
  stop: AbortSignal,
): AsyncGenerator<InTurn<E>> {
  const queue: Ahead<E>[] = [];
  const leaving = new AbortController();
  const signal = AbortSignal.any([stop, leaving.signal]);
  let aheadBytes = 0;
  let isAtEnd = false;
  try {
    for (;;) {
      while (!isAtEnd && queue.length < READS_MAX && (queue.length === 0 || aheadBytes < AHEAD_BYTES_MAX)) {
        const { done, value } = await entries.next();
        if (done === true) isAtEnd = true;
        else {
          const ahead = begin(store, value, signal);
          aheadBytes += ahead.aheadBytes;
          queue.push(ahead);
        }
      }
      const next = queue.shift();
      if (next === undefined) return;
      aheadBytes -= next.aheadBytes;
      yield next;
    }
  } finally {
    leaving.abort();
    await entries.return(undefined);
  }
}

function begin<E extends { object: ArchiveObject }>(
  store: ArchiveStore,
  entry: E,
  signal: AbortSignal,
): Ahead<E> {
  const { key, sizeBytes } = entry.object;
  if (sizeBytes > WHOLE_BYTES_MAX) return { entry, aheadBytes: 0, chunks: store.read(key, signal) };
  const reading = readWhole(store, key, signal);
  // Whoever takes the object is told.
  reading.catch(() => undefined);
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    yield* await reading;
  };
  return { entry, aheadBytes: sizeBytes, chunks: chunks() };
}

async function readWhole(store: ArchiveStore, key: string, signal: AbortSignal): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of store.read(key, signal)) chunks.push(chunk);
  return chunks;
}
