import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { afterwards } from '../testkit/e2e/storage.test-peer.ts';
import { EngineProcess, engineConfig, freePorts, STOP_WITHIN_MS, until } from '../testkit/engine-process.ts';
import { ledgerRequest } from '../testkit/ledger-client.ts';
import { LOADED_ROOT } from '../testkit/source-tree.ts';

const EXTENSION = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
const MAIN = join(LOADED_ROOT, 'src', `main${EXTENSION}`);
const CLEAN = { code: 0, signal: null };

function tempDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-program-'));
  afterwards(t, () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function run(args: string[], cwd = tmpdir()): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--no-warnings', MAIN, ...args], {
    encoding: 'utf8',
    cwd,
    timeout: 120_000,
  });
  return { code: status, out: stdout, err: stderr };
}

test('help, version and components go to stdout and exit 0', () => {
  const help = run(['--help']);
  assert.equal(help.code, 0);
  for (const flag of ['--config', '--data-dir', '--durability', 'validate', 'components'])
    assert.ok(help.out.includes(flag), flag);
  assert.equal(help.err, '');
  const version = run(['--version']);
  assert.equal(version.code, 0);
  assert.match(version.out, /\d+\.\d+\.\d+/);
  const components = run(['components']);
  assert.equal(components.code, 0);
  for (const type of ['otlp', 'nop', 'file_storage']) assert.ok(components.out.includes(type), type);
});

test('mistakes of the command line exit 1 with a line that helps, on stderr', () => {
  const unknown = run(['--confg', 'x.yaml']);
  assert.equal(unknown.code, 1);
  assert.match(unknown.err, /--confg.*--config/);
  assert.equal(unknown.out, '');
  assert.equal(run([]).code, 1);
  assert.match(run(['--config', '/no/such/file.yaml']).err, /no\/such\/file\.yaml/);
});

test('validate reads everything and starts nothing: 0 when good, 1 with every issue and its place when bad', async (t) => {
  const directory = tempDirectory(t);
  const ports = await freePorts();
  const good = engineConfig(ports, { nop: {} });
  // The port is taken, and it does not matter.
  const other = createServer().listen(ports.http, '127.0.0.1');
  afterwards(t, () => other.close());
  const ok = run(['validate', '--config', `yaml:${good}`], directory);
  assert.deepEqual([ok.code, ok.err], [0, '']);
  assert.deepEqual(readdirSync(directory), [], 'no data directory appears');

  const file = join(directory, 'bad.yaml');
  writeFileSync(
    file,
    'receivers:\n  otlp:\n    protocolls:\n  nosuch:\nexporters:\n  nop:\nservice:\n  pipelines:\n    traces:\n      receivers: [otlp]\n      exporters: [nop, missing]\n',
  );
  for (const args of [
    ['validate', '--config', file],
    ['--config', file],
  ]) {
    const bad = run(args, directory);
    assert.equal(bad.code, 1, bad.err);
    assert.match(bad.err, /bad\.yaml:3:5.*protocolls/);
    assert.match(bad.err, /nosuch/);
    assert.match(bad.err, /missing/);
    assert.match(bad.err, /4 errors/);
    assert.ok(!bad.err.includes('    at '), 'no stack');
  }
  assert.deepEqual(readdirSync(directory), ['bad.yaml']);
});

test('a data directory that cannot be used is exit 1 at once, with its name', async (t) => {
  const directory = tempDirectory(t);
  const config = engineConfig(await freePorts(), { nop: {} });
  writeFileSync(join(directory, 'file'), '');
  mkdirSync(join(directory, 'data'));
  writeFileSync(join(directory, 'data', 'logs'), '');
  for (const dataDir of [
    join(directory, 'file'),
    join(directory, 'file', 'below'),
    join(directory, 'data'),
  ]) {
    const { code, err } = run(['--config', `yaml:${config}`, '--data-dir', dataDir]);
    assert.equal(code, 1, `${dataDir}: ${err}`);
    assert.ok(err.includes(dataDir), err);
    assert.ok(!err.includes('    at '), `no stack: ${err}`);
  }
});

test('an address that is taken is exit 1 and names it; nothing is left running', async (t) => {
  const directory = tempDirectory(t);
  const ports = await freePorts();
  const other = createServer().listen(ports.grpc, '127.0.0.1');
  afterwards(t, () => other.close());
  const engine = EngineProcess.spawn({ config: engineConfig(ports, { nop: {} }), dataDir: directory });
  afterwards(t, () => engine.kill());
  assert.deepEqual(await engine.exit(), { code: 1, signal: null }, engine.log);
  assert.match(engine.log, new RegExp(`error: .*${ports.grpc}`));
});

test('SIGTERM at any moment of the start ends with 0 and releases the directory', async (t) => {
  const directory = tempDirectory(t);
  const config = engineConfig(await freePorts(), { nop: {} });
  for (const delayMs of [300, 500, 700]) {
    const engine = EngineProcess.spawn({ config, dataDir: directory });
    afterwards(t, () => engine.kill());
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    const startedMs = Date.now();
    const exit = await engine.kill('SIGTERM');
    // Before the program has begun to listen for signals, the signal itself ends it.
    if (exit.signal === 'SIGTERM') assert.equal(engine.log, '');
    else assert.deepEqual(exit, CLEAN, `${delayMs} ms: ${engine.log}`);
    assert.ok(!engine.log.includes('error'), engine.log);
    assert.ok(Date.now() - startedMs < STOP_WITHIN_MS);
  }
  const engine = await EngineProcess.start({ config, dataDir: directory });
  assert.deepEqual(await engine.kill('SIGINT'), CLEAN, engine.log);
});

test('G3: a second signal ends at once while the first still waits for a worker that hangs', async (t) => {
  const directory = tempDirectory(t);
  const ports = await freePorts();
  const config = engineConfig(ports, { nop: {} });
  const engine = await EngineProcess.start({
    config,
    dataDir: directory,
    failpoints: 'pipeline.frame_read=hang',
  });
  afterwards(t, () => engine.kill());
  const headers = { 'content-type': 'application/x-protobuf' };
  const answer = fetch(`http://127.0.0.1:${ports.http}/v1/traces`, {
    method: 'POST',
    body: ledgerRequest(0, 0),
    headers,
  }).then(
    ({ status }) => status,
    () => 'connection ended',
  );
  await new Promise((resolve) => setTimeout(resolve, 1000));
  engine.child.kill('SIGTERM');
  await until('the stop to begin', () => engine.log.includes('stopping'));
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(engine.hasExited, false, engine.log);
  const startedMs = Date.now();
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN);
  assert.ok(Date.now() - startedMs < 5000, 'waited for the first signal');
  assert.notEqual(await answer, 200);
});

for (const signals of [1, 2]) {
  test(`--durability memory leaves nothing behind after ${signals === 1 ? 'a stop' : 'two signals'}`, async (t) => {
    const ports = await freePorts();
    const engine = await EngineProcess.start({
      config: engineConfig(ports, { nop: {} }),
      dataDir: join(tempDirectory(t), 'unused'),
      flags: ['--durability', 'memory'],
    });
    afterwards(t, () => engine.kill());
    const directory = /data in memory +(\S+)/.exec(engine.log)?.[1];
    assert.ok(directory !== undefined && existsSync(directory), engine.log);
    const headers = { 'content-type': 'application/x-protobuf' };
    const response = await fetch(`http://127.0.0.1:${ports.http}/v1/traces`, {
      method: 'POST',
      body: ledgerRequest(0, 0),
      headers,
    });
    assert.equal(response.status, 200);
    for (let i = 1; i < signals; i++) engine.child.kill('SIGINT');
    assert.deepEqual(await engine.kill('SIGTERM'), CLEAN, engine.log);
    assert.equal(existsSync(directory), false, `${directory} is still there`);
  });
}
