/** A small certificate authority for tests: real certificates, real files, thrown away with the test. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { generate } from 'selfsigned';

export interface KeyPair {
  cert: string;
  key: string;
}

export interface CertificateOptions {
  /** Already over, one day ago. */
  isExpired?: boolean;
  /** DNS names beside `localhost`. */
  names?: readonly string[];
}

const DAY_MS = 86_400_000;

export class TestAuthority {
  readonly cert: string;
  readonly #key: string;

  constructor(cert: string, key: string) {
    this.cert = cert;
    this.#key = key;
  }

  static async create(name = 'millrace test authority'): Promise<TestAuthority> {
    const made = await generate([{ name: 'commonName', value: name }], {
      keyType: 'ec',
      algorithm: 'sha256',
      extensions: [
        { name: 'basicConstraints', cA: true, critical: true },
        { name: 'keyUsage', keyCertSign: true, cRLSign: true },
      ],
    });
    return new TestAuthority(made.cert, made.private);
  }

  /** A certificate for servers and clients alike, valid for localhost and the loopback addresses. */
  async issue(name: string, options: CertificateOptions = {}): Promise<KeyPair> {
    const nowMs = Date.now();
    const made = await generate([{ name: 'commonName', value: name }], {
      keyType: 'ec',
      algorithm: 'sha256',
      ca: { cert: this.cert, key: this.#key },
      notBeforeDate: new Date(nowMs - 2 * DAY_MS),
      notAfterDate: new Date(nowMs + (options.isExpired === true ? -DAY_MS : DAY_MS)),
      extensions: [
        { name: 'basicConstraints', cA: false },
        { name: 'keyUsage', digitalSignature: true },
        { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
        {
          name: 'subjectAltName',
          altNames: [
            ...['localhost', ...(options.names ?? [])].map((value) => ({ type: 2 as const, value })),
            { type: 7, ip: '127.0.0.1' },
            { type: 7, ip: '::1' },
          ],
        },
      ],
    });
    return { cert: made.cert, key: made.private };
  }
}

/** A directory of the test's own; removed when the test ends. */
export async function tempDir(t: TestContext): Promise<string> {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'millrace-tls-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Writes `<name>.crt` and `<name>.key`. */
export async function writePair(directory: string, name: string, pair: KeyPair) {
  const certFile = path.join(directory, `${name}.crt`);
  const keyFile = path.join(directory, `${name}.key`);
  await Promise.all([writeFile(certFile, pair.cert), writeFile(keyFile, pair.key)]);
  return { certFile, keyFile };
}
