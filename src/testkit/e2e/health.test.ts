/** G12: the health check says what is true while workers die, the disk refuses, and the engine starts and stops. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { EngineProcess, engineConfig, freePort, freePorts, until } from '../engine-process.ts';
import { ledgerRequest } from '../ledger-client.ts';
import { afterwards, CLEAN_EXIT, ledgerClient, startEngine, tempDirectory } from './storage.test-peer.ts';

interface Health {
  /** 0: nobody answers. */
  status: number;
  reasons: string[];
}

async function healthOf(port: number): Promise<Health> {
  const response = await fetch(`http://127.0.0.1:${port}/?verbose`).catch(() => undefined);
  if (response === undefined) return { status: 0, reasons: [] };
  const { reasons } = (await response.json()) as { reasons: string[] };
  return { status: response.status, reasons };
}

function withHealth(port: number) {
  return { signals: ['traces'], extensions: { health_check: { endpoint: `127.0.0.1:${port}` } } };
}

test('not ready before every listener is bound, ready then, not ready from the signal on', {
  timeout: 180_000,
}, async (t) => {
  const ports = await freePorts();
  const health = await freePort();
  const engine = EngineProcess.spawn({
    config: engineConfig(ports, { nop: {} }, withHealth(health)),
    dataDir: join(tempDirectory(t), 'data'),
    failpoints: 'worker.start=delay:1500;pipeline.frame_read=delay:3500',
  });
  afterwards(t, () => engine.kill());
  const seen: Health[] = [];
  await until('the health check to be ready', async () => {
    const now = await healthOf(health);
    if (now.status !== 0) seen.push(now);
    // Whoever is told that it is ready can send at once.
    if (now.status === 200)
      assert.notEqual((await fetch(`http://127.0.0.1:${ports.http}/v1/traces`)).status, 0);
    return now.status === 200;
  });
  assert.deepEqual(seen[0], { status: 503, reasons: ['starting'] });

  // A request that takes its time holds the stop up; less time than that after which a worker counts as hung.
  const client = ledgerClient(t, ports.http, 1);
  const answer = client.send(ledgerRequest(0, 0));
  await new Promise((resolve) => setTimeout(resolve, 500));
  engine.child.kill('SIGTERM');
  let reasons: string[] = [];
  await until('the answer of a stop', async () => {
    const now = await healthOf(health);
    reasons = now.reasons;
    return now.status === 503;
  });
  assert.deepEqual(reasons, ['shutting down']);
  assert.equal(await answer, 200);
  assert.deepEqual(await engine.exit(), CLEAN_EXIT, engine.log);
});

test('not ready while a worker is away, ready again with its successor', { timeout: 180_000 }, async (t) => {
  const ports = await freePorts();
  const health = await freePort();
  const engine = await startEngine(t, {
    config: engineConfig(ports, { nop: {} }, withHealth(health)),
    dataDir: join(tempDirectory(t), 'data'),
    failpoints: 'pipeline.frame_read=throw@2',
    flags: ['--workers', '1'],
  });
  assert.deepEqual(await healthOf(health), { status: 200, reasons: [] });
  const client = ledgerClient(t, ports.http, 1);
  assert.equal(await client.send(ledgerRequest(0, 0)), 200);
  const answer = client.send(ledgerRequest(0, 1));
  let reasons: string[] = [];
  await until('the worker to be missed', async () => {
    ({ reasons } = await healthOf(health));
    return reasons.length > 0;
  });
  assert.match(reasons.join(), /1 of the worker threads are not running/);
  await until('the successor', async () => (await healthOf(health)).status === 200);
  assert.equal(await answer, 200);
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
});

test('not ready while the disk budget refuses data; a dead backend alone is no reason', {
  timeout: 60_000,
}, async (t) => {
  const ports = await freePorts();
  const health = await freePort();
  const dead = { clickhouse: { endpoint: `http://127.0.0.1:${await freePort()}` } };
  const engine = await startEngine(t, {
    config: engineConfig(ports, dead, withHealth(health)),
    dataDir: join(tempDirectory(t), 'data'),
    flags: ['--disk-budget', '16MiB', '--workers', '1'],
  });
  const client = ledgerClient(t, ports.http, 4, 50_000);
  client.start();
  await until('acknowledgements', () => client.acked.size > 10);
  assert.deepEqual(await healthOf(health), { status: 200, reasons: [] });
  await until('a refusal', () => client.statuses.has(503));
  await client.stop();
  const { status, reasons } = await healthOf(health);
  assert.equal(status, 503);
  assert.deepEqual(reasons, ['log traces~0 takes no data: disk budget or free space']);
  assert.ok(!engine.hasExited, engine.log);
});
