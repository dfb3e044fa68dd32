import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PipelineError } from '../component/errors.ts';
import { CHECKOUT, listFiles } from '../testkit/source-tree.ts';
import { BUILTIN } from './builtin.ts';
import { COMPONENTS } from './components.ts';
import { loadComponents } from './load.ts';
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

test('a name in the table is the name of the factory that it loads, and only what is asked for is loaded', async () => {
  for (const entry of COMPONENTS) {
    const { kind, type } = await entry.load();
    assert.deepEqual({ kind, type }, { kind: entry.kind, type: entry.type });
  }
  const names = [
    { kind: 'exporter', type: 'nop' },
    { kind: 'receiver', type: 'otlp' },
    { kind: 'exporter', type: 'nosuch' },
    { kind: 'exporter', type: 'nop' },
  ] as const;
  const registry = await loadComponents(names);
  assert.deepEqual([...registry.keys()].toSorted(), ['exporter/nop', 'receiver/otlp']);
  assert.equal(registry.get('exporter/nop'), BUILTIN.get('exporter/nop'));
});
