/**
 * Each file of configs/examples runs unchanged in the Collector and in millrace. Both get the same requests from the
 * Collector's exporters, from the OpenTelemetry SDK over HTTP, and from grpc-js, in plain text, with certificates and with
 * credentials where the file asks for them. What both send on to the Collector's receivers must be the same, item by item.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { credentials, Metadata } from '@grpc/grpc-js';
import { OTLPLogExporter as GrpcLogs } from '@opentelemetry/exporter-logs-otlp-grpc';
import { OTLPLogExporter as ProtoLogs } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter as GrpcMetrics } from '@opentelemetry/exporter-metrics-otlp-grpc';
import { OTLPMetricExporter as ProtoMetrics } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter as GrpcTraces } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as ProtoTraces } from '@opentelemetry/exporter-trace-otlp-proto';
import type { Signal } from '../../component/signal.ts';
import { type KeyPair, TestAuthority, writePair } from '../certificates.ts';
import { encodeOtlpJson } from '../services/collector-json.ts';
import {
  assertSameItems,
  ConfigPair,
  type PairCase,
  SIDES,
  type SidePorts,
} from '../services/config-pair.ts';
import { fullLogs, fullMetrics, fullTraces } from '../services/full-requests.ts';
import { installPrograms, type Programs } from '../services/programs.ts';
import { randomRequests } from '../services/random-requests.ts';
import { shopLogs, shopMetrics, shopTraces } from '../services/shop-requests.ts';
import { CHECKOUT } from '../source-tree.ts';
import { exportRecorded, recordOnce } from './sdk-same.test-peer.ts';

const EXAMPLES = join(CHECKOUT, 'configs', 'examples');
const RANDOM_COUNT = 5;
const SEED = 20_261_122;
const TOKEN = 'token-of-clients';

interface Case extends PairCase {
  /** Headers of clients that are no Collector. */
  headers?: Record<string, string>;
  /** Files in `STATE` that both sides write by themselves. */
  files?: readonly string[];
}

const directory = mkdtempSync(join(tmpdir(), 'millrace-examples-'));
const certificate = (name: string) => join(directory, name);
const basic = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

const serverTls = {
  cert_file: certificate('server.crt'),
  key_file: certificate('server.key'),
  client_ca_file: certificate('ca.crt'),
};

const clientTls = {
  ca_file: certificate('ca.crt'),
  cert_file: certificate('client.crt'),
  key_file: certificate('client.key'),
};

const CASES: readonly Case[] = [
  { name: 'gateway', sinks: ['backend'] },
  { name: 'redaction', sinks: ['backend'], env: { DEPLOYMENT: 'production' } },
  { name: 'noise', sinks: ['backend'] },
  { name: 'teams', sinks: ['backend', 'archive'] },
  {
    name: 'mutual-tls',
    sinks: ['backend', 'archive'],
    env: { CERTIFICATES: directory },
    client: { http: { tls: clientTls }, grpc: { tls: clientTls } },
    sink: { backend: { tls: serverTls }, archive: { tls: serverTls } },
  },
  {
    name: 'tokens',
    sinks: ['backend', 'archive'],
    env: { CLIENT_TOKEN: TOKEN, BACKEND_PASSWORD: 'password-of-relay', ARCHIVE_TOKEN: 'token-of-archive' },
    // Go's gRPC gives no token to a connection without TLS, only headers.
    client: {
      http: { auth: { authenticator: 'bearertokenauth/sender' } },
      grpc: { headers: { authorization: `Bearer ${TOKEN}` } },
    },
    headers: { authorization: `Bearer ${TOKEN}` },
    extensions: {
      'bearertokenauth/sender': { token: TOKEN },
      'basicauth/backend': { htpasswd: { inline: 'relay:password-of-relay' } },
      'bearertokenauth/archive': { token: 'token-of-archive' },
    },
    sink: {
      backend: { auth: { authenticator: 'basicauth/backend' } },
      archive: { auth: { authenticator: 'bearertokenauth/archive' } },
    },
  },
  {
    name: 'passwords',
    sinks: ['backend'],
    env: { AGENT_NAME: 'sender', AGENT_PASSWORD: 'password-of-sender' },
    client: {
      http: { auth: { authenticator: 'basicauth/sender' } },
      grpc: { headers: { authorization: basic('sender', 'password-of-sender') } },
    },
    headers: { authorization: basic('agent', 'secret') },
    extensions: {
      'basicauth/sender': { client_auth: { username: 'sender', password: 'password-of-sender' } },
    },
  },
  { name: 'durable-queue', sinks: ['backend', 'archive'] },
  { name: 'environment', sinks: ['backend'], env: { WHOLE: '7', STAGE: 'test', RATIO: '1e3' } },
  { name: 'conditions', sinks: ['backend'] },
  {
    name: 'tenants',
    sinks: ['backend'],
    client: { http: { headers: { 'X-Tenant': 'shop' } }, grpc: { headers: { 'x-tenant': 'mail' } } },
    headers: { 'x-tenant': 'sdk' },
  },
  { name: 'sidecar', sinks: ['backend'], files: ['copy.json'] },
];

const REQUESTS: readonly (readonly [Signal, Uint8Array])[] = [
  ['traces', encodeOtlpJson('traces', shopTraces())],
  ['logs', encodeOtlpJson('logs', shopLogs())],
  ['metrics', encodeOtlpJson('metrics', shopMetrics())],
  ['traces', encodeOtlpJson('traces', fullTraces('checkout'))],
  ['logs', encodeOtlpJson('logs', fullLogs('mailer'))],
  ['metrics', encodeOtlpJson('metrics', fullMetrics('checkout'))],
  ...(['traces', 'logs', 'metrics'] as const).flatMap((signal) =>
    randomRequests(signal, 'checkout', RANDOM_COUNT, SEED).map((bytes) => [signal, bytes] as const),
  ),
];

describe('files of configs/examples in both programs', { timeout: 900_000, concurrency: 2 }, () => {
  let programs: Programs;
  let authority: TestAuthority;
  let client: KeyPair;

  before(async () => {
    programs = await installPrograms();
    authority = await TestAuthority.create();
    client = await authority.issue('client');
    writeFileSync(certificate('ca.crt'), authority.cert);
    await writePair(directory, 'server', await authority.issue('server'));
    await writePair(directory, 'client', client);
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  /** The SDK to one side over HTTP and over grpc-js. */
  function sdkExporters({ http, grpc }: SidePorts, { headers = {}, client: wanted }: Case) {
    const isTls = wanted?.http?.tls !== undefined;
    const agent = isTls ? { httpAgentOptions: { ca: authority.cert, ...client } } : {};
    const url = (signal: string) => `http${isTls ? 's' : ''}://localhost:${http}/v1/${signal}`;
    const over = (signal: string) => ({ url: url(signal), headers, ...agent });
    const metadata = new Metadata();
    for (const [key, text] of Object.entries(headers)) metadata.set(key, text);
    const secure = () =>
      credentials.createSsl(Buffer.from(authority.cert), Buffer.from(client.key), Buffer.from(client.cert));
    const call = {
      url: `http${isTls ? 's' : ''}://localhost:${grpc}`,
      metadata,
      ...(isTls ? { credentials: secure() } : {}),
    };
    return [
      {
        spans: new ProtoTraces(over('traces')),
        records: new ProtoLogs(over('logs')),
        metrics: new ProtoMetrics(over('metrics')),
      },
      { spans: new GrpcTraces(call), records: new GrpcLogs(call), metrics: new GrpcMetrics(call) },
    ];
  }

  test('every file has its case', () => {
    const files = readdirSync(EXAMPLES).filter((file) => file.endsWith('.yaml'));
    assert.deepEqual(files.sort(), CASES.map(({ name }) => `${name}.yaml`).sort());
  });

  for (const each of CASES) {
    test(`${each.name}.yaml: both send on the same items`, async () => {
      const own = join(directory, each.name);
      for (const part of ['collector', 'millrace']) mkdirSync(join(own, part), { recursive: true });
      const pair = await ConfigPair.start(programs, each, join(EXAMPLES, `${each.name}.yaml`), own);
      try {
        await Promise.all(
          REQUESTS.map(async ([signal, body]) => {
            const response = await fetch(`http://127.0.0.1:${pair.senderPort}/v1/${signal}`, {
              method: 'POST',
              headers: { 'content-type': 'application/x-protobuf' },
              body: new Uint8Array(body),
            });
            assert.equal(response.status, 200, `${await response.text()}\n${JSON.stringify(pair.logs)}`);
          }),
        );
        const recorded = await recordOnce('checkout');
        for (const side of SIDES) {
          for (const exporters of sdkExporters(pair.ports[side], each)) {
            await exportRecorded(recorded, exporters);
          }
        }
        await pair.settle();
      } finally {
        await pair.stop();
      }
      for (const sink of each.sinks) {
        assertSameItems(pair.items('millrace', sink), pair.items('collector', sink), sink);
      }
      for (const file of each.files ?? []) {
        assertSameItems(pair.ownFile('millrace', file), pair.ownFile('collector', file), file);
      }
      for (const secret of ['password-of-relay', 'token-of-archive', TOKEN, 'password-of-sender']) {
        assert.ok(!pair.logs.millrace.includes(secret), `the log of millrace shows "${secret}"`);
      }
    });
  }
});
