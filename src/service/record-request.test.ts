import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestType } from '../testkit/otlp-root.ts';
import { decodeRecord, loadDecoders, withResourceAttributes } from './record-request.ts';

interface Logs {
  resource_logs: {
    resource?: { attributes: { key: string; value: { string_value?: string } }[] };
    scope_logs: { log_records: { body: { string_value?: string; bytes_value?: Uint8Array } }[] }[];
  }[];
}

const type = requestType('logs');
const decode = (bytes: Uint8Array): Logs => type.decode(bytes) as unknown as Logs;

test('attributes of a receiver stand on every resource, in place of those of the same name', () => {
  const scope_logs = [{ log_records: [{ body: { string_value: 'x' } }] }];
  const attributes = [
    { key: 'kafka.header.tenant', value: { string_value: 'old' } },
    { key: 'a', value: { string_value: 'b' } },
  ];
  const bytes = type
    .encode(type.fromObject({ resource_logs: [{ scope_logs }, { resource: { attributes }, scope_logs }] }))
    .finish();
  const byteString = Buffer.from('grün').toString('latin1');
  const changed = withResourceAttributes(
    'logs',
    bytes,
    0,
    bytes.byteLength,
    new Map([['kafka.header.tenant', byteString]]),
  );
  const found = decode(changed).resource_logs.map(({ resource }) =>
    (resource?.attributes ?? []).map(({ key, value }) => `${key}=${value.string_value}`).sort(),
  );
  assert.deepEqual(found, [['kafka.header.tenant=grün'], ['a=b', 'kafka.header.tenant=grün']]);
});

test('records are decoded as their route says, out of shared memory', async () => {
  const shared = new Uint8Array(new SharedArrayBuffer(5));
  shared.set(Buffer.from('hello'));
  const [decoder, none] = await loadDecoders([
    { signal: 'logs', recordEncoding: 'text' },
    { signal: 'traces', recordEncoding: undefined },
  ]);
  const request = decode(decodeRecord(decoder, shared, 0));
  assert.equal(request.resource_logs[0]?.scope_logs[0]?.log_records[0]?.body.string_value, 'hello');
  assert.equal(none, undefined);
  await assert.rejects(loadDecoders([{ signal: 'traces', recordEncoding: 'text' }]), { code: 'INTERNAL' });
  assert.throws(() => decodeRecord(none, shared, 0), { code: 'INTERNAL' });
});
