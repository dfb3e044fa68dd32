import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { PipelineError } from '../../component/errors.ts';
import type { ComponentSettings, Logger } from '../../component/settings.ts';
import { ThreadMeter } from '../../telemetry/registry.ts';
import { pprofConfigSchema } from './config.ts';
import { PprofExtension } from './pprof-extension.ts';

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };

function make(t: TestContext, raw: object) {
  const { value, issues } = pprofConfigSchema.parse({ endpoint: '127.0.0.1:0', ...raw });
  assert.deepEqual(issues, []);
  const clock = { unixMs: () => 0, monotonicMs: () => 0 };
  const settings: ComponentSettings = { id: 'pprof', logger: quiet, clock, meter: new ThreadMeter() };
  const extension = new PprofExtension(settings, value!);
  t.after(() => extension.shutdown());
  return extension;
}

test('save_to_file: a profile from the start to the stop', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-pprof-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'own.cpuprofile');
  const extension = make(t, { save_to_file: file });
  await extension.start();
  const until = performance.now() + 60;
  while (performance.now() < until) JSON.parse('{"a":[1,2,3]}');
  await extension.shutdown();
  const profile = JSON.parse(readFileSync(file, 'utf8'));
  assert.ok(profile.nodes.length > 1);
  assert.ok(profile.endTime > profile.startTime);
  // Once written it stays.
  await extension.shutdown();
  assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), profile);
});

test('a file that cannot be written stops the start, with its name', async (t) => {
  const extension = make(t, { save_to_file: '/no/such/place/own.cpuprofile' });
  await assert.rejects(extension.start(), (error: unknown) => {
    assert.ok(error instanceof PipelineError);
    assert.match(error.message, /^extension pprof: save_to_file: .*\/no\/such\/place/);
    return true;
  });
});
