/** The second version of the health check in the real program: an exporter that fails and recovers. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { EngineProcess, engineConfig, freePort, freePorts, until } from '../engine-process.ts';
import { LedgerClient, ledgerRequest } from '../ledger-client.ts';
import { afterwards } from './storage.test-peer.ts';

interface Status {
  status: string;
  healthy: boolean;
  error?: string;
  components: Record<string, Status>;
}

test('an exporter without its backend is a recoverable error until the backend is back', {
  timeout: 180_000,
}, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-health-status-'));
  afterwards(t, () => rmSync(directory, { recursive: true, force: true }));
  const [ports, health, backendPort] = [await freePorts(), await freePort(), await freePort()];
  const exporter = {
    endpoint: `http://127.0.0.1:${backendPort}`,
    retry_on_failure: { initial_interval: '100ms', max_interval: '200ms' },
  };
  const check = {
    use_v2: true,
    http: { endpoint: `127.0.0.1:${health}` },
    component_health: { include_recoverable_errors: true },
  };
  const engine = await EngineProcess.start({
    config: engineConfig(
      ports,
      { nop: {}, otlp_http: exporter },
      { signals: ['traces'], extensions: { health_check: check } },
    ),
    dataDir: join(directory, 'data'),
  });
  afterwards(t, () => engine.kill());
  const status = async (query = '') => {
    // A scrape makes the figures of all threads fresh.
    await engine.metrics(ports.metrics);
    const response = await fetch(`http://127.0.0.1:${health}/status${query}`);
    return { code: response.status, body: (await response.json()) as Status };
  };
  const well = await status('?verbose');
  assert.deepEqual([well.code, well.body.status, well.body.healthy], [200, 'StatusOK', true]);
  assert.deepEqual(Object.keys(well.body.components['pipeline:traces']!.components), [
    'receiver:otlp',
    'exporter:nop',
    'exporter:otlp_http',
  ]);

  const client = new LedgerClient({ port: ports.http, producers: 1 });
  assert.equal(await client.send(ledgerRequest(0, 0)), 200);
  client.close();
  await until('the error', async () => (await status()).code === 500);
  const { body } = await status('?pipeline=traces&verbose');
  assert.equal(body.status, 'StatusRecoverableError');
  assert.equal(body.components['exporter:nop']!.status, 'StatusOK');
  assert.match(body.components['exporter:otlp_http']!.error ?? '', /newest attempt failed/);

  const backend = createServer((request, response) => request.resume().on('end', () => response.end()));
  backend.listen(backendPort, '127.0.0.1');
  await once(backend, 'listening');
  afterwards(t, () => backend.close().closeAllConnections());
  await until('the recovery', async () => (await status()).code === 200);
  assert.equal((await status()).body.status, 'StatusOK');
  assert.equal((await engine.kill('SIGTERM')).code, 0, engine.log);
});
