/**
 * E5 and E13: canary texts in every place that may hold a credential, backends that are away, every error path that
 * shows an address. Guarantee: nothing that the program prints, logs or serves has one, in any usual encoding.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { freePort, freePorts, until } from '../engine-process.ts';
import { ledgerRequest } from '../ledger-client.ts';
import { LOADED_ROOT } from '../source-tree.ts';
import { CLEAN_EXIT, ledgerClient, startEngine, tempDirectory } from './storage.test-peer.ts';

const MAIN = join(LOADED_ROOT, 'src', import.meta.url.endsWith('.ts') ? 'main.ts' : 'main.js');
const CANARY = 'CANARYq7z';

/** Each value once, so that a leak says where it came from. */
function canaries(): { next: () => string; all: string[] } {
  const all: string[] = [];
  const next = () => {
    all.push(`${CANARY}${all.length}x${(all.length * 7919 + 104_729).toString(36)}`);
    return all.at(-1)!;
  };
  return { next, all };
}

/** What of a secret must not be in a text: as it is, in base64 at every offset, in hexadecimal, cut short. */
function formsOf(secret: string): string[] {
  const base64 = [0, 1, 2].map((offset) => {
    const whole = Buffer.from(`${'u'.repeat(offset)}${secret}`).toString('base64');
    // The characters at both ends hold bits of what stands beside it.
    return whole.slice(offset === 0 ? 0 : 4, -4);
  });
  return [secret.slice(0, CANARY.length + 1), ...base64, Buffer.from(secret).toString('hex')];
}

function assertClean(place: string, text: string, all: readonly string[]): void {
  for (const secret of all) {
    for (const form of formsOf(secret))
      assert.ok(!text.includes(form), `${place} shows ${secret} as ${form}:\n${text.slice(0, 4000)}`);
  }
}

test('no output shows a secret of the configuration', { timeout: 180_000 }, async (t) => {
  const directory = tempDirectory(t);
  const ports = await freePorts();
  const zpages = await freePort();
  const dead = await freePort();
  const { next, all } = canaries();
  const fast = {
    timeout: '300ms',
    retry_on_failure: { initial_interval: '50ms', max_interval: '100ms' },
    sending_queue: { batch: { flush_timeout: '20ms' } },
  };
  writeFileSync(join(directory, 'token'), next());
  const config = {
    receivers: {
      otlp: {
        protocols: {
          grpc: { endpoint: `127.0.0.1:${ports.grpc}` },
          http: { endpoint: `127.0.0.1:${ports.http}`, response_headers: { 'x-internal': next() } },
        },
      },
    },
    extensions: {
      bearertokenauth: { token: next() },
      'bearertokenauth/file': { filename: join(directory, 'token') },
      basicauth: { client_auth: { username: 'somebody', password: next() } },
      zpages: { endpoint: `127.0.0.1:${zpages}` },
    },
    exporters: {
      otlp: {
        ...fast,
        endpoint: `http://127.0.0.1:${dead}`,
        headers: { authorization: `Bearer ${next()}`, 'x-key-bin': next() },
      },
      otlphttp: {
        ...fast,
        endpoint: `http://${next()}:${next()}@127.0.0.1:${dead}/?key=${next()}`,
        headers: { 'x-api-key': next() },
      },
      'otlphttp/token': {
        ...fast,
        endpoint: `http://127.0.0.1:${dead}`,
        auth: { authenticator: 'bearertokenauth' },
      },
      'otlphttp/file': {
        ...fast,
        endpoint: `http://127.0.0.1:${dead}`,
        auth: { authenticator: 'bearertokenauth/file' },
      },
      'otlphttp/basic': {
        ...fast,
        endpoint: `http://127.0.0.1:${dead}`,
        auth: { authenticator: 'basicauth' },
      },
      'otlphttp/proxy': {
        ...fast,
        endpoint: 'http://backend.invalid',
        proxy_url: `http://p:${next()}@127.0.0.1:${dead}`,
      },
      clickhouse: {
        ...fast,
        endpoint: `tcp://${next()}:${next()}@127.0.0.1:9000/db?password=${next()}&max_threads=1&some_key=${next()}`,
        password: next(),
        connection_params: { some_token: next() },
      },
    },
    service: {
      extensions: ['bearertokenauth', 'bearertokenauth/file', 'basicauth', 'zpages'],
      telemetry: {
        logs: { level: 'debug' },
        metrics: {
          level: 'detailed',
          readers: [{ pull: { exporter: { prometheus: { host: '127.0.0.1', port: ports.metrics } } } }],
        },
      },
      pipelines: {} as Record<string, unknown>,
    },
  };
  config.service.pipelines.traces = { receivers: ['otlp'], exporters: Object.keys(config.exporters) };
  const file = join(directory, 'config.yaml');
  writeFileSync(file, JSON.stringify(config));

  const run = async (...args: string[]) => {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [MAIN, ...args]).catch(
      (error: { stdout: string; stderr: string }) => error,
    );
    return stdout + stderr;
  };
  for (const format of ['yaml', 'json']) {
    const printed = await run('print-config', '--config', file, '--format', format);
    assert.match(printed, /REDACTED/);
    assertClean(`print-config --format ${format}`, printed, all);
  }

  const engine = await startEngine(t, { config: '', configFile: file, dataDir: join(directory, 'data') });
  const client = ledgerClient(t, ports.http, 1);
  for (let sequence = 0; sequence < 5; sequence++)
    assert.equal(await client.send(ledgerRequest(0, sequence)), 200);
  const failing = Object.keys(config.exporters);
  const failed = (id: string) =>
    engine.log.split('\n').some((line) => line.includes('tried again') && line.includes(`"${id}"`));
  await until('every exporter to fail', () => failing.every(failed));
  await new Promise((resolve) => setTimeout(resolve, 1000));
  assertClean('the scrape', await engine.metrics(ports.metrics), all);
  for (const page of ['servicez', 'pipelinez', 'extensionz', 'featurez']) {
    const answer = await fetch(`http://127.0.0.1:${zpages}/debug/${page}`);
    assertClean(page, await answer.text(), all);
  }
  // A reload with the same secrets beside mistakes, and the endpoints that cannot be.
  const broken = structuredClone(config) as { exporters: Record<string, Record<string, unknown>> };
  broken.exporters.otlp!.endpoint = `http://${next()}:${next()}@127.0.0.1:${dead}?token=${next()}`;
  broken.exporters.otlphttp!.endpoint = `http//${next()}:${next()}@127.0.0.1:x`;
  broken.exporters['otlphttp/proxy']!.proxy_url = `${next()}:${next()}@127.0.0.1`;
  broken.exporters.clickhouse!.endpoint = `tcp://u:${next()}@127.0.0.1:1234/?password=${next()}`;
  broken.exporters.clickhouse!.connection_params = { 'not a name': next() };
  writeFileSync(file, JSON.stringify(broken));
  engine.child.kill('SIGHUP');
  await until('the mistakes', () => engine.log.includes('errors in the configuration'));
  assertClean('validate', await run('validate', '--config', file), all);
  if (process.platform === 'linux') {
    assertClean('the command line', readFileSync(`/proc/${engine.child.pid}/cmdline`, 'utf8'), all);
  }
  assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT, engine.log);
  assertClean('the log', engine.log, all);
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    if (/position|identity|storages$/.test(name))
      assertClean(name, readFileSync(join(directory, name), 'latin1'), all);
  }
  assert.ok(all.length >= 24);
});
