import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import test from 'node:test';
import { kafkaError, readKafkaError } from './errors.ts';

const load = createRequire(import.meta.url);
const { createErrorFromCode } = load('kafkajs/src/protocol/error') as {
  createErrorFromCode(code: number): Error;
};
const errors = load('kafkajs/src/errors') as Record<string, new (...args: unknown[]) => Error>;

// Numbers of the protocol guide, "Error codes".
const UNKNOWN_TOPIC_OR_PARTITION = 3;
const MESSAGE_TOO_LARGE = 10;
const TOPIC_AUTHORIZATION_FAILED = 29;

test('what may pass is tried again, what is too large is not, and credentials wait for somebody', () => {
  const unknown = kafkaError(createErrorFromCode(UNKNOWN_TOPIC_OR_PARTITION), 'topic a');
  assert.equal(unknown.permanent, false);
  assert.equal(unknown.retryAfterMs, undefined);
  assert.match(unknown.message, /^topic a: .*\[UNKNOWN_TOPIC_OR_PARTITION\]$/);

  const large = kafkaError(createErrorFromCode(MESSAGE_TOO_LARGE), 'topic a');
  assert.deepEqual([large.permanent, large.isIndivisible, large.code], [true, false, 'EXPORT_REJECTED']);

  const forbidden = kafkaError(createErrorFromCode(TOPIC_AUTHORIZATION_FAILED), 'topic a');
  assert.deepEqual([forbidden.permanent, forbidden.retryAfterMs], [false, 60_000]);
  assert.match(forbidden.message, /refused until credentials, permissions or certificates are changed/);
});

test('the error of the last retry counts, not its wrapper', () => {
  const login = new errors.KafkaJSSASLAuthenticationError!('SASL PLAIN authentication failed');
  const wrapped = new errors.KafkaJSNonRetriableError!(login, { cause: login });
  assert.equal(readKafkaError(wrapped).kind, 'credentials');
  const refused = new errors.KafkaJSConnectionError!('Connection error: connect ECONNREFUSED', {
    broker: '127.0.0.1:9092',
    code: 'ECONNREFUSED',
  });
  const retried = new errors.KafkaJSNumberOfRetriesExceeded!(refused, { retryCount: 3, retryTime: 1 });
  assert.deepEqual(readKafkaError(retried), {
    kind: 'passing',
    type: undefined,
    message: 'Connection error: connect ECONNREFUSED (broker 127.0.0.1:9092)',
  });
});

test('certificates that do not fit are somebody’s to change', () => {
  const expired = new errors.KafkaJSConnectionError!('Connection error: certificate has expired', {
    broker: 'a:1',
    code: 'CERT_HAS_EXPIRED',
  });
  assert.equal(readKafkaError(expired).kind, 'credentials');
});

test('values that are no errors have a message', () => {
  assert.equal(kafkaError(undefined, 'peer').message, 'peer: undefined');
});
