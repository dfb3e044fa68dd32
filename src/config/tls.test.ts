import assert from 'node:assert/strict';
import test from 'node:test';
import { section } from './field-kinds.ts';
import { defineConfig } from './schema.ts';
import { tlsClientShape } from './tls-client.ts';
import { tlsServerShape } from './tls-server.ts';

const client = defineConfig({ tls: section('tls', tlsClientShape, { doc: 'TLS.' }) });
const server = defineConfig({ tls: section('tls', tlsServerShape, { optional: true, doc: 'TLS.' }) });

function messages(schema: typeof client | typeof server, tls: unknown): string[] {
  return schema.parse({ tls }).issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
}

test('a client without keys speaks TLS 1.2 or newer and checks the server', () => {
  const { value } = client.parse({});
  assert.equal(value?.tls.insecure, false);
  assert.equal(value?.tls.insecureSkipVerify, false);
  assert.equal(value?.tls.minVersion, '1.2');
  assert.equal(value?.tls.maxVersion, undefined);
  assert.equal(value?.tls.reloadIntervalMs, 0);
});

test('a server takes every key of the Collector', () => {
  const { value, issues } = server.parse({
    tls: {
      cert_file: 'a.crt',
      key_file: 'a.key',
      client_ca_file: 'ca.crt',
      client_ca_file_reload: true,
      min_version: '1.2',
      max_version: '1.3',
      cipher_suites: ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', 'TLS_AES_128_GCM_SHA256'],
      curve_preferences: ['X25519', 'P256'],
      reload_interval: '1h',
      include_system_ca_certs_pool: true,
    },
  });
  assert.deepEqual(issues, []);
  assert.deepEqual(value?.tls, {
    caFile: undefined,
    caPem: undefined,
    certFile: 'a.crt',
    certPem: undefined,
    keyFile: 'a.key',
    keyPem: undefined,
    includesSystemCas: true,
    minVersion: '1.2',
    maxVersion: '1.3',
    cipherSuites: ['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256'],
    curves: ['X25519', 'P256'],
    reloadIntervalMs: 3_600_000,
    clientCaFile: 'ca.crt',
    reloadsClientCa: true,
  });
});

test('halves and doubles are refused with the Collector’s words', () => {
  assert.deepEqual(messages(server, {}), [
    'tls: TLS configuration must include both certificate and key for server connections',
  ]);
  assert.deepEqual(messages(client, { cert_file: 'a' }), [
    'tls: TLS configuration must include both certificate and key (CertFile/CertPem and KeyFile/KeyPem)',
  ]);
  assert.deepEqual(messages(client, { ca_file: 'a', ca_pem: 'b' }), [
    'tls: provide either a CA file or the PEM-encoded string, but not both',
  ]);
  assert.deepEqual(messages(client, { min_version: '1.3', max_version: '1.2' }), [
    'tls.min_version: must not be above max_version',
  ]);
  assert.match(messages(client, { cipher_suites: ['TLS_RSA_WITH_RC4_128_SHA'] })[0]!, /not a safe suite/);
  assert.match(messages(client, { curve_preferences: ['P224'] })[0]!, /expected one of X25519/);
  assert.match(messages(client, { tpm: { enabled: true } })[0]!, /"tpm" is not supported/);
});

test('authorities that a server does not use are told', () => {
  const tls = { cert_file: 'a', key_file: 'b', ca_file: 'c' };
  const { issues, warnings } = server.parse({ tls });
  assert.deepEqual(issues, []);
  assert.deepEqual(
    warnings?.map(({ path, message }) => `${path.join('.')}: ${message}`),
    ['tls.ca_file: has no effect on a server; client_ca_file names the authorities of client certificates'],
  );
});

test('PEM texts never show in messages or in a printed configuration', () => {
  const canary = 'CANARY-PEM';
  const parsed = server.parse({ tls: { cert_pem: canary, key_pem: canary, ca_pem: canary } });
  assert.ok(parsed.value !== undefined);
  const printed = JSON.stringify(server.redact(parsed.value));
  assert.doesNotMatch(printed, /CANARY/);
  assert.match(printed, /"keyPem":"\[REDACTED\]"/);
  const issues = server.parse({ tls: { key_pem: { [canary]: 1 }, cert_pem: [canary] } }).issues;
  assert.ok(issues.length > 0);
  assert.doesNotMatch(JSON.stringify(issues), /CANARY/);
});
