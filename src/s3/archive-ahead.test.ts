import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readAhead } from './archive-ahead.ts';
import type { ArchiveObject, ArchiveStore } from './archive-store.ts';

const CHUNK_BYTES = 1 << 20;

/** Objects of so many chunks; counts what was handed out and which reads are open. */
class CountingStore implements ArchiveStore {
  readonly name = 'counting';
  readonly handedOut = new Map<string, number>();
  readonly open = new Set<string>();
  readonly #chunks: Readonly<Record<string, number>>;

  constructor(chunks: Readonly<Record<string, number>>) {
    this.#chunks = chunks;
  }

  async *list() {}

  async *read(key: string): AsyncGenerator<Uint8Array> {
    this.open.add(key);
    try {
      for (let index = 0; index < this.#chunks[key]!; index++) {
        this.handedOut.set(key, index + 1);
        yield new Uint8Array(CHUNK_BYTES).fill(index);
      }
    } finally {
      this.open.delete(key);
    }
  }

  async close(): Promise<void> {}
}

async function* said(...objects: [key: string, sizeBytes: number][]) {
  for (const [key, sizeBytes] of objects)
    yield { object: { key, sizeBytes, modifiedUnixMs: 0 } satisfies ArchiveObject };
}

test('an object that is larger than was said is read ahead up to a bound, and whole in its turn', async () => {
  const store = new CountingStore({ small: 2, grown: 40 });
  const sizes = new Map<string, number>();
  const entries = said(['small', CHUNK_BYTES], ['grown', 10]);
  for await (const { entry, chunks } of readAhead(store, entries, new AbortController().signal)) {
    const { key } = entry.object;
    if (key === 'grown') assert.equal(store.handedOut.get(key), 5);
    let sizeBytes = 0;
    let index = 0;
    for await (const chunk of chunks) {
      assert.equal(chunk[0], index++);
      sizeBytes += chunk.length;
    }
    sizes.set(key, sizeBytes);
  }
  assert.deepEqual([...sizes.values()], [2 * CHUNK_BYTES, 40 * CHUNK_BYTES]);
  assert.equal(store.open.size, 0);
});

test('what nobody reads is let go of when the next object is asked for', async () => {
  const store = new CountingStore({ skipped: 40, next: 1 });
  const entries = said(['skipped', 10], ['next', 10]);
  for await (const { entry } of readAhead(store, entries, new AbortController().signal)) {
    await new Promise((resolve) => setImmediate(resolve));
    if (entry.object.key === 'next') assert.deepEqual([...store.open], []);
  }
});
