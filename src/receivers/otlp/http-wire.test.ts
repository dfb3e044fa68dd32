/** What clients do that no HTTP library would: broken requests, vanishing clients, smuggling forms. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { HttpBed, HttpBedOptions } from './bed.test-peer.ts';
import { HTTP_KINDS, OK_OUTCOME, startHttpBed } from './bed.test-peer.ts';
import { eventually, post, RawClient, sleep } from './http-client.test-peer.ts';
import { DISCARD_BYTES_MAX } from './limits.ts';

const HEAD = 'POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-protobuf\r\n';

const SECOND = '0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
const smugglingForms: Readonly<Record<string, string>> = {
  'length and chunked': `${HEAD}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n${SECOND}`,
  'chunked and length': `${HEAD}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n${SECOND}`,
  'two lengths': `${HEAD}Content-Length: 5\r\nContent-Length: 3\r\n\r\n${SECOND}`,
  'the same length twice': `${HEAD}Content-Length: 5\r\nContent-Length: 5\r\n\r\n${SECOND}`,
  'unknown coding': `${HEAD}Transfer-Encoding: xchunked\r\n\r\n${SECOND}`,
  'coding beside chunked': `${HEAD}Transfer-Encoding: gzip, chunked\r\n\r\n${SECOND}`,
  'negative length': `${HEAD}Content-Length: -5\r\n\r\n${SECOND}`,
  'length with a sign': `${HEAD}Content-Length: +5\r\n\r\n${SECOND}`,
  'hexadecimal length': `${HEAD}Content-Length: 0x5\r\n\r\n${SECOND}`,
  'length above 2^64': `${HEAD}Content-Length: 99999999999999999999999\r\n\r\n${SECOND}`,
  'chunk size that is no number': `${HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n${SECOND}`,
  'chunk size above 2^64': `${HEAD}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nabc\r\n${SECOND}`,
};

const flood = Array.from({ length: 200 }, (_, i) => `X-${i}: 1\r\n`).join('');
const brokenHeaders: Readonly<Record<string, string>> = {
  'space before the colon': `${HEAD}Content-Length : 5\r\n\r\nabcde`,
  'folded line': `${HEAD}X-A: b\r\n c\r\nContent-Length: 5\r\n\r\nabcde`,
  'bare line feeds': `${HEAD.replaceAll('\r', '')}Content-Length: 1\n\na`,
  'no host': 'POST /v1/traces HTTP/1.1\r\nContent-Type: application/x-protobuf\r\nContent-Length: 1\r\n\r\na',
  'no version': 'POST /v1/traces\r\n\r\n',
  'a TLS hello': '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n',
  'two hundred lines': `${HEAD}${flood}Content-Length: 1\r\n\r\na`,
  'one line of 600 KiB': `${HEAD}X-Big: ${'a'.repeat(600 * 1024)}\r\nContent-Length: 1\r\n\r\na`,
};

for (const kind of HTTP_KINDS) {
  describe(`hostile HTTP clients on ${kind}`, () => {
    async function withBed(run: (bed: HttpBed) => Promise<void>, options?: HttpBedOptions): Promise<void> {
      const bed = await startHttpBed(kind, options);
      try {
        await run(bed);
        assert.equal((await post(bed.port)).status, 200, 'the next client is served');
        await eventually('every exchange is closed', () => bed.admission.openExchanges === 0);
        assert.equal(bed.admission.memory.usedBytes, 0, 'every byte is given back');
        await eventually('nothing is in flight', () => bed.admission.inFlightBytes === 0);
      } finally {
        bed.stop();
      }
    }

    test('a disconnect inside the header, the body or a chunk leaks nothing and hands nothing on (D1)', () =>
      withBed(async ({ port, consumer, admission, meter }) => {
        const phases = [
          'POST /v1/tr',
          HEAD,
          `${HEAD}Content-Length: 100000\r\n\r\n`,
          `${HEAD}Content-Length: 100000\r\n\r\n${'x'.repeat(50_000)}`,
          `${HEAD}Transfer-Encoding: chunked\r\n\r\nff\r\nabc`,
          `${HEAD}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`,
        ];
        for (const bytes of phases) {
          const client = await RawClient.open(port);
          client.socket.write(bytes);
          await sleep(30);
          client.close();
        }
        await eventually('every exchange is closed', () => admission.openExchanges === 0);
        assert.equal(consumer.taken.length, 0);
        const series = 'millrace_receiver_refused_requests{receiver=otlp,transport=http,reason=aborted}';
        await eventually('the aborts are counted', () => meter.value(series) === 4);
      }));

    test('a disconnect before the answer is tolerated, and the data still counts (D1)', () =>
      withBed(async ({ port, consumer, admission, meter }) => {
        consumer.outcome = undefined;
        const client = await RawClient.open(port);
        client.socket.write(`${HEAD}Content-Length: 3\r\n\r\nabc`);
        await eventually('the request arrived', () => consumer.taken.length === 1);
        client.close();
        await eventually('the disconnect was seen', () => admission.openExchanges === 0);
        consumer.taken[0]?.done(OK_OUTCOME);
        assert.equal(meter.value('otelcol_receiver_accepted_spans{receiver=otlp,transport=http}'), 3);
        assert.equal(admission.inFlightBytes, 0);
        consumer.outcome = OK_OUTCOME;
      }));

    test('a disconnect while the engine takes the request is tolerated (D1)', () =>
      withBed(async ({ port, consumer }) => {
        const client = await RawClient.open(port);
        consumer.onTaken = () => client.close();
        client.socket.write(`${HEAD}Content-Length: 3\r\n\r\nabc`);
        await eventually('the request arrived', () => consumer.taken.length === 1);
        consumer.onTaken = undefined;
        await sleep(20);
      }));

    test('forms of request smuggling are refused and the connection is closed (D5)', () =>
      withBed(async ({ port, consumer }) => {
        for (const [name, bytes] of Object.entries(smugglingForms)) {
          const client = await RawClient.open(port);
          const answer = await client.exchange(bytes);
          assert.doesNotMatch(answer, /^HTTP\/1\.1 200/, name);
          await eventually(`the connection is closed after: ${name}`, () => client.isClosed);
          assert.doesNotMatch(client.text, / 404 /, `${name}: no second request is seen`);
          client.close();
        }
        assert.equal(consumer.taken.length, 0);
      }));

    test('broken and oversized header blocks are not served (D4, D5)', () =>
      withBed(async ({ port, consumer }) => {
        const clients: RawClient[] = [];
        for (const bytes of Object.values(brokenHeaders)) {
          const client = await RawClient.open(port);
          client.socket.write(bytes);
          clients.push(client);
        }
        // The C++ parser leaves some of them to its silence timeout of ten seconds, so only the others must answer.
        const isDone = (client: RawClient): boolean => client.isClosed && /^HTTP\/1\.1 4/.test(client.text);
        if (kind !== 'uws') await eventually('all are refused', () => clients.every(isDone));
        else await sleep(200);
        Object.keys(brokenHeaders).forEach((name, i) => {
          assert.doesNotMatch(clients[i]!.text, /HTTP\/1\.1 (200|404)/, name);
          clients[i]!.close();
        });
        assert.equal(consumer.taken.length, 0);
      }));

    test('an endless refused body is cut off after a bound', () =>
      withBed(async ({ port, consumer, admission }) => {
        const client = await RawClient.open(port);
        client.socket.write(`${HEAD}Content-Length: 900000000\r\n\r\n`);
        const part = Buffer.alloc(1 << 20);
        let sentBytes = 0;
        while (!client.isClosed && sentBytes < 2 * DISCARD_BYTES_MAX) {
          sentBytes += part.byteLength;
          if (!client.socket.write(part)) await sleep(1);
        }
        await eventually('the connection is closed', () => client.isClosed);
        assert.match(client.text, /^(HTTP\/1\.1 413|$)/, 'a reset may overtake the answer');
        assert.ok(sentBytes >= DISCARD_BYTES_MAX / 2);
        assert.equal(admission.memory.peakBytes, 0, 'nothing of it was kept');
        assert.equal(consumer.taken.length, 0);
        client.close();
      }));

    test('a client that sends byte by byte gets its answer, and one connection carries many requests', () =>
      withBed(async ({ port, consumer }) => {
        const client = await RawClient.open(port);
        for (const byte of Buffer.from(`${HEAD}Content-Length: 3\r\n\r\nabc`)) {
          client.socket.write(Buffer.of(byte));
          await new Promise((resolve) => setImmediate(resolve));
        }
        await eventually('the answer', () => client.text.startsWith('HTTP/1.1 200'));
        assert.equal(consumer.taken[0]?.body.toString(), 'abc');
        client.text = '';
        assert.match(await client.exchange(`${HEAD}Content-Length: 2\r\n\r\nde`), /^HTTP\/1\.1 200/);
        assert.equal(consumer.taken[1]?.body.toString(), 'de');
        client.close();
      }));

    test('a body of one-byte chunks takes one block of memory, not one object a byte', () =>
      withBed(async ({ port, consumer, admission }) => {
        const client = await RawClient.open(port);
        const bytes = 20_000;
        const answer = client.exchange(
          `${HEAD}Transfer-Encoding: chunked\r\n\r\n${'1\r\nx\r\n'.repeat(bytes)}0\r\n\r\n`,
        );
        assert.match(await answer, /^HTTP\/1\.1 200/);
        assert.equal(consumer.taken[0]?.body.byteLength, bytes);
        assert.ok(consumer.taken[0].chunkCount <= 2);
        assert.ok(admission.memory.peakBytes <= 32 * 1024);
        client.close();
      }));
  });
}
