import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import test from 'node:test';
import { CAN_WRITE_ZSTD, type KafkaCompression, recordPacker, recordUnpacker } from './codecs.ts';

type Codec = Exclude<KafkaCompression, 'none'>;
const CODECS: readonly Codec[] = ['gzip', 'snappy', 'lz4', ...(CAN_WRITE_ZSTD ? ['zstd' as const] : [])];

/** Telemetry-like: repeats with changes; and bytes that nothing can shorten. */
function contents(): [string, Buffer][] {
  const text = Buffer.from(
    Array.from({ length: 30_000 }, (_, at) => `http.method=GET status=${at % 7} id=${at * 7919};`).join(''),
  );
  let state = 42;
  const noise = Buffer.from(
    Uint8Array.from({ length: 600_000 }, () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state >>> 24;
    }),
  );
  const zeros = Buffer.alloc(1 << 20);
  const around = [0, 1, 12, 13, 32_767, 32_768, 32_769, 65_536, (1 << 18) - 1, 1 << 18, (1 << 18) + 1];
  return [
    ['text', text],
    ['noise', noise],
    ['zeros', zeros],
    ...around.map((size): [string, Buffer] => [`${size} bytes`, text.subarray(5, 5 + size)]),
  ];
}

for (const codec of CODECS) {
  test(`${codec}: what was packed unpacks to the same bytes`, async () => {
    const packer = recordPacker(codec);
    const unpack = recordUnpacker(codec);
    for (const [name, content] of contents()) {
      const packed = Buffer.concat(
        await packer.pack([content.subarray(0, 9), content.subarray(9)], content.length),
      );
      assert.ok(content.equals(await unpack(packed)), name);
      if (name === 'text')
        assert.ok(packed.length < content.length / 3, `${packed.length} of ${content.length}`);
      if (name === 'noise') assert.ok(packed.length < content.length * 1.01, 'noise hardly grows');
    }
    packer.close();
  });

  test(`${codec}: cut or changed bytes are an error or other bytes, and end`, async () => {
    const packer = recordPacker(codec);
    const unpack = recordUnpacker(codec);
    const content = contents()[0]![1].subarray(0, 70_000);
    const packed = Buffer.concat(await packer.pack([content], content.length));
    packer.close();
    for (let at = 0; at < packed.length; at += 997) {
      await unpack(packed.subarray(0, at)).catch((error) => assert.ok(error instanceof Error));
      const changed = Buffer.from(packed);
      changed[at] = changed[at]! ^ 0x55;
      await unpack(changed).catch((error) => assert.ok(error instanceof Error));
    }
  });
}

for (const codec of CODECS) {
  test(`${codec}: batches side by side, more than there are compressors, each get their own frame`, async () => {
    const packer = recordPacker(codec);
    const unpack = recordUnpacker(codec);
    const all = Array.from({ length: 40 }, (_, at) => Buffer.alloc((at % 7) * 150_000 + at, `batch ${at};`));
    const frames = await Promise.all(all.map((content) => packer.pack([content], content.length)));
    // Output of later batches must not have gone over that of earlier ones.
    for (const [at, content] of all.entries())
      assert.ok(content.equals(await unpack(Buffer.concat(frames[at]!))), `batch ${at}`);
    packer.close();
    const again = await packer.pack([all[8]!], all[8]!.length);
    assert.ok(all[8]!.equals(await unpack(Buffer.concat(again))), 'after a close');
    packer.close();
  });
}

for (const codec of CODECS) {
  test(`B10: ${codec} that unpacks to more than is allowed is an error`, async () => {
    const packer = recordPacker(codec);
    const packed = Buffer.concat(await packer.pack([Buffer.alloc(4 << 20)], 4 << 20));
    packer.close();
    assert.equal((await recordUnpacker(codec, 4 << 20)(packed)).length, 4 << 20);
    await assert.rejects(recordUnpacker(codec, (4 << 20) - 1)(packed), Error);
  });
}

test('zstd is read on every Node.js', async () => {
  // Written by libzstd 1.5, so that Node.js 20, which has no writer, reads more than nothing.
  const packed = Buffer.from('KLUv/SBaTQAAGGFiYwEA5OSG', 'base64');
  const text = await recordUnpacker('zstd')(packed);
  assert.equal(String(text), 'abc'.repeat(30));
});

test('snappy: a single block without a frame is read too', async () => {
  const { compress } = createRequire(import.meta.url)('snappyjs') as {
    compress(bytes: Uint8Array): Uint8Array;
  };
  const content = Buffer.from('a block of librdkafka, a block of librdkafka');
  assert.ok(content.equals(await recordUnpacker('snappy')(compress(content))));
});

test('lz4: what lz4js frames itself depends on other blocks and is refused with that reason', async () => {
  const { compress } = createRequire(import.meta.url)('lz4js') as { compress(bytes: Uint8Array): Uint8Array };
  await assert.rejects(recordUnpacker('lz4')(compress(Buffer.alloc(1000))), /depend on each other/);
});
