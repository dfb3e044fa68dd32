import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ThreadMeter } from '../../telemetry/registry.ts';
import { deliveryConfig, RecordingLogger } from './delivery.test-peer.ts';
import { SendThrottle } from './send-throttle.ts';

const RETRY = { initialIntervalMs: 5000, maxIntervalMs: 30_000 };
const CONSUMERS = 10;
const NO_DEADLINE = Number.POSITIVE_INFINITY;

interface Bed {
  throttle: SendThrottle;
  logger: RecordingLogger;
  limit(): number;
  refusedCount(): number;
  nowMs(): number;
  /** Lets virtual time pass, and what it sets going run. */
  pass(durationMs: number): Promise<void>;
}

function openBed(t: TestContext, numConsumers = CONSUMERS): Bed {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const clock = { unixMs: () => Date.now(), monotonicMs: () => Date.now() };
  const [meter, logger] = [new ThreadMeter(), new RecordingLogger()];
  const settings = { id: 'test', signal: 'traces' as const, clock, meter, logger };
  const throttle = new SendThrottle(deliveryConfig({ numConsumers, retry: RETRY }), settings);
  const value = (kind: 'counters' | 'gauges', name: string) =>
    meter.takeSnapshot()[kind].find((series) => series.name === name)?.value ?? 0;
  return {
    throttle,
    logger,
    limit: () => value('gauges', 'millrace_exporter_request_limit'),
    refusedCount: () => value('counters', 'millrace_exporter_throttled_attempts'),
    nowMs: () => Date.now(),
    pass: async (durationMs) => {
      for (let passedMs = 0; passedMs < durationMs; passedMs += 5) {
        t.mock.timers.tick(5);
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

/** Requests that begin as the throttle allows, for as long as nobody refuses them. */
function beginAll({ throttle, nowMs }: Bed, count: number, signal = new AbortController().signal) {
  const begun: number[] = [];
  for (let i = 0; i < count; i++)
    void throttle.pass(signal, NO_DEADLINE).then((how) => how === 'go' && begun.push(nowMs()));
  return begun;
}

test('a delay that the backend names holds everybody, and they do not come back together', async (t) => {
  const bed = openBed(t);
  const { throttle } = bed;
  throttle.refused(throttle.epoch, 3000, '429');
  assert.equal(throttle.isOn, true);
  const begun = beginAll(bed, CONSUMERS);
  await bed.pass(3000);
  assert.deepEqual(begun, []);
  await bed.pass(20_000);
  assert.equal(begun.length, CONSUMERS);
  const gaps = begun.slice(1).map((atMs, i) => atMs - begun[i]!);
  // Ten consumers with a first backoff of five seconds: two a second, and less after a refusal.
  assert.ok(Math.min(...gaps) >= 500, gaps.join(' '));
  throttle.close();
});

test('refusals of requests that were on their way say nothing about the new rate', async (t) => {
  const bed = openBed(t);
  const { throttle } = bed;
  const { epoch } = throttle;
  for (let i = 0; i < CONSUMERS; i++) throttle.refused(epoch, 0, '429');
  assert.equal(bed.limit(), 1.4);
  assert.equal(bed.refusedCount(), CONSUMERS);
  throttle.refused(throttle.epoch, 0, '429');
  assert.equal(bed.limit(), 0.7);
  throttle.close();
});

test('a backend that refuses everything for a while gets its rate back in some requests', async (t) => {
  const bed = openBed(t);
  const { throttle } = bed;
  for (let second = 0; second < 3; second++) {
    for (let i = 0; i < 100; i++) throttle.taken();
    await bed.pass(1000);
  }
  for (let i = 0; i < 30; i++) throttle.refused(throttle.epoch, 0, '503');
  assert.ok(
    Math.abs(bed.limit() - CONSUMERS / 30) < 1e-9,
    `no less than backoff alone sends: ${bed.limit()}`,
  );
  for (let i = 0; i < 30; i++) throttle.taken();
  beginAll(bed, 1);
  await bed.pass(4000);
  assert.ok(bed.limit() >= 70, `what was taken before it: ${bed.limit()}`);
  throttle.close();
});

test('begin and end are told once, and requests need not ask any more', async (t) => {
  const bed = openBed(t);
  const { throttle, logger } = bed;
  throttle.refused(throttle.epoch, 0, 'as the test says');
  assert.equal(logger.lines.length, 1);
  assert.equal(logger.lines[0]!.level, 'warn');
  assert.equal(logger.lines[0]!.fields.error, 'as the test says');
  await bed.pass(59_000);
  assert.equal(throttle.isOn, true);
  await bed.pass(2000);
  assert.deepEqual([throttle.isOn, bed.limit(), logger.lines.length], [false, 0, 2]);
  assert.equal(logger.lines[1]!.fields.refused_requests, 1);
  throttle.close();
});

test('who waits leaves at a stop and at a deadline, and nobody takes their turns', async (t) => {
  const bed = openBed(t);
  const { throttle } = bed;
  throttle.refused(throttle.epoch, 60_000, '429');
  const stop = new AbortController();
  const stopped = throttle.pass(stop.signal, NO_DEADLINE);
  const late = throttle.pass(new AbortController().signal, bed.nowMs() + 5000);
  const begun = beginAll(bed, 1);
  await bed.pass(1000);
  stop.abort();
  assert.equal(await stopped, 'stopped');
  assert.equal(await throttle.pass(stop.signal, NO_DEADLINE), 'stopped');
  await bed.pass(4500);
  assert.equal(await late, 'late');
  assert.deepEqual(begun, []);
  await bed.pass(56_000);
  assert.equal(begun.length, 1);
  throttle.close();
});

/** Whether a request is taken. */
type Backend = (nowMs: number) => boolean;

/** As many a second, and as many at once. */
function bucket(allowedPerSecond: () => number): Backend {
  let [tokens, filledMs] = [0, 0];
  return (nowMs) => {
    const allowed = allowedPerSecond();
    tokens = Math.min(tokens + ((nowMs - filledMs) * allowed) / 1000, allowed);
    filledMs = nowMs;
    const isTaken = tokens >= 1;
    if (isTaken) tokens -= 1;
    return isTaken;
  };
}

/** Consumers that send for ever, each refused request after a wait of its own. */
function storm(bed: Bed, backend: Backend) {
  const perSecond: { sent: number; taken: number }[] = [];
  const stop = new AbortController();
  const answer = () => {
    const nowMs = bed.nowMs();
    const isTaken = backend(nowMs);
    perSecond[Math.floor(nowMs / 1000)] ??= { sent: 0, taken: 0 };
    const count = perSecond[Math.floor(nowMs / 1000)]!;
    count.sent += 1;
    if (isTaken) count.taken += 1;
    return isTaken;
  };
  const wait = (durationMs: number) => new Promise((resolve) => setTimeout(resolve, durationMs));
  const consume = async () => {
    const { throttle } = bed;
    while (!stop.signal.aborted) {
      for (let waitMs = RETRY.initialIntervalMs; ; waitMs = Math.min(waitMs * 1.5, RETRY.maxIntervalMs)) {
        if (throttle.isOn && (await throttle.pass(stop.signal, NO_DEADLINE)) !== 'go') return;
        const { epoch } = throttle;
        await wait(10);
        if (answer()) break;
        throttle.refused(epoch, 0, '429');
        await wait(waitMs);
      }
      throttle.taken();
    }
  };
  for (let i = 0; i < CONSUMERS; i++) void consume();
  const between = (from: number, to: number) => {
    const some = perSecond.slice(from, to).filter((count) => count !== undefined);
    const sum = (key: 'sent' | 'taken') => some.reduce((total, count) => total + count[key], 0) / (to - from);
    return { sent: sum('sent'), taken: sum('taken') };
  };
  return { between, stop: () => stop.abort() };
}

for (const allowed of [1, 5, 50]) {
  test(`B17: ${allowed} requests a second are found, and few are sent beyond them`, async (t) => {
    const bed = openBed(t);
    const backend = storm(
      bed,
      bucket(() => allowed),
    );
    await bed.pass(120_000);
    const { sent, taken } = backend.between(40, 120);
    assert.ok(taken >= 0.75 * allowed, `${taken} taken of ${allowed} allowed`);
    assert.ok(sent - taken <= 0.1 * sent, `${sent} sent, ${taken} taken`);
    backend.stop();
    bed.throttle.close();
  });
}

test('a request in fifty that is refused limits nothing, unless a delay is named', async (t) => {
  const bed = openBed(t);
  const { throttle } = bed;
  for (let i = 0; i < 1000; i++) {
    if (i % 50 === 49) throttle.refused(throttle.epoch, 0, 'busy for a moment');
    else throttle.taken();
    await bed.pass(5);
  }
  assert.deepEqual([throttle.isOn, bed.refusedCount()], [false, 20]);
  throttle.refused(throttle.epoch, 1000, 'wait');
  assert.equal(throttle.isOn, true);
  assert.ok(bed.limit() > 100, `${bed.limit()} requests a second`);
  throttle.close();
});

test('B17: a backend that allows more again is used within a minute', async (t) => {
  const bed = openBed(t);
  let allowed = 2;
  const backend = storm(
    bed,
    bucket(() => allowed),
  );
  await bed.pass(60_000);
  allowed = 40;
  await bed.pass(60_000);
  assert.ok(backend.between(110, 120).taken >= 20, `${backend.between(110, 120).taken} taken of 40 allowed`);
  backend.stop();
  bed.throttle.close();
});
