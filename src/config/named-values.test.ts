import assert from 'node:assert/strict';
import test from 'node:test';
import { stringMap } from './field-kinds.ts';
import { defineConfig } from './schema.ts';

const schema = defineConfig<{ headers: Readonly<Record<string, string>> | undefined }>({
  headers: stringMap('headers', { secretValues: true, doc: 'Headers.' }),
});

test('headers are a map, or a list of names and values', () => {
  const map = { a: '1', 'X-B': '' };
  const list = [
    { name: 'a', value: '1' },
    { value: '', name: 'X-B' },
  ];
  for (const headers of [map, list]) {
    const { value, issues } = schema.parse({ headers });
    assert.deepEqual(issues, []);
    assert.deepEqual(value, { headers: { a: '1', 'X-B': '' } });
  }
  const polluted = schema.parse({ headers: [{ name: '__proto__', value: 'x' }] }).value!.headers!;
  assert.deepEqual(Object.keys(polluted), ['__proto__']);
});

test('other lists are refused, and no value is shown', () => {
  const wrong = [
    [
      { name: 'a', value: 'CANARY' },
      { name: 'a', value: 'CANARY' },
    ],
    [{ name: 'a' }],
    [{ name: 'a', value: 'CANARY', extra: 1 }],
    [{ name: 5, value: 'CANARY' }],
    ['CANARY'],
    [{ name: 'a', value: 5 }],
  ];
  for (const headers of wrong) {
    const { issues } = schema.parse({ headers });
    assert.equal(issues.length, 1, JSON.stringify(headers));
    assert.doesNotMatch(JSON.stringify(issues), /CANARY/);
  }
});
