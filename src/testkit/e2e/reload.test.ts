/**
 * G4 and G5: a configuration is exchanged under load. Guarantee: every request is answered, what was answered with 200
 * arrives, listeners that did not change refuse no connection, and a wrong configuration changes nothing.
 */
import assert from 'node:assert/strict';
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  type EnginePorts,
  EngineProcess,
  engineConfig,
  freePorts,
  metricSum,
  until,
} from '../engine-process.ts';
import { deliveredSpans } from '../file-sink.ts';
import { type LedgerClient, ledgerRequest } from '../ledger-client.ts';
import {
  afterwards,
  CLEAN_EXIT,
  drained,
  ledgerClient,
  startEngine,
  tempDirectory,
} from './storage.test-peer.ts';

const RELOADS = 20;

/** Replaces the file in one step, as editors and configuration management do. */
function writeConfig(path: string, config: string): void {
  writeFileSync(`${path}.new`, config);
  renameSync(`${path}.new`, path);
}

function sink(path: string, batchSize: number): Record<string, unknown> {
  return { path, format: 'proto', append: true, sending_queue: { batch: { min_size: batchSize } } };
}

async function reloaded(engine: EngineProcess, metricsPort: number, times: number): Promise<void> {
  const count = async (outcome: string) => {
    const scrape = await engine.metrics(metricsPort);
    return metricSum(scrape, 'millrace_config_reloads', [`outcome="${outcome}"`]);
  };
  await until(`reload ${times}`, async () => engine.hasExited || (await count('success')) >= times);
  assert.equal(await count('failed'), 0, engine.log);
}

function assertAllArrived(client: LedgerClient, sinks: readonly string[]): number {
  const delivered = new Set(sinks.flatMap((path) => [...deliveredSpans(path).keys()]));
  const missing = client.ackedSpans().filter((key) => !delivered.has(key));
  assert.deepEqual(missing, [], 'acknowledged spans that did not arrive');
  return delivered.size;
}

function traces(ports: EnginePorts, exporters: Record<string, unknown>, extensions = {}): string {
  return engineConfig(ports, exporters, { signals: ['traces'], extensions });
}

async function start(t: TestContext, config: string, flags: string[] = []) {
  const directory = tempDirectory(t);
  const file = join(directory, 'config.yaml');
  writeConfig(file, config.replaceAll('DIR', directory));
  const engine = await startEngine(t, {
    config: '',
    configFile: file,
    dataDir: join(directory, 'data'),
    flags,
  });
  const write = (text: string) => writeConfig(file, text.replaceAll('DIR', directory));
  return { directory, engine, write };
}

test(`G4: ${RELOADS} reloads under load lose nothing, answer everything and keep the ports`, {
  timeout: 180_000,
}, async (t) => {
  const ports = await freePorts();
  const { directory, engine, write } = await start(t, traces(ports, { file: sink('DIR/a.bin', 1) }));
  const client = ledgerClient(t, ports.http, 4, 100, 2);
  client.start();
  await until('acknowledgements', () => client.acked.size > 50);
  for (let round = 1; round <= RELOADS; round++) {
    // In turn: another batch size, one more exporter, one exporter less.
    const exporters: Record<string, unknown> = { file: sink('DIR/a.bin', round + 1) };
    // What waits for it while it is away is thousands of items, which it shall not send by handfuls.
    if (round % 3 === 2) exporters['file/b'] = sink('DIR/b.bin', 2_000);
    write(traces(ports, exporters));
    const ackedBefore = client.acked.size;
    engine.child.kill('SIGHUP');
    await reloaded(engine, ports.metrics, round);
    await until('acknowledgements behind the reload', () => client.acked.size > ackedBefore + 20);
  }
  await client.stop();
  assert.equal(client.connectionErrors, 0, 'a connection was refused or cut');
  assert.deepEqual([...client.statuses.keys()], [200], 'requests wait while the workers are exchanged');
  const scrape = await engine.metrics(ports.metrics);
  assert.equal(metricSum(scrape, 'millrace_config_reloads', ['outcome="success"']), RELOADS);
  await drained(engine, ports.metrics);
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
  const arrived = assertAllArrived(client, [join(directory, 'a.bin')]);
  const pausedMs = [...engine.log.matchAll(/paused_ms\D+(\d+)/g)].map((match) => Number(match[1]));
  assert.ok(pausedMs.length >= 10, 'the log tells how long');
  t.diagnostic(
    `${client.acked.size} requests acknowledged, ${arrived} spans; paused for ${Math.min(...pausedMs)} to ${Math.max(...pausedMs)} ms`,
  );
});

test('G5: a broken file changes nothing and tells every mistake', { timeout: 180_000 }, async (t) => {
  const ports = await freePorts();
  const good = traces(ports, { file: sink('DIR/a.bin', 1) });
  const { engine, write, directory } = await start(t, good);
  const client = ledgerClient(t, ports.http, 2);
  client.start();
  const broken = [
    '{',
    good.replace('"file"', '"fiel"').replace('"traces"', '"tracse"'),
    good.replace('"path"', '"pth"'),
    '',
  ];
  for (const [index, text] of broken.entries()) {
    write(text);
    engine.child.kill('SIGHUP');
    const failures = () => engine.log.split('the new configuration has errors').length - 1;
    await until(`failure ${index + 1}`, () => failures() === index + 1 || engine.hasExited);
    await engine.said(/errors in the configuration; nothing was changed/);
  }
  await engine.said(/unknown type: "fiel"/);
  await engine.said(/unknown pipeline signal: "tracse"/);
  await engine.said(/unknown key "pth"/);
  const scrape = await engine.metrics(ports.metrics);
  assert.equal(metricSum(scrape, 'millrace_config_last_reload_successful'), 0);
  assert.equal(metricSum(scrape, 'millrace_config_reloads', ['outcome="failed"']), broken.length);
  await client.stop();
  assert.deepEqual([...client.statuses.keys()], [200], 'nobody noticed');
  write(good);
  engine.child.kill('SIGHUP');
  await until('the old file again', () => engine.log.includes('the configuration is unchanged'));
  await drained(engine, ports.metrics);
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
  assertAllArrived(client, [join(directory, 'a.bin')]);
});

test('a configuration that is right but cannot start goes back to the old one', {
  timeout: 180_000,
}, async (t) => {
  const ports = await freePorts();
  const { engine, write } = await start(t, traces(ports, { nop: {} }));
  const other = await startEngine(t, {
    config: traces(await freePorts(), { nop: {} }, { health_check: { endpoint: '127.0.0.1:0' } }),
    dataDir: join(tempDirectory(t), 'other'),
  });
  const taken = await freePorts();
  const blocker = await startEngine(t, {
    config: traces(taken, { nop: {} }),
    dataDir: join(tempDirectory(t), 'blocker'),
  });
  const client = ledgerClient(t, ports.http, 1);
  // An extension that cannot listen, a receiver that cannot listen, and metrics that cannot be served.
  const wrong = [
    traces(ports, { nop: {} }, { health_check: { endpoint: `127.0.0.1:${taken.http}` } }),
    traces({ ...ports, grpc: taken.grpc }, { nop: {} }),
    traces({ ...ports, metrics: taken.metrics }, { nop: {} }),
    traces(ports, { file: { path: '/nonexistent/directory/file', format: 'proto' } }),
  ];
  for (const [index, text] of wrong.entries()) {
    write(text);
    engine.child.kill('SIGHUP');
    const failures = () => engine.log.split('the new configuration was given up').length - 1;
    await until(`failure ${index + 1}`, () => failures() === index + 1 || engine.hasExited);
    assert.equal(await client.send(ledgerRequest(0, index)), 200, engine.log);
  }
  assert.equal(metricSum(await engine.metrics(ports.metrics), 'millrace_ready'), 1);
  for (const each of [engine, other, blocker])
    assert.deepEqual(await each.kill('SIGTERM'), CLEAN_EXIT, each.log);
});

test('--watch takes a changed file over; only the listener whose address changed is moved', {
  timeout: 40_000,
}, async (t) => {
  const ports = await freePorts();
  const moved = { ...ports, http: (await freePorts()).http };
  const { engine, write, directory } = await start(t, traces(ports, { file: sink('DIR/a.bin', 1) }), [
    '--watch',
  ]);
  const before = ledgerClient(t, ports.http, 1);
  assert.equal(await before.send(ledgerRequest(0, 0)), 200);
  write(traces(moved, { file: sink('DIR/a.bin', 1) }));
  await reloaded(engine, ports.metrics, 1);
  assert.ok(!engine.log.includes('workers were exchanged'), 'the workers had no reason to be exchanged');
  const after = ledgerClient(t, moved.http, 1);
  assert.equal(await after.send(ledgerRequest(0, 1)), 200);
  await assert.rejects(before.send(ledgerRequest(0, 2)));
  write(traces(moved, { file: sink('DIR/b.bin', 1) }));
  await reloaded(engine, ports.metrics, 2);
  assert.equal(await after.send(ledgerRequest(0, 3)), 200);
  await until('the new file', () => existsSync(join(directory, 'b.bin')));
  writeFileSync(join(directory, 'target'), join(directory, 'c.bin'));
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference of the configuration.
  write(traces(moved, { file: sink('${file:DIR/target}', 1) }));
  await reloaded(engine, ports.metrics, 3);
  writeConfig(join(directory, 'target'), join(directory, 'd.bin'));
  await reloaded(engine, ports.metrics, 4);
  assert.ok(existsSync(join(directory, 'd.bin')), 'a file that the configuration names is watched, too');
  await drained(engine, ports.metrics);
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
  assert.equal(
    deliveredSpans(join(directory, 'a.bin')).size + deliveredSpans(join(directory, 'b.bin')).size,
    12,
  );
});

test('a receiver whose own keys change takes its address over from itself', {
  timeout: 180_000,
}, async (t) => {
  const ports = await freePorts();
  const config = (round: number) => {
    const tree = JSON.parse(traces(ports, { nop: {} }));
    tree.receivers.otlp.protocols.http.response_headers = { 'x-round': String(round) };
    return JSON.stringify(tree);
  };
  const { engine, write } = await start(t, config(0));
  let refusedConnections = 0;
  const rounds = new Set<string | null>();
  let isOver = false;
  const post = async () => {
    const body = Uint8Array.from(ledgerRequest(0, 0));
    const headers = { 'content-type': 'application/x-protobuf', connection: 'close' };
    const answer = await fetch(`http://127.0.0.1:${ports.http}/v1/traces`, { method: 'POST', headers, body });
    rounds.add(answer.headers.get('x-round'));
  };
  const posting = (async () => {
    while (!isOver) {
      await post().catch(async () => {
        refusedConnections += 1;
        // At the pace of a client that tries again, or a moment would count as often as the machine is fast.
        await new Promise((resolve) => setTimeout(resolve, 50));
      });
    }
  })();
  for (let round = 1; round <= 5; round++) {
    write(config(round));
    engine.child.kill('SIGHUP');
    await reloaded(engine, ports.metrics, round);
    await until('an answer of the new one', () => rounds.has(String(round)));
  }
  isOver = true;
  await posting;
  assert.ok(!engine.log.includes('workers were exchanged'), 'only the receiver was replaced');
  assert.ok(refusedConnections <= 30, `${refusedConnections} connections were refused in five reloads`);
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
  t.diagnostic(`${refusedConnections} connections were refused in five reloads`);
});

test('a pipeline of another signal comes and goes on the same listener', { timeout: 180_000 }, async (t) => {
  const ports = await freePorts();
  const config = (signals: string[]) => engineConfig(ports, { nop: {} }, { signals });
  const { engine, write } = await start(t, config(['traces']));
  const post = async (signal: string) => {
    const headers = { 'content-type': 'application/json' };
    const init = { method: 'POST', headers, body: '{}' };
    return (await fetch(`http://127.0.0.1:${ports.http}/v1/${signal}`, init)).status;
  };
  assert.deepEqual([await post('traces'), await post('logs')], [200, 404]);
  write(config(['traces', 'logs']));
  engine.child.kill('SIGHUP');
  await reloaded(engine, ports.metrics, 1);
  assert.deepEqual([await post('traces'), await post('logs')], [200, 200]);
  write(config(['logs']));
  engine.child.kill('SIGHUP');
  await reloaded(engine, ports.metrics, 2);
  assert.deepEqual([await post('traces'), await post('logs')], [404, 200]);
  assert.equal(engine.log.split('listening').length - 1, 2, 'one for each protocol, at the start');
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
});

test('SIGTERM during a reload ends with 0 and keeps what was acknowledged', {
  timeout: 180_000,
}, async (t) => {
  const ports = await freePorts();
  const { engine, write, directory } = await start(t, traces(ports, { file: sink('DIR/a.bin', 1) }));
  const client = ledgerClient(t, ports.http, 2);
  client.start();
  await until('acknowledgements', () => client.acked.size > 20);
  write(traces(ports, { file: sink('DIR/a.bin', 7) }));
  engine.child.kill('SIGHUP');
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
  await client.stop();
  const again = await EngineProcess.start({
    config: traces(ports, { file: sink(join(directory, 'a.bin'), 1) }),
    dataDir: join(directory, 'data'),
  });
  afterwards(t, () => again.kill());
  await drained(again, ports.metrics);
  assert.deepEqual(await again.kill('SIGTERM'), CLEAN_EXIT, again.log);
  assertAllArrived(client, [join(directory, 'a.bin')]);
});
