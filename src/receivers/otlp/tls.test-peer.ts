/** Settings of a TLS listener with nothing set, for tests that set what they are about. */
import type { TlsServerSettings } from '../../stdx/tls-settings.ts';

export const TLS_DEFAULTS: TlsServerSettings = {
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
  clientCaFile: undefined,
  reloadsClientCa: false,
};
