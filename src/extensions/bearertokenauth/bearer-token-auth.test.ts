import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { PipelineError } from '../../component/errors.ts';
import type { ComponentSettings, Logger } from '../../component/settings.ts';
import { systemClock } from '../../stdx/clock.ts';
import { tempDir } from '../../testkit/certificates.ts';
import { BearerTokenClientAuth, BearerTokenServerAuth } from './bearer-token-auth.ts';
import { bearerTokenAuthConfigSchema } from './config.ts';

const lines: string[] = [];
const log = (message: string, fields?: object): void =>
  void lines.push(message + JSON.stringify(fields ?? {}));
const logger: Logger = { debug: log, info: log, warn: log, error: log, child: () => logger };
const settings: ComponentSettings = {
  id: 'bearertokenauth',
  logger,
  clock: systemClock,
  meter: {
    counter: () => ({ add() {} }),
    gauge: () => ({ set() {} }),
    latency: () => ({ record() {} }),
    histogram: () => ({ record() {} }),
  },
};

function configOf(raw: unknown) {
  const parsed = bearerTokenAuthConfigSchema.parse(raw);
  assert.deepEqual(parsed.issues, []);
  return parsed.value!;
}

function issuesOf(raw: unknown): string {
  return JSON.stringify(bearerTokenAuthConfigSchema.parse(raw).issues);
}

test('a client needs exactly scheme and token in the named header', async (t) => {
  const auth = new BearerTokenServerAuth(settings, configOf({ tokens: ['one', 'two'] }));
  t.after(() => auth.shutdown());
  assert.equal(auth.authenticate(['Bearer one']).isAllowed, 'later');
  await auth.start();
  assert.deepEqual(auth.headerNames, ['authorization']);
  const allowed = ['Bearer one', 'Bearer two'];
  const refused = [
    ...[
      undefined,
      '',
      'one',
      'Bearer',
      'Bearer ',
      'Bearer three',
      'bearer one',
      'Bearer one ',
      'Bearer  one',
    ],
    ...['Bearer one, Bearer one', 'Bearer one\u0000', 'Basic one', 'x'.repeat(16_000)],
  ];
  for (const value of allowed) assert.equal(auth.authenticate([value]).isAllowed, true, value);
  for (const value of refused) assert.equal(auth.authenticate([value]).isAllowed, false, value);
});

test('scheme and header are free', async () => {
  const config = configOf({ token: 'secret', scheme: '', header: 'X-Api-Key' });
  const server = new BearerTokenServerAuth(settings, config);
  await server.start();
  assert.deepEqual(server.headerNames, ['x-api-key']);
  assert.equal(server.challenge, '');
  assert.equal(server.authenticate(['secret']).isAllowed, true);
  assert.equal(server.authenticate(['Bearer secret']).isAllowed, false);
  const client = new BearerTokenClientAuth(settings, config);
  await client.start();
  const headers: Record<string, string> = { 'content-type': 'x' };
  client.apply(headers);
  assert.deepEqual(headers, { 'content-type': 'x', 'x-api-key': 'secret' });
});

test('the file wins, is followed by both sides, and a broken one changes nothing', async (t) => {
  const file = path.join(await tempDir(t), 'tokens');
  await writeFile(file, 'CANARY-1\n\n  CANARY-2\r\n');
  const config = configOf({ token: 'unused', filename: file });
  const server = new BearerTokenServerAuth(settings, config);
  const client = new BearerTokenClientAuth(settings, config);
  t.after(() => Promise.all([server.shutdown(), client.shutdown()]));
  await Promise.all([server.start(), client.start()]);
  const isAllowed = (token: string) => server.authenticate([`Bearer ${token}`]).isAllowed === true;
  const sent = () => {
    const headers: Record<string, string> = {};
    client.apply(headers);
    return headers.authorization;
  };
  assert.deepEqual(['CANARY-1', 'CANARY-2', 'unused'].map(isAllowed), [true, true, false]);
  assert.equal(sent(), 'Bearer CANARY-1');
  await writeFile(file, 'CANARY-3\u0007');
  await eventually(() => lines.some((line) => line.includes('cannot be used')));
  assert.equal(isAllowed('CANARY-1'), true);
  await writeFile(file, 'CANARY-3');
  await eventually(() => isAllowed('CANARY-3') && sent() === 'Bearer CANARY-3');
  assert.equal(isAllowed('CANARY-1'), false);
  assert.doesNotMatch(lines.join('\n'), /CANARY/);
});

test('a file that cannot be used stops the start and is named', async (t) => {
  const file = path.join(await tempDir(t), 'tokens');
  for (const text of [undefined, '\n \n']) {
    if (text !== undefined) await writeFile(file, text);
    const auth = new BearerTokenServerAuth(settings, configOf({ filename: file }));
    await assert.rejects(auth.start(), (error: Error) => {
      assert.ok(error instanceof PipelineError);
      assert.match(error.message, /extension bearertokenauth: filename: .*tokens/);
      return true;
    });
  }
});

test('wrong configurations are refused without showing a token', () => {
  assert.match(issuesOf({}), /no bearer token provided/);
  assert.match(issuesOf({ token: 'a', tokens: ['b'] }), /not both/);
  const bad = [
    { token: 'CANARY\n' },
    { tokens: ['CANARY\u0000'] },
    { token: { CANARY: 1 } },
    { tokens: [{ CANARY: 1 }] },
  ];
  for (const raw of bad) {
    assert.notEqual(issuesOf(raw), '[]');
    assert.doesNotMatch(issuesOf(raw), /CANARY/);
  }
  const value = configOf({ tokens: ['CANARY'] });
  assert.doesNotMatch(JSON.stringify(bearerTokenAuthConfigSchema.redact(value)), /CANARY/);
});

async function eventually(isTrue: () => boolean): Promise<void> {
  for (let i = 0; i < 3000 && !isTrue(); i += 1) await sleep(10);
  assert.ok(isTrue());
}
