import assert from 'node:assert/strict';
import test from 'node:test';
import { ChunkedBody } from './http1-chunked.ts';
import { BODY_CHUNKED, findHeadEnd, type Http1Head, parseHead } from './http1-head.ts';

function parse(text: string): Http1Head | number {
  const bytes = Buffer.from(text, 'latin1');
  const end = findHeadEnd(bytes, 0);
  assert.ok(end > 0, 'the block is complete');
  return parseHead(bytes, 0, end);
}

function parseLines(...lines: string[]): Http1Head | number {
  return parse(`POST /v1/traces HTTP/1.1\r\nHost: a\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`);
}

test('a head is read as it was sent: names of any case, blanks around values, the query cut off', () => {
  const request = parse(
    'POST /v1/traces?a=b HTTP/1.1\r\nhOST:a\r\nContent-Type: \tapplication/json \t\r\nX-Empty:\r\n' +
      'content-length: 0012\r\nX-Text: \u00e4 "b"\tc\r\nConnection: keep-alive, TE\r\n\r\n',
  ) as Http1Head;
  assert.equal(request.head.method, 'POST');
  assert.equal(request.head.path, '/v1/traces');
  assert.equal(request.head.contentType, 'application/json');
  assert.equal(request.head.headerCount, 6);
  assert.equal(request.bodyBytes, 12);
  assert.equal(request.isLast, false);
  assert.equal(request.lines[request.lines.indexOf('X-Text') + 1], '\u00e4 "b"\tc');
  assert.equal(request.lines[request.lines.indexOf('X-Empty') + 1], '');
});

test('the absolute form names the same path', () => {
  for (const [target, path] of [
    ['http://a:4318/v1/traces?x=1', '/v1/traces'],
    ['HTTPS://a', '/'],
    ['http://a?x', '/'],
    ['*', '*'],
  ]) {
    const request = parse(`POST ${target} HTTP/1.1\r\nhost: a\r\n\r\n`) as Http1Head;
    assert.equal(request.head.path, path, target);
  }
});

test('framing: a length, chunked, or nothing; expectations and the end of the connection', () => {
  const read = (...lines: string[]): Http1Head => parseLines(...lines) as Http1Head;
  assert.equal(read().bodyBytes, 0);
  assert.equal(read('Transfer-Encoding: Chunked').bodyBytes, BODY_CHUNKED);
  assert.equal(read('Expect: 100-Continue', 'Content-Length: 1').expectsContinue, true);
  assert.equal(read('Connection: x , Close').isLast, true);
  assert.equal(read('Connection: x', 'Connection: close').isLast, true);
  const old = parse('POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n') as Http1Head;
  assert.deepEqual([old.isLast, old.expectsContinue, old.bodyBytes], [true, false, 1]);
});

test('what two readers could understand in two ways is refused', () => {
  const broken = [
    'Content-Length: 5, 5',
    'Content-Length: 5 5',
    'Content-Length:',
    'Content-Length: 5;',
    'Content-Length: \u00b2',
    'Content-Length: 1e3',
    'Content-Length: 9007199254740993',
    'Transfer-Encoding:',
    'Transfer-Encoding: chunked, chunked',
    'Transfer-Encoding: identity',
    'Transfer-Encoding: "chunked"',
    'Transfer-Encoding: chunked;q=1',
    'Transfer-Encoding: \vchunked',
    'Transfer-Encoding: chunked\t',
    'Transfer-Encoding:\t chunked',
    'Content-Length: 5 \t ',
    'Content-Length: \t 5',
    'X-A : b',
    ' X-A: b',
    '\tX-A: b',
    'X A: b',
    'X-A',
    ': b',
    'X-\u00e4: b',
    'X-A: b\0c',
    'X-A: b\rc',
    'X-A: b\nc',
    'X-A: b\x7f',
    'Host: b',
  ];
  for (const line of broken) assert.equal(parseLines(line), 400, JSON.stringify(line));
  const pairs = [
    ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'],
    ['Content-Length: 5', 'content-length: 5'],
    ['Content-Length: 5', 'Transfer-Encoding: chunked'],
    ['Transfer-Encoding: chunked', 'Content-Length: 5'],
  ];
  for (const lines of pairs) assert.equal(parseLines(...lines), 400, lines.join());
  const requests: [string, number][] = [
    ['POST /v1/traces  HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['POST\t/v1/traces HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['POST /v1/tra ces HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['POST /v1/\u00e4 HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['POST v1/traces HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['POST ftp://a/v1/traces HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['POST http:///v1/traces HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['PO(ST / HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    [' POST / HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['POST / http/1.1\r\nHost: a\r\n\r\n', 400],
    ['POST / HTTP/1.1\nHost: a\r\n\r\n', 400],
    ['POST / HTTP/1.1\rHost: a\r\n\r\n', 400],
    ['POST / HTTP/1.1\r\n\r\n', 400],
    ['POST / HTTP/1.1 \r\nHost: a\r\n\r\n', 400],
    ['CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n', 501],
    ['post / HTTP/1.1\r\nHost: a\r\n\r\n', 501],
    ['PRI * HTTP/2.0\r\n\r\n', 505],
    ['POST / HTTP/1.2\r\nHost: a\r\n\r\n', 505],
    ['POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n', 400],
    ['POST / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n', 417],
    ['POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nExpect: 100-continue\r\n\r\n', 417],
  ];
  for (const [text, status] of requests) assert.equal(parse(text), status, JSON.stringify(text));
});

/** The body, where it ended, or -1. */
function readChunks(bytes: Buffer, partBytes: number): { body: string; end: number } {
  const chunked = new ChunkedBody();
  let body = '';
  const sink = {
    data: (part: Uint8Array) => {
      body += Buffer.from(part).toString('latin1');
    },
  };
  for (let at = 0; at < bytes.byteLength; at += partBytes) {
    const next = chunked.read(bytes.subarray(at, at + partBytes), 0, sink);
    if (next < 0) return { body, end: -1 };
    if (chunked.isDone) return { body, end: at + next };
  }
  return { body, end: bytes.byteLength + 1 };
}

test('chunks of every form end where they say, however their bytes arrive', () => {
  const text = '3\r\nabc\r\n0A;x=1;y="a b"\r\n0123456789\r\n00\r\nX-T: a\r\nX-Empty:\r\n\r\n';
  const bytes = Buffer.from(`${text}POST`, 'latin1');
  for (let partBytes = 1; partBytes <= bytes.byteLength; partBytes++) {
    assert.deepEqual(readChunks(bytes, partBytes), { body: 'abc0123456789', end: text.length });
  }
});

test('anything else is not the chunked coding', () => {
  const broken = [
    '\r\n',
    ' 3\r\nabc\r\n0\r\n\r\n',
    '3 \r\nabc\r\n0\r\n\r\n',
    '0x3\r\nabc\r\n0\r\n\r\n',
    '-3\r\nabc\r\n0\r\n\r\n',
    '3\nabc\r\n0\r\n\r\n',
    '3\r\nabcd\r\n0\r\n\r\n',
    '3\r\nabc\n0\r\n\r\n',
    '3\r\nabc\r\r0\r\n\r\n',
    '3;a\nb\r\nabc\r\n0\r\n\r\n',
    '3;\r\nabc\r\n0\r\n\r\n',
    '3;a>b\r\nabc\r\n0\r\n\r\n',
    '3;a="b\r\nabc\r\n0\r\n\r\n',
    '3;a="b"c\r\nabc\r\n0\r\n\r\n',
    '0\r\n X: a\r\n\r\n',
    '0\r\nX : a\r\n\r\n',
    '0\r\nX\r\n\r\n',
    '0\r\nContent-length: 5\r\n\r\n',
    '0\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n',
    '0\r\nX: a\n\r\n',
    '0\r\n\rX',
    '1000000000000\r\n',
    `${'0'.repeat(33)}\r\n\r\n`,
    `1;${'x'.repeat(17_000)}\r\na\r\n0\r\n\r\n`,
    `${`1;${'x'.repeat(100)}\r\na\r\n`.repeat(200)}0\r\n\r\n`,
    `0\r\n${'X: a\r\n'.repeat(6000)}\r\n`,
  ];
  for (const text of broken) {
    const bytes = Buffer.from(text, 'latin1');
    assert.equal(readChunks(bytes, bytes.byteLength).end, -1, JSON.stringify(text.slice(0, 60)));
    assert.equal(readChunks(bytes, 1).end, -1, JSON.stringify(text.slice(0, 60)));
  }
});
