/** What our own server does on a connection beyond the contract of all: order, time limits, one read buffer. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import { TestAuthority, tempDir, writePair } from '../../testkit/certificates.ts';
import {
  type HttpBedOptions,
  OK_OUTCOME,
  ShiftedClock,
  startHttpBed,
  testSettings,
} from './bed.test-peer.ts';
import { eventually, RawClient, sleep } from './http-client.test-peer.ts';
import { PIPELINED_REQUESTS_MAX } from './limits.ts';
import { ListenerTls } from './listener-tls.ts';
import { TLS_DEFAULTS } from './tls.test-peer.ts';
import { HAS_USER_BUFFER } from './user-buffer.ts';

const HEAD = 'POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-protobuf\r\n';

function withBody(body: string, lines = ''): string {
  return `${HEAD}${lines}Content-Length: ${body.length}\r\n\r\n${body}`;
}

async function startBed(t: TestContext, options: HttpBedOptions = {}) {
  const bed = await startHttpBed('http1', options);
  t.after(() => bed.stop());
  const client = await RawClient.open(bed.port);
  t.after(() => client.close());
  return { ...bed, client };
}

test('sockets are read into one buffer on every Node version that is supported', () => {
  assert.equal(HAS_USER_BUFFER, true);
});

test('pipelined requests are served at once and answered in their order', async (t) => {
  const { client, consumer } = await startBed(t);
  consumer.outcome = undefined;
  client.socket.write(
    `${withBody('one')}\r\n${withBody('two')}GET /x HTTP/1.1\r\nHost: a\r\n\r\n${withBody('four')}`,
  );
  await eventually('all arrived', () => consumer.taken.length === 3);
  assert.deepEqual(
    consumer.taken.map(({ body }) => body.toString()),
    ['one', 'two', 'four'],
  );
  consumer.taken[2]!.done({ ...OK_OUTCOME, rejectedCount: 1 });
  consumer.taken[1]!.done(OK_OUTCOME);
  await sleep(20);
  assert.equal(client.text, '', 'nothing overtakes the first answer');
  consumer.taken[0]!.done(OK_OUTCOME);
  await eventually('all are answered', () => client.text.split('HTTP/1.1 ').length === 5);
  assert.deepEqual(
    [...client.text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status),
    ['200', '200', '404', '200'],
  );
  assert.match(client.text, /\r\nkeep-alive: timeout=65\r\n/);
  assert.match(client.text, /\r\ndate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n/);
});

test('a client that pipelines without end is read no faster than it is answered', async (t) => {
  const { client, consumer, admission } = await startBed(t);
  consumer.outcome = undefined;
  const count = 5 * PIPELINED_REQUESTS_MAX;
  client.socket.write(Array.from({ length: count }, (_, i) => withBody(`body ${i}`)).join(''));
  await eventually('as many as may wait', () => consumer.taken.length === PIPELINED_REQUESTS_MAX);
  await sleep(30);
  assert.equal(consumer.taken.length, PIPELINED_REQUESTS_MAX);
  assert.ok(admission.memory.usedBytes > 0, 'what was read too early is counted');
  for (let i = 0; i < count; i++) {
    await eventually(`request ${i}`, () => consumer.taken.length > i);
    consumer.taken[i]!.done(OK_OUTCOME);
  }
  await eventually('all are answered', () => client.text.split('HTTP/1.1 200').length === count + 1);
  assert.equal(consumer.taken.at(-1)!.body.toString(), `body ${count - 1}`);
  assert.equal(admission.memory.usedBytes, 0);
});

test('a client that pipelines and goes leaves nothing behind', async (t) => {
  const { client, consumer, admission } = await startBed(t);
  consumer.outcome = undefined;
  client.socket.write(withBody('x').repeat(3 * PIPELINED_REQUESTS_MAX));
  await eventually('as many as may wait', () => consumer.taken.length === PIPELINED_REQUESTS_MAX);
  client.close();
  // A connection that is not read tells nothing of its end, but an answer that cannot be written does.
  for (const request of consumer.taken) request.done(OK_OUTCOME);
  consumer.outcome = OK_OUTCOME;
  await eventually('every exchange is closed', () => admission.openExchanges === 0);
  assert.equal(admission.memory.usedBytes, 0);
});

test('100 Continue comes before the body is sent, and after the answers that are owed', async (t) => {
  const { client, consumer } = await startBed(t);
  const expecting = `${HEAD}Expect: 100-continue\r\nContent-Length: 3\r\n\r\n`;
  client.socket.write(expecting);
  await eventually('asked for the body', () => client.text === 'HTTP/1.1 100 Continue\r\n\r\n');
  consumer.outcome = undefined;
  client.socket.write('abc');
  await eventually('it arrived', () => consumer.taken.length === 1);
  client.text = '';
  client.socket.write(expecting);
  await sleep(20);
  assert.equal(client.text, '');
  consumer.taken[0]!.done(OK_OUTCOME);
  await eventually('answered, then asked', () => client.text.endsWith('HTTP/1.1 100 Continue\r\n\r\n'));
  assert.match(client.text, /^HTTP\/1\.1 200/);
});

test('the connection ends after HTTP/1.0, after "close", and after an answer that says so; the rest is not served', async (t) => {
  const bed = await startHttpBed('http1', {});
  t.after(() => bed.stop());
  const old = withBody('a').replace('HTTP/1.1', 'HTTP/1.0');
  for (const bytes of [old, withBody('a', 'Connection: close\r\n')]) {
    const client = await RawClient.open(bed.port);
    client.socket.write(bytes + withBody('b'));
    await eventually('it is closed', () => client.isClosed);
    assert.match(client.text, /^HTTP\/1\.1 200[\s\S]*\r\nconnection: close\r\n/);
    assert.equal(client.text.split('HTTP/1.1').length, 2);
  }
  assert.deepEqual(
    bed.consumer.taken.map(({ body }) => body.toString()),
    ['a', 'a'],
  );
});

test('a broken request behind good ones is refused in its turn', async (t) => {
  const { client, consumer, meter } = await startBed(t);
  client.socket.write(`${withBody('one')}${withBody('two')}nonsense\r\n\r\n${withBody('three')}`);
  await eventually('it is closed', () => client.isClosed);
  assert.deepEqual(
    [...client.text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status),
    ['200', '200', '400'],
  );
  assert.equal(consumer.taken.length, 2);
  assert.equal(
    meter.value('millrace_receiver_refused_requests{receiver=otlp,transport=http,reason=headers}'),
    1,
  );
});

const silences: Readonly<Record<string, { bytes: string; limitMs: number; answer: RegExp }>> = {
  'nothing at all': { bytes: '', limitMs: 10_000, answer: /^HTTP\/1\.1 408/ },
  'half a head': { bytes: HEAD, limitMs: 10_000, answer: /^HTTP\/1\.1 408/ },
  'nothing after an answer': {
    bytes: withBody('x'),
    limitMs: 65_000,
    answer: /^HTTP\/1\.1 200(?![\s\S]*408)/,
  },
};
for (const [name, { bytes, limitMs, answer }] of Object.entries(silences)) {
  test(`a client that says no more is closed: ${name}`, async (t) => {
    const clock = new ShiftedClock();
    const { client } = await startBed(t, { clock });
    client.socket.write(bytes);
    await sleep(50);
    clock.shiftMs = limitMs - 3000;
    await sleep(1100);
    assert.equal(client.isClosed, false, 'not before its time');
    clock.shiftMs = limitMs + 100;
    await eventually('it is closed', () => client.isClosed);
    assert.match(client.text, answer);
  });
}

test('a body that is quick enough, but too long under way, ends with 408', async (t) => {
  const clock = new ShiftedClock();
  const { client, admission, consumer } = await startBed(t, { clock, server: { readTimeoutMs: 20_000 } });
  client.socket.write(`${HEAD}Content-Length: 200000\r\n\r\n${'x'.repeat(100_000)}`);
  await eventually('it has begun', () => admission.memory.usedBytes > 0);
  clock.shiftMs = 20_100;
  await eventually('it is closed', () => client.isClosed);
  assert.match(client.text, /^HTTP\/1\.1 408/);
  assert.equal(admission.openExchanges, 0);
  assert.equal(admission.memory.usedBytes, 0);
  assert.equal(consumer.taken.length, 0);
});

test('stopping closes idle connections at once and the others after their answers', async (t) => {
  const { client, consumer, server, port, admission } = await startBed(t);
  const idle = await RawClient.open(port);
  consumer.outcome = undefined;
  client.socket.write(withBody('x'));
  await eventually('it arrived', () => consumer.taken.length === 1);
  admission.startDrain();
  server.stopListening();
  const drained = server.whenDrained();
  await eventually('the idle one is closed', () => idle.isClosed);
  assert.equal(client.isClosed, false);
  consumer.taken[0]!.done(OK_OUTCOME);
  await eventually('the other one too', () => client.isClosed);
  assert.match(client.text, /^HTTP\/1\.1 200/);
  client.close();
  await drained;
});

test('over TLS a client that pipelines without end is held back too, and loses nothing', async (t) => {
  const directory = await tempDir(t);
  const authority = await TestAuthority.create();
  const files = await writePair(directory, 'server', await authority.issue('server'));
  const tls = new ListenerTls({ ...TLS_DEFAULTS, ...files }, testSettings().logger);
  const bed = await startHttpBed('http1', { server: { tls } });
  t.after(() => bed.stop());
  bed.consumer.outcome = undefined;
  const client = connectTls({ host: 'localhost', port: bed.port, ca: authority.cert });
  t.after(() => client.destroy());
  let text = '';
  client.on('data', (data: Buffer) => {
    text += data.toString('latin1');
  });
  await once(client, 'secureConnect');
  const count = 10 * PIPELINED_REQUESTS_MAX;
  const bodyOf = (i: number): string => `${i} `.repeat(1000);
  for (let i = 0; i < count; i++) client.write(withBody(bodyOf(i)));
  await eventually('as many as may wait', () => bed.consumer.taken.length === PIPELINED_REQUESTS_MAX);
  await sleep(30);
  assert.equal(bed.consumer.taken.length, PIPELINED_REQUESTS_MAX);
  for (let i = 0; i < count; i++) {
    await eventually(`request ${i}`, () => bed.consumer.taken.length > i);
    assert.equal(bed.consumer.taken[i]!.body.toString(), bodyOf(i));
    bed.consumer.taken[i]!.done(OK_OUTCOME);
  }
  await eventually('all are answered', () => text.split('HTTP/1.1 200').length === count + 1);
  assert.equal(bed.admission.memory.usedBytes, 0);
});

test('curl over TLS: lengths, chunks, an expected 100, a body larger than all buffers, one connection', async (t) => {
  const directory = await tempDir(t);
  const authority = await TestAuthority.create();
  const files = await writePair(directory, 'server', await authority.issue('server'));
  const tls = new ListenerTls({ ...TLS_DEFAULTS, ...files }, testSettings().logger);
  const bed = await startHttpBed('http1', { server: { tls }, bodyBytesMax: 4 << 20 });
  t.after(() => bed.stop());
  const caFile = path.join(directory, 'ca.crt');
  const bodyFile = path.join(directory, 'body');
  const body = Buffer.from(Array.from({ length: 3 << 20 }, (_, i) => i * (i >> 8)));
  await Promise.all([writeFile(caFile, authority.cert), writeFile(bodyFile, body)]);
  const url = `https://localhost:${bed.port}/v1/traces`;
  const each = ['--cacert', caFile, '-s', '-o', '/dev/null', '-w', '%{http_code} %{num_connects}\n'];
  const type = ['-H', 'content-type: application/x-protobuf'];
  const forms = [
    ['--data-binary', `@${bodyFile}`],
    ['--data-binary', `@${bodyFile}`, '-H', 'Transfer-Encoding: chunked'],
    ['--data-binary', `@${bodyFile}`, '-H', 'Expect: 100-continue'],
    ['-X', 'POST', '-T', bodyFile],
  ];
  const commands = forms.flatMap((form, i) => [
    ...(i === 0 ? [] : ['--next']),
    ...each,
    ...type,
    ...form,
    url,
  ]);
  const { stdout } = await promisify(execFile)('curl', ['--http1.1', ...commands], { timeout: 20_000 });
  assert.deepEqual(stdout.trim().split('\n'), ['200 1', '200 0', '200 0', '200 0']);
  assert.equal(bed.consumer.taken.length, 4);
  for (const taken of bed.consumer.taken) assert.ok(taken.body.equals(body));
  assert.equal(bed.admission.memory.usedBytes, 0);
});
