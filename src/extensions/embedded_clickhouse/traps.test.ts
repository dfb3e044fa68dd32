/** What chDB does to the process that loads it, and that this process is never the engine's. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { isChdbInstalled, startStore, temporaryDirectory } from './store.test-peer.ts';

/** (module (memory 1) (func (export "f") (result i32) i32.const 0x7ffffff0 i32.load)): reads past its memory. */
const OUT_OF_BOUNDS_WASM =
  '0061736d010000000105016000017f030201000503010001070501016600000a0d010b0041f0ffffff072802000b';

async function wasmTrapTests(directory: string): Promise<void> {
  const script = `
    const { Session } = require('chdb');
    const session = new Session(process.argv[1]);
    session.query('SELECT 1');
    const wasm = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from('${OUT_OF_BOUNDS_WASM}', 'hex')));
    try {
      wasm.exports.f();
    } catch (error) {
      process.stdout.write(error.name);
    }
    session.close();
  `;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--disable-wasm-trap-handler', '-e', script, directory],
    { cwd: fileURLToPath(new URL('.', import.meta.url)), timeout: 20_000, killSignal: 'SIGKILL' },
  );
  assert.equal(stdout, 'RuntimeError');
}

if (isChdbInstalled()) {
  test('a WebAssembly trap beside chDB is an error with the flag of the store process', async (t) => {
    await wasmTrapTests(join(await temporaryDirectory(t), 'wasm'));
  });

  test('chDB is loaded in a process of its own, with that flag', async (t) => {
    const store = await startStore(t);
    assert.equal((await store.client.ping({ select: true })).success, true);
    assert.notEqual(store.extension.pid, process.pid);
    const report = process.report.getReport() as unknown as { sharedObjects: string[] };
    assert.ok(report.sharedObjects.length > 0);
    assert.deepEqual(
      report.sharedObjects.filter((name) => /chdb/.test(name)),
      [],
    );
    if (process.platform !== 'linux') return;
    const { pid } = store.extension;
    const commandLine = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
    assert.ok(commandLine.includes('--disable-wasm-trap-handler'));
    assert.match(await readFile(`/proc/${pid}/environ`, 'utf8'), /\bUV_THREADPOOL_SIZE=15\b/);
    // The engine lives in that process, not in one below it.
    assert.match(await readFile(`/proc/${pid}/maps`, 'utf8'), /libchdb/);
  });
}
