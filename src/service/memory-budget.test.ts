import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  afterwards,
  CLEAN_EXIT,
  ledgerClient,
  startEngine,
  tempDirectory,
} from '../testkit/e2e/storage.test-peer.ts';
import { engineConfig, freePort, freePorts, metricSum, until } from '../testkit/engine-process.ts';
import { memoryText, totalBytes } from './memory-budget.ts';

const MIB = 1 << 20;

test('the sum is the sum of what is listed', () => {
  const parts = [
    { part: 'rings', bytes: 3 * MIB },
    { part: 'log_writers', bytes: 5 * MIB },
  ] as const;
  assert.equal(totalBytes(parts), 8 * MIB);
  assert.equal(memoryText(parts), '8 MiB   (every bounded buffer full: rings 3, log writers 5)');
});

test('anonymous memory stays below what is printed, with a dead backend and a full queue', {
  timeout: 180_000,
}, async (t) => {
  if (process.platform !== 'linux') return t.diagnostic('only Linux tells anonymous memory');
  const ports = await freePorts();
  const dead = { endpoint: `http://127.0.0.1:${await freePort()}` };
  const engine = await startEngine(t, {
    config: engineConfig(ports, { nop: {}, otlphttp: dead }, { signals: ['traces'] }),
    dataDir: join(tempDirectory(t), 'data'),
    flags: ['--workers', '1', '--disk-budget', '64MiB'],
  });
  const printed = Number(/memory at most +(\d+) MiB/.exec(engine.log)?.[1]) * MIB;
  assert.ok(printed > 100 * MIB && printed < 2048 * MIB, engine.log);
  const scrape = await engine.metrics(ports.metrics);
  const shown = metricSum(scrape, 'millrace_memory_budget_bytes');
  assert.ok(Math.abs(shown - printed) <= MIB, `${shown} on the scrape`);

  // Bodies of about a megabyte, until the disk budget refuses them, and for a while behind that.
  const client = ledgerClient(t, ports.http, 16, 250_000);
  let peak = 0;
  const sampling = setInterval(() => {
    const status = readFileSync(`/proc/${engine.child.pid}/status`, 'utf8');
    peak = Math.max(peak, Number(/^RssAnon:\s+(\d+)/m.exec(status)?.[1] ?? 0) * 1024);
  }, 50);
  afterwards(t, () => clearInterval(sampling));
  client.start();
  await until('a full queue', () => (client.statuses.get(503) ?? 0) > 50);
  await new Promise((resolve) => setTimeout(resolve, 3000));
  await client.stop();
  clearInterval(sampling);
  assert.ok(peak > 50 * MIB, 'measured');
  assert.ok(peak < printed, `${peak} bytes measured, ${printed} printed`);
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
  t.diagnostic(`${Math.round(peak / MIB)} MiB measured, ${printed / MIB} MiB printed`);
});
