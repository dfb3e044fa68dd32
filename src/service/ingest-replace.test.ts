/** What becomes of requests when their worker dies: nothing is answered twice, lost, or kept for ever. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import fc from 'fast-check';
import {
  OUTCOME_MALFORMED,
  OUTCOME_OK,
  OUTCOME_UNAVAILABLE,
  type RequestOutcome,
} from '../component/consumer.ts';
import { itemNumbers, numberedRequest } from '../exporters/helper/delivery.test-peer.ts';
import { RingConsumer } from '../ring/consumer.ts';
import { RingProducer } from '../ring/producer.ts';
import { setFailpoints } from '../stdx/failpoint.ts';
import { AckWriter, frameRequestId } from './frame.ts';
import { DataPath } from './ingest.test-peer.ts';

afterEach(() => setFailpoints(undefined));

/** A worker that reads frames and dies: request ids of what it read, none released. */
function readFrames(path: DataPath, count: number, lane = 0): number[] {
  const ring = new RingConsumer(path.lanes[lane]!.requestRing.memory);
  const ids: number[] = [];
  while (ids.length < count && ring.tryRead())
    ids.push(frameRequestId(ring.bytes.slice(ring.payloadStart, ring.payloadEnd)));
  return ids;
}

test('frames that were read but not released go to the successor, in order', async () => {
  const path = new DataPath();
  const answers = [0, 1, 2, 3].map((first) => path.send(numberedRequest(first, 1)));
  const ids = readFrames(path, 3);
  path.ingest.replaceWorker(path.lanes[0]!, ids[2]!);
  path.startWorker();
  for (const { code } of await Promise.all(answers)) assert.equal(code, OUTCOME_OK);
  assert.deepEqual(itemNumbers(path.stored()), [0, 1, 2, 3]);
  await path.end();
});

test('what was released and not acked may be stored or not: answered retryably at once', async () => {
  const path = new DataPath();
  const answer = path.send(numberedRequest(0, 1));
  const kept = path.send(numberedRequest(1, 1));
  const ring = new RingConsumer(path.lanes[0]!.requestRing.memory);
  ring.tryRead();
  ring.release();
  path.ingest.replaceWorker(path.lanes[0]!, 0);
  assert.equal((await answer).code, OUTCOME_UNAVAILABLE);
  assert.equal(path.ingest.pendingCount, 1);
  path.startWorker();
  assert.equal((await kept).code, OUTCOME_OK);
  await path.end();
});

test('the suspect is given to one more worker and then refused for good; its neighbours are not', async () => {
  const path = new DataPath();
  const poison = path.send(numberedRequest(0, 1));
  const neighbour = path.send(numberedRequest(1, 1));
  const [suspect] = readFrames(path, 1);
  path.ingest.replaceWorker(path.lanes[0]!, suspect!);
  assert.equal(path.ingest.pendingCount, 2);
  path.ingest.replaceWorker(path.lanes[0]!, suspect!);
  const refused = await poison;
  assert.deepEqual([refused.code, refused.retryAfterMs], [OUTCOME_MALFORMED, 0]);
  path.startWorker();
  assert.equal((await neighbour).code, OUTCOME_OK);
  assert.deepEqual(itemNumbers(path.stored()), [1]);
  await path.end();
});

test('a request is no suspect because workers died beside it', async () => {
  const path = new DataPath();
  const answer = path.send(numberedRequest(0, 1));
  for (let death = 0; death < 5; death++) path.ingest.replaceWorker(path.lanes[0]!, 0);
  path.startWorker();
  assert.equal((await answer).code, OUTCOME_OK);
  await path.end();
});

test('acks that a worker wrote before it died count; those it writes afterwards reach nobody', async () => {
  const path = new DataPath();
  const lane = path.lanes[0]!;
  const early = path.send(numberedRequest(0, 1));
  const late = path.send(numberedRequest(1, 1));
  const [earlyId, lateId] = readFrames(path, 2);
  const dead = new RingProducer(lane.ackRing);
  const ack = (requestId: number) => {
    const bytes = new AckWriter().write({
      requestId,
      code: OUTCOME_OK,
      itemCount: 77,
      rejectedCount: 0,
      retryAfterMs: 0,
      message: '',
    });
    dead.tryWrite([bytes], bytes.byteLength);
  };
  ack(earlyId!);
  path.ingest.replaceWorker(lane, 0);
  assert.equal((await early).itemCount, 77);
  ack(lateId!);
  dead.wake();
  lane.completeAcks();
  path.startWorker();
  const answer = await late;
  assert.deepEqual([answer.code, answer.itemCount], [OUTCOME_OK, 1], 'answered by the successor');
  await path.end();
});

test('any order of requests, deaths and successors: each request is answered exactly once, and OK means stored', async () => {
  const step = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant('send' as const),
        lane: fc.nat(1),
        value: fc.integer({ min: 1, max: 4 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constantFrom('die' as const, 'release' as const, 'wait' as const),
        lane: fc.nat(1),
        value: fc.nat(3),
      }),
    },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.boolean(), async (steps, refusesAtTheEnd) => {
      const path = new DataPath({ lanes: 2, ringBytes: 8192, hasLogPerLane: true });
      const sent: { first: number; count: number; answer: Promise<RequestOutcome> }[] = [];
      let next = 0;
      for (const { kind, lane, value } of steps) {
        if (kind === 'send') {
          const answer = path.trySend(numberedRequest(next, value, 100));
          if (answer !== undefined) sent.push({ first: next, count: value, answer });
          next += value;
        } else if (kind === 'die') {
          const ids = readFrames(path, value, lane);
          path.ingest.replaceWorker(path.lanes[lane]!, ids.at(-1) ?? 0);
        } else if (kind === 'release') {
          const ring = new RingConsumer(path.lanes[lane]!.requestRing.memory);
          if (ring.tryRead()) ring.release();
        } else await new Promise((resolve) => setImmediate(resolve));
      }
      if (refusesAtTheEnd) path.ingest.refuseAll();
      // Whoever read and released above owes its acks for ever, so it has to die before there is a successor.
      for (const lane of [0, 1]) {
        path.ingest.replaceWorker(path.lanes[lane]!, 0);
        path.startWorker(lane);
      }
      const outcomes = await Promise.all(sent.map(({ answer }) => answer));
      const stored = new Set(itemNumbers([...path.stored(0), ...path.stored(1)]));
      for (const [i, { first, count }] of sent.entries()) {
        if (outcomes[i]!.code !== OUTCOME_OK) continue;
        assert.ok(!refusesAtTheEnd, 'nothing was being acked');
        for (let item = first; item < first + count; item++)
          assert.ok(stored.has(item), `item ${item} was acked and is not stored`);
      }
      assert.equal(path.ingest.pendingCount, 0);
      await path.end();
    }),
    { numRuns: 60, endOnFailure: true },
  );
});
