import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type ClientContext,
  clientKeys,
  contextValues,
  decodeClientContext,
  encodeClientContext,
  mergeClientKeys,
  NO_CLIENT_CONTEXT,
  parseContextSource,
} from './client-context.ts';

const CONTEXT: ClientContext = {
  address: '2001:db8::1',
  metadata: new Map([
    ['x-tenant', ['acme', 'b;c']],
    ['x-empty', ['']],
    ['x-bytes', ['\u0000\u00e9\u00ff']],
    ['x-other', ['unseen']],
  ]),
  auth: new Map([
    ['raw', 'secret'],
    ['username', 'alice'],
  ]),
};
const ALL = clientKeys(
  ['client.address', 'x-tenant', 'X-Empty', 'metadata.x-bytes', 'auth.username', 'x-absent'].map(
    parseContextSource,
  ),
);

test('what is named comes back as it was, and nothing else is in the bytes', () => {
  const encoded = encodeClientContext(CONTEXT, ALL)!;
  const decoded = decodeClientContext(encoded);
  assert.deepEqual(decoded, {
    address: '2001:db8::1',
    metadata: new Map([
      ['x-bytes', ['\u0000\u00e9\u00ff']],
      ['x-empty', ['']],
      ['x-tenant', ['acme', 'b;c']],
    ]),
    auth: new Map([['username', 'alice']]),
  });
  assert.doesNotMatch(Buffer.from(encoded).toString('latin1'), /secret|unseen/);
  assert.deepEqual(contextValues(decoded, parseContextSource('metadata.X-Tenant')), ['acme', 'b;c']);
  assert.deepEqual(contextValues(decoded, parseContextSource('auth.username')), ['alice']);
  assert.equal(contextValues(decoded, parseContextSource('auth.Username')), undefined);
});

test('the bytes of a header by hand', () => {
  const encoded = encodeClientContext(CONTEXT, clientKeys([parseContextSource('x-tenant')]))!;
  const wanted = Buffer.concat([
    Buffer.from([2, 8, 0, 2, 0]),
    Buffer.from('x-tenant'),
    Buffer.from([4, 0]),
    Buffer.from('acme'),
    Buffer.from([3, 0]),
    Buffer.from('b;c'),
  ]);
  assert.deepEqual(Buffer.from(encoded), wanted);
});

test('absent and empty differ, and nothing at all is no context', () => {
  const keys = clientKeys([parseContextSource('x-empty')]);
  assert.notEqual(encodeClientContext(CONTEXT, keys), undefined);
  assert.equal(encodeClientContext(NO_CLIENT_CONTEXT, keys), undefined);
  assert.equal(mergeClientKeys([undefined, clientKeys([])]), undefined);
});

test('bytes that are cut off are an error at every length', () => {
  const encoded = encodeClientContext(CONTEXT, ALL)!;
  let wholeCount = 0;
  for (let length = 0; length < encoded.byteLength; length++) {
    try {
      decodeClientContext(encoded.subarray(0, length));
      wholeCount += 1;
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'INTERNAL');
    }
  }
  // Entries stand alone, so a cut between two of them cannot be seen.
  assert.equal(wholeCount, 5);
});

test('keys of several components are one sorted list of each kind', () => {
  const merged = mergeClientKeys([clientKeys(['b', 'auth.z'].map(parseContextSource)), undefined, ALL]);
  assert.deepEqual(merged, {
    address: true,
    metadata: ['b', 'x-absent', 'x-bytes', 'x-empty', 'x-tenant'],
    auth: ['username', 'z'],
  });
});
