import assert from 'node:assert/strict';
import test from 'node:test';
import { squash } from '../config/field-kinds.ts';
import { defineConfig } from '../config/schema.ts';
import {
  brokerAddress,
  type KafkaClientConfig,
  kafkaClientShape,
  kafkaSasl,
  kafkaTls,
} from './config-client.ts';

const schema = defineConfig<{ client: KafkaClientConfig }>({ client: squash(kafkaClientShape) });

function good(raw: unknown): KafkaClientConfig {
  const parsed = schema.parse(raw);
  assert.deepEqual(parsed.issues, []);
  return parsed.value!.client;
}

const messages = (raw: unknown) =>
  schema.parse(raw).issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
const warnings = (raw: unknown) =>
  (schema.parse(raw).warnings ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);

test('without keys: one local broker, plain text, nobody', () => {
  const config = good({});
  assert.deepEqual(config.brokers, ['localhost:9092']);
  assert.equal(config.clientId, 'otel-collector');
  assert.equal(kafkaTls(config), undefined);
  assert.equal(kafkaSasl(config), undefined);
  assert.deepEqual(config.metadata, { refreshIntervalMs: 600_000, retry: { max: 3, backoffMs: 250 } });
});

test('brokers are host:port, and a host alone means the usual port', () => {
  assert.equal(brokerAddress('kafka-0.example.org'), 'kafka-0.example.org:9092');
  assert.equal(brokerAddress(' 10.0.0.1:19092 '), '10.0.0.1:19092');
  assert.deepEqual(good({ brokers: 'a:1,b:2' }).brokers, ['a:1', 'b:2']);
  assert.deepEqual(messages({ brokers: [] }), ['brokers: at least one broker is needed']);
  for (const bad of ['[::1]:9092', 'a:b', 'http://a:9092', ':9092', 'a:0', '']) {
    assert.match(messages({ brokers: [bad] })[0] ?? '', /^brokers: expected host:port/, bad);
  }
});

test('credentials: both spellings, each mechanism, and those that are not served are refused by name', () => {
  const sasl = { mechanism: 'SCRAM-SHA-512', username: 'u', password: 'p' };
  assert.deepEqual(kafkaSasl(good({ auth: { sasl } })), { ...sasl, tokenSource: undefined });
  const old = { auth: { plain_text: { username: 'u', password: 'p' } } };
  assert.deepEqual(kafkaSasl(good(old)), {
    mechanism: 'PLAIN',
    username: 'u',
    password: 'p',
    tokenSource: undefined,
  });
  assert.deepEqual(warnings(old), [
    'auth.plain_text: "plain_text" is deprecated; use "sasl" with mechanism PLAIN instead',
  ]);
  assert.match(messages({ auth: { ...old.auth, sasl } })[0]!, /cannot be used together with "sasl"/);
  assert.match(
    messages({ auth: { sasl: { ...sasl, mechanism: 'AWS_MSK_IAM_OAUTHBEARER' } } })[0]!,
    /AWS_MSK_IAM/,
  );
  assert.match(messages({ auth: { kerberos: {} } })[0]!, /"kerberos" is not supported/);
  assert.deepEqual(messages({ auth: { sasl: { mechanism: 'PLAIN', username: 'u' } } }), [
    'auth.sasl.password: is required',
  ]);
  assert.deepEqual(messages({ auth: { sasl: { mechanism: 'OAUTHBEARER' } } }), [
    'auth.sasl.oauthbearer_token_source: is required for OAUTHBEARER',
  ]);
});

test('tls: absent is plain text, a section switches it on, and its old place works', () => {
  assert.notEqual(kafkaTls(good({ tls: null })), undefined);
  assert.equal(kafkaTls(good({ tls: { insecure: true } })), undefined);
  assert.notEqual(kafkaTls(good({ tls: { insecure: true, ca_file: '/ca.pem' } })), undefined);
  const old = { auth: { tls: { ca_file: '/ca.pem' } } };
  assert.equal(kafkaTls(good(old))?.caFile, '/ca.pem');
  assert.deepEqual(warnings(old), ['auth.tls: "auth.tls" is deprecated; use "tls" instead']);
  assert.match(messages({ ...old, tls: {} })[0]!, /keep one/);
});

test('keys without an effect say so', () => {
  const raw = {
    protocol_version: '2.1.0',
    resolve_canonical_bootstrap_servers_only: true,
    conn_idle_timeout: '9m',
    metadata: { full: false, refresh_interval: '1m', retry: { max: 5, backoff: '100ms' } },
  };
  assert.equal(warnings(raw).length, 4);
  assert.deepEqual(good(raw).metadata, { refreshIntervalMs: 60_000, retry: { max: 5, backoffMs: 100 } });
});

test('a printed configuration shows no password', () => {
  const parsed = schema.parse({ auth: { sasl: { mechanism: 'PLAIN', username: 'u', password: 'hush' } } });
  assert.ok(!JSON.stringify(schema.redact(parsed.value!)).includes('hush'));
});
