import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as zlib from 'node:zlib';
import { PipelineError } from '../component/errors.ts';
import { Prng } from '../stdx/prng.ts';
import type { ArchiveMessage } from './archive-messages.ts';
import { readArchiveObject } from './archive-object.ts';

const BYTES_MAX = 64 << 20;

async function* chunksOf(bytes: Uint8Array, sizes: () => number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(at + sizes(), bytes.length);
    yield bytes.slice(at, end);
    at = end;
  }
}

interface Outcome {
  messages: ArchiveMessage[];
  error: PipelineError | undefined;
}

async function read(
  key: string,
  bytes: Uint8Array,
  sizes = () => 65_536,
  bytesMax = BYTES_MAX,
): Promise<Outcome> {
  const messages: ArchiveMessage[] = [];
  try {
    for await (const message of readArchiveObject(key, chunksOf(bytes, sizes), bytesMax))
      messages.push(message);
    return { messages, error: undefined };
  } catch (error) {
    assert.ok(error instanceof PipelineError, String(error));
    assert.ok(error.permanent);
    return { messages, error };
  }
}

/** Field 1 with content of this size. */
function field(sizeBytes: number, fill: number): Buffer {
  const length: number[] = [];
  for (let rest = sizeBytes; ; rest >>>= 7) {
    length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    if (rest <= 0x7f) break;
  }
  return Buffer.concat([Buffer.from([0x0a, ...length]), Buffer.alloc(sizeBytes, fill)]);
}

const texts = ({ messages }: Outcome): string[] =>
  messages.map(({ bytes }) => Buffer.from(bytes).toString('latin1'));

test('protobuf is cut at the same places whatever the chunks are', async () => {
  const prng = new Prng(7);
  const fields = Array.from({ length: 60 }, (_, index) => field(prng.nextUint32() % 200_000, index));
  const whole = Buffer.concat([...fields, field(3_000_000, 1), field(10, 2)]);
  const once = await read('traces_1.binpb', whole, () => whole.length);
  assert.ok(once.messages.length > 3, `${once.messages.length} messages`);
  assert.deepEqual(Buffer.concat(once.messages.map(({ bytes }) => bytes)), whole);
  for (const size of [1000, 16_384, 1_048_576])
    assert.deepEqual(texts(await read('traces_1.binpb', whole, () => size)), texts(once));
  const random = await read('traces_1.binpb', whole, () => 1 + (prng.nextUint32() % 300_000));
  assert.deepEqual(texts(random), texts(once));
});

test('JSON is cut between the elements of its lists, byte by byte as at once', async () => {
  const text = `{"resourceSpans":[{"a":"]}\\"{"},{"b":[1,{"c":2}]}],"other":{"resourceSpans":[{}]}}\n{"resourceLogs":[]}{ "resource_metrics" : [ {"m":1} , {"m":2} ] }{}`;
  const expected = [
    '{"resourceSpans":[{"a":"]}\\"{"},{"b":[1,{"c":2}]}]}',
    '{"resourceMetrics":[{"m":1} , {"m":2}]}',
  ];
  for (const size of [1, 7, 1000]) {
    const outcome = await read('x.json', Buffer.from(text), () => size);
    assert.equal(outcome.error, undefined);
    assert.deepEqual(texts(outcome), expected);
    assert.deepEqual(
      outcome.messages.map(({ signal }) => signal),
      ['traces', 'metrics'],
    );
  }
});

test('a large document comes in parts of about a megabyte', async () => {
  const element = `{"v":"${'x'.repeat(100_000)}"}`;
  const document = `{"resourceLogs":[${Array.from({ length: 50 }, () => element).join(',')}]}`;
  const { messages, error } = await read('logs_1.json', Buffer.from(document));
  assert.equal(error, undefined);
  assert.ok(messages.length >= 4 && messages.length <= 6, `${messages.length} messages`);
  const elements = texts({ messages, error }).flatMap(
    (text) => (JSON.parse(text) as { resourceLogs: unknown[] }).resourceLogs,
  );
  assert.equal(elements.length, 50);
});

test('what was read before the end was cut off counts', async () => {
  const json = Buffer.from('{"resourceSpans":[{"a":1},{"b":2},{"c":');
  for (const size of [1, 1000]) {
    const outcome = await read('x.json', json, () => size);
    assert.deepEqual(texts(outcome), ['{"resourceSpans":[{"a":1},{"b":2}]}']);
    assert.match(outcome.error!.message, /^the text ends within a JSON document at byte 39$/);
  }
  const proto = Buffer.concat([field(10, 1), field(20, 2)]);
  const outcome = await read('traces_1.binpb', proto.subarray(0, -1));
  assert.deepEqual(texts(outcome), [field(10, 1).toString('latin1')]);
  assert.match(outcome.error!.message, /^the object ends within a message at byte 12$/);
});

test('every compression is told by its first bytes', async () => {
  const plain = field(5000, 3);
  // Of the library zstd, level 3: not every Node.js can make it.
  const zstd = Buffer.from('KLUv/WCLEl0AACAKiCcDAQCE0wMi', 'base64');
  const stored = [plain, zlib.gzipSync(plain), zstd, Buffer.concat([zstd, zstd])];
  for (const bytes of stored) {
    for (const size of [1, 3, 100_000]) {
      const outcome = await read('traces_1.binpb', bytes, () => size);
      assert.equal(outcome.error, undefined);
      // Frames back to back are one content.
      const count = bytes.length === 2 * zstd.length ? 2 : 1;
      const same = texts(outcome).join('') === plain.toString('latin1').repeat(count);
      assert.ok(same, `${stored.indexOf(bytes)}, chunks of ${size}`);
    }
  }
});

test('a bomb ends at the limit, with the memory of a chunk', async () => {
  const bomb = zlib.gzipSync(Buffer.concat(Array.from({ length: 64 }, () => field(1_000_000, 0))));
  const before = process.memoryUsage().arrayBuffers;
  const outcome = await read('traces_1.binpb.gz', bomb, undefined, 8 << 20);
  assert.equal(outcome.error!.code, 'BODY_TOO_LARGE');
  assert.ok(process.memoryUsage().arrayBuffers - before < 40 << 20);
  // One element that never ends: zeros of a length that nobody keeps in memory.
  const endless = Buffer.concat([Buffer.from([0x0a, 0xff, 0xff, 0xff, 0x7f]), Buffer.alloc(1000)]);
  assert.equal((await read('traces_1.binpb', endless)).error!.code, 'OTLP_LIMIT_EXCEEDED');
  const text = await read(
    'x.json',
    Buffer.from(`{"resourceSpans":[{"a":"${'x'.repeat(70 << 20)}"}]}`),
    () => 1 << 20,
    1 << 30,
  );
  assert.equal(text.error!.code, 'OTLP_LIMIT_EXCEEDED');
});

test('noise of every kind is refused with a reason, and never hangs', async () => {
  const prng = new Prng(11);
  const good = Buffer.concat([field(300, 1), field(40, 2)]);
  for (const base of [good, zlib.gzipSync(good), Buffer.from('{"resourceSpans":[{"a":[1,2]}]}')]) {
    for (let round = 0; round < 300; round++) {
      const bytes = Buffer.from(base);
      for (let change = 0; change < 3; change++)
        bytes[prng.nextUint32() % bytes.length] = prng.nextUint32() & 0xff;
      await read(
        'traces_1',
        bytes.subarray(0, 1 + (prng.nextUint32() % bytes.length)),
        () => 1 + (prng.nextUint32() % 50),
      );
    }
  }
});
