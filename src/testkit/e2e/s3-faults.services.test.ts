/**
 * B1, B5, B14 and what an S3 store may refuse, with a real server behind a proxy that breaks things.
 * Guarantee: every acknowledged span is in exactly one object as soon as the store takes it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prng } from '../../stdx/prng.ts';
import { metricSum, until } from '../engine-process.ts';
import { SPANS_PER_REQUEST } from '../ledger-client.ts';
import { BUCKET, S3FaultBed } from '../services/s3-fault-bed.ts';

test('5xx, SlowDown, broken connections and lost answers: each span once', {
  timeout: 180_000,
}, async (t) => {
  const world = await S3FaultBed.create(t, { min_size: 16, flush_timeout: '100ms' });
  const prng = new Prng(20_261_122);
  const faults = [
    { status: 503, code: 'SlowDown' },
    { status: 500, code: 'InternalError' },
    { status: 503, code: 'ServiceUnavailable' },
    { status: 409, code: 'ConditionalRequestConflict' },
    'reset',
    'lost',
    'lost',
  ] as const;
  const seen = new Set<unknown>();
  world.proxy.script = () => {
    const fault = prng.nextFloat() < 0.6 ? faults[prng.nextInt(faults.length)] : undefined;
    seen.add(fault);
    return fault;
  };
  await world.start();
  const keys = await world.send(200);
  await until('every fault to come', () => seen.size === new Set(faults).size + 1);
  world.proxy.script = () => undefined;
  await world.drained();
  world.assertOnce(keys);
});

test('B17: a store that allows ten writes a second gets hardly more, and each span once', {
  timeout: 180_000,
}, async (t) => {
  const size = SPANS_PER_REQUEST;
  const world = await S3FaultBed.create(t, { min_size: size, max_size: size, flush_timeout: '100ms' });
  const [allowed, objects] = [10, 100];
  const answers: boolean[] = [];
  let [tokens, filledMs] = [allowed, performance.now()];
  world.proxy.script = (method) => {
    if (method !== 'PUT') return undefined;
    const nowMs = performance.now();
    tokens = Math.min(tokens + ((nowMs - filledMs) * allowed) / 1000, allowed);
    filledMs = nowMs;
    answers.push(tokens >= 1);
    if (tokens < 1) return { status: 503, code: 'SlowDown' };
    tokens -= 1;
    return undefined;
  };
  await world.start();
  const keys = await world.send(objects);
  await world.drained();
  world.assertOnce(keys);
  const later = answers.slice(answers.length >> 1);
  const refused = later.filter((isTaken) => !isTaken).length;
  assert.ok(refused <= 0.3 * later.length, `${refused} of the later ${later.length} requests were refused`);
  assert.ok((await world.metric('millrace_exporter_throttled_attempts')) > 0);
  await world.engine!.said(/the backend takes less than it is sent/);
});

test('wrong credentials keep the data and say what is wrong', { timeout: 180_000 }, async (t) => {
  const world = await S3FaultBed.create(t, { min_size: 16, flush_timeout: '100ms' });
  const engine = await world.start({ AWS_SECRET_ACCESS_KEY: 'not-the-secret' });
  const keys = await world.send(20);
  await until('the refusal', () => engine.log.includes('the credentials are not accepted'));
  await engine.said(/SignatureDoesNotMatch/);
  assert.ok(!engine.log.includes('not-the-secret'));
  const text = await engine.metrics(world.ports.metrics);
  assert.ok(metricSum(text, 'otelcol_exporter_queue_size') > 0);
  assert.equal(metricSum(text, 'otelcol_exporter_send_failed_spans'), 0, 'nothing is given up');
  assert.deepEqual(world.store.keysOf(BUCKET), []);
  await engine.kill('SIGTERM');
  await world.start();
  await world.drained();
  world.assertOnce(keys);
});

test('a clock that the store refuses keeps the data, and so does a bucket that is gone', {
  timeout: 180_000,
}, async (t) => {
  const world = await S3FaultBed.create(t, { min_size: 16, flush_timeout: '100ms' });
  world.proxy.script = () => ({ status: 403, code: 'RequestTimeTooSkewed' });
  const engine = await world.start();
  const keys = await world.send(20);
  await until('the refusal', () => engine.log.includes('the clock of this machine'));
  world.proxy.script = () => ({ status: 404, code: 'NoSuchBucket' });
  await until('the other refusal', () => engine.log.includes('the bucket is not there'));
  world.proxy.script = () => undefined;
  await world.drained();
  world.assertOnce(keys);
});

test('credentials that may only write are enough', { timeout: 180_000 }, async (t) => {
  const world = await S3FaultBed.create(t, { sizer: 'bytes', min_size: 12 << 20, flush_timeout: '60s' });
  world.proxy.script = (method) =>
    method === 'HEAD' || method === 'GET' ? { status: 403, code: 'AccessDenied' } : undefined;
  await world.start();
  const keys = await world.send(16, 200_000);
  await world.drained();
  world.assertOnce(keys);
});

test('an upload in parts that fails is given up, and the next attempt is whole', {
  timeout: 180_000,
}, async (t) => {
  const world = await S3FaultBed.create(t, { sizer: 'bytes', min_size: 12 << 20, flush_timeout: '60s' });
  let failures = 0;
  world.proxy.script = (method, url) => {
    const isSecondPart = method === 'PUT' && url.includes('partNumber=2');
    if (!isSecondPart || failures >= 4) return undefined;
    failures += 1;
    return { status: 500, code: 'InternalError' };
  };
  await world.start();
  // One object: sixteen requests of 800 kB.
  const keys = await world.send(16, 200_000);
  await world.drained();
  const wasAborted = world.proxy.requests.some(
    (line) => line.startsWith('DELETE') && line.includes('uploadId='),
  );
  assert.ok(wasAborted, 'the first upload is given up');
  assert.deepEqual(await world.store.openUploads(BUCKET), []);
  world.assertOnce(keys);
});
