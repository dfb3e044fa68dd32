// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration language writes references so.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test, { after } from 'node:test';
import { formatIssue, plainValue } from './config-node.ts';
import { EXPANDED_CHARACTERS_MAX, REFERENCES_MAX } from './expand-text.ts';
import { describeValue, readAs } from './expanded-text.ts';
import { parseConfig } from './load.ts';

const directory = mkdtempSync(path.join(os.tmpdir(), 'millrace-expand-'));
after(() => rmSync(directory, { recursive: true }));

function write(name: string, text: string | Uint8Array): string {
  const file = path.join(directory, name);
  writeFileSync(file, text);
  return file;
}

function load(text: string, environment: Record<string, string> = {}) {
  const { root, issues, warnings } = parseConfig('f', text, environment);
  const plain = root === undefined ? undefined : plainValue(root);
  return {
    plain,
    yaml: readAs(plain, 'yaml'),
    text: readAs(plain, 'members'),
    issues: issues.map((issue) => formatIssue(issue).replaceAll(`${directory}/`, '')),
    warnings: warnings.map((issue) => formatIssue(issue).replaceAll(`${directory}/`, '')),
  };
}

test('a file or text that is a whole value has a YAML type, and its characters for keys that want a string', () => {
  const token = write('token', '0123\n');
  const crlf = write('crlf', 'a\r\n');
  const quoted = write('quoted', '"q"\n');
  const map = write('map', '# ${env:UNUSED}\nk: [1, "${env:X}"]\np: "$$5"\n');
  const empty = write('empty', '');
  const source = `{t: "\${file:${token}}", c: "\${file:${crlf}}", q: "\${file:${quoted}}", m: "\${file:${map}}"}`;
  const result = load(`${source}\n`, { X: 'true' });
  assert.deepEqual(result.issues, []);
  assert.deepEqual(result.yaml, { t: 83, c: 'a', q: '"q"', m: { k: [1, true], p: '$5' } });
  assert.equal((result.text as { t: string }).t, '0123');
  assert.deepEqual(result.warnings, []);
  const small = load(
    `{e: "\${file:${empty}}", a: "x-\${file:${token}}", y: "\${yaml:[a, b]}", n: "\${yaml:5}"}`,
  );
  assert.deepEqual(small.yaml, { e: null, a: 'x-0123', y: ['a', 'b'], n: 5 });
});

test('files hold references to files and variables; a variable may name the file', () => {
  const inner = write('inner', 'v: ${env:X}\nw: ${env:NONE}\n');
  const outer = write('outer', `i: \${file:${inner}}\n`);
  const result = load('a: ${file:${env:PATH}}\nb: ${VIA}', { PATH: outer, X: '5', VIA: `\${file:${inner}}` });
  assert.deepEqual(result.issues, []);
  assert.deepEqual(result.yaml, { a: { i: { v: 5, w: null } }, b: { v: 5, w: null } });
  assert.deepEqual(result.warnings, [
    'inner:2:4: a::i::w: environment variable "NONE" is not set',
    'inner:2:4: b::w: environment variable "NONE" is not set',
  ]);
});

test('cycles through files, variables and texts are refused with the way round', () => {
  const a = path.join(directory, 'cycle-a');
  const b = write('cycle-b', `{y: "\${env:TO_A}"}`);
  write('cycle-a', `x: \${file:${b}}`);
  const { issues } = load(`k: \${file:${a}}`, { TO_A: `\${file:${a}}` });
  assert.deepEqual(issues, [
    'cycle-b:1:5: k::x::y: references refer to each other in a cycle: ${file:cycle-a} -> ${file:cycle-b} -> ${env:TO_A} -> ${file:cycle-a}',
  ]);
  const self = load('k: "${yaml:${env:S}}"\n', { S: '$${env:S2}', S2: '${yaml:${env:S}}' });
  assert.match(self.issues[0]!, /in a cycle/);
});

test('files that cannot be used are issues at the reference, whatever they are', () => {
  const huge = write('huge', 'x'.repeat(EXPANDED_CHARACTERS_MAX + 1));
  const binary = write('binary', Uint8Array.of(0xff, 0xfe));
  mkdirSync(path.join(directory, 'folder'));
  const { issues } = load(
    [
      'a: ${file:/nowhere/x}',
      `b: \${file:${huge}}`,
      `c: "x\${file:${binary}}"`,
      `d: ["\${file:${path.join(directory, 'folder')}}"]`,
      'e: ${file:/dev/zero}',
    ].join('\n'),
  );
  assert.deepEqual(issues.slice(0, 3), [
    'f:1:4: a: ${file:/nowhere/x}: no such file',
    'f:2:4: b: ${file:huge}: larger than 1048576 bytes',
    'f:3:4: c: ${file:binary}: is not UTF-8 text',
  ]);
  assert.match(issues[3]!, /^f:4:5: d::0: .*cannot be read: EISDIR/);
  assert.match(issues[4]!, /^f:5:4: e: .*larger than/);
});

test('a file that is no YAML is text; where a map is wanted, the message says why it is none', () => {
  const broken = write('broken', 'a: 1\na: 2\n');
  const bomb = write('bomb', `a: &a [x]\nb: [${'*a, '.repeat(200)}]\n`);
  const result = load(`x: \${file:${broken}}\ny: \${file:${bomb}}`);
  assert.deepEqual(result.issues, []);
  const { x, y } = result.plain as { x: unknown; y: unknown };
  assert.match(describeValue(x), /^the value of \$\{file:.*broken\} \(.*broken:2:1: duplicate key "a"\)$/);
  assert.match(describeValue(y), /more than 100 YAML aliases/);
});

test('small files that stand for many values end at a limit, in bounded time', () => {
  const leaf = write('leaf', `[${'x, '.repeat(5_000)}]`);
  const many = write('many', `[${`"\${file:${leaf}}", `.repeat(500)}]`);
  const started = performance.now();
  const wide = load(Array.from({ length: 60 }, (_, index) => `k${index}: \${file:${many}}`).join('\n'));
  assert.equal(wide.issues.length, 1);
  assert.match(wide.issues[0]!, /references give more than 250000 lines and values/);
  const short = load(`[${'"${X}", '.repeat(REFERENCES_MAX + 5_000)}]`, { X: '1' });
  assert.equal(short.issues.length, 1);
  assert.match(short.issues[0]!, /more than 20000 references in the configuration/);
  const long = write('long', 'y'.repeat(EXPANDED_CHARACTERS_MAX));
  const texts = load(Array.from({ length: 40 }, (_, index) => `k${index}: \${file:${long}}`).join('\n'));
  assert.equal(texts.issues.length, 1);
  assert.match(texts.issues[0]!, /references give more than 16777216 characters/);
  for (const text of [`[${'x, '.repeat(3_000_000)}x]`, `a:\n${'- x\n'.repeat(2_000_000)}`]) {
    assert.deepEqual(load(text).issues, ['f:1:1: more than 250000 lines and values']);
  }
  assert.ok(performance.now() - started < 20_000);
});
