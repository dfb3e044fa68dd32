/**
 * Random requests and damage to them. However the bytes are cut, the same is taken and answered; and what we take
 * for a request, node's own strict parser takes for the same request, or two programs disagree on where one ends.
 */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import test from 'node:test';
import { Prng } from '../../stdx/prng.ts';
import { type HttpBed, startHttpBed } from './bed.test-peer.ts';
import { ReplyEncoder } from './http1-answers.ts';
import { Http1Connection } from './http1-connection.ts';

const FUZZ_MS = 5000;
const LINES = [
  'Content-Type: application/x-protobuf',
  'content-type:application/json',
  'X-Text: \u00e4\t"b"',
  'Accept: */*',
  'Expect: 100-continue',
  'Connection: keep-alive',
  'Connection: close',
  'Content-Encoding: gzip',
];
const PIECES = [
  '\r\n',
  '\n',
  '\r',
  ' ',
  '\t',
  '\0',
  ':',
  ';a=b',
  '0\r\n\r\n',
  'Content-Length: 5\r\n',
  'Content-Length: 0\r\n',
  'Transfer-Encoding: chunked\r\n',
  'transfer-encoding: gzip, chunked\r\n',
  'Host: b\r\n',
  ' folded\r\n',
  'HTTP/1.0',
  'POST /v1/traces HTTP/1.1\r\nHost: a\r\n',
  '\x7f',
  '\xff',
];

function pick<T>(prng: Prng, list: readonly T[]): T {
  return list[prng.nextInt(list.length)]!;
}

function makeRequest(prng: Prng): string {
  const lines = ['Host: a'];
  for (let i = prng.nextInt(5); i > 0; i--) lines.push(pick(prng, LINES));
  if (!lines.some((line) => /^content-type/i.test(line))) lines.push(LINES[0]!);
  const body = 'abcdefghij\r\n0\r\n\r\nPOST '.repeat(4).slice(0, prng.nextInt(80));
  const start = pick(prng, ['POST /v1/traces HTTP/1.1', 'POST /v1/logs?x HTTP/1.1', 'GET / HTTP/1.1']);
  if (prng.nextInt(2) === 0) lines.push(`Content-Length: ${body.length}`);
  else lines.push('Transfer-Encoding: chunked');
  const head = `${start}\r\n${lines.join('\r\n')}\r\n\r\n`;
  return lines.at(-1)!.startsWith('C') ? head + body : head + makeChunks(prng, body);
}

function makeChunks(prng: Prng, body: string): string {
  let text = '';
  for (let at = 0; at < body.length; ) {
    const part = body.slice(at, at + 1 + prng.nextInt(30));
    at += part.length;
    const size =
      prng.nextInt(3) === 0 ? `0${part.length.toString(16).toUpperCase()}` : part.length.toString(16);
    text += `${size}${prng.nextInt(5) === 0 ? ';x=1' : ''}\r\n${part}\r\n`;
  }
  return `${text}0\r\n${prng.nextInt(5) === 0 ? 'X-Trailer: a\r\n' : ''}\r\n`;
}

function damage(prng: Prng, text: string): string {
  const at = prng.nextInt(text.length);
  const end = at + 1 + prng.nextInt(4);
  switch (prng.nextInt(4)) {
    case 0:
      return text.slice(0, at) + pick(prng, PIECES) + text.slice(at);
    case 1:
      return text.slice(0, at) + text.slice(end);
    case 2:
      return text.slice(0, at) + String.fromCharCode(prng.nextInt(256)) + text.slice(at + 1);
    default:
      return text.slice(0, end) + text.slice(at);
  }
}

interface Seen {
  bodies: string[];
  answers: string;
}

/** Feeds one connection; the answers come at once, so that nothing depends on time. */
function feed(bed: HttpBed, bytes: Buffer, nextPartBytes: () => number): Seen {
  let written = '';
  const socket = {
    writableLength: 0,
    write: (part: Uint8Array) => {
      written += Buffer.from(part).toString('latin1');
    },
    end: (part: Uint8Array) => {
      written += `${Buffer.from(part).toString('latin1')}<end>`;
    },
    pause: () => {},
    resume: () => {},
    destroy: () => {},
  };
  const connection = new Http1Connection(socket, {
    exchange: bed.exchange,
    encoder: new ReplyEncoder(() => 0, 65_000),
    headerTimeoutMs: 1e9,
    requestTimeoutMs: 1e9,
    keepAliveTimeoutMs: 1e9,
    writeTimeoutMs: 1e9,
  });
  bed.consumer.taken.length = 0;
  for (let at = 0; at < bytes.byteLength; ) {
    // A copy that is overwritten afterwards, as the shared read buffer is.
    const part = Buffer.from(bytes.subarray(at, at + nextPartBytes()));
    at += part.byteLength;
    connection.receive(part);
    part.fill(0xee);
  }
  connection.closed();
  assert.equal(bed.admission.openExchanges, 0);
  assert.equal(bed.admission.memory.usedBytes, 0);
  // Which of two mistakes is seen first may depend on what came together.
  const answers = written.replace(/HTTP\/1\.1 (400|417|501|505) [\w ]+/, 'HTTP/1.1 refused');
  return { bodies: bed.consumer.taken.map(({ signal, body }) => `${signal} ${body}`), answers };
}

/** What node:http makes of the same bytes. */
async function feedNode(bed: HttpBed, bytes: Buffer): Promise<string[]> {
  bed.consumer.taken.length = 0;
  const socket = connect({ host: '127.0.0.1', port: bed.port });
  socket.on('error', () => {});
  socket.resume();
  socket.end(bytes);
  await new Promise((resolve) => socket.once('close', resolve));
  return bed.consumer.taken.map(({ signal, body }) => `${signal} ${body}`);
}

test('random and damaged requests: no cut changes what is taken, and node agrees with all of it', async (t) => {
  const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 1_000_000_007);
  t.diagnostic(`FUZZ_SEED=${seed}`);
  const prng = new Prng(seed);
  const own = await startHttpBed('http1');
  const node = await startHttpBed('node');
  t.after(() => own.stop());
  t.after(() => node.stop());
  own.consumer.answersAtOnce = true;
  let [cases, taken, refused] = [0, 0, 0];
  for (const endMs = performance.now() + FUZZ_MS; performance.now() < endMs; cases++) {
    let text = '';
    for (let i = 1 + prng.nextInt(3); i > 0; i--) text += makeRequest(prng);
    for (let i = prng.nextInt(4); i > 0; i--) text = damage(prng, text);
    const bytes = Buffer.from(text, 'latin1');
    const whole = feed(own, bytes, () => bytes.byteLength);
    const shown = JSON.stringify(text);
    assert.deepEqual(
      feed(own, bytes, () => 1),
      whole,
      shown,
    );
    assert.deepEqual(
      feed(own, bytes, () => 1 + prng.nextInt(40)),
      whole,
      shown,
    );
    const expected = await feedNode(node, bytes);
    assert.deepEqual(whole.bodies, expected.slice(0, whole.bodies.length), shown);
    taken += whole.bodies.length;
    if (whole.answers.includes('HTTP/1.1 refused')) refused += 1;
  }
  t.diagnostic(`${cases} cases, ${taken} requests taken, ${refused} connections refused`);
  assert.ok(taken > cases / 4 && refused > cases / 20, 'both sides of the border were met');
});
