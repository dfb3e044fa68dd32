/** A reload takes new settings of the engine's own telemetry over: log outputs, readers, spans. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { EngineProcess, engineConfig, freePorts, metricSum, until } from '../engine-process.ts';
import { LedgerClient, ledgerRequest } from '../ledger-client.ts';
import { afterwards } from './storage.test-peer.ts';

test('log outputs, a periodic reader and spans, by SIGHUP; a log that cannot be opened changes nothing', {
  timeout: 60_000,
}, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-telemetry-reload-'));
  afterwards(t, () => rmSync(directory, { recursive: true, force: true }));
  const ports = await freePorts();
  const configFile = join(directory, 'config.json');
  const [first, second] = [join(directory, 'first.log'), join(directory, 'second.log')];
  const write = (logs: object, more: { readers?: object[]; traces?: object } = {}) => {
    const config = JSON.parse(engineConfig(ports, { nop: {} }, { signals: ['traces'] }));
    const { telemetry } = config.service;
    telemetry.logs = logs;
    telemetry.metrics.readers.push(...(more.readers ?? []));
    if (more.traces !== undefined) telemetry.traces = more.traces;
    writeFileSync(configFile, JSON.stringify(config));
  };
  write({ output_paths: [first] });
  const engine = await EngineProcess.start({ config: '', configFile, dataDir: join(directory, 'data') });
  afterwards(t, () => engine.kill());
  let printed = '';
  engine.child.stdout!.on('data', (chunk: Buffer) => {
    printed += chunk.toString();
  });
  const text = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8') : '');
  const reloads = async (outcome: string) =>
    metricSum(await engine.metrics(ports.metrics), 'millrace_config_reloads', [`outcome="${outcome}"`]);

  write({ output_paths: [join(directory, 'no', 'such.log')] });
  engine.child.kill('SIGHUP');
  await until('the refusal', async () => (await reloads('failed')) === 1);
  assert.match(text(first), /the new configuration was given up.*cannot open/);

  const exporter = { console: null };
  write(
    { output_paths: [second], encoding: 'json' },
    {
      readers: [{ periodic: { interval: 200, exporter } }],
      traces: { processors: [{ simple: { exporter } }] },
    },
  );
  engine.child.kill('SIGHUP');
  await until('the new settings', async () => (await reloads('success')) === 1);
  assert.match(text(second), /"msg":"the new configuration runs"/);
  assert.doesNotMatch(text(first), /the new configuration runs/);
  const client = new LedgerClient({ port: ports.http, producers: 1 });
  assert.equal(await client.send(ledgerRequest(0, 0)), 200);
  client.close();
  await until('metrics on stdout', () => printed.includes('resourceMetrics'));
  // Exporter workers are new, so they make spans, too.
  await until(
    'spans on stdout',
    () => printed.includes('receiver/otlp/') && printed.includes('exporter/nop/'),
  );

  write({ output_paths: [second], encoding: 'json' });
  engine.child.kill('SIGHUP');
  await until('a configuration without them', async () => (await reloads('success')) === 2);
  printed = '';
  await new Promise((resolve) => setTimeout(resolve, 700));
  assert.equal(printed, '');
  assert.equal((await engine.kill('SIGTERM')).code, 0);
  assert.match(text(second), /"msg":"stopping"/);
});
