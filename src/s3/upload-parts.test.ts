import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type PartRequest, uploadParts } from './upload-parts.ts';

const PART_BYTES = 1000;

/** `count` bytes in chunks of one buffer that is overwritten again and again, as a producer may do. */
async function* numbered(count: number, chunkBytes: number): AsyncGenerator<Uint8Array> {
  const chunk = new Uint8Array(chunkBytes);
  for (let at = 0; at < count; at += chunkBytes) {
    const size = Math.min(chunkBytes, count - at);
    for (let i = 0; i < size; i++) chunk[i] = (at + i) % 251;
    yield chunk.subarray(0, size);
  }
}

function expected(count: number): Buffer {
  return Buffer.from(Uint8Array.from({ length: count }, (_, i) => i % 251));
}

/** Looks at a part late: its memory must still be its own. */
async function store(parts: Map<number, Buffer>, { partNumber, bytes }: PartRequest): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, partNumber % 3));
  parts.set(partNumber, Buffer.from(bytes));
  return partNumber;
}

const never = new AbortController().signal;

test('parts are full but for the last, in order and unharmed by what follows them', async () => {
  for (const [count, chunkBytes] of [
    [10_500, 300],
    [10_000, 1000],
    [2500, 4000],
    [999, 7],
    [0, 10],
  ] as const) {
    const sent = new Map<number, Buffer>();
    const { parts, sizeBytes } = await uploadParts(numbered(count, chunkBytes), PART_BYTES, never, (part) =>
      store(sent, part),
    );
    const numbers = Array.from({ length: Math.ceil(count / PART_BYTES) }, (_, i) => i + 1);
    assert.deepEqual(parts, numbers);
    assert.equal(sizeBytes, count);
    assert.deepEqual(Buffer.concat(numbers.map((number) => sent.get(number)!)), expected(count));
  }
});

test('two parts are on their way at a time', async () => {
  let [now, most] = [0, 0];
  await uploadParts(numbered(20_000, 500), PART_BYTES, never, async () => {
    most = Math.max(most, ++now);
    await new Promise((resolve) => setTimeout(resolve, 1));
    now--;
  });
  assert.equal(most, 2);
});

test('the first failure ends the other parts and the source', async () => {
  let isEnded = false;
  const source = async function* () {
    try {
      yield* numbered(1_000_000, 500);
    } finally {
      isEnded = true;
    }
  };
  const aborted: number[] = [];
  const failing = uploadParts(source(), PART_BYTES, never, async ({ partNumber, signal }) => {
    if (partNumber === 4) throw new Error('no space');
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(resolve, partNumber === 3 ? 10_000 : 1);
      signal.addEventListener('abort', () => {
        clearTimeout(timer);
        aborted.push(partNumber);
        reject(new Error('aborted'));
      });
    });
  });
  await assert.rejects(failing, /no space/);
  assert.ok(aborted.includes(3));
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(isEnded);
});

test('an error of the source, and an abort while it is silent, end the upload', async () => {
  const broken = async function* () {
    yield new Uint8Array(2500);
    throw new Error('damaged');
  };
  await assert.rejects(
    uploadParts(broken(), PART_BYTES, never, async () => 0),
    /damaged/,
  );
  const silent = async function* () {
    yield new Uint8Array(10);
    await new Promise(() => undefined);
  };
  const attempt = new AbortController();
  setTimeout(() => attempt.abort(), 5);
  await assert.rejects(
    uploadParts(silent(), PART_BYTES, attempt.signal, async () => 0),
    { name: 'AbortError' },
  );
});
