/** The commands about configuration, through the program itself: what goes where, and how it ends. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import * as yaml from 'yaml';
import { systemClock } from '../stdx/clock.ts';
import { CHECKOUT, LOADED_ROOT } from '../testkit/source-tree.ts';
import { runProgram } from './program.ts';

const BASE = 'yaml:{receivers: {otlp: {protocols: {http: }}}, exporters: {nop: }}';
const PIPELINE = 'yaml:service::pipelines::logs: {receivers: [otlp], exporters: [nop]}';
const BAD = path.join(CHECKOUT, 'src/config/testdata/bad');

async function run(...argv: string[]): Promise<{ exitCode: number; out: string; errors: string }> {
  let out = '';
  let errors = '';
  const exitCode = await runProgram({
    argv,
    clock: systemClock,
    failpoints: undefined,
    writeOut: (text) => {
      out += text;
    },
    writeError: (text) => {
      errors += text;
    },
    onSignal: () => {},
    onReload: () => {},
  });
  return { exitCode, out, errors };
}

test('E4: a wrong configuration is exit 1 with every issue on stderr, for every command that reads one', async () => {
  const files = readdirSync(BAD).filter((name) => name.endsWith('.yaml'));
  assert.ok(files.length >= 18);
  for (const name of files) {
    for (const command of ['run', 'validate', 'print-config']) {
      const { exitCode, out, errors } = await run(command, '--config', path.join(BAD, name));
      assert.equal(exitCode, 1, name);
      assert.equal(out, '');
      const lines = errors.trimEnd().split('\n');
      const issues = lines.filter((line) => /^error: .+:[1-9][0-9]*:[1-9][0-9]*: ./.test(line));
      assert.match(
        lines.at(-1)!,
        new RegExp(`^${issues.length} errors in the configuration; nothing was started$`),
      );
      assert.ok(issues.length > 0);
    }
  }
});

test('validate and print-config merge sources and overrides; warnings go to stderr', async () => {
  const sources = [
    '--config',
    BASE,
    '--config',
    PIPELINE,
    '--set',
    'exporters.nop/spare=',
    '--feature-gates=a',
  ];
  const validated = await run('validate', ...sources);
  assert.deepEqual([validated.exitCode, validated.out], [0, '']);
  assert.match(validated.errors, /^warning: --feature-gates=a has no effect/m);
  assert.match(
    validated.errors,
    /^warning: --set exporters.nop\/spare:1:1: exporters::nop\/spare: is configured but not used/m,
  );
  const printed = await run('print-config', ...sources, '--set=exporters.nop.timeout=1m');
  assert.equal(printed.exitCode, 0);
  assert.equal(printed.errors, validated.errors);
  assert.equal(yaml.parse(printed.out).exporters.nop.timeout, '1m');
  const json = await run('print-initial-config', ...sources, '--format=json');
  assert.deepEqual(Object.keys(JSON.parse(json.out)), ['receivers', 'exporters', 'service']);
});

test('the schema and the documentation go to stdout and need no configuration', async () => {
  const schema = await run('config-schema');
  assert.deepEqual([schema.exitCode, schema.errors], [0, '']);
  assert.ok(Object.hasOwn(JSON.parse(schema.out).definitions, 'receiver.otlp'));
  const documentation = await run('components', '--markdown');
  assert.deepEqual([documentation.exitCode, documentation.errors], [0, '']);
  assert.match(documentation.out, /^# Configuration\n/);
  const components = await run('components');
  assert.equal(yaml.parse(components.out).buildinfo.command, 'millrace');
});

test('long output reaches a reader of a pipe that is slow to take it, whole', async () => {
  const main = path.join(LOADED_ROOT, 'src', import.meta.url.endsWith('.ts') ? 'main.ts' : 'main.js');
  const child = spawn(process.execPath, ['--no-warnings', main, 'config-schema'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  // A pipe takes 64 KiB at once, so the program has to wait for this.
  await delay(1_500);
  let text = '';
  for await (const chunk of child.stdout.setEncoding('utf8')) text += chunk;
  assert.deepEqual(await exited, [0, null]);
  assert.ok(text.length > 128 * 1024);
  assert.ok(Object.hasOwn(JSON.parse(text), 'definitions'));
});
