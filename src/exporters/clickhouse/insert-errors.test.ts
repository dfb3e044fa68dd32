import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PipelineError } from '../../component/errors.ts';
import { clickhouseCode, isSchemaError, toPipelineError } from './insert-errors.ts';

const serverError = (code: number | string, message = 'DB::Exception') =>
  Object.assign(new Error(message), { code: String(code) });
const mapped = (error: unknown, aborted = false) => {
  const { code, permanent } = toPipelineError(error, aborted);
  return { code, permanent };
};
const RETRYABLE = { code: 'EXPORT_UNAVAILABLE', permanent: false };
const PERMANENT = { code: 'EXPORT_REJECTED', permanent: true };

test('pressure, unknown codes and what an operator can repair are tried again', () => {
  const codes = [
    202, 203, 209, 210, 225, 236, 241, 242, 243, 279, 285, 286, 319, 364, 369, 425, 439, 473, 745, 999,
  ];
  for (const code of [...codes, 60, 81, 16, 47, 192, 193, 194, 497, 516, 12_345]) {
    assert.deepEqual(mapped(serverError(code)), RETRYABLE, `code ${code}`);
  }
});

test('a server that allows less than is sent slows everybody down, one that is ill does not', () => {
  const isThrottled = (code: number) => toPipelineError(serverError(code), false).isThrottled;
  assert.deepEqual([201, 202, 252].map(isThrottled), [true, true, true]);
  assert.deepEqual([209, 241, 242, 999].map(isThrottled), [false, false, false, false]);
});

test('broken statements and broken data are not', () => {
  for (const code of [
    6, 20, 26, 27, 32, 33, 36, 38, 41, 53, 62, 69, 70, 72, 73, 115, 117, 130, 131, 271, 344, 691,
  ]) {
    assert.deepEqual(mapped(serverError(code)), PERMANENT, `code ${code}`);
  }
});

test('what is wrong with the statement is no reason to search the batch', () => {
  const isIndivisible = (code: number) => toPipelineError(serverError(code), false).isIndivisible;
  assert.deepEqual([62, 73, 115, 344].map(isIndivisible), [true, true, true, true]);
  assert.deepEqual([6, 33, 117, 691].map(isIndivisible), [false, false, false, false]);
});

test('code 252 means pressure or a block that can never be stored, which only its text tells', () => {
  assert.deepEqual(
    mapped(serverError(252, 'Too many parts (3001). Merges are slower than inserts.')),
    RETRYABLE,
  );
  assert.deepEqual(
    mapped(serverError(252, 'Too many partitions for single INSERT block (more than 100).')),
    PERMANENT,
  );
});

test('connection failures are retryable and a passed deadline says so', () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  assert.equal(clickhouseCode(refused), undefined);
  assert.deepEqual(mapped(refused), RETRYABLE);
  assert.deepEqual(mapped(new Error('The user aborted a request.'), true), {
    code: 'EXPORT_TIMEOUT',
    permanent: false,
  });
});

test('a changed table is recognised behind the mapped error, and messages stay short', () => {
  assert.equal(isSchemaError(toPipelineError(serverError(60), false)), true);
  assert.equal(isSchemaError(toPipelineError(serverError(241), false)), false);
  assert.equal(isSchemaError('text'), false);
  assert(toPipelineError(serverError(60, 'x'.repeat(10_000)), false).message.length < 600);
  const own = new PipelineError('INTERNAL', 'own', { permanent: true });
  assert.equal(toPipelineError(own, false), own);
});
