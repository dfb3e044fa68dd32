/** The real servers that other tests build on do what those tests rely on: they keep what they took through kill -9. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { TestAuthority } from '../certificates.ts';
import { freePort } from '../engine-process.ts';
import { HaproxyServer } from '../services/haproxy-server.ts';
import { KafkaServer } from '../services/kafka-server.ts';
import { S3Server } from '../services/s3-server.ts';

const TOPICS = 'org.apache.kafka.tools.TopicCommand';
const SECURITY = 'org.apache.kafka.common.security';

describe('the Kafka broker of the tests', { timeout: 180_000 }, () => {
  let directory: string;
  let authority: TestAuthority;
  let kafka: KafkaServer;

  const list = async (bootstrap: string, settings: Record<string, string>): Promise<string> => {
    const file = join(directory, 'client.properties');
    const lines = Object.entries({
      'request.timeout.ms': '8000',
      'default.api.timeout.ms': '8000',
      ...settings,
    }).map(([key, value]) => `${key}=${value}\n`);
    writeFileSync(file, lines.join(''));
    return kafka.tool(TOPICS, ['--bootstrap-server', bootstrap, '--command-config', file, '--list']);
  };
  const scram = (password: string): string =>
    `${SECURITY}.scram.ScramLoginModule required username="sam" password="${password}";`;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'millrace-kafka-client-'));
    authority = await TestAuthority.create();
    const { cert, key } = await authority.issue('broker');
    kafka = await KafkaServer.start({
      tls: { cert, key, ca: authority.cert },
      sasl: {
        PLAIN: { paula: 'plain-secret' },
        'SCRAM-SHA-256': { sam: 'scram-secret' },
        'SCRAM-SHA-512': { sam: 'scram-secret' },
        OAUTHBEARER: true,
      },
    });
    writeFileSync(join(directory, 'ca.pem'), authority.cert);
    await kafka.createTopic('first', 3);
  });

  after(async () => {
    await kafka?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  test('its listeners take each mechanism with the right password, with and without TLS', async () => {
    const { tls, sasl, saslTls } = kafka.listeners;
    const trust = { 'ssl.truststore.type': 'PEM', 'ssl.truststore.location': join(directory, 'ca.pem') };
    assert.equal(await list(tls!, { 'security.protocol': 'SSL', ...trust }), 'first\n');
    const plain = `${SECURITY}.plain.PlainLoginModule required username="paula" password="plain-secret";`;
    const token = `${SECURITY}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="olga";`;
    for (const [mechanism, jaas] of [
      ['PLAIN', plain],
      ['SCRAM-SHA-512', scram('scram-secret')],
      ['OAUTHBEARER', token],
    ] as const) {
      const settings = { 'sasl.mechanism': mechanism, 'sasl.jaas.config': jaas };
      assert.equal(await list(sasl!, { 'security.protocol': 'SASL_PLAINTEXT', ...settings }), 'first\n');
    }
    const secured = { 'security.protocol': 'SASL_SSL', 'sasl.mechanism': 'SCRAM-SHA-256', ...trust };
    assert.equal(await list(saslTls!, { ...secured, 'sasl.jaas.config': scram('scram-secret') }), 'first\n');
    await assert.rejects(
      list(saslTls!, { ...secured, 'sasl.jaas.config': scram('wrong') }),
      /SaslAuthenticationException/,
    );
  });

  test('topics outlive kill -9, and one that is there is refused', async () => {
    await kafka.createTopic('second', 2, { 'retention.ms': '3600000' });
    await kafka.kill();
    await kafka.startProcess();
    assert.deepEqual(await kafka.endOffsets('second', 2), [0, 0]);
    await assert.rejects(kafka.createTopic('second', 2), /already exists/);
    await kafka.deleteTopic('second');
    await assert.rejects(kafka.endOffsets('second', 2), /offsets of second\/0: 3/);
  });
});

describe('the S3 server of the tests', { timeout: 180_000 }, () => {
  let s3: S3Server;
  before(async () => {
    s3 = await S3Server.start({ buckets: ['archive'] });
  });
  after(async () => s3?.stop());

  test('objects outlive kill -9, and a conditional write is refused where one lies', async () => {
    const body = Buffer.from('one object');
    const once = { body, headers: { 'If-None-Match': '*' } };
    assert.equal((await s3.request('PUT', '/archive/a/b c.bin', once)).status, 200);
    assert.equal((await s3.request('PUT', '/archive/a/b c.bin', once)).status, 412);
    await s3.kill();
    await s3.startProcess();
    const answer = await s3.request('GET', '/archive/a/b c.bin');
    assert.equal(await answer.text(), 'one object');
    assert.equal(answer.headers.get('etag'), `"${createHash('md5').update(body).digest('hex')}"`);
    assert.deepEqual(s3.keysOf('archive'), ['a/b c.bin']);
    assert.deepEqual(s3.objectBytes('archive', 'a/b c.bin'), body);
  });

  test('an upload in parts is listed until it is aborted', async () => {
    const begun = await s3.request('POST', '/archive/parts.bin', { query: { uploads: '' } });
    const uploadId = /<UploadId>([^<]+)</.exec(await begun.text())![1]!;
    const query = { partNumber: '1', uploadId };
    assert.equal(
      (await s3.request('PUT', '/archive/parts.bin', { query, body: Buffer.alloc(10) })).status,
      200,
    );
    assert.deepEqual(await s3.openUploads('archive'), ['parts.bin']);
    assert.ok(!s3.keysOf('archive').includes('parts.bin'));
    assert.equal((await s3.request('DELETE', '/archive/parts.bin', { query: { uploadId } })).status, 204);
    assert.deepEqual(await s3.openUploads('archive'), []);
  });

  test('a wrong key is refused', async () => {
    const wrong = { ...s3, keys: { ...s3.keys, secretAccessKey: 'guessed' } };
    const answer = await s3.request.call(wrong as unknown as S3Server, 'GET', '/archive');
    assert.equal(answer.status, 403);
    assert.match(await answer.text(), /SignatureDoesNotMatch/);
  });
});

test('the HAProxy of the tests passes requests on', { timeout: 180_000 }, async (t) => {
  const { createServer } = await import('node:http');
  const server = createServer((_, response) => response.end('from behind'));
  const [backend, frontend] = [await freePort(), await freePort()];
  server.listen(backend, '127.0.0.1');
  t.after(() => server.close());
  const config = `defaults
  mode http
  timeout connect 1s
  timeout client 5s
  timeout server 5s
listen all
  bind 127.0.0.1:${frontend}
  server only "\${BACKEND}"
`;
  const haproxy = await HaproxyServer.start(config, frontend, { BACKEND: `127.0.0.1:${backend}` });
  t.after(async () => haproxy.stop());
  assert.equal(await (await fetch(`http://127.0.0.1:${frontend}`)).text(), 'from behind');
  await assert.rejects(HaproxyServer.start('nonsense\n', await freePort()), /unknown keyword 'nonsense'/);
});
