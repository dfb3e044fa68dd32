import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RequestIndex } from '../pdata/request-index.ts';
import { generateRequest } from '../testkit/generators.ts';
import { requestType } from '../testkit/otlp-root.ts';
import { scanRequest } from './scan.ts';
import { scanStoredSpans, settleTraceIds } from './scan-stored.ts';

/** What readers of stored requests use of an index. */
function contentOf(index: RequestIndex): unknown {
  const { itemCount, scopeCount, resourceCount } = index;
  const items = [index.itemStart, index.itemBody, index.itemEnd, index.itemScope, index.itemTraceId];
  const resources = [index.resourceInfoStart, index.resourceInfoEnd, index.resourceFirstScope];
  return {
    counts: [itemCount, scopeCount, resourceCount, index.needsRewrite],
    items: items.map((words) => [...words.subarray(0, itemCount)]),
    scopes: [...index.scopeResource.subarray(0, scopeCount)],
    resources: resources.map((words) => [...words.subarray(0, resourceCount)]),
  };
}

function assertSame(bytes: Uint8Array): void {
  const whole = new RequestIndex();
  const stored = new RequestIndex();
  scanRequest('traces', bytes, 0, bytes.length, whole);
  assert.equal(scanStoredSpans(bytes, 0, bytes.length, stored), true);
  assert.deepEqual(contentOf(stored), contentOf(whole));
}

test('it finds what the whole scan finds', () => {
  for (const itemsPerRequest of [1, 50, 512])
    assertSame(generateRequest({ signal: 'traces', itemsPerRequest, seed: itemsPerRequest }));
  const type = requestType('traces');
  const span = { trace_id: new Uint8Array(16).fill(7), span_id: new Uint8Array(8).fill(9), name: 'a' };
  const empty = { scope_spans: [{ spans: [] }] };
  const request = {
    resource_spans: [empty, { scope_spans: [{ spans: [span] }, { spans: [] }, { spans: [span, span] }] }, {}],
  };
  assertSame(type.encode(type.fromObject(request)).finish());
  assertSame(new Uint8Array(0));
});

test('another shape is left to the whole scan', () => {
  const index = new RequestIndex();
  const spanIdFirst = Uint8Array.from([
    0x12,
    8,
    ...new Uint8Array(8).fill(1),
    0x0a,
    16,
    ...new Uint8Array(16).fill(1),
  ]);
  const span = Uint8Array.from([0x12, spanIdFirst.length, ...spanIdFirst]);
  const scope = Uint8Array.from([0x12, span.length, ...span]);
  const bytes = Uint8Array.from([0x0a, scope.length, ...scope]);
  assert.equal(scanStoredSpans(bytes, 0, bytes.length, index), false);
  for (const odd of [
    [0x10, 1],
    [0x0a, 2, 0x08, 1],
    [0x0a, 4, 0x0a, 0, 0x0a, 0],
    [0x0a, 4, 0x12, 2, 0x18, 1],
  ])
    assert.equal(scanStoredSpans(Uint8Array.from(odd), 0, odd.length, index), false);
});

/** A field of up to 127 bytes. */
function field(tag: number, content: Uint8Array): Uint8Array {
  return Uint8Array.from([tag, content.length, ...content]);
}

test('of several trace ids the one that counts is found, and the request says the same as before', () => {
  const type = requestType('traces');
  const ids = [1, 2, 3].map((byte) => field(0x0a, new Uint8Array(16).fill(byte)));
  const spanId = field(0x12, new Uint8Array(8).fill(9));
  const span = field(0x12, Uint8Array.from([...ids[0]!, ...ids[1]!, ...spanId, ...ids[2]!]));
  const bytes = field(0x0a, field(0x12, span));
  const before = type.toObject(type.decode(bytes));
  const index = new RequestIndex();
  scanRequest('traces', bytes, 0, bytes.length, index);
  assert.equal(bytes[index.itemTraceId[0]!], 3);
  settleTraceIds(bytes, index);
  assert.equal(scanStoredSpans(bytes, 0, bytes.length, index), true);
  assert.equal(bytes[index.itemTraceId[0]!], 3);
  assert.deepEqual(type.toObject(type.decode(bytes)), before);
});
