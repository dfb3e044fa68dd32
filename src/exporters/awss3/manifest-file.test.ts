import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { S3Entry } from '../../s3/objects.ts';
import {
  ManifestMerge,
  type ManifestObject,
  manifestObjects,
  manifestText,
  objectMetadata,
} from './manifest-file.ts';

const HEAD = {
  signal: 'logs',
  bucket: 'b',
  folder: 'f/hour=10',
  from: '2026-03-21T10:00:00.000Z',
  until: 'u',
};

function entry(name: string, etag = `"${name}"`): S3Entry {
  return { key: `f/hour=10/${name}`, sizeBytes: 10, modifiedUnixMs: Date.UTC(2026, 2, 21, 11), etag };
}

async function* from<T>(...values: T[]): AsyncGenerator<T, void, void> {
  yield* values;
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const value of source) all.push(value);
  return all;
}

async function textOf(objects: AsyncIterable<ManifestObject>): Promise<string> {
  return Buffer.concat(await collect(manifestText(HEAD, objects))).toString();
}

/** What a listing becomes, the objects that were asked for, and whether it differs from what was known. */
async function merge(known: string | undefined, entries: S3Entry[]) {
  const asked: string[] = [];
  const older = known === undefined ? from<ManifestObject>() : manifestObjects(from(Buffer.from(known)));
  const describe = async ({ key }: S3Entry) => {
    asked.push(key.split('/').pop()!);
    const metadata = objectMetadata('logs.1-0-4', Date.UTC(2026, 2, 21, 10, 5), 5);
    return key.endsWith('gone') ? undefined : { metadata, crc32: 'AAAAAA==' };
  };
  const merged = new ManifestMerge(older, describe, 2);
  const text = await textOf(merged.objects(from(entries.slice(0, 3), entries.slice(3))));
  return { text, asked, isChanged: merged.isChanged };
}

test('the document is JSON, says what objects say, and is the same again', async () => {
  const { text, asked } = await merge(
    undefined,
    ['a', 'b', 'gone', 'd\n"'].map((name) => entry(name)),
  );
  assert.deepEqual(asked, ['a', 'b', 'gone', 'd\n"']);
  const document = JSON.parse(text) as { objects: ManifestObject[] } & Record<string, unknown>;
  const { objects, ...rest } = document;
  assert.deepEqual(rest, {
    ...{ version: 1, ...HEAD, object_count: 3, objects_without_items: 0, items: 15, bytes: 30 },
    ...{ received_from: '2026-03-21T10:05:00.000Z', written: '2026-03-21T11:00:00.000Z' },
  });
  assert.deepEqual(objects[0], {
    ...{ key: 'f/hour=10/a', bytes: 10, etag: '"a"', written: '2026-03-21T11:00:00.000Z', crc32: 'AAAAAA==' },
    ...{ items: 5, received_from: '2026-03-21T10:05:00.000Z', batch: 'logs.1-0-4' },
  });
  const again = await merge(
    text,
    ['a', 'b', 'd\n"'].map((name) => entry(name)),
  );
  assert.deepEqual([again.text, again.asked, again.isChanged], [text, [], false]);
});

test('only what is new or has other bytes is asked for; what is gone is left out', async () => {
  const { text } = await merge(
    undefined,
    ['a', 'b', 'd', 'e'].map((name) => entry(name)),
  );
  const cases: [S3Entry[], string[], boolean][] = [
    [['a', 'b', 'c', 'd', 'e', 'f'].map((name) => entry(name)), ['c', 'f'], true],
    [[entry('a'), entry('b', '"other"'), entry('d'), entry('e')], ['b'], true],
    [['a', 'b', 'd'].map((name) => entry(name)), [], true],
    [['b', 'd', 'e'].map((name) => entry(name)), [], true],
    [[], [], true],
  ];
  for (const [entries, expected, isChanged] of cases) {
    const merged = await merge(text, entries);
    assert.deepEqual([merged.asked, merged.isChanged], [expected, isChanged]);
    const { objects } = JSON.parse(merged.text) as { objects: ManifestObject[] };
    assert.deepEqual(
      objects.map(({ key }) => key),
      entries.map(({ key }) => key),
    );
  }
});

test('a manifest that is cut, damaged or of another version is read as far as it goes', async () => {
  const { text } = await merge(
    undefined,
    ['a', 'b', 'd'].map((name) => entry(name)),
  );
  const lines = text.split('\n');
  const damaged: [string, number][] = [
    [lines.slice(0, 3).join('\n'), 1],
    [text.replace('"key":"f/hour=10/b"', '"key":7'), 1],
    [text.replace('"items":5,"received', '"items":5"received'), 0],
    [text.replace('"version":1', '"version":2'), 0],
    ['', 0],
    ['x'.repeat(100_000), 0],
  ];
  for (const [damage, count] of damaged)
    assert.equal((await collect(manifestObjects(from(Buffer.from(damage))))).length, count);
  // In pieces of one byte it is the same.
  const bytes = [...Buffer.from(text)].map((byte) => Uint8Array.of(byte));
  assert.equal((await collect(manifestObjects(from(...bytes)))).length, 3);
});

test('a batch id of any letters can be metadata', () => {
  const metadata = objectMetadata('Überwachung/2-0-4', 0, undefined);
  assert.deepEqual(Object.keys(metadata), ['millrace-batch', 'millrace-received-from']);
  assert.match(metadata['millrace-batch']!, /^[\x21-\x7e]+$/);
});
