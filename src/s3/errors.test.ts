import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PipelineError } from '../component/errors.ts';
import { isAlreadyThere, isNotFound, s3Error } from './errors.ts';

/** As the AWS client throws it. */
function answer(status: number, name: string, headers: Record<string, string> = {}): Error {
  const error = Object.assign(new Error('as the store says'), {
    $metadata: { httpStatusCode: status },
    $response: { headers },
  });
  error.name = name;
  return error;
}

test('what somebody has to change is told and never drops data', () => {
  const cases: [Error, RegExp][] = [
    [answer(403, 'SignatureDoesNotMatch'), /the credentials are not accepted/],
    [answer(403, 'InvalidAccessKeyId'), /the credentials are not accepted/],
    [answer(400, 'ExpiredToken'), /the credentials are not accepted/],
    [answer(403, 'SomethingNew'), /the credentials are not accepted/],
    [answer(403, 'RequestTimeTooSkewed'), /the clock of this machine/],
    [answer(404, 'NoSuchBucket'), /the bucket is not there/],
    [answer(301, 'PermanentRedirect'), /the bucket is not there/],
    [answer(400, 'InvalidStorageClass'), /the request is refused/],
  ];
  for (const [error, text] of cases) {
    const { code, permanent, message } = s3Error('put s3://b/k', error);
    assert.deepEqual([code, permanent], ['EXPORT_REJECTED', false], error.name);
    assert.match(message, text);
    assert.ok(message.startsWith('put s3://b/k: '));
  }
});

test('what passes by itself is unavailable, with the wait that was asked for', () => {
  for (const [status, name] of [
    [503, 'SlowDown'],
    [500, 'InternalError'],
    [503, 'ServiceUnavailable'],
    [409, 'ConditionalRequestConflict'],
    [400, 'RequestTimeout'],
    [429, 'TooManyRequests'],
    [502, 'UnknownError'],
  ] as const) {
    const { code, permanent } = s3Error('put', answer(status, name));
    assert.deepEqual([code, permanent], ['EXPORT_UNAVAILABLE', false], name);
  }
  assert.equal(s3Error('put', answer(503, 'SlowDown', { 'retry-after': '7' })).retryAfterMs, 7000);
  assert.equal(s3Error('put', answer(503, 'SlowDown', { 'retry-after': '-7' })).retryAfterMs, undefined);
  const isThrottled = (status: number, name: string, headers = {}) =>
    s3Error('put', answer(status, name, headers)).isThrottled;
  assert.deepEqual(
    [
      isThrottled(503, 'SlowDown'),
      isThrottled(429, 'Unknown'),
      isThrottled(503, 'Unknown', { 'retry-after': '1' }),
    ],
    [true, true, true],
  );
  assert.deepEqual(
    [isThrottled(503, 'ServiceUnavailable'), isThrottled(500, 'InternalError')],
    [false, false],
  );
  const refused = new AggregateError([
    Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }),
  ]);
  assert.match(s3Error('put', refused).message, /ECONNREFUSED/);
});

test('texts of a store are one line of a few words', () => {
  const hostile = answer(400, 'Bad');
  hostile.message = `\u001b[31mred\r\nForged: line\0${'x'.repeat(100_000)}`;
  const { message } = s3Error('put', hostile);
  assert.match(message, /^[\x20-\x7e]+$/);
  assert.ok(message.length < 500);
});

test('an end of the attempt is a timeout; an error of our own stays itself', () => {
  assert.equal(s3Error('put', answer(0, 'AbortError')).code, 'EXPORT_TIMEOUT');
  const own = new PipelineError('OTLP_MALFORMED', 'x', { permanent: true });
  assert.equal(s3Error('put', own), own);
});

test('412 says that the object is there, 404 that it is not', () => {
  assert.ok(isAlreadyThere(answer(412, 'PreconditionFailed')));
  assert.ok(!isAlreadyThere(answer(409, 'ConditionalRequestConflict')));
  assert.ok(isNotFound(answer(404, 'NotFound')));
  assert.ok(!isNotFound(answer(403, 'AccessDenied')));
});
