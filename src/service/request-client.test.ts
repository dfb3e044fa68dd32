import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CLIENT_CONTEXT_BYTES_MAX,
  type ClientContext,
  clientKeys,
  encodeClientContext,
  NO_CLIENT_CONTEXT,
  parseContextSource,
} from '../component/client-context.ts';
import type { RawRequest } from '../component/consumer.ts';
import { REQUEST_META_BYTES, RequestMeta, RequestMetaWriter } from './frame.ts';
import { RequestClient } from './request-client.ts';

const ALL = clientKeys(['x-a', 'x-b', 'auth.raw'].map(parseContextSource));
const contextOf = (a: string): ClientContext => ({
  address: undefined,
  metadata: new Map([['x-a', [a]]]),
  auth: new Map([['raw', 'CANARY']]),
});

function request(context?: Uint8Array): RawRequest {
  const chunks = [Buffer.from('body')];
  const kind = { signal: 'traces', transport: 'http', encoding: 'json', compression: 'gzip' } as const;
  return { ...kind, chunks, sizeBytes: 4, decodedBytesMax: 100, context };
}

test('a frame without a context is as it was, one with a context has it before the body', () => {
  const writer = new RequestMetaWriter();
  const meta = new RequestMeta();
  const frames = [undefined, Buffer.alloc(CLIENT_CONTEXT_BYTES_MAX, 7), Buffer.from('c'), undefined];
  for (const context of frames) {
    const frame = Buffer.concat([writer.write(5, 3, request(context), 1, 2), Buffer.from('body')]);
    meta.read(new DataView(frame.buffer, frame.byteOffset), 0);
    assert.deepEqual(
      [
        meta.requestId,
        meta.route,
        meta.encoding,
        meta.compression,
        meta.decodedBytesMax,
        meta.receivedUnixMs,
      ],
      [5, 3, 1, 1, 100, 2],
    );
    const read = frame.subarray(meta.contextOffset, meta.bodyOffset);
    assert.deepEqual(read, context ?? Buffer.alloc(0));
    assert.equal(frame.subarray(meta.bodyOffset).toString(), 'body');
    if (context === undefined) {
      assert.equal(frame.byteLength, REQUEST_META_BYTES + 4);
      assert.equal(frame[6], 1);
    }
  }
});

test('each log keeps what is asked of it and nothing else', () => {
  const onlyA = clientKeys([parseContextSource('x-a')]);
  const client = new RequestClient([undefined, onlyA, clientKeys([parseContextSource('x-b')])]);
  const encoded = encodeClientContext(contextOf('1'), ALL)!;
  const shared = new Uint8Array(new SharedArrayBuffer(200));
  shared.set(encoded, 50);
  client.begin(shared, 50, 50 + encoded.byteLength);
  shared.fill(0);
  assert.deepEqual(client.context, contextOf('1'));
  assert.deepEqual(
    [0, 2, 7].map((log) => client.storedFor(log)),
    [undefined, undefined, undefined],
  );
  assert.deepEqual(client.storedFor(1), encodeClientContext(contextOf('1'), onlyA));
  assert.doesNotMatch(Buffer.from(client.storedFor(1)!).toString('latin1'), /CANARY/);
  client.begin(shared, 10, 10);
  assert.equal(client.context, NO_CLIENT_CONTEXT);
  assert.equal(client.storedFor(1), undefined);
});

test('many clients are told apart, however many were seen', () => {
  const client = new RequestClient([ALL]);
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 15_000; i++) {
      const encoded = encodeClientContext(contextOf(`tenant ${i}`), ALL)!;
      client.begin(encoded, 0, encoded.byteLength);
      assert.deepEqual(client.context.metadata.get('x-a'), [`tenant ${i}`]);
      assert.deepEqual(client.storedFor(0), encoded);
    }
  }
});
