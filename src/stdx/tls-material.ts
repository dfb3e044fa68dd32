/**
 * Certificates, keys and authorities from files and PEM texts, as options of node:tls, read again by interval.
 * No message ever holds PEM text: errors name the key and the file.
 */
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import {
  type ConnectionOptions,
  checkServerIdentity,
  createSecureContext,
  DEFAULT_CIPHERS,
  rootCertificates,
  type SecureContextOptions,
  type SecureVersion,
} from 'node:tls';
import {
  CIPHER_NAMES,
  TLS13_CIPHERS,
  type TlsClientSettings,
  type TlsCurve,
  type TlsServerSettings,
  type TlsSettings,
} from './tls-settings.ts';

/** A certificate, key or authority that cannot be used. The message names key and file, never a content. */
export class TlsMaterialError extends Error {
  override readonly name = 'TlsMaterialError';
}

/** For `tls.createSecureContext`, servers' `setSecureContext`, and the `connect` options of HTTP clients. */
export type TlsOptions = Pick<
  SecureContextOptions,
  'ca' | 'cert' | 'key' | 'minVersion' | 'maxVersion' | 'ciphers' | 'ecdhCurve'
>;

/** How often a client CA is looked at when only `client_ca_file_reload` asks for it. */
const CLIENT_CA_INTERVAL_MS = 5000;
const OLDEST_SAFE_VERSION = '1.2';
const CURVE_NAMES: Readonly<Record<TlsCurve, string>> = {
  X25519: 'X25519',
  P256: 'P-256',
  P384: 'P-384',
  P521: 'P-521',
  X25519MLKEM768: 'X25519MLKEM768',
};
/** Where systems keep their authorities; the first that exists counts. */
const SYSTEM_CA_FILES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

interface PemSource {
  /** The YAML key, for messages. */
  key: string;
  file: string | undefined;
  pem: string | undefined;
}

/**
 * Reads everything that the settings name and proves that it can be used together.
 *
 * @throws TlsMaterialError when a file cannot be read, or is no certificate or key, or they do not belong together.
 */
export async function loadTlsOptions(settings: TlsClientSettings | TlsServerSettings): Promise<TlsOptions> {
  const isServer = 'clientCaFile' in settings;
  const [cert, key, ca] = await Promise.all([
    readPem({ key: 'cert', file: settings.certFile, pem: settings.certPem }),
    readPem({ key: 'key', file: settings.keyFile, pem: settings.keyPem }),
    isServer ? readClientCas(settings) : readServerCas(settings),
  ]);
  // Node leaves out an empty text without a word, and a file that is just being written is empty.
  if (cert !== undefined) assertPem(cert, 'CERTIFICATE', 'cert', settings.certFile);
  if (key !== undefined) assertPem(key, 'PRIVATE KEY', 'key', settings.keyFile);
  const options: TlsOptions = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...protocolOptions(settings),
  };
  proveOptions(options, settings);
  return options;
}

/**
 * How a client checks the server, beside `loadTlsOptions`; both together are options of `tls.connect`, of
 * undici's `connect` and of `credentials.createFromSecureContext` with `createSecureContext`.
 */
export function tlsPeerOptions(
  settings: TlsClientSettings,
): Pick<ConnectionOptions, 'rejectUnauthorized' | 'servername' | 'checkServerIdentity'> {
  const { serverName, insecureSkipVerify } = settings;
  const options = { rejectUnauthorized: !insecureSkipVerify };
  if (serverName === undefined) return options;
  const check = { checkServerIdentity: checkAgainst(serverName) };
  // An address cannot be asked for by name indication (RFC 6066, section 3), only be compared.
  return isIP(serverName) === 0 ? { ...options, ...check, servername: serverName } : { ...options, ...check };
}

function checkAgainst(serverName: string): typeof checkServerIdentity {
  return (_host, certificate) => checkServerIdentity(serverName, certificate);
}

/** Loaded options that follow their files. One owner; `stop` ends the timer. */
export class TlsMaterial {
  readonly #settings: TlsClientSettings | TlsServerSettings;
  #options: TlsOptions | undefined;
  #fingerprint = '';
  #timer: NodeJS.Timeout | undefined;
  #isReading = false;

  constructor(settings: TlsClientSettings | TlsServerSettings) {
    this.#settings = settings;
  }

  /** 0: the files are read once. */
  get intervalMs(): number {
    const settings = this.#settings;
    if (settings.reloadIntervalMs > 0) return settings.reloadIntervalMs;
    return 'reloadsClientCa' in settings && settings.reloadsClientCa ? CLIENT_CA_INTERVAL_MS : 0;
  }

  /** The options in use. Call after `start`. */
  get options(): TlsOptions {
    if (this.#options === undefined) throw new TlsMaterialError('the TLS material was not loaded');
    return this.#options;
  }

  /**
   * @param changed gets new options when the content of a file has changed and all of it can be used.
   * @param failed gets what is wrong with new files; the options before them stay in use.
   * @throws TlsMaterialError as `loadTlsOptions`.
   */
  async start(
    changed: (options: TlsOptions) => void,
    failed: (error: TlsMaterialError) => void,
  ): Promise<TlsOptions> {
    const options = await loadTlsOptions(this.#settings);
    this.#options = options;
    this.#fingerprint = fingerprint(options);
    if (this.intervalMs > 0) {
      this.#timer = setInterval(() => void this.#read(changed, failed), this.intervalMs);
      this.#timer.unref();
    }
    return options;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #read(
    changed: (options: TlsOptions) => void,
    failed: (error: TlsMaterialError) => void,
  ): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      const options = await loadTlsOptions(this.#settings);
      const next = fingerprint(options);
      if (next === this.#fingerprint || this.#timer === undefined) return;
      this.#fingerprint = next;
      this.#options = options;
      changed(options);
    } catch (error) {
      failed(
        error instanceof TlsMaterialError ? error : new TlsMaterialError('the TLS files cannot be used'),
      );
    } finally {
      this.#isReading = false;
    }
  }
}

function fingerprint(options: TlsOptions): string {
  return JSON.stringify([options.ca, options.cert, options.key]);
}

async function readPem({ key, file, pem }: PemSource): Promise<string | undefined> {
  if (file === undefined) return pem;
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new TlsMaterialError(`${key}_file: cannot read ${file}: ${codeOf(error)}`);
  }
}

/** undefined: no authorities given, and the TLS library's bundle is as good as any. */
async function readServerCas(settings: TlsSettings): Promise<string[] | undefined> {
  const own = await readPem({ key: 'ca', file: settings.caFile, pem: settings.caPem });
  if (own !== undefined) assertPem(own, 'CERTIFICATE', 'ca', settings.caFile);
  if (own !== undefined && !settings.includesSystemCas) return [own];
  const system = await readSystemCas();
  return own === undefined ? system : [own, ...(system ?? rootCertificates)];
}

async function readClientCas(settings: TlsServerSettings): Promise<string[] | undefined> {
  const { clientCaFile } = settings;
  if (clientCaFile === undefined) return undefined;
  const pem = await readPem({ key: 'client_ca', file: clientCaFile, pem: undefined });
  assertPem(pem ?? '', 'CERTIFICATE', 'client_ca', clientCaFile);
  return [pem ?? ''];
}

async function readSystemCas(): Promise<string[] | undefined> {
  const named = process.env.SSL_CERT_FILE;
  for (const file of named ? [named] : SYSTEM_CA_FILES) {
    try {
      return [await readFile(file, 'utf8')];
    } catch {
      // The next place is tried; without any, the bundle of the TLS library counts.
    }
  }
  return undefined;
}

/** OpenSSL takes a file without any certificate as an empty list, which would then refuse everybody. */
function assertPem(pem: string, label: string, key: string, file: string | undefined): void {
  // Keys are called RSA, EC or ENCRYPTED PRIVATE KEY as well.
  if (pem.includes('-----BEGIN ') && pem.includes(`${label}-----`)) return;
  const where = file === undefined ? `${key}_pem` : `${key}_file: ${file}`;
  const what = label === 'CERTIFICATE' ? 'certificate' : 'key';
  throw new TlsMaterialError(`${where} holds no usable PEM ${what}`);
}

function protocolOptions(settings: TlsSettings): TlsOptions {
  const { minVersion, maxVersion, cipherSuites, curves } = settings;
  const version = (text: string) => `TLSv${text === '1.0' ? '1' : text}` as SecureVersion;
  const names = cipherSuites.map((name) => CIPHER_NAMES[name]!);
  // OpenSSL 3 speaks the old versions only at its lowest security level.
  const level = minVersion < OLDEST_SAFE_VERSION ? ['@SECLEVEL=0'] : [];
  const old =
    names.length > 0 ? names : DEFAULT_CIPHERS.split(':').filter((name) => !name.startsWith('TLS_'));
  // AES-128 first, as Go has it: node's own order starts with AES-256, which takes longer for every byte.
  const chosen = [...TLS13_CIPHERS, ...old, ...level];
  return {
    minVersion: version(minVersion),
    maxVersion: version(maxVersion ?? '1.3'),
    ciphers: chosen.join(':'),
    ...(curves.length === 0 ? {} : { ecdhCurve: curves.map((name) => CURVE_NAMES[name]).join(':') }),
  };
}

/** OpenSSL's own texts may quote what it could not read, so only what was tried is told. */
function proveOptions(options: TlsOptions, settings: TlsSettings): void {
  const named = (key: string, file: string | undefined) =>
    file === undefined ? `${key}_pem` : `${key}_file: ${file}`;
  const { ca, cert, key, ...protocol } = options;
  const steps: [string, TlsOptions][] = [
    ['curve_preferences or cipher_suites: not known to this OpenSSL', protocol],
    [
      `${named('cert', settings.certFile)} holds no usable PEM certificate`,
      cert === undefined ? {} : { cert },
    ],
    [`${named('key', settings.keyFile)} holds no usable PEM key`, key === undefined ? {} : { key }],
    ['cert and key do not belong together', { ...protocol, ...(cert && key ? { cert, key } : {}) }],
    ['an authority holds no usable PEM certificate', ca === undefined ? {} : { ca }],
  ];
  for (const [message, part] of steps) {
    try {
      createSecureContext(part);
    } catch {
      throw new TlsMaterialError(message);
    }
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}
