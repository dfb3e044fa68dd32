import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { afterEach, test } from 'node:test';
import { failpoint, setFailpoints } from './failpoint.ts';

afterEach(() => setFailpoints(undefined));

test('without a plan, and at other points, nothing happens', () => {
  failpoint('a.b');
  setFailpoints('');
  failpoint('a.b');
  setFailpoints('other=throw');
  failpoint('a.b');
});

test('throw happens at its pass and at no other', () => {
  setFailpoints(' a.b=throw@3 ; c=throw');
  failpoint('a.b');
  failpoint('a.b');
  assert.throws(() => failpoint('a.b'), /failpoint a\.b/);
  failpoint('a.b');
  assert.throws(() => failpoint('c'), /failpoint c/);
});

test('delay holds the thread for its time, from its pass on', () => {
  setFailpoints('a=delay:300@2');
  const took = () => {
    const startedMs = performance.now();
    failpoint('a');
    return performance.now() - startedMs;
  };
  assert.ok(took() < 250);
  assert.ok(took() >= 299);
  assert.ok(took() >= 299);
});

test('stall holds the thread once', () => {
  setFailpoints('a=stall:300@2');
  const took = () => {
    const startedMs = performance.now();
    failpoint('a');
    return performance.now() - startedMs;
  };
  assert.ok(took() < 250);
  assert.ok(took() >= 299);
  assert.ok(took() < 250);
});

test('a plan that cannot be read is refused: a test must not run without its fault', () => {
  for (const text of ['a', 'a=', 'a=explode', 'a=throw@', 'a=throw;', 'a b=throw', 'a=delay:x']) {
    assert.throws(() => setFailpoints(text), /failpoint/, text);
  }
});

for (const [action, signal, status] of [
  ['kill', 'SIGKILL', null],
  ['exit', null, 70],
] as const) {
  test(`${action} ends a process there`, () => {
    const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
    const url = new URL(`./failpoint${extension}`, import.meta.url).href;
    const script = `const { setFailpoints, failpoint } = await import(process.argv[1]);
      setFailpoints('p=${action}'); process.stdout.write('before'); failpoint('p'); process.stdout.write('after');`;
    const child = spawnSync(process.execPath, ['--input-type=module', '-e', script, url], {
      encoding: 'utf8',
    });
    assert.deepEqual([child.stdout, child.signal, child.status], ['before', signal, status]);
  });
}
