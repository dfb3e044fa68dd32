import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import { describe, test } from 'node:test';
import {
  OUTCOME_INTERNAL,
  OUTCOME_MALFORMED,
  OUTCOME_TOO_LARGE,
  OUTCOME_UNAVAILABLE,
} from '../../component/consumer.ts';
import { Prng } from '../../stdx/prng.ts';
import type { HttpBed, HttpBedOptions } from './bed.test-peer.ts';
import { HTTP_KINDS, OK_OUTCOME, startHttpBed, TEST_BODY_BYTES_MAX } from './bed.test-peer.ts';
import { post } from './http-client.test-peer.ts';

function randomBytes(sizeBytes: number): Buffer {
  const prng = new Prng(sizeBytes);
  return Buffer.from(Array.from({ length: sizeBytes }, () => prng.nextUint32() & 0xff));
}

for (const kind of HTTP_KINDS) {
  describe(`OTLP/HTTP on ${kind}`, () => {
    async function withBed(run: (bed: HttpBed) => Promise<void>, options?: HttpBedOptions): Promise<void> {
      const bed = await startHttpBed(kind, options);
      try {
        await run(bed);
        assert.equal(bed.admission.openExchanges, 0, 'every exchange is closed');
        assert.equal(bed.admission.memory.usedBytes, 0, 'every byte is given back');
        assert.equal(bed.admission.inFlightBytes, 0);
      } finally {
        bed.stop();
      }
    }

    test('hands bodies of every size on byte for byte and answers 200 in the type of the request', () =>
      withBed(async ({ port, consumer, meter }) => {
        const agent = new Agent({ keepAlive: true, maxSockets: 1 });
        const sizes = [0, 1, 1000, 8191, 65_535, 65_536, 65_537, 131_072, 210_000, TEST_BODY_BYTES_MAX];
        for (const sizeBytes of sizes) {
          const body = randomBytes(sizeBytes);
          const reply = await post(port, { body, agent });
          assert.equal(reply.status, 200);
          assert.equal(reply.headers['content-type'], 'application/x-protobuf');
          assert.equal(reply.body.byteLength, 0);
          const taken = consumer.taken.pop()!;
          assert.ok(taken.body.equals(body), `${sizeBytes} bytes arrive unchanged`);
          assert.equal(taken.sizeBytes, sizeBytes);
          assert.equal(taken.decodedBytesMax, TEST_BODY_BYTES_MAX);
          assert.deepEqual(
            [taken.signal, taken.transport, taken.encoding, taken.compression],
            ['traces', 'http', 'proto', 'identity'],
          );
        }
        agent.destroy();
        const series = 'otelcol_receiver_accepted_spans{receiver=otlp,transport=http}';
        assert.equal(meter.value(series), sizes.length * OK_OUTCOME.itemCount);
        assert.equal(meter.latencies.length, sizes.length);
        assert.equal(meter.latencies[0]?.series, 'request_to_ack{receiver=otlp,transport=http}');
      }));

    test('assembles chunked bodies, and one that comes byte by byte', () =>
      withBed(async ({ port, consumer }) => {
        const parts = [9000, 10, 70_000, 1, 64_000].map(randomBytes);
        assert.equal((await post(port, { body: parts })).status, 200);
        assert.ok(consumer.taken.pop()?.body.equals(Buffer.concat(parts)));
        const bytes = [...randomBytes(50)].map((byte) => Buffer.of(byte));
        assert.equal((await post(port, { body: bytes })).status, 200);
        assert.ok(consumer.taken.pop()?.body.equals(randomBytes(50)));
      }));

    test('serves the three paths, JSON, parameters of the media type and the query', () =>
      withBed(async ({ port, consumer }) => {
        for (const signal of ['traces', 'metrics', 'logs'] as const) {
          const reply = await post(port, {
            path: `/v1/${signal}?a=b`,
            headers: { 'content-type': 'Application/JSON; charset=utf-8' },
          });
          assert.equal(reply.status, 200);
          assert.equal(reply.headers['content-type'], 'application/json');
          assert.equal(reply.body.toString(), '{"partialSuccess":{}}');
          const taken = consumer.taken.pop();
          assert.deepEqual([taken?.signal, taken?.encoding], [signal, 'json']);
        }
      }));

    test('takes gzip, zstd, deflate and identity without decoding them', () =>
      withBed(async ({ port, consumer }) => {
        const names = { gzip: 'gzip', GZIP: 'gzip', zstd: 'zstd', deflate: 'deflate', zlib: 'deflate' };
        for (const [name, compression] of Object.entries({
          ...names,
          identity: 'identity',
          '': 'identity',
        })) {
          const headers: Record<string, string> = name === '' ? {} : { 'content-encoding': name };
          assert.equal((await post(port, { headers })).status, 200);
          const taken = consumer.taken.pop();
          assert.equal(taken?.compression, compression);
          assert.equal(taken?.body.toString(), 'body');
        }
      }));

    test('refuses unknown paths, methods, types and encodings with the texts that clients know (C15, D7)', () =>
      withBed(
        async ({ port, consumer, meter }) => {
          const refused = 'millrace_receiver_refused_requests{receiver=otlp,transport=http,reason=';
          for (const path of ['/', '/v1/trace', '/v1/traces/', '/v1/metrics']) {
            const reply = await post(port, { path });
            assert.equal(reply.status, 404);
            assert.equal(reply.body.toString(), '404 page not found');
          }
          for (const method of ['GET', 'PUT', 'OPTIONS', 'DELETE', 'HEAD']) {
            const reply = await post(port, { method });
            assert.equal(reply.status, 405, method);
            assert.equal(reply.headers.allow, 'POST');
            const text = '405 method not allowed, supported: [POST]';
            assert.equal(reply.body.toString(), method === 'HEAD' ? '' : text);
          }
          for (const type of ['', 'text/plain', 'application/json2', 'application/xml; application/json']) {
            const reply = await post(port, { headers: { 'content-type': type } });
            assert.equal(reply.status, 415, type);
            assert.equal(
              reply.body.toString(),
              '415 unsupported media type, supported: [application/json, application/x-protobuf]',
            );
          }
          for (const encoding of ['br', 'snappy', 'gzip, gzip', 'gzip;q=1', 'compress']) {
            const headers = { 'content-type': 'application/json', 'content-encoding': encoding };
            const reply = await post(port, { headers });
            assert.equal(reply.status, 415, encoding);
            assert.equal(
              JSON.parse(reply.body.toString()).message,
              `unsupported Content-Encoding: ${encoding}`,
            );
          }
          assert.equal(consumer.taken.length, 0);
          assert.equal(meter.value(`${refused}not_found}`), 4);
          assert.equal(meter.value(`${refused}method}`), 5);
          assert.equal(meter.value(`${refused}content_type}`), 4);
          assert.equal(meter.value(`${refused}encoding}`), 5);
        },
        { signals: ['traces', 'logs'] },
      ));

    test('answers 413 over the limit, by Content-Length and while reading, and keeps the connection', () =>
      withBed(async ({ port, consumer, meter }) => {
        const agent = new Agent({ keepAlive: true, maxSockets: 1 });
        const tooLarge = Buffer.alloc(TEST_BODY_BYTES_MAX + 1);
        const headers = { 'content-type': 'application/json' };
        const announced = await post(port, { body: tooLarge, headers, agent });
        assert.equal(announced.status, 413);
        assert.deepEqual(JSON.parse(announced.body.toString()), {
          code: 8,
          message: 'The request body is too large.',
        });
        assert.equal(announced.headers['retry-after'], undefined);
        const half = Buffer.alloc(TEST_BODY_BYTES_MAX / 2 + 1);
        assert.equal((await post(port, { body: [half, half], headers, agent })).status, 413);
        assert.equal((await post(port, { agent })).status, 200);
        agent.destroy();
        assert.equal(consumer.taken.length, 1);
        const series = 'millrace_receiver_refused_requests{receiver=otlp,transport=http,reason=too_large}';
        assert.equal(meter.value(series), 2);
      }));

    test('maps every outcome of the engine to its status, body and counter', () =>
      withBed(async ({ port, consumer, meter }) => {
        const headers = { 'content-type': 'application/json' };
        const failed = { itemCount: 0, rejectedCount: 0, retryAfterMs: 0 };
        consumer.outcome = { ...failed, code: OUTCOME_MALFORMED, message: 'Not a request.' };
        const malformed = await post(port, { headers });
        assert.equal(malformed.status, 400);
        assert.deepEqual(JSON.parse(malformed.body.toString()), { code: 3, message: 'Not a request.' });
        consumer.outcome = { ...failed, code: OUTCOME_TOO_LARGE, message: 'Too large.' };
        assert.equal((await post(port, { headers })).status, 413);
        consumer.outcome = { ...failed, code: OUTCOME_INTERNAL, message: 'Our fault.' };
        assert.equal((await post(port, { headers })).status, 500);
        consumer.outcome = {
          ...failed,
          itemCount: 7,
          code: OUTCOME_UNAVAILABLE,
          message: 'Full.',
          retryAfterMs: 1500,
        };
        const unavailable = await post(port, { headers });
        assert.equal(unavailable.status, 503);
        assert.equal(unavailable.headers['retry-after'], '2');
        assert.equal(JSON.parse(unavailable.body.toString()).code, 14);
        assert.match(unavailable.body.toString(), /"retryDelay":\s*"1\.5/);
        consumer.outcome = { ...OK_OUTCOME, itemCount: 5, rejectedCount: 2, message: 'Two had bad ids.' };
        const partial = await post(port, { headers });
        assert.equal(partial.status, 200);
        assert.deepEqual(JSON.parse(partial.body.toString()), {
          partialSuccess: { rejectedSpans: '2', errorMessage: 'Two had bad ids.' },
        });
        const label = 'receiver=otlp,transport=http';
        assert.equal(meter.value(`otelcol_receiver_refused_spans{${label}}`), 7);
        assert.equal(meter.value(`millrace_receiver_rejected_items{${label},otel_signal=traces}`), 2);
        assert.equal(meter.value(`otelcol_receiver_accepted_spans{${label}}`), 3);
        for (const reason of ['malformed', 'too_large', 'internal']) {
          assert.equal(
            meter.value(`millrace_receiver_refused_requests{${label},reason=${reason}}`),
            1,
            reason,
          );
        }
      }));

    test('refuses retryably when the engine is full, when bodies under way fill the bound, and while draining', () =>
      withBed(
        async ({ port, consumer, meter, admission }) => {
          consumer.isFull = true;
          const full = await post(port);
          assert.equal(full.status, 503);
          assert.equal(full.headers['retry-after'], '1');
          consumer.isFull = false;
          // Two parts of more than the bound: the last chunk alone is never copied and so never counted.
          const overBound = await post(port, { body: [Buffer.alloc(120_000), Buffer.alloc(120_000)] });
          assert.equal(overBound.status, 503);
          assert.equal((await post(port)).status, 200);
          admission.startDrain();
          const draining = await post(port);
          assert.equal(draining.status, 503);
          assert.equal(draining.headers.connection, 'close');
          const refused = 'millrace_receiver_refused_requests{receiver=otlp,transport=http,reason=';
          for (const reason of ['queue_full', 'memory', 'draining']) {
            assert.equal(meter.value(`${refused}${reason}}`), 1, reason);
          }
        },
        { limits: { assemblyBytesMax: 100_000, inFlightBytesMax: 1 << 20 } },
      ));
  });
}
