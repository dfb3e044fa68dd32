import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readResponse } from './http-response.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 3\r\n\r\nabc';
const CHUNKED =
  'HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n4\r\nwait\r\n1;x=1\r\n!\r\n0\r\n\r\n';

test('two pipelined answers are read one after the other', () => {
  const bytes = Buffer.from(OK + CHUNKED);
  const first = readResponse(bytes, 0);
  assert.deepEqual(
    [first?.status, first?.body.toString(), first?.isLast, first?.end],
    [200, 'abc', false, OK.length],
  );
  const second = readResponse(bytes, OK.length);
  assert.deepEqual(
    [second?.status, second?.body.toString(), second?.isLast, second?.end],
    [503, 'wait!', true, bytes.length],
  );
});

test('an answer cut off anywhere is not complete', () => {
  for (const text of [OK, CHUNKED]) {
    for (let length = 0; length < text.length; length += 1) {
      assert.equal(readResponse(Buffer.from(text.slice(0, length)), 0), undefined, `${length} bytes`);
    }
  }
});

test('other protocols are refused', () => {
  assert.throws(() => readResponse(Buffer.from('SSH-2.0-OpenSSH\r\n\r\n'), 0), /not HTTP/);
});
