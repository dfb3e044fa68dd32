import assert from 'node:assert/strict';
import test from 'node:test';
import { headersSetterConfigSchema } from './config.ts';
import { HeadersSetter } from './headers-setter.ts';

function setter(headers: unknown): HeadersSetter {
  const parsed = headersSetterConfigSchema.parse({ headers });
  assert.deepEqual(parsed.issues, []);
  return new HeadersSetter(parsed.value!.headers!);
}

test('the four actions, in order and without regard to letter case', () => {
  const headers: Record<string, string> = { there: '1', gone: '2', order: '3' };
  setter([
    { key: 'There', action: 'insert', value: 'x' },
    { key: 'Missing', action: 'insert', value: 'inserted' },
    { key: 'there', action: 'update', value: 'updated' },
    { key: 'absent', action: 'update', value: 'x' },
    { key: 'GONE', action: 'delete' },
    { key: 'X-Scope-OrgID', value: 'acme' },
    { key: 'order', action: 'delete' },
    { key: 'order', action: 'insert', value: 'again' },
    { key: 'empty', value: '' },
  ]).apply(headers);
  assert.deepEqual(headers, {
    there: 'updated',
    missing: 'inserted',
    'x-scope-orgid': 'acme',
    order: 'again',
    empty: '',
  });
});

test('what needs metadata of the client is refused by name', () => {
  const issues = (raw: unknown) => JSON.stringify(headersSetterConfigSchema.parse(raw).issues);
  for (const key of ['from_context', 'from_attribute', 'default_value']) {
    assert.match(
      issues({ headers: [{ key: 'a', value: 'b', [key]: 'c' }] }),
      new RegExp(`"${key}\\\\" is not supported`),
    );
  }
  assert.match(issues({ headers: [{ key: 'a' }] }), /is required for the action upsert/);
  assert.match(issues({ headers: [{ key: 'a b', value: 'x' }] }), /must be the name of a header/);
  assert.match(issues({ headers: [{ key: 'a', value: 'CANARY\r\nb: c' }] }), /no header can carry/);
  assert.doesNotMatch(issues({ headers: [{ key: 'a', value: 'CANARY\r\nb: c' }] }), /CANARY/);
  assert.match(issues({}), /needs at least one rule/);
});
