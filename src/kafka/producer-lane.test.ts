import assert from 'node:assert/strict';
import test from 'node:test';
import { systemClock } from '../stdx/clock.ts';
import { produceOutcome } from './producer-answers.ts';
import { type Job, Lane, newTicket, type Ticket } from './producer-lane.ts';

const PRODUCER = { id: 7n, epoch: 0 };

function lane(): Lane {
  return new Lane('spans', 2, systemClock);
}

function job(ticket: Ticket): Job {
  return {
    ticket,
    records: { chunks: [], codecId: 0, recordCount: 1, plainBytes: 0, timeUnixMs: 0 },
    signal: new AbortController().signal,
    settle: () => undefined,
    isSettled: () => false,
  };
}

test('numbers go on by the records of each batch', () => {
  const own = lane();
  const [a, b] = [newTicket('spans', 2), newTicket('spans', 2)];
  assert.equal(own.open(a, 5, PRODUCER).sequence, 0);
  own.written(a);
  assert.equal(own.open(b, 3, PRODUCER).sequence, 5);
  own.written(b);
  assert.ok(a.isWritten && b.isWritten);
});

test('nothing overtakes a batch whose outcome is not known, and it keeps its number', () => {
  const own = lane();
  const [a, b] = [newTicket('spans', 2), newTicket('spans', 2)];
  const stamp = own.open(a, 5, PRODUCER);
  own.push(job(b));
  assert.equal(own.take(), undefined);
  assert.notEqual(own.blockedSinceMs(), undefined);
  // The same batch comes again behind the other one, and goes first.
  own.push(job(a));
  assert.equal(own.take()?.ticket, a);
  assert.equal(own.open(a, 5, PRODUCER), stamp);
  own.written(a);
  assert.equal(own.take()?.ticket, b);
  assert.equal(own.open(b, 1, PRODUCER).sequence, 5);
});

test('the number of a batch that is not in the log is the next one again', () => {
  const own = lane();
  const [a, b] = [newTicket('spans', 2), newTicket('spans', 2)];
  own.open(a, 5, PRODUCER);
  own.absent(a);
  assert.equal(a.stamp, undefined);
  assert.equal(own.open(b, 3, PRODUCER).sequence, 0);
});

test('under a new producer id numbers begin again, also for what was sent under the old one', () => {
  const own = lane();
  const a = newTicket('spans', 2);
  own.open(newTicket('spans', 2), 9, PRODUCER);
  own.forgetOpen();
  own.open(a, 5, PRODUCER);
  assert.equal(a.stamp?.sequence, 9);
  own.forgetOpen();
  assert.deepEqual(own.open(a, 5, { id: 8n, epoch: 0 }), { id: 8n, epoch: 0, sequence: 0 });
  // What is said of a number of the old id does not touch the new ones.
  const old = newTicket('spans', 2);
  old.stamp = { ...PRODUCER, sequence: 3 };
  own.written(a);
  own.absent(old);
  assert.equal(own.open(newTicket('spans', 2), 1, { id: 8n, epoch: 0 }).sequence, 5);
});

test('numbers have 31 bits', () => {
  const own = lane();
  own.open(newTicket('spans', 2), 2 ** 31 - 2, PRODUCER);
  const last = newTicket('spans', 2);
  assert.equal(own.open(last, 5, PRODUCER).sequence, 2 ** 31 - 2);
  assert.equal(own.open(newTicket('spans', 2), 1, PRODUCER).sequence, 3);
});

test('codes of answers: what is in the log, what is not, and what only the same number tells', () => {
  const cases: [number, string][] = [
    [0, 'written'],
    [46, 'written'],
    [10, 'refused'],
    [87, 'refused'],
    [19, 'absent'],
    [29, 'absent'],
    // After the append as well as before it.
    [6, 'unknown'],
    [3, 'unknown'],
    [999, 'unknown'],
    [7, 'unknown'],
    [20, 'unknown'],
    [-1, 'unknown'],
    [45, 'out of step'],
    [59, 'out of step'],
  ];
  for (const [code, outcome] of cases) assert.equal(produceOutcome(code), outcome, String(code));
});
