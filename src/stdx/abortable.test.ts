import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { Notifier, sleepUnlessAborted, within } from './abortable.ts';

test('a sleep ends true at its time, false at the abort, and at once when it is aborted before', async () => {
  const abort = new AbortController();
  assert.equal(await sleepUnlessAborted(5, abort.signal), true);
  const long = sleepUnlessAborted(60_000, abort.signal);
  abort.abort();
  assert.equal(await long, false);
  assert.equal(await sleepUnlessAborted(60_000, abort.signal), false);
});

test('a sleep longer than timers can be does not end at once', async () => {
  const abort = new AbortController();
  const long = sleepUnlessAborted(2 ** 40, abort.signal);
  const first = await Promise.race([long, new Promise((resolve) => setTimeout(resolve, 30, 'still asleep'))]);
  assert.equal(first, 'still asleep');
  abort.abort();
  assert.equal(await long, false);
});

test('thousands of sleeps on one signal leave no listener behind', async () => {
  const abort = new AbortController();
  for (let i = 0; i < 200; i++) await sleepUnlessAborted(0, abort.signal);
  assert.equal(getEventListeners(abort.signal, 'abort').length, 0);
});

test('a notification ends every wait that began before it and none that begins after it', async () => {
  const notifier = new Notifier();
  let ended = 0;
  const waits = [1, 2, 3].map(() => notifier.wait().then(() => (ended += 1)));
  notifier.notify();
  const later = notifier.wait().then(() => 'later');
  await Promise.all(waits);
  assert.equal(ended, 3);
  assert.equal(
    await Promise.race([later, new Promise((resolve) => setTimeout(resolve, 10, 'waits'))]),
    'waits',
  );
  notifier.notify();
  assert.equal(await later, 'later');
});

test('a bounded wait ends with what it waits for, or at its time, and passes a rejection on', async () => {
  const never = new Promise(() => undefined);
  const beganMs = performance.now();
  await within(Promise.resolve(), 60_000);
  assert.ok(performance.now() - beganMs < 10_000);
  await within(never, 20);
  assert.ok(performance.now() - beganMs >= 15);
  await within(never, -1);
  await assert.rejects(within(Promise.reject(new Error('gone')), 10), /gone/);
});
