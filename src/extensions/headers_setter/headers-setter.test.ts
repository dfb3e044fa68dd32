import assert from 'node:assert/strict';
import test from 'node:test';
import type { ClientContext } from '../../component/client-context.ts';
import { headersSetterConfigSchema } from './config.ts';
import { headersSetterExtensionFactory } from './factory.ts';
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

const client: ClientContext = {
  address: '10.0.0.1',
  metadata: new Map([
    ['x-tenant', ['acme']],
    ['x-many', ['1', '2']],
    ['x-blob-bin', ['\u0000\u00ff']],
  ]),
  auth: new Map([['username', 'alice']]),
};

test('values of the client, and defaults where it has none', () => {
  const headers: Record<string, string> = { there: 'kept' };
  const rules = setter([
    { key: 'X-Scope-OrgID', from_context: 'X-Tenant' },
    { key: 'x-user', from_attribute: 'username', default_value: 'nobody' },
    { key: 'x-role', from_attribute: 'role', default_value: 'guest' },
    { key: 'x-none', from_context: 'x-missing' },
    { key: 'there', action: 'insert', from_context: 'x-tenant' },
    { key: 'gone', action: 'delete', from_context: 'x-tenant' },
    { key: 'out-bin', from_context: 'x-blob-bin' },
  ]);
  rules.apply(headers, client);
  assert.deepEqual(headers, {
    there: 'kept',
    'x-scope-orgid': 'acme',
    'x-user': 'alice',
    'x-role': 'guest',
    'x-none': '',
    'out-bin': '\u0000\u00ff',
  });
  const unknown: Record<string, string> = {};
  rules.apply(unknown);
  assert.deepEqual([unknown['x-user'], unknown['x-scope-orgid']], ['nobody', '']);
});

test('a batch whose client has no usable value is refused for good, without showing it', () => {
  const wanted = { code: 'EXPORT_REJECTED', permanent: true, isIndivisible: true };
  assert.throws(() => setter([{ key: 'a', from_context: 'x-many' }]).apply({}, client), wanted);
  assert.throws(() => setter([{ key: 'a', from_context: 'x-blob-bin' }]).apply({}, client), wanted);
});

test('only what rules read is asked of clients', () => {
  const config = headersSetterConfigSchema.parse({
    headers: [
      { key: 'a', from_context: 'X-B' },
      { key: 'b', from_context: 'x-a' },
      { key: 'c', from_attribute: 'raw' },
      { key: 'd', action: 'delete', from_context: 'x-c' },
      { key: 'e', value: 'x' },
    ],
  }).value!;
  assert.deepEqual(headersSetterExtensionFactory.clientKeys!(config), {
    address: false,
    metadata: ['x-a', 'x-b'],
    auth: ['raw'],
  });
});

test('wrong rules are refused', () => {
  const issues = (raw: unknown) => JSON.stringify(headersSetterConfigSchema.parse(raw).issues);
  for (const key of ['from_context', 'from_attribute']) {
    assert.match(issues({ headers: [{ key: 'a', value: 'b', [key]: 'c' }] }), /needs exactly one of/);
  }
  assert.match(issues({ headers: [{ key: 'a', value: 'b', default_value: 'c' }] }), /default_value/);
  assert.match(issues({ headers: [{ key: 'a' }] }), /is required for the action upsert/);
  assert.match(issues({ headers: [{ key: 'a b', value: 'x' }] }), /must be the name of a header/);
  assert.match(issues({ headers: [{ key: 'a', value: 'CANARY\r\nb: c' }] }), /no header can carry/);
  assert.doesNotMatch(issues({ headers: [{ key: 'a', value: 'CANARY\r\nb: c' }] }), /CANARY/);
  assert.match(issues({}), /needs at least one rule/);
});
