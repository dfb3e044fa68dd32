import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import type { AnyFactory } from '../component/factory.ts';
import { loadCollectorConfig } from '../config/collector-config.ts';
import { BUILTIN } from '../registry/builtin.ts';
import { CHECKOUT, listFiles } from '../testkit/source-tree.ts';
import { loadPlan } from './load-plan.ts';

test('plans and messages are those of a reading with every component loaded', async () => {
  const files = listFiles(CHECKOUT, ['src/config/testdata', 'configs'], '.yaml');
  assert.ok(files.length >= 20);
  for (const file of files) {
    const configs = [path.join(CHECKOUT, file)];
    const read = await loadPlan({ configs }, new Map());
    assert.deepEqual(read, loadCollectorConfig({ configs }, BUILTIN.values()), file);
  }
});

test('only what is named is loaded, in either spelling; a later configuration adds to it', async () => {
  const registry = new Map<string, AnyFactory>();
  const load = (exporter: string) => {
    const pipelines = `{traces: {receivers: [otlp], exporters: [${exporter}]}}`;
    const config = `{receivers: {otlp: {protocols: {http: }}}, exporters: {${exporter}: {endpoint: 'http://localhost'}}, service: {pipelines: ${pipelines}}}`;
    return loadPlan({ configs: [`yaml:${config}`] }, registry);
  };
  assert.deepEqual((await load('otlp_http')).issues, undefined);
  assert.deepEqual([...registry.keys()].toSorted(), ['exporter/otlphttp', 'receiver/otlp']);
  assert.notEqual((await load('nosuch')).issues, undefined);
  assert.equal(registry.size, BUILTIN.size);
});

test('what an earlier configuration named stays for the engine that goes back to it', async () => {
  const registry = new Map<string, AnyFactory>();
  for (const exporter of ['nop', 'debug']) {
    const config = `{receivers: {otlp: {protocols: {http: }}}, exporters: {${exporter}: }, service: {pipelines: {logs: {receivers: [otlp], exporters: [${exporter}]}}}}`;
    assert.equal((await loadPlan({ configs: [`yaml:${config}`] }, registry)).issues, undefined);
  }
  assert.deepEqual([...registry.keys()].toSorted(), ['exporter/debug', 'exporter/nop', 'receiver/otlp']);
});
