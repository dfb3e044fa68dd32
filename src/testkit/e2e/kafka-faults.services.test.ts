/**
 * The `kafka` exporter and brokers that refuse: credentials, certificates, sizes, topics; and one that does not answer.
 * Guarantee: the message says what is wrong, nothing acknowledged is lost, and what can be put right is then delivered.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { TestAuthority, tempDir } from '../certificates.ts';
import { until } from '../engine-process.ts';
import { ledgerRequest, SPANS_PER_REQUEST } from '../ledger-client.ts';
import { ExporterBed, type ExporterBedOptions, readTopic, spansOf } from '../services/kafka-exporter-bed.ts';
import { KafkaServer } from '../services/kafka-server.ts';

let authority: TestAuthority;
let broker: KafkaServer;

before(async () => {
  authority = await TestAuthority.create();
  const { cert, key } = await authority.issue('broker');
  broker = await KafkaServer.start({
    tls: { cert, key, ca: authority.cert },
    sasl: {
      PLAIN: { paula: 'plain-secret' },
      'SCRAM-SHA-256': { sam: 'scram-256-secret' },
      'SCRAM-SHA-512': { sam: 'scram-512-secret' },
      OAUTHBEARER: true,
    },
  });
});

after(async () => {
  await broker?.stop();
});

const SIGNALS = ['traces'];

async function spansIn(topic: string): Promise<number> {
  const counts = spansOf(await readTopic(broker, topic));
  assert.ok([...counts.values()].every((count) => count === 1));
  return counts.size;
}

async function emptied(bed: ExporterBed): Promise<void> {
  await until(
    `an empty queue (${bed.engine!.log.split('\n').slice(-3).join('\n')})`,
    async () => (await bed.metric('otelcol_exporter_queue_size')) === 0,
  );
}

/** Sends what `wrong` cannot deliver, waits for its message, and delivers it with what is right. */
async function isKeptUntilRight(
  t: { after(end: () => Promise<void>): void },
  wrong: ExporterBedOptions,
  message: RegExp,
  right: ExporterBedOptions,
  topic: string,
): Promise<void> {
  const bed = await ExporterBed.start({ ...wrong, signals: SIGNALS });
  t.after(() => bed.stop());
  await bed.post('traces', ledgerRequest(0, 0));
  await until(`the message (${bed.engine!.log})`, () => message.test(bed.engine!.log));
  assert.equal(await bed.metric('otelcol_exporter_send_failed_spans'), 0);
  assert.ok((await bed.metric('otelcol_exporter_queue_size')) > 0);
  await bed.engine!.kill('SIGTERM');
  bed.reconfigure({ ...right, signals: SIGNALS });
  await bed.startEngine();
  await emptied(bed);
  assert.equal(await spansIn(topic), SPANS_PER_REQUEST);
}

const LOGINS = [
  ['PLAIN', 'paula', 'plain-secret'],
  ['SCRAM-SHA-256', 'sam', 'scram-256-secret'],
  ['SCRAM-SHA-512', 'sam', 'scram-512-secret'],
] as const;

for (const [mechanism, username, password] of LOGINS) {
  test(`${mechanism}: a wrong password is told and waited for`, { timeout: 180_000 }, async (t) => {
    const topic = `login_${mechanism}`;
    await broker.createTopic(topic, 4);
    const options = (secret: string): ExporterBedOptions => ({
      bootstrap: broker.listeners.sasl!,
      exporter: { traces: { topic }, auth: { sasl: { mechanism, username, password: secret } } },
    });
    const message = /refused until credentials, permissions or certificates are changed/;
    await isKeptUntilRight(t, options('wrong'), message, options(password), topic);
  });
}

test('OAUTHBEARER over TLS takes its token from an extension', { timeout: 180_000 }, async (t) => {
  await broker.createTopic('token', 4);
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const nowS = Math.floor(Date.now() / 1000);
  const token = `${part({ alg: 'none' })}.${part({ sub: 'olga', iat: nowS, exp: nowS + 3600 })}.`;
  const bed = await ExporterBed.start({
    bootstrap: broker.listeners.saslTls!,
    exporter: {
      traces: { topic: 'token' },
      tls: { ca_pem: authority.cert },
      auth: { sasl: { mechanism: 'OAUTHBEARER', oauthbearer_token_source: 'bearertokenauth' } },
    },
    extensions: { bearertokenauth: { token } },
    signals: SIGNALS,
  });
  t.after(() => bed.stop());
  await bed.post('traces', ledgerRequest(0, 0));
  await emptied(bed);
  assert.equal(await spansIn('token'), SPANS_PER_REQUEST);
});

test('a broker of an unknown authority is not spoken to until its authority is known', {
  timeout: 180_000,
}, async (t) => {
  await broker.createTopic('authority', 4);
  const file = join(await tempDir(t), 'ca.pem');
  writeFileSync(file, authority.cert);
  const options = (tls: object): ExporterBedOptions => ({
    bootstrap: broker.listeners.tls!,
    exporter: { traces: { topic: 'authority' }, tls },
  });
  const message =
    /refused until credentials, permissions or certificates are changed: .*(certificate|issuer)/;
  await isKeptUntilRight(t, options({}), message, options({ ca_file: file }), 'authority');
});

test('a broker that answers nothing costs nothing but time, and then has every record once', {
  timeout: 180_000,
}, async (t) => {
  await broker.createTopic('silent', 4);
  const bed = await ExporterBed.start({
    bootstrap: broker.bootstrap,
    exporter: { traces: { topic: 'silent' }, timeout: '1s', sending_queue: { batch: { min_size: 1 } } },
    signals: SIGNALS,
  });
  t.after(() => bed.stop());
  await bed.post('traces', ledgerRequest(0, 0));
  await emptied(bed);
  broker.pause();
  try {
    for (let sequence = 1; sequence <= 30; sequence++) await bed.post('traces', ledgerRequest(0, sequence));
    await new Promise((resolve) => setTimeout(resolve, 4000));
    assert.ok((await bed.metric('otelcol_exporter_queue_size')) > 0);
  } finally {
    broker.resume();
  }
  await emptied(bed);
  assert.equal(await spansIn('silent'), 31 * SPANS_PER_REQUEST);
  assert.equal(await bed.metric('otelcol_exporter_send_failed_spans'), 0);
});

test('no broker at all: the data waits, and is delivered when there is one', {
  timeout: 180_000,
}, async (t) => {
  await broker.createTopic('absent', 4);
  await isKeptUntilRight(
    t,
    { bootstrap: '127.0.0.1:1', exporter: { traces: { topic: 'absent' } } },
    /export failed, will be tried again.*ECONNREFUSED/,
    { bootstrap: broker.bootstrap, exporter: { traces: { topic: 'absent' } } },
    'absent',
  );
});

test('an item that fits into no record becomes a dead letter, and its neighbours are delivered', {
  timeout: 180_000,
}, async (t) => {
  await broker.createTopic('poison', 4);
  const bed = await ExporterBed.start({
    bootstrap: broker.bootstrap,
    exporter: { traces: { topic: 'poison' }, producer: { max_message_bytes: 3000 } },
    signals: SIGNALS,
  });
  t.after(() => bed.stop());
  for (let sequence = 0; sequence < 20; sequence++) await bed.post('traces', ledgerRequest(0, sequence));
  await bed.post('traces', ledgerRequest(1, 0, 4000));
  await emptied(bed);
  const counts = spansOf(await readTopic(broker, 'poison'));
  assert.equal([...counts.keys()].filter((key) => key.startsWith('0/')).length, 20 * SPANS_PER_REQUEST);
  assert.equal([...counts.keys()].filter((key) => key.startsWith('1/')).length, 0);
  assert.equal(await bed.metric('otelcol_exporter_send_failed_spans'), SPANS_PER_REQUEST);
});

test('a topic that takes less than max_message_bytes is found out, and gets smaller records', {
  timeout: 180_000,
}, async (t) => {
  await broker.createTopic('small', 4, { 'max.message.bytes': '4000' });
  const bed = await ExporterBed.start({
    bootstrap: broker.bootstrap,
    exporter: { traces: { topic: 'small' } },
    signals: SIGNALS,
  });
  t.after(() => bed.stop());
  for (let sequence = 0; sequence < 40; sequence++) await bed.post('traces', ledgerRequest(0, sequence));
  await emptied(bed);
  // What was already written of the batch that found it out is there twice.
  assert.equal(spansOf(await readTopic(broker, 'small')).size, 40 * SPANS_PER_REQUEST);
  await bed.engine!.said(/takes smaller record batches/);
  assert.equal(await bed.metric('otelcol_exporter_send_failed_spans'), 0);
});

test('a topic that does not exist is waited for', { timeout: 180_000 }, async (t) => {
  const bed = await ExporterBed.start({
    bootstrap: broker.bootstrap,
    exporter: { traces: { topic: 'later' }, producer: { allow_auto_topic_creation: false } },
    signals: SIGNALS,
  });
  t.after(() => bed.stop());
  await bed.post('traces', ledgerRequest(0, 0));
  await until('the message', () => /topic \\"later\\".*UNKNOWN_TOPIC_OR_PARTITION/.test(bed.engine!.log));
  await broker.createTopic('later', 4);
  await emptied(bed);
  assert.equal(await spansIn('later'), SPANS_PER_REQUEST);
});
