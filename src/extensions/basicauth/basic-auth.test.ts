import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { hashSync } from 'bcryptjs';
import type { AuthResult } from '../../component/auth.ts';
import type { ComponentSettings, Logger } from '../../component/settings.ts';
import { systemClock } from '../../stdx/clock.ts';
import { tempDir } from '../../testkit/certificates.ts';
import { BasicClientAuth } from './basic-client-auth.ts';
import { BasicServerAuth } from './basic-server-auth.ts';
import { basicAuthConfigSchema } from './config.ts';
import { parseHtpasswd } from './htpasswd.ts';
import { VerdictCache } from './verdict-cache.ts';

const logger: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger };
const settings: ComponentSettings = {
  id: 'basicauth',
  logger,
  clock: systemClock,
  meter: {
    counter: () => ({ add() {} }),
    gauge: () => ({ set() {} }),
    latency: () => ({ record() {} }),
    histogram: () => ({ record() {} }),
  },
};

const basic = (credentials: string) => `Basic ${Buffer.from(credentials).toString('base64')}`;

/** Made by htpasswd and openssl. */
const KNOWN = [
  'sha:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=',
  'apr:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/',
  'md5:$1$abc$BXBqpb9BZcZhXLgbee.0s/',
  'plain:password',
].join('\n');

test('every kind of hash lets its password in and nothing else', async (t) => {
  const inline = `# users\n\n${KNOWN}\nbc:${hashSync('password', 4)}\n`;
  const auth = new BasicServerAuth(settings, { file: undefined, inline });
  t.after(() => auth.shutdown());
  await auth.start();
  const verdict = async (value: string | undefined) => (await auth.authenticate([value])).isAllowed;
  assert.equal(await verdict(basic('sha:password')), true);
  assert.equal(await verdict(basic('apr:myPassword')), true);
  assert.equal(await verdict(basic('md5:password')), true);
  assert.equal(await verdict(basic('plain:password')), true);
  assert.equal(await verdict(basic('bc:password')), true);
  for (const user of ['sha', 'apr', 'plain', 'bc', 'nobody', '']) {
    assert.equal(await verdict(basic(`${user}:wrong`)), false, user);
    assert.equal(await verdict(basic(`${user}:`)), false, user);
  }
  const malformed = [undefined, '', 'Basic', 'Basic ', 'Basic ####', basic('nocolon'), `Bearer ${KNOWN}`];
  for (const value of [...malformed, `${basic('plain:password')}, x`, basic(`plain:${'x'.repeat(5000)}`)]) {
    assert.equal(await verdict(value), false, value);
  }
  assert.equal(await verdict(`basic ${basic('plain:password').slice(6)}`), true);
});

test('a slow hash runs once for each pair, off the main thread, and a flood of guesses is sent away', async (t) => {
  const auth = new BasicServerAuth(settings, { file: undefined, inline: `bc:${hashSync('right', 10)}` });
  t.after(() => auth.shutdown());
  await auth.start();
  assert.ok(auth.authenticate([basic('bc:right')]) instanceof Promise);
  assert.equal((await auth.authenticate([basic('bc:right')])).isAllowed, true);
  const startedMs = systemClock.monotonicMs();
  for (let i = 0; i < 1000; i++) {
    assert.deepEqual(auth.authenticate([basic('bc:right')]), { isAllowed: true });
  }
  // Far below the time of a thousand hashes.
  assert.ok(systemClock.monotonicMs() - startedMs < 5000);
  const results: (AuthResult | Promise<AuthResult>)[] = [];
  const floodMs = systemClock.monotonicMs();
  for (let i = 0; i < 200; i++) results.push(auth.authenticate([basic(`bc:guess-${i}`)]));
  assert.ok(systemClock.monotonicMs() - floodMs < 1000);
  const kinds = (await Promise.all(results)).map(({ isAllowed }) => isAllowed);
  assert.equal(kinds.filter((kind) => kind === 'later').length, 184);
  assert.equal(kinds.filter((kind) => kind === false).length, 16);
  assert.deepEqual(auth.authenticate([basic('bc:right')]), { isAllowed: true });
});

test('the file is followed, inline wins, a broken file keeps the users', async (t) => {
  const file = path.join(await tempDir(t), 'htpasswd');
  await writeFile(file, 'a:one\nb:one\n');
  const auth = new BasicServerAuth(settings, { file, inline: 'b:two' });
  t.after(() => auth.shutdown());
  await auth.start();
  const isAllowed = async (credentials: string) =>
    (await auth.authenticate([basic(credentials)])).isAllowed === true;
  assert.deepEqual(
    [await isAllowed('a:one'), await isAllowed('b:one'), await isAllowed('b:two')],
    [true, false, true],
  );
  await writeFile(file, 'a:$9$unknown');
  await sleep(1300);
  assert.equal(await isAllowed('a:one'), true);
  await writeFile(file, 'a:new');
  for (let i = 0; i < 3000 && !(await isAllowed('a:new')); i += 1) await sleep(10);
  assert.deepEqual([await isAllowed('a:new'), await isAllowed('a:one')], [true, false]);
});

test('the cache is bounded, and guesses cannot push out what is right', () => {
  const cache = new VerdictCache();
  cache.set(cache.keyOf('right'), true);
  for (let i = 0; i < 5000; i++) cache.set(cache.keyOf(`wrong ${i}`), false);
  assert.equal(cache.get(cache.keyOf('right')), true);
  assert.ok(cache.size <= 1001);
});

test('hashes that cannot be checked are named by line and user, never shown', () => {
  const fails = (text: string, message: RegExp) => {
    assert.throws(
      () => parseHtpasswd(text, '/etc/htpasswd'),
      (error: Error) => {
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /CANARY/);
        return true;
      },
    );
  };
  fails('ok:x\n\nCANARY', /\/etc\/htpasswd, line 3: expected user:hash/);
  for (const hash of ['$6$CANARY$x', '$2b$10$CANARY', '{SHA}CANARY', '{MD5}CANARY', '$argon2id$CANARY']) {
    fails(`user:${hash}`, /line 1: the hash of "user" is none of bcrypt/);
  }
});

test('exporters send user and password, from files that are followed', async (t) => {
  const passwordFile = path.join(await tempDir(t), 'password');
  await writeFile(passwordFile, 'pä:ss\n');
  const auth = new BasicClientAuth(settings, {
    username: 'user',
    password: 'unused',
    usernameFile: undefined,
    passwordFile,
  });
  t.after(() => auth.shutdown());
  await auth.start();
  const sent = () => {
    const headers: Record<string, string> = {};
    auth.apply(headers);
    return headers.authorization;
  };
  assert.equal(sent(), basic('user:pä:ss'));
  await writeFile(passwordFile, 'next');
  for (let i = 0; i < 300 && sent() !== basic('user:next'); i += 1) await sleep(10);
  assert.equal(sent(), basic('user:next'));
});

test('one direction at a time', () => {
  const issues = (raw: unknown) => JSON.stringify(basicAuthConfigSchema.parse(raw).issues);
  assert.match(issues({}), /needs \\"htpasswd\\" or/);
  assert.match(
    issues({ htpasswd: { inline: 'a:b' }, client_auth: { username: 'a', password: 'b' } }),
    /only one/,
  );
  assert.match(issues({ client_auth: { username: 'a' } }), /needs a user and a password/);
  assert.match(issues({ client_auth: { username: 'a:b', password: 'c' } }), /must not have a colon/);
  assert.match(issues({ htpasswd: {} }), /needs \\"file\\" or \\"inline\\"/);
  const { value } = basicAuthConfigSchema.parse({ htpasswd: { inline: 'a:CANARY' } });
  assert.doesNotMatch(JSON.stringify(basicAuthConfigSchema.redact(value!)), /CANARY/);
});
