import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  OUTCOME_OK,
  OUTCOME_UNAVAILABLE,
  type RawRequest,
  type RequestConsumer,
  type RequestDone,
  type RequestOutcome,
} from '../component/consumer.ts';
import { createSharedWords, SharedWords } from '../queue/log/shared-words.ts';
import { OverflowWait, QUEUE_FULL_MESSAGE } from './overflow-wait.ts';
import { ResultWait } from './result-wait.ts';
import { WAITING_BYTES_MAX, WAITING_MS_MAX } from './waiting-room.ts';

const OK: RequestOutcome = { code: OUTCOME_OK, itemCount: 1, rejectedCount: 0, message: '', retryAfterMs: 0 };
const FULL: RequestOutcome = { ...OK, code: OUTCOME_UNAVAILABLE, message: QUEUE_FULL_MESSAGE };

function request(sizeBytes: number): RawRequest {
  return {
    ...{ signal: 'traces', transport: 'http', encoding: 'proto', compression: 'identity' },
    ...{ chunks: [new Uint8Array(sizeBytes)], sizeBytes, decodedBytesMax: sizeBytes },
  };
}

/** Takes requests and answers when it is told to, as a worker does. */
class Path implements RequestConsumer {
  readonly signals = new Set(['traces'] as const);
  readonly taken: RequestDone[] = [];

  tryConsume(_request: RawRequest, done: RequestDone): boolean {
    this.taken.push(done);
    return true;
  }

  answer(outcome: RequestOutcome): void {
    this.taken.shift()!(outcome);
  }
}

function bed() {
  let nowMs = 0;
  const wait = new OverflowWait({ unixMs: () => nowMs, monotonicMs: () => nowMs });
  const path = new Path();
  const answers: RequestOutcome[] = [];
  return {
    ...{ wait, path, answers },
    send: (sizeBytes = 1) => wait.tryConsume(path, request(sizeBytes), (outcome) => answers.push(outcome)),
    pass: (ms: number) => {
      nowMs += ms;
      wait.look();
    },
  };
}

test('a request that found no room is tried again until there is some, or its time is over', () => {
  const { wait, path, answers, send, pass } = bed();
  assert.ok(send() && send());
  path.answer(FULL);
  path.answer(OK);
  assert.deepEqual(
    [wait.count, answers.length],
    [0, 1],
    'room for one: the one that waited is tried at once',
  );
  path.answer(FULL);
  assert.deepEqual([wait.count, path.taken.length], [1, 0], 'no busy loop');
  assert.ok(send());
  assert.equal(path.taken.length, 0, 'nobody overtakes those that wait');
  pass(20);
  assert.equal(path.taken.length, 1, 'one try while there is no room');
  path.answer(OK);
  assert.equal(path.taken.length, 1);
  path.answer(FULL);
  pass(WAITING_MS_MAX);
  assert.deepEqual(
    answers.map(({ code, message }) => [code, message]),
    [
      [OUTCOME_OK, ''],
      [OUTCOME_OK, ''],
      [OUTCOME_UNAVAILABLE, QUEUE_FULL_MESSAGE],
    ],
  );
});

test('what waits for room is bounded in bytes; every other refusal is an answer; the end answers all', () => {
  const { wait, path, answers, send } = bed();
  assert.ok(send(WAITING_BYTES_MAX));
  path.answer(FULL);
  assert.equal(send(), false, 'its body could not be kept');
  wait.end();
  assert.deepEqual(
    answers.map(({ code }) => code),
    [OUTCOME_UNAVAILABLE],
  );
  assert.ok(send());
  path.answer(FULL);
  assert.equal(answers.length, 2, 'nobody waits behind the end');
  const again = bed();
  again.send();
  again.path.answer({ ...FULL, message: 'memory' });
  assert.deepEqual([again.answers.length, again.wait.count], [1, 0]);
});

test('an answer waits until every awaited exporter has passed what was stored', () => {
  const words = new SharedWords(createSharedWords(2));
  const cursors = [
    { words, slot: 0 },
    { words, slot: 1 },
  ];
  const wait = new ResultWait();
  const answers: RequestOutcome[] = [];
  const take = () => wait.wrap(cursors, (outcome) => answers.push(outcome));
  const pass = (ordinal: number, slots = [0, 1]) => {
    for (const slot of slots) words.setReleasedOrdinal(slot, ordinal);
    wait.look();
  };
  const first = take();
  words.publishFlushedEnd(10);
  first(OK);
  pass(10, [0]);
  assert.equal(answers.length, 0, 'the other one has not');
  pass(10);
  assert.equal(answers.at(-1)?.code, OUTCOME_OK);

  const dropped = take();
  words.publishFlushedEnd(20);
  dropped(OK);
  words.countGivenUp(1);
  pass(20);
  assert.deepEqual([answers.length, answers.at(-1)?.code], [2, OUTCOME_UNAVAILABLE]);

  take()({ ...OK, itemCount: 0 });
  take()(FULL);
  assert.equal(answers.length, 4, 'nothing was stored: nothing to wait for');
  const last = take();
  words.publishFlushedEnd(30);
  last(OK);
  wait.end();
  assert.deepEqual([answers.length, answers.at(-1)?.code, wait.count], [5, OUTCOME_UNAVAILABLE, 0]);
});
