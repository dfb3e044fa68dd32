import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateSync, gzipSync } from 'node:zlib';
import {
  OUTCOME_INTERNAL,
  OUTCOME_MALFORMED,
  OUTCOME_OK,
  OUTCOME_TOO_LARGE,
  OUTCOME_UNAVAILABLE,
  type RequestOutcome,
} from '../component/consumer.ts';
import { itemNumbers, numberedRequest } from '../exporters/helper/delivery.test-peer.ts';
import type { LogWriter } from '../queue/log/contract.ts';
import { systemClock } from '../stdx/clock.ts';
import { MeterAggregate } from '../telemetry/aggregate.ts';
import { until } from '../testkit/engine-process.ts';
import { requestType } from '../testkit/otlp-root.ts';
import { OUTSTANDING_MAX } from './ack-channel.ts';
import { DataPath } from './ingest.test-peer.ts';

const OK = { code: OUTCOME_OK, rejectedCount: 0, message: '', retryAfterMs: 0 };
const pick = ({ code, itemCount, rejectedCount, message, retryAfterMs }: RequestOutcome) => ({
  code,
  itemCount,
  rejectedCount,
  message,
  retryAfterMs,
});
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Spans of which the even ones have a trace id of 15 bytes. */
function halfBadRequest(count: number): Uint8Array {
  const type = requestType('traces');
  const spans = Array.from({ length: count }, (_, i) => ({
    trace_id: new Uint8Array(i % 2 === 0 ? 15 : 16).fill(1),
    span_id: new Uint8Array(8).fill(2),
    name: `${i}`,
  }));
  return type.encode(type.fromObject({ resource_spans: [{ scope_spans: [{ spans }] }] })).finish();
}

test('protobuf and JSON, plain and compressed, become the same flushed bytes before OK', async () => {
  const path = new DataPath();
  path.startWorker();
  const body = numberedRequest(0, 5, 100);
  const json = Buffer.from(
    '{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708","name":"9"}]}]}]}',
  );
  assert.deepEqual(pick(await path.send(body)), { ...OK, itemCount: 5 });
  assert.deepEqual(Buffer.concat(path.stored()), Buffer.from(body), 'flushed when it is answered');
  assert.deepEqual(pick(await path.send(gzipSync(body), { compression: 'gzip' })), { ...OK, itemCount: 5 });
  assert.deepEqual(pick(await path.send(deflateSync(body), { compression: 'deflate' })), {
    ...OK,
    itemCount: 5,
  });
  // A zstd frame of one raw block: magic, single segment with a two-byte size, last raw block.
  const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x60, 0, 0, 0, 0, 0]);
  header.writeUInt16LE(body.byteLength - 256, 5);
  header.writeUIntLE((body.byteLength << 3) | 1, 7, 3);
  assert.deepEqual(pick(await path.send(Buffer.concat([header, body]), { compression: 'zstd' })), {
    ...OK,
    itemCount: 5,
  });
  assert.deepEqual(pick(await path.send(json, { encoding: 'json' })), { ...OK, itemCount: 1 });
  assert.deepEqual(pick(await path.send(gzipSync(json), { encoding: 'json', compression: 'gzip' })), {
    ...OK,
    itemCount: 1,
  });
  assert.deepEqual(itemNumbers(path.stored()), [...Array(4).fill([0, 1, 2, 3, 4]).flat(), 9, 9]);
  await path.end();
});

test('a request without items is OK and stores nothing', async () => {
  const path = new DataPath();
  path.startWorker();
  const empty = Buffer.from('{}');
  assert.deepEqual(pick(await path.send(new Uint8Array(0))), { ...OK, itemCount: 0 });
  assert.deepEqual(pick(await path.send(empty, { encoding: 'json' })), { ...OK, itemCount: 0 });
  assert.deepEqual(pick(await path.send(gzipSync(new Uint8Array(0)), { compression: 'gzip' })), {
    ...OK,
    itemCount: 0,
  });
  assert.equal(path.logs[0]!.records.length, 0);
  await path.end();
});

test('bad bytes are refused for good, alone, and the next request is taken', async () => {
  const path = new DataPath();
  path.startWorker();
  const good = numberedRequest(0, 3);
  const bad: [Uint8Array, Parameters<DataPath['send']>[1]][] = [
    [good.subarray(0, good.byteLength - 1), {}],
    [Buffer.from('not protobuf'), {}],
    [Buffer.from('{"resourceSpans":'), { encoding: 'json' }],
    [new Uint8Array(0), { encoding: 'json' }],
    [good, { compression: 'gzip' }],
    [gzipSync(good).subarray(0, 40), { compression: 'gzip' }],
    [good, { compression: 'zstd' }],
  ];
  const answers = await Promise.all([
    ...bad.map(([body, options]) => path.send(body, options)),
    path.send(good),
  ]);
  for (const [i, answer] of answers.slice(0, -1).entries()) {
    assert.equal(answer.code, OUTCOME_MALFORMED, `case ${i}: ${JSON.stringify(answer)}`);
    assert.notEqual(answer.message, '');
    assert.equal(answer.retryAfterMs, 0);
  }
  assert.deepEqual(pick(answers.at(-1)!), { ...OK, itemCount: 3 });
  assert.deepEqual(itemNumbers(path.stored()), [0, 1, 2]);
  await path.end();
});

test('over the limit after decompression is too large, at the limit is taken', async () => {
  const path = new DataPath();
  path.startWorker();
  const body = numberedRequest(0, 3, 2000);
  const gzip = gzipSync(body);
  const large = await path.send(gzip, { compression: 'gzip', decodedBytesMax: body.byteLength - 1 });
  assert.equal(large.code, OUTCOME_TOO_LARGE);
  assert.equal(
    (await path.send(gzip, { compression: 'gzip', decodedBytesMax: body.byteLength })).code,
    OUTCOME_OK,
  );
  await path.end();
});

test('items that are bad by themselves are counted and left out, the others are stored', async () => {
  const path = new DataPath();
  path.startWorker();
  const half = await path.send(halfBadRequest(10));
  assert.deepEqual([half.code, half.itemCount, half.rejectedCount], [OUTCOME_OK, 10, 5]);
  assert.match(half.message, /5 items/);
  assert.deepEqual(itemNumbers(path.stored()), [1, 3, 5, 7, 9]);
  const all = await path.send(halfBadRequest(1));
  assert.deepEqual([all.code, all.itemCount, all.rejectedCount], [OUTCOME_OK, 1, 1]);
  await path.end();
});

const FAN_OUT = [{ receiverId: 'otlp', signal: 'traces' as const, logs: [0, 1] }];

test('fan-out is answered only when every log has flushed', async () => {
  let release!: () => void;
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const slow = (writer: LogWriter, log: number): LogWriter => {
    const commit = writer.commit.bind(writer);
    if (log === 1) writer.commit = () => gate.then(() => commit());
    return writer;
  };
  const path = new DataPath({ routes: FAN_OUT, budgets: [1 << 20, 1 << 20], wrapWriter: slow });
  path.startWorker();
  let isAnswered = false;
  const answer = path.send(numberedRequest(0, 4)).finally(() => {
    isAnswered = true;
  });
  await until('the first log', () => path.stored(0).length === 1);
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal(isAnswered, false);
  release();
  assert.equal((await answer).code, OUTCOME_OK);
  assert.deepEqual(path.stored(1), path.stored(0));
  await path.end();
});

test('fan-out with one full log is refused retryably and counted for its exporter; with room it is taken', async () => {
  const path = new DataPath({ routes: FAN_OUT, budgets: [1 << 20, 1000] });
  path.startWorker();
  const large = await path.send(numberedRequest(0, 4, 1000));
  assert.equal(large.code, OUTCOME_UNAVAILABLE);
  assert.ok(large.retryAfterMs > 0);
  assert.match(large.message, /full/);
  const small = await path.send(numberedRequest(7, 1));
  assert.equal(small.code, OUTCOME_OK);
  assert.deepEqual(itemNumbers(path.stored(1)), [7]);
  const aggregate = new MeterAggregate(systemClock);
  aggregate.update('t', path.meter.takeSnapshot());
  const failed = aggregate.counters().filter(({ name }) => name === 'otelcol_exporter_enqueue_failed_spans');
  assert.equal(
    failed.reduce((sum, { value }) => sum + value, 0),
    4,
  );
  await path.end();
});

test('a failed commit answers its group retryably, tells once, and refuses from then on', async () => {
  let commits = 0;
  const path = new DataPath({
    wrapWriter: (writer) => {
      const commit = writer.commit.bind(writer);
      writer.commit = () => (commits++ === 1 ? Promise.reject(new Error('EIO')) : commit());
      return writer;
    },
  });
  path.startWorker();
  assert.equal((await path.send(numberedRequest(0, 1))).code, OUTCOME_OK);
  const group = await Promise.all([1, 2, 3].map((first) => path.send(numberedRequest(first, 1))));
  assert.deepEqual(
    group.map(({ code }) => code),
    [OUTCOME_UNAVAILABLE, OUTCOME_UNAVAILABLE, OUTCOME_UNAVAILABLE],
  );
  assert.equal((await path.send(numberedRequest(4, 1))).code, OUTCOME_UNAVAILABLE);
  assert.deepEqual(
    path.failures.map(({ code }) => code),
    ['STORAGE_FAILED'],
  );
  await path.end();
});

test('a full ring refuses without an answer, and has room again when the worker has read', async () => {
  const path = new DataPath({ ringBytes: 16_384 });
  const taken: Promise<RequestOutcome>[] = [];
  for (;;) {
    const answer = path.trySend(numberedRequest(taken.length, 1, 1000));
    if (answer === undefined) break;
    taken.push(answer);
  }
  assert.ok(taken.length >= 12 && taken.length < 16, `${taken.length} taken`);
  assert.equal(path.ingest.pendingCount, taken.length);
  path.startWorker();
  for (const { code } of await Promise.all(taken)) assert.equal(code, OUTCOME_OK);
  assert.equal((await path.send(numberedRequest(0, 1))).code, OUTCOME_OK);
  await path.end();
});

test('unanswered requests are bounded a lane, a second lane takes what the first may not, and the ack ring holds all answers', async () => {
  const path = new DataPath({ lanes: 2, ringBytes: 4 << 20 });
  const answers: Promise<RequestOutcome>[] = [];
  // An empty request is one frame of 40 bytes: the bound is met long before the rings are full.
  for (;;) {
    const answer = path.trySend(Buffer.from('x'));
    if (answer === undefined) break;
    answers.push(answer);
  }
  assert.equal(answers.length, 2 * OUTSTANDING_MAX);
  path.startWorker(0);
  path.startWorker(1);
  const codes = new Set((await Promise.all(answers)).map(({ code }) => code));
  assert.deepEqual([...codes], [OUTCOME_MALFORMED]);
  await turn();
  assert.equal(path.ingest.pendingCount, 0);
  await path.end();
});

test('drain answers what is left at its deadline, once, and refuses what comes later', async () => {
  const path = new DataPath();
  const answers = [path.send(numberedRequest(0, 1)), path.send(numberedRequest(1, 1))];
  await path.ingest.drain(systemClock.monotonicMs() + 30);
  for (const { code, retryAfterMs } of await Promise.all(answers)) {
    assert.equal(code, OUTCOME_UNAVAILABLE);
    assert.ok(retryAfterMs > 0);
  }
  assert.equal(path.trySend(numberedRequest(2, 1)), undefined);
  await path.end();
});

test('refuseAll answers everything and takes nothing more; a late ack reaches nobody', async () => {
  const path = new DataPath();
  const answer = path.send(numberedRequest(0, 1));
  path.ingest.refuseAll();
  assert.equal((await answer).code, OUTCOME_UNAVAILABLE);
  assert.equal(path.trySend(numberedRequest(1, 1)), undefined);
  path.startWorker();
  await until('the late frame', () => path.stored().length === 1);
  await path.end();
});

test('a bug in a component is a 500 without its words, and is logged', async () => {
  const path = new DataPath({
    wrapWriter: (writer) => {
      writer.tryAppend = () => {
        throw new TypeError('secret of the inside');
      };
      return writer;
    },
  });
  path.startWorker();
  const { code, message } = await path.send(numberedRequest(0, 1));
  assert.deepEqual([code, message], [OUTCOME_INTERNAL, 'internal error']);
  assert.ok(path.logger.lines.some(({ fields }) => String(fields.error).includes('secret')));
  await path.end();
});
