// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration language writes references so.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { formatIssue, plainValue } from './config-node.ts';
import { readAs } from './expanded-text.ts';
import { parseConfig } from './load.ts';
import { parseYaml, printYaml } from './yaml-text.ts';

function read(text: string): unknown {
  const { root, issues } = parseYaml('f', text);
  assert.deepEqual(issues.map(formatIssue), []);
  return readAs(plainValue(root!), 'yaml');
}

function issuesOf(text: string): string[] {
  return parseYaml('f', text).issues.map(formatIssue);
}

test('anchors, aliases and merge keys: own keys win, then earlier maps', () => {
  const cases: [string, unknown][] = [
    ['a: &a {x: 1}\nb: *a', { a: { x: 1 }, b: { x: 1 } }],
    ['a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}', { a: { x: 1, y: 2 }, b: { x: 3, y: 2 } }],
    ['a: &a {x: 1, y: 2}\nb: {x: 3, <<: *a}', { a: { x: 1, y: 2 }, b: { x: 3, y: 2 } }],
    [
      'a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*a, *b], z: 3}',
      { a: { x: 1 }, b: { x: 2, y: 2 }, c: { z: 3, x: 1, y: 2 } },
    ],
    ['a: {<<: {x: {y: 1}}, x: {z: 2}}', { a: { x: { z: 2 } } }],
    ['l: &l [1, 2]\nm: [*l, 3]', { l: [1, 2], m: [[1, 2], 3] }],
    ['s: &s text\nt: *s\n? u\n: v', { s: 'text', t: 'text', u: 'v' }],
  ];
  for (const [text, expected] of cases) assert.deepEqual(read(text), expected, text);
});

test('types follow YAML 1.2: yes and dates are what they look like; a leading zero is octal, as the Collector reads it', () => {
  const text = 'a: yes\nb: 010\nc: 2026-01-01\nd: 0x1F\ne: 1e3\nf: ~\ng: .inf\nh: 1_000\ni: "5"\nj: !!str 5';
  assert.deepEqual(read(text), {
    a: 'yes',
    b: 8,
    c: '2026-01-01',
    d: 31,
    e: 1000,
    f: null,
    g: Number.POSITIVE_INFINITY,
    h: '1_000',
    i: '5',
    j: '5',
  });
});

test('what YAML allows and a configuration must not hold is refused at its place', () => {
  assert.deepEqual(issuesOf('a: 1\n"a": 2\nb: {c: 1, c: 2}'), [
    'f:2:1: duplicate key "a"',
    'f:3:11: b: duplicate key "c"',
  ]);
  assert.deepEqual(issuesOf('a: {<<: 5}\nb: {<<: [x]}'), [
    'f:1:5: a: "<<" merges maps only',
    'f:2:5: b: "<<" merges maps only',
  ]);
  assert.deepEqual(issuesOf('a: &a [*a]'), ['f:1:8: a::0: alias "*a" contains itself']);
  assert.deepEqual(issuesOf('a: &a {<<: *a}'), [
    'f:1:12: a::<<: alias "*a" contains itself',
    'f:1:8: a: "<<" merges maps only',
  ]);
  assert.deepEqual(issuesOf('a: !!set {x}\nb: !mine 1'), [
    'f:1:10: a: YAML tags are not allowed (quote a text that begins with "!")',
    'f:2:10: b: YAML tags are not allowed (quote a text that begins with "!")',
  ]);
  assert.match(issuesOf('a: 1\n---\nb: 2')[0]!, /^f:2:1: only one YAML document/);
  assert.match(issuesOf('? [a, b]\n: c')[0]!, /^f:1:3: YAML syntax: /);
});

test('whatever is printed reads back the same through a loader that expands references', () => {
  const text = fc.oneof(
    fc.string(),
    fc.constantFrom(
      '$',
      '$$',
      '${',
      '${env:X}',
      '$${X}',
      'a$$${b}$',
      '0123',
      'true',
      'null',
      '1e3',
      '~',
      '<<',
      '*a',
      '- x',
      '#',
      '',
    ),
  );
  const value = fc.letrec((tie) => ({
    node: fc.oneof(
      { maxDepth: 4 },
      text,
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('node'), { maxLength: 3 }),
      fc.dictionary(
        fc.string({ minLength: 1 }).filter((key) => key !== '<<' && !key.includes('::')),
        tie('node'),
        {
          maxKeys: 3,
          noNullPrototype: true,
        },
      ),
    ),
  })).node;
  fc.assert(
    fc.property(value, (tree) => {
      const { root, issues } = parseConfig('f', printYaml({ tree }), { X: 'expanded' });
      assert.deepEqual(issues, []);
      assert.deepEqual(plainValue(root!), { tree });
    }),
    { numRuns: 1_000 },
  );
});
