import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import type { ConfigSchema } from '../component/config-schema.ts';
import { testFactories } from '../config/factories.test-peer.ts';
import { BUILTIN } from '../registry/builtin.ts';
import { readmesOf } from '../testkit/component-readmes.ts';
import { CHECKOUT } from '../testkit/source-tree.ts';
import { configSchemaText } from './config-schema.ts';
import { configurationMarkdown, readmeWithKeys } from './configuration-markdown.ts';

test('docs/configuration.md is what the tables say', () => {
  const file = path.join(CHECKOUT, 'docs', 'configuration.md');
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  assert.ok(text === configurationMarkdown(BUILTIN.values()), 'docs/configuration.md is stale: npm run docs');
});

test('the README of every component has the keys that its table says', () => {
  for (const { file, factory, text } of readmesOf(BUILTIN.values())) {
    const wanted = readmeWithKeys(text, factory);
    assert.ok(wanted !== undefined, `${file} has no markers for its keys`);
    assert.ok(text === wanted, `${file} is stale: npm run docs`);
    assert.ok(!/^\| *Key *\| *Default/m.test(text), `${file} repeats keys in a table of its own`);
  }
});

test('every key of every component has a row with type, default and text', () => {
  const text = configurationMarkdown(BUILTIN.values());
  for (const factory of BUILTIN.values()) {
    const start = text.indexOf(`### ${factory.kind} \`${factory.type}\`\n`);
    assert.ok(start > 0, factory.type);
    const section = text.slice(start, text.indexOf('\n##', start + 1));
    for (const { key, type, doc } of (factory.configSchema as ConfigSchema<unknown>).fields) {
      const line = section.split('\n').find((each) => each.startsWith(`| \`${key}\` |`));
      assert.ok(line !== undefined, `${factory.type}: ${key}`);
      assert.ok(
        line.includes(type.replaceAll('|', '\\|')) && line.includes(doc.replaceAll('|', '\\|')),
        line,
      );
    }
  }
});

test('every table row has four cells, and what is missing is named', () => {
  const text = configurationMarkdown(testFactories);
  for (const line of text.split('\n').filter((each) => each.startsWith('| `'))) {
    const cells = line.replaceAll('\\|', '').split('|').length - 2;
    assert.ok(cells === 4 || cells === 2, line);
  }
  const processors = text.slice(text.indexOf('## Processors'), text.indexOf('## Exporters'));
  assert.match(processors, /"not supported yet": .*`tail_sampling`/);
  const exporters = text.slice(text.indexOf('## Exporters'), text.indexOf('## Connectors'));
  assert.doesNotMatch(exporters, /yet": .*`(clickhouse|debug)`/);
  assert.match(exporters, /### exporter `debug`\n\n[^\n]* Also loads as `logging`\./);
});

test('the schema is JSON for editors that ends in a line end', () => {
  const text = configSchemaText(BUILTIN.values());
  assert.match(text, /\}\n$/);
  assert.equal(JSON.parse(text).$schema, 'http://json-schema.org/draft-07/schema#');
});
