/** One engine sends to another over both OTLP exporters, with TLS and a credential: every item arrives, changed in nothing. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { SIGNALS } from '../../component/signal.ts';
import { TestAuthority, tempDir, writePair } from '../certificates.ts';
import { EngineProcess, engineConfig, freePort, freePorts, metricSum, until } from '../engine-process.ts';
import { generateRequest } from '../generators.ts';
import { flattenRequest } from '../otlp-flatten.ts';
import { CollectorFile } from '../services/collector-json.ts';
import { afterwards } from './storage.test-peer.ts';

const ITEMS = 100;
const REQUESTS = 5;
const SENT_NAMES = {
  traces: 'otelcol_exporter_sent_spans',
  metrics: 'otelcol_exporter_sent_metric_points',
  logs: 'otelcol_exporter_sent_log_records',
};

test('both OTLP exporters deliver all signals to another engine', { timeout: 180_000 }, async (t) => {
  const directory = await tempDir(t);
  const authority = await TestAuthority.create();
  const { certFile, keyFile } = await writePair(directory, 'server', await authority.issue('server'));
  const caFile = join(directory, 'ca.crt');
  writeFileSync(caFile, authority.cert);
  const extensions = { bearertokenauth: { token: 'let me in' } };
  const secured = {
    tls: { cert_file: certFile, key_file: keyFile },
    auth: { authenticator: 'bearertokenauth' },
  };
  const file = join(directory, 'taken.json');
  const sinkPorts = await freePorts();
  const sinkConfig = JSON.parse(engineConfig(sinkPorts, { file: { path: file } }, { extensions }));
  Object.assign(sinkConfig.receivers.otlp.protocols.http, secured);
  Object.assign(sinkConfig.receivers.otlp.protocols.grpc, secured);
  const sink = await EngineProcess.start({
    config: JSON.stringify(sinkConfig),
    dataDir: join(directory, 'sink'),
  });
  afterwards(t, () => sink.kill('SIGTERM'));

  const shared = { tls: { ca_file: caFile }, auth: { authenticator: 'bearertokenauth' } };
  const relayPorts = await freePorts();
  const relay = await EngineProcess.start({
    config: engineConfig(
      relayPorts,
      {
        otlp_grpc: { endpoint: `localhost:${sinkPorts.grpc}`, ...shared },
        otlp_http: { endpoint: `https://localhost:${sinkPorts.http}`, ...shared },
        'otlp_http/unsigned': {
          endpoint: `https://localhost:${sinkPorts.http}`,
          tls: { ca_file: caFile },
          retry_on_failure: { enabled: false },
        },
        'otlp_grpc/nobody': { endpoint: `127.0.0.1:${await freePort()}`, tls: { insecure: true } },
      },
      { extensions },
    ),
    dataDir: join(directory, 'relay'),
  });
  afterwards(t, () => relay.kill('SIGTERM'));

  const wanted: string[] = [];
  for (const signal of SIGNALS) {
    for (let seed = 1; seed <= REQUESTS; seed++) {
      const body = generateRequest({ signal, itemsPerRequest: ITEMS, seed });
      const response = await fetch(`http://127.0.0.1:${relayPorts.http}/v1/${signal}`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-protobuf' },
        body: new Uint8Array(body),
      });
      assert.equal(response.status, 200);
      for (const item of flattenRequest(signal, body)) wanted.push(comparable(item));
    }
  }

  const written = new CollectorFile(file);
  const got: string[] = [];
  await until('every item twice', () => {
    for (const { signal, bytes } of written.readNew()) {
      for (const item of flattenRequest(signal, bytes)) got.push(comparable(item));
    }
    return got.length >= 2 * wanted.length;
  });
  assert.deepEqual(got.toSorted(), [...wanted, ...wanted].toSorted());

  const scrape = await (await fetch(`http://127.0.0.1:${relayPorts.metrics}/metrics`)).text();
  for (const signal of SIGNALS) {
    for (const exporter of ['otlp_grpc', 'otlp_http']) {
      assert.equal(metricSum(scrape, SENT_NAMES[signal], [`exporter="${exporter}"`]), ITEMS * REQUESTS);
    }
  }
  await relay.said(/HTTP Status Code 401/);
  assert.doesNotMatch(relay.log + sink.log, /let me in/);
});

/** Text of an item without what a file in JSON writes although it is empty. */
function comparable(item: object): string {
  return JSON.stringify(item, (_key, value) => (isEmpty(value) ? undefined : value));
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
