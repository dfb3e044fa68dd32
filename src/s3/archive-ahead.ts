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
  /** Lets go of what nobody read. */
  end(): void;
}

/** An object's chunks end when the next one is asked for. @param stop ends what is being read. */
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
      next.end();
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
  const stored = store.read(key, signal);
  if (sizeBytes > WHOLE_BYTES_MAX) return { entry, aheadBytes: 0, chunks: stored, end: () => undefined };
  const chunks = stored[Symbol.asyncIterator]();
  const reading = readHead(chunks);
  // Whoever takes the object is told.
  reading.catch(() => undefined);
  const end = () => void chunks.return?.().catch(() => undefined);
  return { entry, aheadBytes: sizeBytes, chunks: headAndRest(reading, chunks), end };
}

interface Head {
  chunks: Uint8Array[];
  isWhole: boolean;
}

/** An object may be larger than was said: it may have been written anew. The rest of one waits for its turn. */
async function readHead(chunks: AsyncIterator<Uint8Array>): Promise<Head> {
  const head: Head = { chunks: [], isWhole: false };
  let sizeBytes = 0;
  while (!head.isWhole && sizeBytes <= WHOLE_BYTES_MAX) {
    const { done, value } = await chunks.next();
    if (done === true) head.isWhole = true;
    else {
      head.chunks.push(value);
      sizeBytes += value.length;
    }
  }
  return head;
}

async function* headAndRest(
  reading: Promise<Head>,
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const head = await reading;
  yield* head.chunks;
  while (!head.isWhole) {
    const { done, value } = await rest.next();
    if (done === true) return;
    yield value;
  }
}
