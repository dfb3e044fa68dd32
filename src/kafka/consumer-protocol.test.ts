import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AssignerProtocol } from 'kafkajs';
import {
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  NO_GENERATION,
} from './consumer-protocol.ts';

const SUBSCRIPTION = { topics: ['a', 'ü'], owned: new Map([['a', [0, 7]]]), generation: 12 };

test('subscriptions and assignments are those of the protocol', () => {
  const told = AssignerProtocol.MemberMetadata.decode(encodeSubscription(SUBSCRIPTION, true));
  assert.deepEqual(told?.topics, ['a', 'ü']);
  const given = AssignerProtocol.MemberAssignment.decode(encodeAssignment(new Map([['a', [1, 2]]])));
  assert.deepEqual(given?.assignment, { a: [1, 2] });
  assert.deepEqual(decodeSubscription(encodeSubscription(SUBSCRIPTION, true)), SUBSCRIPTION);
});

test('what members of other kinds say is read as far as it goes', () => {
  // Version 1 of Kafka's own client, with what it has behind the user data.
  const ofJava = Buffer.concat([
    AssignerProtocol.MemberMetadata.encode({ version: 1, topics: ['a'], userData: Buffer.alloc(0) }),
    Buffer.from([0, 0, 0, 0]),
  ]);
  assert.deepEqual(decodeSubscription(ofJava), {
    topics: ['a'],
    owned: new Map(),
    generation: NO_GENERATION,
  });
  const bytes = encodeSubscription(SUBSCRIPTION, true);
  for (let end = 0; end < bytes.byteLength; end++) decodeSubscription(bytes.subarray(0, end));
  const huge = Buffer.from([0, 0, 0x7f, 0xff, 0xff, 0xff]);
  assert.deepEqual(decodeSubscription(huge).topics, []);
});
