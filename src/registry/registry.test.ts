import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PipelineError } from '../component/errors.ts';
import { CHECKOUT, listFiles } from '../testkit/source-tree.ts';
import { BUILTIN } from './builtin.ts';
import { createRegistry, findFactory } from './registry.ts';

const codeOf = (code: string) => (error: unknown) => error instanceof PipelineError && error.code === code;

test('twins are refused; one type may be of several kinds', () => {
  const nop = findFactory(BUILTIN, 'exporter', 'nop');
  assert.throws(() => createRegistry([nop, { ...nop }]), codeOf('INTERNAL'));
  const otlp = findFactory(BUILTIN, 'receiver', 'otlp');
  const registry = createRegistry([otlp, { ...nop, type: 'otlp' }]);
  assert.equal(findFactory(registry, 'receiver', 'otlp'), otlp);
});

test('a type that is not there is a configuration error, whatever its name', () => {
  for (const type of ['nosuch', '', '__proto__', 'constructor', 'nop ']) {
    assert.throws(() => findFactory(BUILTIN, 'exporter', type), codeOf('CONFIG_INVALID'), type);
  }
  assert.throws(() => findFactory(BUILTIN, 'receiver', 'nop'), codeOf('CONFIG_INVALID'));
});

test('every component folder is registered under its own name and kind', () => {
  const kinds = ['receiver', 'exporter', 'extension'] as const;
  for (const kind of kinds) {
    const folders = listFiles(CHECKOUT, [`src/${kind}s`], '/factory.ts'.slice(1)).map(
      (file) => file.split('/')[2]!,
    );
    const registered = [...BUILTIN.values()]
      .filter((factory) => factory.kind === kind)
      .map(({ type }) => type);
    assert.deepEqual(registered.sort(), [...new Set(folders)].sort(), kind);
  }
});
