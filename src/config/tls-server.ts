/** `tls` of everything that listens. */
import type { TlsServerSettings } from '../stdx/tls-settings.ts';
import { boolean, string } from './field-kinds.ts';
import { type CheckIssue, defineShape, mapShape, type Shape } from './schema.ts';
import {
  checkTlsKeys,
  hasCertificate,
  TLS_OTHER_KEYS,
  type TlsKeys,
  tlsKeysTable,
  tlsSettings,
} from './tls-keys.ts';

interface TlsServerKeys extends TlsKeys {
  clientCaFile: string | undefined;
  reloadsClientCa: boolean;
}

/** Use it as `section('tls', tlsServerShape, { optional: true, doc })`: undefined means plain text. */
export const tlsServerShape: Shape<TlsServerSettings> = mapShape(
  defineShape<TlsServerKeys>(
    {
      ...tlsKeysTable,
      clientCaFile: string('client_ca_file', {
        doc: 'PEM file with the authorities of client certificates; with it every client must show a valid one.',
      }),
      reloadsClientCa: boolean('client_ca_file_reload', {
        default: false,
        doc: 'Read `client_ca_file` again when it changes.',
      }),
    },
    checkServer,
    TLS_OTHER_KEYS,
  ),
  (keys) => ({
    ...tlsSettings(keys),
    clientCaFile: keys.clientCaFile || undefined,
    reloadsClientCa: keys.reloadsClientCa,
  }),
);

function checkServer(keys: TlsServerKeys): CheckIssue[] {
  const issues = [...checkTlsKeys(keys), ...warnRootCas(keys)];
  if (!hasCertificate(keys) && issues.every(({ isWarning }) => isWarning === true)) {
    const message = 'TLS configuration must include both certificate and key for server connections';
    issues.push({ key: '', message });
  }
  if (keys.reloadsClientCa && !keys.clientCaFile) {
    issues.push({ key: 'client_ca_file_reload', message: 'needs client_ca_file' });
  }
  return issues;
}

/** Taken for `client_ca_file` by many, these would leave a server open that was meant to be closed. */
function warnRootCas(keys: TlsServerKeys): CheckIssue[] {
  const used = {
    ca_file: Boolean(keys.caFile),
    ca_pem: Boolean(keys.caPem),
    include_system_ca_certs_pool: keys.includesSystemCas,
  };
  const message = 'has no effect on a server; client_ca_file names the authorities of client certificates';
  return Object.entries(used)
    .filter(([, isUsed]) => isUsed)
    .map(([key]) => ({ key, message, isWarning: true }));
}
