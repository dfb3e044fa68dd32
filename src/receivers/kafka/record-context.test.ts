import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import test from 'node:test';
import { decodeClientContext } from '../../component/client-context.ts';
import type { IHeaders } from '../../kafka/client.ts';
import { appendRecord, encodeBatchHead, encodeHeaders, newRecordSet } from '../../kafka/record-batch.ts';
import { RecordContext } from './record-context.ts';

const load = createRequire(import.meta.url);
const Decoder = load('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => unknown;
const decodeBatch = load('kafkajs/src/protocol/recordBatch/v0/decoder') as (
  decoder: unknown,
) => Promise<{ records: { headers: IHeaders }[] }>;

const PLACE = { topic: 't', partition: 3, offset: 41 };

/** As the client library reads them from a record. */
async function headersOf(entries: readonly (readonly [string, string])[]): Promise<IHeaders> {
  const set = newRecordSet();
  const headers = entries.map(([name, value]) => [name, Buffer.from(value)] as const);
  appendRecord(set, undefined, [Buffer.from('v')], encodeHeaders(headers));
  const settings = { codecId: 0, recordCount: 1, timeUnixMs: 1, producer: { id: 1n, epoch: 0, sequence: 0 } };
  const bytes = Buffer.concat([encodeBatchHead(set.chunks, settings), ...set.chunks]);
  return (await decodeBatch(new Decoder(bytes))).records[0]!.headers;
}

test('headers become attributes by their letters and metadata by their lower case', async () => {
  const headers = await headersOf([
    ['Tenant', 'a'],
    ['Tenant', 'b'],
    ['tenant', 'c'],
    ['other', 'd'],
  ]);
  const context = new RecordContext(['Tenant', 'missing']);
  const keys = {
    address: false,
    metadata: ['tenant', 'kafka.topic', 'kafka.partition', 'kafka.offset'],
    auth: [],
  };
  const encoded = context.encode(keys, PLACE, { headers });
  assert.ok(encoded instanceof Uint8Array);
  const { metadata, resource } = decodeClientContext(encoded);
  assert.deepEqual(metadata.get('tenant'), ['a', 'b', 'c']);
  assert.deepEqual(metadata.get('kafka.topic'), ['t']);
  assert.deepEqual(metadata.get('kafka.partition'), ['3']);
  assert.deepEqual(metadata.get('kafka.offset'), ['41']);
  assert.deepEqual([...resource!], [['kafka.header.Tenant', 'a']]);
});

test('headers named as what every object has are headers like others', async () => {
  const names = ['constructor', '__proto__', 'toString', 'hasOwnProperty'];
  const headers = await headersOf(names.map((name) => [name, `of ${name}`]));
  const keys = { address: false, metadata: names.map((name) => name.toLowerCase()), auth: [] };
  const encoded = new RecordContext([...names, 'valueOf']).encode(keys, PLACE, { headers });
  assert.ok(encoded instanceof Uint8Array);
  const { metadata, resource } = decodeClientContext(encoded);
  for (const name of names) assert.deepEqual(metadata.get(name.toLowerCase()), [`of ${name}`]);
  assert.deepEqual(
    [...resource!],
    names.map((name) => [`kafka.header.${name}`, `of ${name}`]),
  );
});
