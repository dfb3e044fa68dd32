/** What TLS needs to know, as plain data: the configuration tables fill it, tls-material.ts loads it. */

export const TLS_VERSIONS = ['1.0', '1.1', '1.2', '1.3'] as const;
export type TlsVersion = (typeof TLS_VERSIONS)[number];

export const TLS_CURVES = ['X25519', 'P256', 'P384', 'P521', 'X25519MLKEM768'] as const;
export type TlsCurve = (typeof TLS_CURVES)[number];

/** Of each pair of file and PEM text at most one is set. */
export interface TlsSettings {
  caFile: string | undefined;
  caPem: string | undefined;
  certFile: string | undefined;
  certPem: string | undefined;
  keyFile: string | undefined;
  keyPem: string | undefined;
  /** Add the machine's own authorities to the given ones. */
  includesSystemCas: boolean;
  minVersion: TlsVersion;
  /** undefined: the newest. */
  maxVersion: TlsVersion | undefined;
  /** IANA names of suites up to TLS 1.2; empty: the safe ones of the TLS library. */
  cipherSuites: readonly string[];
  /** Empty: the TLS library's own. */
  curves: readonly TlsCurve[];
  /** How often the files are read again; 0: never. */
  reloadIntervalMs: number;
}

export interface TlsClientSettings extends TlsSettings {
  /** Plain text, where the endpoint's scheme does not say otherwise. */
  insecure: boolean;
  insecureSkipVerify: boolean;
  /** Name to ask for and to find in the certificate, instead of the endpoint's host. */
  serverName: string | undefined;
}

export interface TlsServerSettings extends TlsSettings {
  /** Authorities of client certificates; with it every client must show one. */
  clientCaFile: string | undefined;
  reloadsClientCa: boolean;
}

/** OpenSSL's names of the suites that Go calls secure, by IANA name. Those of TLS 1.3 cannot be chosen. */
export const CIPHER_NAMES: Readonly<Record<string, string>> = {
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: 'ECDHE-ECDSA-AES128-SHA',
  TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: 'ECDHE-ECDSA-AES256-SHA',
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: 'ECDHE-RSA-AES128-SHA',
  TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA: 'ECDHE-RSA-AES256-SHA',
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: 'ECDHE-ECDSA-AES256-GCM-SHA384',
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: 'ECDHE-RSA-AES128-GCM-SHA256',
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: 'ECDHE-RSA-AES256-GCM-SHA384',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-RSA-CHACHA20-POLY1305',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-ECDSA-CHACHA20-POLY1305',
};

/** Always offered, as in Go: without them a list of suites would switch TLS 1.3 off. */
export const TLS13_CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
] as const;
