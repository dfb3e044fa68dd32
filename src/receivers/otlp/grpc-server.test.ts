import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { compressionAlgorithms } from '@grpc/grpc-js';
import {
  OUTCOME_INTERNAL,
  OUTCOME_MALFORMED,
  OUTCOME_TOO_LARGE,
  OUTCOME_UNAVAILABLE,
} from '../../component/consumer.ts';
import { Prng } from '../../stdx/prng.ts';
import { OK_OUTCOME } from './bed.test-peer.ts';
import {
  type GrpcBed,
  type GrpcBedOptions,
  RawGrpcClient,
  startGrpcBed,
  TEST_MESSAGE_BYTES_MAX,
  TRACES_PATH,
} from './grpc-bed.test-peer.ts';
import { frameMessage } from './grpc-frames.ts';
import { eventually } from './http-client.test-peer.ts';

async function withBed(run: (bed: GrpcBed) => Promise<void>, options?: GrpcBedOptions): Promise<void> {
  const bed = await startGrpcBed(options);
  try {
    await run(bed);
    await eventually('every exchange is closed', () => bed.admission.openExchanges === 0);
    assert.equal(bed.admission.memory.usedBytes, 0, 'every byte is given back');
    assert.equal(bed.admission.inFlightBytes, 0);
  } finally {
    bed.stop();
  }
}

function randomBytes(sizeBytes: number): Buffer {
  const prng = new Prng(sizeBytes);
  return Buffer.from(Array.from({ length: sizeBytes }, () => prng.nextUint32() & 0xff));
}

describe('OTLP/gRPC with a grpc-js client', () => {
  test('hands messages of every size on byte for byte', () =>
    withBed(async ({ client, consumer, meter }) => {
      const sizes = [0, 1, 16_379, 16_384, 65_536, 210_000, TEST_MESSAGE_BYTES_MAX];
      for (const sizeBytes of sizes) {
        const message = randomBytes(sizeBytes);
        const { code, response } = await client.export(message);
        assert.equal(code, 0);
        assert.equal(response?.byteLength, 0);
        const taken = consumer.taken.pop()!;
        assert.ok(taken.body.equals(message), `${sizeBytes} bytes arrive unchanged`);
        assert.equal(taken.sizeBytes, sizeBytes);
        assert.equal(taken.decodedBytesMax, TEST_MESSAGE_BYTES_MAX);
        assert.deepEqual(
          [taken.signal, taken.transport, taken.encoding, taken.compression],
          ['traces', 'grpc', 'proto', 'identity'],
        );
      }
      const label = 'receiver=otlp,transport=grpc';
      assert.equal(
        meter.value(`otelcol_receiver_accepted_spans{${label}}`),
        sizes.length * OK_OUTCOME.itemCount,
      );
      assert.equal(meter.latencies.length, sizes.length);
      assert.equal(meter.latencies[0]?.series, `request_to_ack{${label}}`);
    }));

  test('serves the three services and refuses what is in no pipeline', () =>
    withBed(
      async ({ client, consumer }) => {
        assert.equal((await client.exportSignal(Buffer.of(1), 'traces')).code, 0);
        assert.equal((await client.exportSignal(Buffer.of(1), 'metrics')).code, 0);
        assert.deepEqual(
          consumer.taken.map(({ signal }) => signal),
          ['traces', 'metrics'],
        );
        assert.equal((await client.exportSignal(Buffer.of(1), 'logs')).code, 12);
        assert.equal((await client.export(Buffer.of(1), '/grpc.health.v1.Health/Check')).code, 12);
      },
      { signals: ['traces', 'metrics'] },
    ));

  test('leaves compressed messages as they are and says how they are compressed', () =>
    withBed(
      async ({ client, consumer }) => {
        assert.equal((await client.export(Buffer.alloc(5000))).code, 0);
        const taken = consumer.taken.pop()!;
        assert.equal(taken.compression, 'gzip');
        assert.deepEqual([...taken.body.subarray(0, 2)], [0x1f, 0x8b]);
      },
      { client: { 'grpc.default_compression_algorithm': compressionAlgorithms.gzip } },
    ));

  test('carries sixty calls at once over one connection', () =>
    withBed(async ({ client, consumer, server }) => {
      const messages = Array.from({ length: 60 }, (_, i) => randomBytes(1000 + i * 3000));
      const results = await Promise.all(messages.map((message) => client.export(message)));
      assert.ok(results.every(({ code }) => code === 0));
      const bySize = consumer.taken.map(({ body }) => body).sort((a, b) => a.byteLength - b.byteLength);
      assert.ok(messages.every((message, i) => bySize[i]?.equals(message)));
      assert.equal(server.connectionCount, 1);
    }));

  test('maps every outcome of the engine to its status, details and counter', () =>
    withBed(async ({ client, consumer, meter }) => {
      const failed = { itemCount: 0, rejectedCount: 0, retryAfterMs: 0 };
      consumer.outcome = { ...failed, code: OUTCOME_MALFORMED, message: 'Not a request: 100 % ä.' };
      const malformed = await client.export(Buffer.of(1));
      assert.deepEqual([malformed.code, malformed.message], [3, 'Not a request: 100 % ä.']);
      assert.equal(malformed.details, undefined);
      consumer.outcome = { ...failed, code: OUTCOME_TOO_LARGE, message: 'Too large.', retryAfterMs: 9 };
      const tooLarge = await client.export(Buffer.of(1));
      assert.equal(tooLarge.code, 8);
      assert.equal(tooLarge.details, undefined, 'RetryInfo would make it retryable');
      consumer.outcome = { ...failed, code: OUTCOME_INTERNAL, message: 'Our fault.' };
      assert.equal((await client.export(Buffer.of(1))).code, 13);
      const unavailable = { ...failed, itemCount: 7, code: OUTCOME_UNAVAILABLE, message: 'Full.' } as const;
      consumer.outcome = { ...unavailable, retryAfterMs: 1500 };
      const full = await client.export(Buffer.of(1));
      assert.equal(full.code, 14);
      assertRetryInfo(full.details, 1, 500_000_000);
      consumer.outcome = { ...OK_OUTCOME, itemCount: 5, rejectedCount: 2, message: 'Two had bad ids.' };
      const partial = await client.export(Buffer.of(1));
      assert.equal(partial.code, 0);
      const text = Buffer.from('Two had bad ids.');
      const inner = Buffer.concat([Buffer.of(0x08, 2, 0x12, text.byteLength), text]);
      assert.deepEqual(partial.response, Buffer.concat([Buffer.of(0x0a, inner.byteLength), inner]));
      const label = 'receiver=otlp,transport=grpc';
      assert.equal(meter.value(`otelcol_receiver_refused_spans{${label}}`), 7);
      assert.equal(meter.value(`millrace_receiver_rejected_items{${label},otel_signal=traces}`), 2);
      assert.equal(meter.value(`otelcol_receiver_accepted_spans{${label}}`), 3);
    }));

  test('refuses retryably when the engine is full, when bodies under way fill the bound, and while draining', () =>
    withBed(
      async ({ client, consumer, admission, meter }) => {
        consumer.isFull = true;
        const full = await client.export(Buffer.of(1));
        assert.equal(full.code, 14);
        assertRetryInfo(full.details, 1, 0);
        consumer.isFull = false;
        assert.equal((await client.export(Buffer.alloc(200_000))).code, 14);
        assert.equal((await client.export(Buffer.of(1))).code, 0);
        admission.startDrain();
        assert.equal((await client.export(Buffer.of(1))).code, 14);
        const refused = 'millrace_receiver_refused_requests{receiver=otlp,transport=grpc,reason=';
        for (const reason of ['queue_full', 'memory', 'draining']) {
          assert.equal(meter.value(`${refused}${reason}}`), 1, reason);
        }
      },
      { limits: { assemblyBytesMax: 100_000, inFlightBytesMax: 1 << 20 } },
    ));

  test('refuses messages over the limit for good', () =>
    withBed(async ({ client, consumer }) => {
      const result = await client.export(Buffer.alloc(TEST_MESSAGE_BYTES_MAX + 1));
      assert.equal(result.code, 8);
      assert.equal(result.details, undefined);
      assert.equal(consumer.taken.length, 0);
      assert.equal((await client.export(Buffer.of(1))).code, 0);
    }));

  test('answers retryably when the deadline of the client passes, and still counts what became durable', () =>
    withBed(async ({ port, consumer, meter }) => {
      consumer.outcome = undefined;
      const raw = new RawGrpcClient(port);
      const late = await raw.call([frameMessage(Buffer.of(1))], { 'grpc-timeout': '50m' });
      assert.equal(late.status, 14);
      consumer.taken[0]?.done(OK_OUTCOME);
      const label = 'receiver=otlp,transport=grpc';
      assert.equal(meter.value(`millrace_receiver_refused_requests{${label},reason=deadline}`), 1);
      assert.equal(meter.value(`otelcol_receiver_accepted_spans{${label}}`), 3);
      raw.close();
    }));
});

describe('OTLP/gRPC headers', () => {
  test('refuses what is not gRPC, unknown encodings and unreadable timeouts', () =>
    withBed(async ({ port, consumer }) => {
      const raw = new RawGrpcClient(port);
      const message = [frameMessage(Buffer.of(1))];
      for (const type of ['application/json', 'application/grpcx', 'application/grpc+json']) {
        assert.equal((await raw.call(message, { 'content-type': type })).httpStatus, 415, type);
      }
      for (const type of ['application/grpc+proto', 'application/grpc;v=1', 'application/grpc+proto; a=b']) {
        assert.equal((await raw.call(message, { 'content-type': type })).status, 0, type);
      }
      for (const encoding of ['br', 'snappy', 'lz4']) {
        const reply = await raw.call(message, { 'grpc-encoding': encoding });
        assert.equal(reply.status, 12, encoding);
        assert.equal(reply.headers['grpc-accept-encoding'], 'identity,gzip,deflate,zstd');
      }
      for (const timeout of ['5', 'S', '123456789S', '-1S', '1x']) {
        assert.equal((await raw.call(message, { 'grpc-timeout': timeout })).status, 13, timeout);
      }
      const zstd = await raw.call([Buffer.of(1, 0, 0, 0, 1, 7)], { 'grpc-encoding': 'zstd' });
      assert.equal(zstd.status, 0);
      assert.equal(consumer.taken.at(-1)?.compression, 'zstd');
      const flagless = await raw.call(message, { 'grpc-encoding': 'gzip' });
      assert.equal(flagless.status, 0);
      assert.equal(consumer.taken.at(-1)?.compression, 'identity', 'the flag decides');
      assert.equal((await raw.call(message, { ':path': `${TRACES_PATH}/` })).status, 12);
      raw.close();
    }));
});

/** google.rpc.Status with one google.rpc.RetryInfo, taken apart by hand. */
function assertRetryInfo(details: Buffer | undefined, seconds: number, nanos: number): void {
  assert.ok(details !== undefined, 'there are details');
  const url = 'type.googleapis.com/google.rpc.RetryInfo';
  const at = details.indexOf(url);
  assert.ok(at > 0, 'the detail is a RetryInfo');
  const duration = [...(seconds > 0 ? [0x08, seconds] : []), ...(nanos > 0 ? [0x10, ...varint(nanos)] : [])];
  const retryInfo = Buffer.of(0x0a, duration.length, ...duration);
  assert.deepEqual(
    details.subarray(at + url.length),
    Buffer.concat([Buffer.of(0x12, retryInfo.byteLength), retryInfo]),
  );
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128);
  return [...bytes, value];
}
