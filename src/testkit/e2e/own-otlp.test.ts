/** The engine's own metrics and spans, sent by one engine and taken by another. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { EngineProcess, engineConfig, freePorts, metricSum, until } from '../engine-process.ts';
import { LedgerClient, ledgerRequest } from '../ledger-client.ts';
import { sendOwnTelemetry } from '../own-otlp.ts';
import { afterwards } from './storage.test-peer.ts';

function directory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'millrace-own-otlp-'));
  afterwards(t, () => rmSync(path, { recursive: true, force: true }));
  return path;
}

for (const protocol of ['http/protobuf', 'grpc'] as const) {
  test(`own metrics and spans arrive at another engine by ${protocol}`, { timeout: 180_000 }, async (t) => {
    const path = directory(t);
    const ports = await freePorts();
    const file = join(path, 'out.json');
    const taker = await EngineProcess.start({
      config: engineConfig(ports, { file: { path: file } }),
      dataDir: join(path, 'taker'),
    });
    afterwards(t, () => taker.kill());
    const port = protocol === 'grpc' ? ports.grpc : ports.http;
    const target = { protocol, endpoint: `http://127.0.0.1:${port}`, compression: 'gzip' };
    await sendOwnTelemetry(await freePorts(), join(path, 'sender'), target, file);
  });
}

test('a console reader prints a line of OTLP/JSON each time', { timeout: 180_000 }, async (t) => {
  const path = directory(t);
  const config = JSON.parse(engineConfig(await freePorts(), { nop: {} }));
  config.service.telemetry.metrics.readers = [{ periodic: { interval: 200, exporter: { console: null } } }];
  const engine = await EngineProcess.start({ config: JSON.stringify(config), dataDir: path });
  afterwards(t, () => engine.kill());
  let text = '';
  engine.child.stdout!.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  await until('two lines', () => text.split('\n').length > 2);
  const [line] = text.split('\n');
  const { resourceMetrics } = JSON.parse(line!);
  assert.ok(resourceMetrics[0].scopeMetrics.length > 2);
});

test('telemetry that cannot be sent is counted, and hinders nothing', { timeout: 180_000 }, async (t) => {
  const path = directory(t);
  const ports = await freePorts();
  const config = JSON.parse(engineConfig(ports, { nop: {} }));
  const exporter = { otlp: { protocol: 'http/protobuf', endpoint: 'http://127.0.0.1:1' } };
  config.service.telemetry.metrics.readers.push({ periodic: { interval: 200, exporter } });
  config.service.telemetry.traces = { processors: [{ simple: { exporter } }] };
  const engine = await EngineProcess.start({ config: JSON.stringify(config), dataDir: path });
  afterwards(t, () => engine.kill());
  const client = new LedgerClient({ port: ports.http, producers: 1 });
  assert.equal(await client.send(ledgerRequest(0, 0)), 200);
  client.close();
  await until('failures on the scrape', async () => {
    const text = await engine.metrics(ports.metrics);
    const failed = (signal: string) =>
      metricSum(text, 'millrace_telemetry_exports', ['outcome="failed"', `otel_signal="${signal}"`]);
    const lost = metricSum(text, 'millrace_telemetry_lost_spans', ['reason="send_failed"']);
    return failed('metrics') > 0 && failed('traces') > 0 && lost > 0;
  });
  await engine.said(/own metrics could not be sent/);
  assert.equal((await engine.kill('SIGTERM')).code, 0);
});
