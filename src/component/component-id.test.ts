import assert from 'node:assert/strict';
import test from 'node:test';
import { parseComponentId } from './component-id.ts';

test('an id is a type, or a type and a name behind the first slash', () => {
  assert.deepEqual(parseComponentId('otlp'), { id: 'otlp', type: 'otlp', name: '' });
  assert.deepEqual(parseComponentId(' otlp / a '), { id: 'otlp/a', type: 'otlp', name: 'a' });
  assert.deepEqual(parseComponentId('otlp/a/b:c-1.é'), {
    id: 'otlp/a/b:c-1.é',
    type: 'otlp',
    name: 'a/b:c-1.é',
  });
  assert.deepEqual(parseComponentId(`otlp/${'n'.repeat(1024)}`), {
    id: `otlp/${'n'.repeat(1024)}`,
    type: 'otlp',
    name: 'n'.repeat(1024),
  });
});

test('anything else is refused with the text of the Collector', () => {
  const cases: [string, string][] = [
    ['', 'id must not be empty'],
    [' ', 'id must not be empty'],
    ['/x', 'in "/x" id: the part before / should not be empty'],
    ['x/', 'in "x/" id: the part after / should not be empty'],
    ['x/ ', 'in "x/ " id: the part after / should not be empty'],
    ['1x', 'invalid character(s) in type "1x"'],
    ['a-b', 'invalid character(s) in type "a-b"'],
    ['__proto__', 'invalid character(s) in type "__proto__"'],
    [`t${'t'.repeat(63)}`, `invalid character(s) in type "t${'t'.repeat(63)}"`],
    ['x/a b', 'invalid character(s) in name "a b"'],
    ['x/a+b', 'invalid character(s) in name "a+b"'],
    ['x/a\u0000b', 'invalid character(s) in name "a\u0000b"'],
    [`x/${'n'.repeat(1025)}`, 'name of "x" is longer than 1024 characters'],
  ];
  for (const [text, error] of cases) assert.deepEqual(parseComponentId(text), { error }, text);
});
