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
import type { Signal } from '../component/signal.ts';
import { ConsumerGate } from './consumer-gate.ts';
import { WAITING_BYTES_MAX, WAITING_COUNT_MAX, WAITING_MS_MAX, WaitingRoom } from './waiting-room.ts';

const OK: RequestOutcome = { code: OUTCOME_OK, itemCount: 1, rejectedCount: 0, message: '', retryAfterMs: 0 };

function bed() {
  let nowMs = 0;
  const room = new WaitingRoom({ unixMs: () => nowMs, monotonicMs: () => nowMs });
  return {
    room,
    gate: new ConsumerGate(room),
    pass: (ms: number) => {
      nowMs += ms;
      room.look();
    },
  };
}

class Path implements RequestConsumer {
  readonly signals: ReadonlySet<Signal>;
  readonly taken: string[] = [];
  roomFor = Number.POSITIVE_INFINITY;

  constructor(signals: readonly Signal[]) {
    this.signals = new Set(signals);
  }

  tryConsume(request: RawRequest, done: RequestDone): boolean {
    if (this.taken.length >= this.roomFor) return false;
    this.taken.push(Buffer.concat(request.chunks).toString());
    done(OK);
    return true;
  }
}

function request(text: string, signal: Signal = 'traces'): RawRequest {
  // In two chunks of memory that the receiver writes over when the call has returned.
  const chunks = [Buffer.from(text.slice(0, 1)), Buffer.from(text.slice(1))];
  return {
    ...{ signal, transport: 'http', encoding: 'proto', compression: 'identity' },
    ...{ chunks, sizeBytes: text.length, decodedBytesMax: 100 },
  };
}

test('requests wait while there is no data path, and nobody overtakes them', () => {
  const { gate, room } = bed();
  const path = new Path(['traces']);
  const codes: number[] = [];
  const send = (text: string, signal?: Signal) => {
    const raw = request(text, signal);
    const isTaken = gate.tryConsume(raw, ({ code }) => codes.push(code));
    for (const chunk of raw.chunks) chunk.fill(0);
    return isTaken;
  };
  gate.open(path);
  assert.ok(send('aa'));
  gate.close();
  assert.ok(send('bb') && send('cc') && send('ll', 'logs'));
  assert.deepEqual(codes, [OUTCOME_OK]);
  assert.deepEqual([...gate.signals], ['traces'], 'a pause is no 404');
  const next = new Path(['traces']);
  next.roomFor = 1;
  gate.open(next);
  room.look();
  assert.ok(send('dd'), 'behind those that wait');
  assert.deepEqual(next.taken, ['bb']);
  next.roomFor = 10;
  room.look();
  assert.deepEqual(next.taken, ['bb', 'cc', 'dd']);
  assert.deepEqual(codes, [OUTCOME_OK, OUTCOME_OK, OUTCOME_OK, OUTCOME_UNAVAILABLE, OUTCOME_OK]);
  assert.equal(send('ee', 'logs'), false, 'its pipeline is gone');
  assert.equal(room.count, 0);
});

test('the wait is bounded by time, count and bytes', () => {
  const { gate, room, pass } = bed();
  const answers: RequestOutcome[] = [];
  const send = (sizeBytes: number) =>
    gate.tryConsume({ ...request('a'), chunks: [new Uint8Array(sizeBytes)], sizeBytes }, (outcome) =>
      answers.push(outcome),
    );
  assert.ok(send(1));
  pass(WAITING_MS_MAX - 1);
  assert.equal(answers.length, 0);
  pass(1);
  assert.deepEqual([answers[0]?.code, answers[0]?.retryAfterMs], [OUTCOME_UNAVAILABLE, 1000]);
  assert.ok(send(WAITING_BYTES_MAX));
  assert.equal(send(1), false, 'no bytes left');
  room.refuseAll();
  for (let count = 0; count < WAITING_COUNT_MAX; count++) assert.ok(send(1));
  assert.equal(send(1), false, 'no place left');
  room.refuseAll();
  assert.equal(answers.length, WAITING_COUNT_MAX + 2);
  assert.ok(answers.every(({ code }) => code === OUTCOME_UNAVAILABLE));
  assert.equal(room.count, 0);
});
