import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  compileRegex,
  groupNames,
  REGEX_TEXT_BYTES_MAX,
  RegexList,
  regexIssue,
  regexTextEnd,
} from './regex.ts';

const UTF8 = new TextEncoder();

test('expressions that explode in backtracking engines stay linear', () => {
  const patterns = [
    '(a+)+$',
    '^(a|a)*$',
    '^(a|aa)+$',
    '(.*a){12}$',
    '^(([a-z])+.)+[A-Z]([a-z])+$',
    '(x+x+)+y',
  ];
  const inputs = ['a', 'x', 'ab'].map((unit) => UTF8.encode(`${unit.repeat(32 * 1024)}!`));
  const startedMs = performance.now();
  for (const pattern of patterns) {
    const list = new RegexList([pattern]);
    for (const input of inputs) assert.equal(list.matches(input, 0, input.length), false, pattern);
  }
  // A backtracking engine would need longer than the age of the universe for the first of them.
  assert.ok(performance.now() - startedMs < 5000);
});

test('a text is looked at up to a bound, which never cuts a character', () => {
  const bytes = UTF8.encode(`${'x'.repeat(REGEX_TEXT_BYTES_MAX - 1)}ü needle`);
  assert.equal(regexTextEnd(bytes, 0, bytes.length), REGEX_TEXT_BYTES_MAX - 1);
  assert.equal(new RegexList(['needle']).matches(bytes, 0, bytes.length), false);
  assert.equal(new RegexList(['x$']).matches(bytes, 0, bytes.length), true);
});

test('results are the same from the table and from the engine, whatever shares a slot', () => {
  const list = new RegexList(['^a.*7$', 'ü']);
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 10_000; i++) {
      const text = `${i % 3 === 0 ? 'a' : 'b'}${i}${i % 5 === 0 ? 'ü' : ''}`;
      const bytes = UTF8.encode(`..${text}..`);
      const expected = /^a.*7$|ü/u.test(text);
      assert.equal(list.matches(bytes, 2, bytes.length - 2), expected, text);
    }
  }
});

test('the syntax is that of RE2', () => {
  assert.match(regexIssue('(a') ?? '', /missing closing \)/);
  assert.match(regexIssue('(?=a)') ?? '', /invalid/);
  assert.match(regexIssue('(a)\\1') ?? '', /invalid escape/);
  assert.equal(regexIssue('(?i)^[[:alpha:]]+\\pL'), undefined);
  assert.deepEqual(groupNames('(?P<a>x)(y)(?<b>z)'), ['a', undefined, 'b']);
  assert.equal(compileRegex('(?i)HELLO').test('say hello'), true);
});
