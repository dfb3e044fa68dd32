import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  OUTCOME_INTERNAL,
  OUTCOME_OK,
  OUTCOME_UNAVAILABLE,
  type OutcomeCode,
  type RawRequest,
  type RequestConsumer,
  type RequestDone,
} from '../../component/consumer.ts';
import { PartitionOffsets } from '../../kafka/consumer-offsets.ts';
import { FramePool } from '../../kafka/fetch-frames.ts';
import { systemClock } from '../../stdx/clock.ts';
import { Prng } from '../../stdx/prng.ts';
import { ThreadMeter } from '../../telemetry/registry.ts';
import type { MarkingRules } from './config-marking.ts';
import { ReceiverMetrics } from './metrics.ts';
import { RecordContext } from './record-context.ts';
import { RecordIntake } from './record-intake.ts';

const silent = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };
const BACKOFF = { initialIntervalMs: 5, maxIntervalMs: 5, multiplier: 1, randomizationFactor: 0 };
const RULES: MarkingRules = {
  giveUpAfterMs: Number.POSITIVE_INFINITY,
  passesPermanent: true,
  backoff: BACKOFF,
};

/** An engine that answers as a script says, the last line again and again; `undefined`: no room. */
function bed(script: (OutcomeCode | undefined)[], rules: Partial<MarkingRules> = {}) {
  const log: string[] = [];
  const requests: RawRequest[] = [];
  const waiting: RequestDone[] = [];
  const next: RequestConsumer = {
    signals: new Set(['traces']),
    tryConsume: (request, done) => {
      const code = script.length > 1 ? script.shift() : script[0];
      if (code === undefined) return false;
      requests.push(request);
      waiting.push(() => done({ code, itemCount: 1, rejectedCount: 0, message: '', retryAfterMs: 0 }));
      return true;
    },
  };
  const frames = new FramePool();
  const intake = new RecordIntake({
    settings: { logger: silent, clock: systemClock },
    next,
    metrics: new ReceiverMetrics(new ThreadMeter(), 'kafka', false),
    rules: { ...RULES, ...rules },
    context: new RecordContext([]),
    prng: new Prng(1),
    useOf: (topic) => (topic === 't' ? { signal: 'traces', encoding: 'proto' } : undefined),
    recordBytesMax: 1000,
    inFlightBytesMax: 100,
    frames,
    consumer: {
      finished: () => log.push('finished'),
      hold: () => log.push('hold'),
      release: () => log.push('release'),
    },
  });
  const offsets = new PartitionOffsets('t', 0);
  intake.partitionStarted(offsets);
  const take = (offset: number, value: Buffer | null): boolean => {
    offsets.take(offset);
    const isTaken = intake.tryTake(offsets, { value, offset, timeUnixMs: 0, headers: {} });
    if (!isTaken) offsets.giveBack(offset);
    return isTaken;
  };
  const answer = (): void => {
    for (const done of waiting.splice(0)) done(undefined as never);
  };
  return { intake, offsets, log, requests, frames, take, answer };
}

test('what is in flight is bounded, and the memory of an answer is let go of with its last record', () => {
  const { take, answer, intake, offsets, frames } = bed([OUTCOME_OK]);
  const memory = frames.take(300_000);
  assert.ok(take(0, memory.subarray(0, 60)));
  assert.ok(!take(1, memory.subarray(60, 120)), 'over the bound');
  assert.ok(take(1, memory.subarray(60, 100)));
  frames.release(memory);
  assert.deepEqual([intake.inFlightBytes, frames.usedCount, offsets.committable], [100, 1, 0]);
  answer();
  assert.deepEqual([intake.inFlightBytes, frames.usedCount, offsets.committable], [0, 0, 2]);
  assert.ok(take(2, Buffer.alloc(900)), 'a larger record goes alone');
  assert.ok(take(3, null), 'a tombstone');
});

test('a record that finds no room is not taken, and nothing of it stays', () => {
  const { take, intake, log } = bed([undefined]);
  assert.ok(!take(0, Buffer.alloc(10)));
  assert.deepEqual([intake.inFlightBytes, log.length], [0, 0]);
});

test('what could be taken later is held and tried again with its own copy of the bytes', async () => {
  const { take, answer, offsets, log, requests, intake } = bed([OUTCOME_UNAVAILABLE, OUTCOME_OK]);
  const value = Buffer.from('value');
  take(7, value);
  answer();
  value.fill(0);
  assert.deepEqual([log.join(), offsets.committable], ['hold', 7]);
  await sleep(40);
  answer();
  assert.equal(Buffer.from(requests[1]!.chunks[0]!).toString(), 'value');
  assert.deepEqual([log.join(), offsets.committable, intake.inFlightBytes], ['hold,finished,release', 8, 0]);
});

test('an error inside the engine is tried five times, then the record is passed', async () => {
  const { take, answer, offsets, requests, log } = bed([OUTCOME_INTERNAL]);
  take(0, Buffer.alloc(5));
  for (let round = 0; round < 8; round++) {
    answer();
    await sleep(15);
  }
  assert.equal(requests.length, 5);
  assert.deepEqual([log.at(-1), offsets.committable], ['release', 1]);
});

test('with on_error a record is given up when its time is over', async () => {
  const { take, answer, offsets } = bed([OUTCOME_UNAVAILABLE], { giveUpAfterMs: 30 });
  take(0, Buffer.alloc(5));
  for (let round = 0; round < 10; round++) {
    answer();
    await sleep(10);
  }
  assert.equal(offsets.committable, 1);
});

test('a record that is too large is passed, or stops its partition; a lost partition is let go of', () => {
  const passed = bed([OUTCOME_OK]);
  assert.ok(passed.take(0, Buffer.alloc(1001)));
  assert.equal(passed.offsets.committable, 1);
  const stopped = bed([OUTCOME_OK], { passesPermanent: false });
  assert.ok(stopped.take(0, Buffer.alloc(1001)));
  assert.deepEqual([stopped.log.join(), stopped.offsets.committable], ['hold', 0]);
  stopped.offsets.isOurs = false;
  stopped.intake.partitionEnded(stopped.offsets);
  assert.equal(stopped.intake.inFlightBytes, 0);
});
