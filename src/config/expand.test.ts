// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration language writes references so.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { type ConfigNode, plainValue, type SourceIssue } from './config-node.ts';
import { expandTree } from './expand.ts';
import { ExpandedText } from './expanded-text.ts';
import { parseConfig } from './load.ts';

const AT = { file: 'f', line: 3, column: 7 };

function expand(value: string, environment: Record<string, string> = {}) {
  const issues: SourceIssue[] = [];
  const warnings: SourceIssue[] = [];
  const node: ConfigNode = { kind: 'scalar', value, at: AT };
  const result = plainValue(expandTree(node, environment, issues, warnings));
  return {
    result,
    issues: issues.map((issue) => issue.message),
    warnings: warnings.map((each) => each.message),
  };
}

function textOf(value: string, environment: Record<string, string> = {}): unknown {
  const { result, issues } = expand(value, environment);
  assert.deepEqual(issues, []);
  return result instanceof ExpandedText ? result.text : result;
}

function typedOf(value: string, environment: Record<string, string> = {}): unknown {
  const { result } = expand(value, environment);
  return result instanceof ExpandedText ? result.value : result;
}

test('references and escapes give the texts that the Collector gives', () => {
  const env = { X: 'v', EMPTY: '', OUTER: 'a${env:X}b', NAME: 'X', DOLLARS: 'p$$w' };
  const cases: [string, string][] = [
    ['${env:X}', 'v'],
    ['${X}', 'v'],
    ['a-${X}-${env:X}', 'a-v-v'],
    ['${env:NONE:-d}', 'd'],
    ['${env:NONE:-}', ''],
    ['${env:EMPTY:-d}', ''],
    ['${env:NONE:-a:-b}', 'a:-b'],
    ['${env:${env:NAME}}', 'v'],
    ['${env:NONE:-${env:X}}', 'v'],
    ['${env:OUTER}', 'avb'],
    ['$${env:X}', '${env:X}'],
    ['$$${env:X}', '$v'],
    ['$$$$', '$$'],
    ['cost $5', 'cost $5'],
    ['$X', '$X'],
    ['${env:X', '${env:X'],
    ['${a ${env:X}', '${a v'],
    ['x} $y', 'x} $y'],
    ['${env:DOLLARS}', 'p$w'],
    ['$${a} ${env:X}', '${a} v'],
  ];
  for (const [source, text] of cases) assert.equal(textOf(source, env), text, source);
});

test('a value that is one reference has a YAML type, a reference inside text has not', () => {
  const env = {
    PORT: '8080',
    LIST: '[a, b]',
    MAP: '{k: 1}',
    ZERO: '0123',
    BAD: '[a',
    YES: 'true',
    CANARY: '# x',
  };
  assert.equal(typedOf('${env:PORT}', env), 8080);
  assert.deepEqual(typedOf('${env:LIST}', env), ['a', 'b']);
  assert.deepEqual(typedOf('${env:MAP}', env), { k: 1 });
  assert.equal(textOf('${env:ZERO}', env), '0123');
  assert.equal(typedOf('${env:BAD}', env), '[a');
  assert.equal(typedOf('${env:YES}', env), true);
  assert.equal(typedOf('${env:CANARY}', env), null);
  assert.equal(textOf('${env:CANARY}', env), '# x');
  assert.equal(typedOf('1${env:PORT}', env), '18080');
  assert.equal(typedOf('${env:PORT}${env:PORT}', env), '80808080');
});

test('an unset variable is null with a warning', () => {
  assert.equal(typedOf('${env:NONE}'), null);
  assert.deepEqual(expand('${env:NONE}').warnings, ['environment variable "NONE" is not set']);
  assert.deepEqual(expand('${env:NONE:-x}').warnings, []);
});

test('bad references are issues that say what to write', () => {
  const env = { A: '${env:B}', B: 'x${env:A}', SELF: '${SELF}' };
  const cases: [string, RegExp][] = [
    ['${env:1X}', /environment variable "1X" has invalid name: must match regex/],
    ['${}', /invalid name/],
    ['${env:A}', /cycle: \$\{env:A\} -> \$\{env:B\} -> \$\{env:A\}/],
    ['${SELF}', /cycle: \$\{env:SELF\} -> \$\{env:SELF\}/],
    ['${file:/nowhere/at/all}', /^\$\{file:\/nowhere\/at\/all\}: no such file$/],
    ['${file:}', /names no file/],
    ['${https://host/a}', /\$\{https:\.\.\.\} is not supported yet/],
    ['${VAR:-x}', /unsupported scheme "VAR".*\$\{env:VAR:-/],
  ];
  for (const [source, message] of cases) {
    const { issues } = expand(source, env);
    assert.equal(issues.length, 1, source);
    assert.match(issues[0]!, message);
  }
});

test('references that multiply end at a limit instead of in memory', () => {
  const deep = Object.fromEntries(
    Array.from({ length: 12 }, (_, level) => [`V${level}`, `\${V${level + 1}}`]),
  );
  assert.match(expand('${V0}', deep).issues[0]!, /more than 10 levels/);
  const wide = Object.fromEntries(
    Array.from({ length: 9 }, (_, level) => [`W${level}`, `\${W${level + 1}}`.repeat(9)]),
  );
  assert.match(expand('${W0}', { ...wide, W9: 'x' }).issues[0]!, /too many recursive expansions/);
  const long = { L: 'y'.repeat(600_000) };
  assert.match(expand('${L}${L}', long).issues[0]!, /too long/);
  assert.equal(textOf('${'.repeat(50_000)), '${'.repeat(50_000));
});

test('expansion and parsing of any text leave the prototypes alone and never throw', () => {
  const word = fc.constantFrom(
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    '${',
    '}',
    '$$',
    ':',
    ': ',
    '\n',
    '  ',
    '- ',
    '&a ',
    '*a',
    '<<: *a',
    '[',
    ']',
    '{',
    ',',
    '"',
    "'",
    '!!str ',
    '? ',
    '|',
    '#',
    'env:',
    ':-',
    'x',
    '1',
    '---\n',
    '\t',
    '%',
  );
  const text = fc.array(word, { maxLength: 40 }).map((words) => words.join(''));
  const keysBefore = Reflect.ownKeys(Object.prototype);
  fc.assert(
    fc.property(text, text, (document, variable) => {
      const environment = Object.fromEntries([
        ['__proto__', variable],
        ['x', variable],
      ]);
      const loaded = parseConfig('f', document, environment);
      if (loaded.root !== undefined) plainValue(loaded.root);
      for (const issue of loaded.issues) assert.ok(issue.line >= 1 && issue.column >= 1);
      assert.ok(loaded.root !== undefined || loaded.issues.length > 0);
      assert.deepEqual(Reflect.ownKeys(Object.prototype), keysBefore);
      assert.equal(({} as Record<string, unknown>).polluted, undefined);
    }),
    { numRuns: 3_000 },
  );
});
