/** A real Prometheus scrapes the real program under load, and every query of the Grafana dashboard returns figures. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { EngineProcess, freePort, freePorts, until } from '../engine-process.ts';
import { LedgerClient, ledgerRequest, SPANS_PER_REQUEST } from '../ledger-client.ts';
import { dashboardQueries } from '../services/dashboard.ts';
import { CHECKOUT } from '../source-tree.ts';
import { samplingConfig } from './sampling.test-peer.ts';

const SCRIPT = join(CHECKOUT, 'configs', 'scripts', 'prometheus.sh');
const REQUEST_EVERY_MS = 50;
const RATE_WINDOW = '10s';

interface Answer {
  status: string;
  error?: string;
  data: { result: { metric: Record<string, string>; value: [number, string] }[] };
}

describe('Prometheus', { timeout: 180_000 }, () => {
  let directory: string;
  let prometheus: ChildProcess;
  let engine: EngineProcess;
  let load: NodeJS.Timeout;
  let client: LedgerClient;
  let api: string;
  let metricsPort: number;

  const query = async (expr: string): Promise<Answer> => {
    const response = await fetch(`${api}/query?${new URLSearchParams({ query: expr })}`);
    return (await response.json()) as Answer;
  };

  before(async () => {
    execFileSync('bash', [SCRIPT, 'install'], { stdio: ['ignore', 'ignore', 'inherit'] });
    directory = mkdtempSync(join(tmpdir(), 'millrace-prometheus-'));
    const ports = await freePorts();
    metricsPort = ports.metrics;
    const config = samplingConfig(ports, { nop: {} });
    engine = await EngineProcess.start({ config, dataDir: join(directory, 'engine') });
    client = new LedgerClient({ port: ports.http, producers: 1 });
    let sent = 0;
    load = setInterval(() => void client.send(ledgerRequest(0, sent++)).catch(() => 0), REQUEST_EVERY_MS);
    const port = await freePort();
    api = `http://127.0.0.1:${port}/api/v1`;
    const target = `127.0.0.1:${ports.metrics}`;
    prometheus = spawn('bash', [SCRIPT, 'run', join(directory, 'prometheus'), String(port), target], {
      stdio: 'ignore',
    });
    await until(
      'six scrapes',
      async () => {
        const answer = await query('count_over_time(otelcol_process_uptime[1m])').catch(() => undefined);
        return Number(answer?.data.result[0]?.value[1] ?? 0) >= 6;
      },
      60_000,
    );
  });

  after(async () => {
    clearInterval(load);
    client?.close();
    await engine?.kill();
    if (prometheus !== undefined && prometheus.exitCode === null) {
      prometheus.kill('SIGTERM');
      await once(prometheus, 'exit');
    }
    rmSync(directory, { recursive: true, force: true });
  });

  test('every query of the dashboard returns figures', async () => {
    const queries = dashboardQueries(RATE_WINDOW);
    assert.ok(queries.length > 30);
    for (const { place, expr } of queries) {
      const { status, error, data } = await query(expr);
      assert.equal(status, 'success', `${place}: ${error}\n${expr}`);
      assert.ok(data.result.length > 0, `${place} has no data: ${expr}`);
      const finite = data.result.filter(({ value }) => Number.isFinite(Number(value[1])));
      assert.ok(finite.length > 0, `${place} has no figure: ${expr}`);
    }
  });

  test('the rate that Prometheus sees is the rate that was sent, and the instance is told by target_info', async () => {
    const { data } = await query(`sum(rate(otelcol_receiver_accepted_spans[${RATE_WINDOW}]))`);
    const rate = Number(data.result[0]!.value[1]);
    const expected = (SPANS_PER_REQUEST * 1000) / REQUEST_EVERY_MS;
    assert.ok(rate > expected * 0.5 && rate < expected * 1.3, `${rate} for ${expected}`);
    const info = (await query('target_info')).data.result[0]!.metric;
    assert.equal(info.service_name, 'millrace');
    assert.match(info.service_instance_id!, /^[0-9a-f-]{36}$/);
  });

  test('the scrape is sound for promtool', async () => {
    const scrape = await engine.metrics(metricsPort);
    const { status, stderr, error } = spawnSync('promtool', ['check', 'metrics'], {
      input: scrape,
      encoding: 'utf8',
    });
    if (error !== undefined) throw error;
    // 3 is for names that are not as Prometheus would choose them: the Collector's are not, either.
    assert.ok(status === 0 || status === 3, stderr);
    const complaints = stderr.split('\n').filter((line) => line !== '' && !line.includes('_total'));
    const collectorNames = complaints.filter((line) => line.startsWith('otelcol_'));
    assert.deepEqual(
      complaints.filter((line) => !collectorNames.includes(line) && !/abbreviated|base unit/.test(line)),
      [],
    );
  });
});
