import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { TestAuthority, tempDir, writePair } from '../testkit/certificates.ts';
import { loadTlsOptions, TlsMaterial, TlsMaterialError, tlsPeerOptions } from './tls-material.ts';
import type { TlsClientSettings } from './tls-settings.ts';

const CLIENT: TlsClientSettings = {
  caFile: undefined,
  caPem: undefined,
  certFile: undefined,
  certPem: undefined,
  keyFile: undefined,
  keyPem: undefined,
  includesSystemCas: false,
  minVersion: '1.2',
  maxVersion: undefined,
  cipherSuites: [],
  curves: [],
  reloadIntervalMs: 0,
  insecure: false,
  insecureSkipVerify: false,
  serverName: undefined,
};

/** Protocol and cipher of a handshake with these client settings, or the error code. */
async function handshake(port: number, settings: TlsClientSettings, host = '127.0.0.1') {
  const options = await loadTlsOptions(settings);
  return await new Promise<string>((resolve) => {
    const socket: TLSSocket = connect({ host, port, ...options, ...tlsPeerOptions(settings) }, () => {
      resolve(`${socket.getProtocol()} ${socket.getCipher().name}`);
      socket.destroy();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

test('client settings decide versions, suites, authorities and names of a real handshake', async (t) => {
  const authority = await TestAuthority.create();
  const pair = await authority.issue('localhost');
  const server = createServer({ ...pair, minVersion: 'TLSv1.2' }, (socket) => socket.end());
  server.on('tlsClientError', () => {});
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const trusting = { ...CLIENT, caPem: authority.cert };
  assert.match(await handshake(port, trusting), /^TLSv1\.3/);
  const narrow = { ...trusting, cipherSuites: ['TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384'] };
  assert.match(await handshake(port, narrow), /^TLSv1\.3/);
  const old = { ...narrow, maxVersion: '1.2' as const, curves: ['P256' as const] };
  assert.equal(await handshake(port, old), 'TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384');
  assert.match(
    await handshake(port, { ...trusting, minVersion: '1.0', maxVersion: '1.1' }),
    /ALERT|PROTOCOL/,
  );
  // An authority that nobody trusts, then the same with the check switched off.
  assert.match(await handshake(port, CLIENT), /UNABLE_TO|SELF_SIGNED/);
  assert.match(await handshake(port, { ...CLIENT, insecureSkipVerify: true }), /^TLSv1\.3/);
  assert.equal(
    await handshake(port, { ...trusting, serverName: 'other.example' }),
    'ERR_TLS_CERT_ALTNAME_INVALID',
  );
  assert.match(await handshake(port, { ...trusting, serverName: 'localhost' }), /^TLSv1\.3/);
  assert.match(await handshake(port, { ...trusting, serverName: '127.0.0.1' }), /^TLSv1\.3/);
  assert.match(await handshake(port, { ...trusting, includesSystemCas: true }), /^TLSv1\.3/);
});

test('an unusable file is named with its key, and its content is not shown', async (t) => {
  const directory = await tempDir(t);
  const authority = await TestAuthority.create();
  const [one, two] = await Promise.all([authority.issue('one'), authority.issue('two')]);
  const { certFile, keyFile } = await writePair(directory, 'one', one);
  const other = await writePair(directory, 'two', two);
  const broken = path.join(directory, 'broken.pem');
  await writeFile(broken, '-----BEGIN CERTIFICATE-----\nCANARY\n-----END CERTIFICATE-----\n');
  const fails = async (settings: Partial<TlsClientSettings>, message: RegExp) => {
    await assert.rejects(loadTlsOptions({ ...CLIENT, ...settings }), (error: Error) => {
      assert.ok(error instanceof TlsMaterialError);
      assert.match(error.message, message);
      assert.doesNotMatch(`${error.message}${error.stack}${String(error.cause)}`, /CANARY|BEGIN/);
      return true;
    });
  };
  await fails({ certFile: '/nowhere.crt', keyFile }, /cert_file: cannot read \/nowhere\.crt: ENOENT/);
  await fails({ certFile: broken, keyFile }, /cert_file: .*broken\.pem holds no usable PEM certificate/);
  await fails({ certFile, keyFile: broken }, /key_file: .*broken\.pem holds no usable PEM key/);
  await fails({ certFile, keyPem: 'CANARY' }, /key_pem holds no usable PEM key/);
  await fails({ certFile, keyFile: other.keyFile }, /do not belong together/);
  await fails({ caFile: keyFile }, /ca_file: .*one\.key holds no usable PEM certificate/);
  await fails({ caFile: directory }, /ca_file: cannot read .*: EISDIR/);
});

test('changed files are taken over, broken ones leave the old in use', async (t) => {
  const directory = await tempDir(t);
  const authority = await TestAuthority.create();
  const files = await writePair(directory, 'server', await authority.issue('one'));
  const material = new TlsMaterial({ ...CLIENT, ...files, reloadIntervalMs: 20 });
  t.after(() => material.stop());
  let changes = 0;
  const failures: string[] = [];
  await material.start(
    () => (changes += 1),
    (error) => failures.push(error.message),
  );
  const first = material.options.cert;
  await writeFile(files.certFile, 'broken');
  await waitFor(() => failures.length > 0);
  assert.equal(material.options.cert, first);
  assert.match(failures[0]!, /cert_file: .*server\.crt holds no usable PEM certificate/);
  const next = await authority.issue('two');
  await writePair(directory, 'server', next);
  await waitFor(() => changes === 1);
  assert.equal(material.options.cert, next.cert);
  await sleep(60);
  assert.equal(changes, 1);
});

async function waitFor(isTrue: () => boolean): Promise<void> {
  for (let i = 0; i < 3000 && !isTrue(); i += 1) await sleep(10);
  assert.ok(isTrue());
}
