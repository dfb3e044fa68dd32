/** The keys of `tls` that clients and servers share, with the Collector's names, defaults and messages. */
import {
  CIPHER_NAMES,
  TLS_CURVES,
  TLS_VERSIONS,
  TLS13_CIPHERS,
  type TlsCurve,
  type TlsSettings,
  type TlsVersion,
} from '../stdx/tls-settings.ts';
import { boolean, duration, oneOf, refused, secret, string, stringList } from './field-kinds.ts';
import type { CheckIssue, OtherKey, Table } from './schema.ts';

/** As `TlsSettings`, before empty texts became undefined and the lists were narrowed. */
export interface TlsKeys extends Omit<TlsSettings, 'maxVersion' | 'curves' | 'cipherSuites'> {
  maxVersion: TlsVersion | '';
  curves: string[];
  cipherSuites: string[];
}

/** Spread into the table of a side, so that a printed configuration finds every property at its level. */
export const tlsKeysTable: Table<TlsKeys> = {
  caFile: string('ca_file', {
    doc: "PEM file with the authorities that the other side's certificate must come from.",
  }),
  caPem: secret('ca_pem', { doc: 'The same as PEM text.' }),
  certFile: string('cert_file', { doc: 'PEM file with the own certificate and its intermediates.' }),
  certPem: secret('cert_pem', { doc: 'The same as PEM text.' }),
  keyFile: string('key_file', { doc: 'PEM file with the private key of the certificate.' }),
  keyPem: secret('key_pem', { doc: 'The same as PEM text.' }),
  includesSystemCas: boolean('include_system_ca_certs_pool', {
    default: false,
    doc: "Add the machine's authorities to `ca_file` or `ca_pem`.",
  }),
  minVersion: oneOf('min_version', {
    values: TLS_VERSIONS,
    default: '1.2',
    doc: 'Oldest TLS version to speak.',
  }),
  maxVersion: oneOf('max_version', {
    values: ['', ...TLS_VERSIONS],
    default: '',
    doc: 'Newest TLS version to speak; empty means 1.3.',
  }),
  cipherSuites: stringList('cipher_suites', {
    default: [],
    doc: 'Suites for TLS 1.2 and older, by IANA name; none means the safe ones. TLS 1.3 chooses by itself.',
  }),
  curves: stringList('curve_preferences', {
    default: [],
    doc: `Groups of the key exchange, best first: ${TLS_CURVES.join(', ')}.`,
  }),
  reloadIntervalMs: duration('reload_interval', {
    default: '0s',
    doc: 'How often the files are read again; 0 means never.',
  }),
};

/** What valid keys mean. */
export function tlsSettings(keys: TlsKeys): TlsSettings {
  return {
    caFile: keys.caFile || undefined,
    caPem: keys.caPem || undefined,
    certFile: keys.certFile || undefined,
    certPem: keys.certPem || undefined,
    keyFile: keys.keyFile || undefined,
    keyPem: keys.keyPem || undefined,
    includesSystemCas: keys.includesSystemCas,
    minVersion: keys.minVersion,
    maxVersion: keys.maxVersion === '' ? undefined : keys.maxVersion,
    cipherSuites: keys.cipherSuites.filter((name) => Object.hasOwn(CIPHER_NAMES, name)),
    curves: keys.curves.filter(isCurve),
    reloadIntervalMs: keys.reloadIntervalMs,
  };
}

export const TLS_OTHER_KEYS: readonly OtherKey[] = [
  refused('tpm', 'is not supported: keys come from files or PEM texts'),
  refused('include_insecure_cipher_suites', 'is not supported: only safe suites can be chosen'),
];

export function checkTlsKeys(keys: TlsKeys): CheckIssue[] {
  const issues: CheckIssue[] = [];
  if (keys.caFile && keys.caPem) {
    issues.push({ key: '', message: 'provide either a CA file or the PEM-encoded string, but not both' });
  }
  for (const [file, pem, what] of [
    [keys.certFile, keys.certPem, 'a certificate'],
    [keys.keyFile, keys.keyPem, 'a key'],
  ] as const) {
    if (!file || !pem) continue;
    issues.push({ key: '', message: `provide either ${what} file or the PEM-encoded string, but not both` });
  }
  const hasKey = Boolean(keys.keyFile || keys.keyPem);
  if (hasCertificate(keys) !== hasKey) {
    const pair = '(CertFile/CertPem and KeyFile/KeyPem)';
    issues.push({ key: '', message: `TLS configuration must include both certificate and key ${pair}` });
  }
  if (keys.maxVersion !== '' && keys.maxVersion < keys.minVersion) {
    issues.push({ key: 'min_version', message: 'must not be above max_version' });
  }
  for (const name of keys.cipherSuites) {
    if (Object.hasOwn(CIPHER_NAMES, name) || TLS13_CIPHERS.some((known) => known === name)) continue;
    issues.push({ key: 'cipher_suites', message: `"${name}" is not a safe suite of TLS 1.2` });
  }
  for (const name of keys.curves) {
    if (isCurve(name)) continue;
    issues.push({
      key: 'curve_preferences',
      message: `expected one of ${TLS_CURVES.join(', ')}, got "${name}"`,
    });
  }
  return issues;
}

export function hasCertificate(keys: TlsKeys): boolean {
  return Boolean(keys.certFile || keys.certPem);
}

function isCurve(name: string): name is TlsCurve {
  return TLS_CURVES.some((known) => known === name);
}
