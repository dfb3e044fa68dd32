/**
 * The real program behind mutual TLS and a bearer token, with the exporters of the OpenTelemetry SDK in front: what
 * has both gets in, what lacks one does not, nothing of the secrets shows anywhere.
 */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { credentials, Metadata } from '@grpc/grpc-js';
import { OTLPTraceExporter as GrpcTraces } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as ProtoTraces } from '@opentelemetry/exporter-trace-otlp-proto';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-base';
import { type KeyPair, TestAuthority, tempDir, writePair } from '../certificates.ts';
import { EngineProcess, engineConfig, freePorts, metricSum, until } from '../engine-process.ts';
import { afterwards } from './storage.test-peer.ts';

const TOKEN = 'CANARY-e2e-7f3a9b';
const NEXT_TOKEN = 'CANARY-next-51c0de';

/** Sends one span of this name. @returns what the SDK was told, '' for success. */
async function sendSpan(exporter: SpanExporter, name: string): Promise<string> {
  const memory = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(memory)] });
  provider.getTracer('secured').startSpan(name).end();
  const spans = memory.getFinishedSpans();
  const result = await new Promise<string>((resolve) => {
    exporter.export(spans, ({ code, error }) => resolve(code === 0 ? '' : (error?.message ?? 'failed')));
  });
  await exporter.shutdown();
  return result;
}

async function startSecured(t: TestContext) {
  const directory = await tempDir(t);
  const authority = await TestAuthority.create();
  const files = await writePair(directory, 'server', await authority.issue('server'));
  const clientCaFile = path.join(directory, 'clients.crt');
  const tokens = path.join(directory, 'tokens');
  const sink = path.join(directory, 'out.json');
  await Promise.all([writeFile(clientCaFile, authority.cert), writeFile(tokens, TOKEN)]);
  const ports = await freePorts();
  const config = JSON.parse(
    engineConfig(
      ports,
      { file: { path: sink } },
      {
        signals: ['traces'],
        extensions: { bearertokenauth: { filename: tokens } },
      },
    ),
  );
  const security = {
    tls: {
      cert_file: files.certFile,
      key_file: files.keyFile,
      client_ca_file: clientCaFile,
      reload_interval: '50ms',
    },
    auth: { authenticator: 'bearertokenauth' },
  };
  const { protocols } = config.receivers.otlp;
  for (const protocol of [protocols.http, protocols.grpc]) Object.assign(protocol, security);
  const engine = await EngineProcess.start({
    config: JSON.stringify(config),
    dataDir: path.join(directory, 'data'),
  });
  afterwards(t, () => engine.kill());
  const over = (pair: KeyPair | undefined, token: string): [string, SpanExporter][] => {
    const authorization = `Bearer ${token}`;
    const metadata = new Metadata();
    metadata.set('authorization', authorization);
    const own = pair === undefined ? [] : [Buffer.from(pair.key), Buffer.from(pair.cert)];
    return [
      [
        'http',
        new ProtoTraces({
          url: `https://localhost:${ports.http}/v1/traces`,
          headers: { authorization },
          httpAgentOptions: { ca: authority.cert, ...pair },
          timeoutMillis: 3000,
        }),
      ],
      [
        'grpc',
        new GrpcTraces({
          url: `https://localhost:${ports.grpc}`,
          metadata,
          credentials: credentials.createSsl(Buffer.from(authority.cert), own[0], own[1]),
          timeoutMillis: 3000,
        }),
      ],
    ];
  };
  return { directory, authority, tokens, sink, ports, engine, over, clientCaFile };
}

test('certificate and token let the SDK in, one alone does not, and both can be exchanged while it runs', async (t) => {
  const { directory, authority, tokens, sink, ports, engine, over } = await startSecured(t);
  const pair = await authority.issue('client');
  for (const [name, exporter] of over(pair, TOKEN)) {
    assert.equal(await sendSpan(exporter, `good-${name}`), '', name);
  }
  for (const [name, exporter] of over(pair, 'CANARY-wrong')) {
    assert.notEqual(await sendSpan(exporter, `wrong-token-${name}`), '', name);
  }
  for (const [name, exporter] of over(undefined, TOKEN)) {
    assert.notEqual(await sendSpan(exporter, `no-certificate-${name}`), '', name);
  }
  await Promise.all([
    writeFile(tokens, NEXT_TOKEN),
    writePair(directory, 'server', await authority.issue('server-2')),
  ]);
  await until('both files are read again', () => {
    return (
      engine.log.includes('the token file was read again') &&
      engine.log.includes('the TLS files were read again')
    );
  });
  for (const [name, exporter] of over(pair, NEXT_TOKEN)) {
    assert.equal(await sendSpan(exporter, `next-${name}`), '', name);
  }
  for (const [name, exporter] of over(pair, TOKEN)) {
    assert.notEqual(await sendSpan(exporter, `old-token-${name}`), '', name);
  }
  const metrics = await engine.metrics(ports.metrics);
  const refused = metricSum(metrics, 'millrace_receiver_refused_requests_total', ['unauthenticated']);
  const either = refused + metricSum(metrics, 'millrace_receiver_refused_requests', ['unauthenticated']);
  assert.ok(
    either >= 4,
    metrics
      .split('\n')
      .filter((line) => line.includes('refused_requests'))
      .join('\n'),
  );
  const names = async () => {
    const written = await readFile(sink, 'utf8');
    return [...written.matchAll(/"name":"((?:good|next|wrong|no|old)-[^"]*)"/g)].map(([, name]) => name);
  };
  await until('four spans are delivered', async () => (await names()).length >= 4);
  await engine.kill('SIGTERM');
  assert.deepEqual((await names()).sort(), ['good-grpc', 'good-http', 'next-grpc', 'next-http']);
  const written = await readFile(sink, 'utf8');
  // Secrets show nowhere: log, metrics, delivered data.
  const secrets = [TOKEN, NEXT_TOKEN, 'CANARY', Buffer.from(TOKEN).toString('base64'), 'PRIVATE KEY'];
  for (const secret of secrets) {
    assert.ok(!engine.log.includes(secret) && !metrics.includes(secret) && !written.includes(secret), secret);
  }
});

test('exporters of another engine get in with their own certificate and token, over both protocols', async (t) => {
  const { directory, authority, tokens, sink, ports, clientCaFile } = await startSecured(t);
  const own = await writePair(directory, 'client', await authority.issue('client'));
  const security = {
    tls: { ca_file: clientCaFile, cert_file: own.certFile, key_file: own.keyFile },
    auth: { authenticator: 'bearertokenauth' },
  };
  const exporters = {
    otlphttp: { endpoint: `https://localhost:${ports.http}`, ...security },
    otlp: { endpoint: `https://localhost:${ports.grpc}`, ...security },
  };
  const frontPorts = await freePorts();
  const extensions = { bearertokenauth: { filename: tokens } };
  const front = await EngineProcess.start({
    config: engineConfig(frontPorts, exporters, { signals: ['traces'], extensions }),
    dataDir: path.join(directory, 'front'),
  });
  afterwards(t, () => front.kill());
  const plain = new ProtoTraces({ url: `http://127.0.0.1:${frontPorts.http}/v1/traces` });
  assert.equal(await sendSpan(plain, 'good-relayed'), '');
  const count = async () => {
    const written = await readFile(sink, 'utf8').catch(() => '');
    return [...written.matchAll(/"name":"good-relayed"/g)].length;
  };
  await until('the span came by both ways', async () => (await count()) === 2);
  assert.ok(!front.log.includes(TOKEN));
});

test('an authenticator that is not there, or cannot authenticate clients, stops the start by name', async (t) => {
  const directory = await tempDir(t);
  const cases: [Record<string, unknown>, RegExp][] = [
    [{}, /references extension "headers_setter" which is not configured/],
    [
      { headers_setter: { headers: [{ key: 'a', value: 'b' }] } },
      /"headers_setter" which is not a server authenticator/,
    ],
  ];
  for (const [extensions, message] of cases) {
    const config = JSON.parse(
      engineConfig(await freePorts(), { nop: null }, { signals: ['traces'], extensions }),
    );
    config.receivers.otlp.protocols.http.auth = { authenticator: 'headers_setter' };
    const engine = EngineProcess.spawn({
      config: JSON.stringify(config),
      dataDir: path.join(directory, 'data'),
    });
    const { code } = await engine.exit();
    assert.notEqual(code, 0);
    assert.match(engine.log, message);
  }
});
