/** `tls` of everything that connects: exporters, authenticators, clients of stores. */
import type { TlsClientSettings } from '../stdx/tls-settings.ts';
import { boolean, string } from './field-kinds.ts';
import { defineShape, mapShape, type Shape } from './schema.ts';
import { checkTlsKeys, TLS_OTHER_KEYS, type TlsKeys, tlsKeysTable, tlsSettings } from './tls-keys.ts';

interface TlsClientKeys extends TlsKeys {
  insecure: boolean;
  insecureSkipVerify: boolean;
  serverName: string | undefined;
}

/**
 * Use it as `section('tls', tlsClientShape, { doc })`: all defaults when the key is absent. Load the value with
 * `TlsMaterial` of stdx/tls-material.ts.
 */
export const tlsClientShape: Shape<TlsClientSettings> = mapShape(
  defineShape<TlsClientKeys>(
    {
      insecure: boolean('insecure', {
        default: false,
        doc: "Speak without TLS. HTTP clients follow the URL's scheme instead.",
      }),
      insecureSkipVerify: boolean('insecure_skip_verify', {
        default: false,
        doc: 'Accept any certificate of the server.',
      }),
      serverName: string('server_name_override', {
        doc: "Name to ask for and to find in the server's certificate, instead of the endpoint's host.",
      }),
      ...tlsKeysTable,
    },
    checkTlsKeys,
    TLS_OTHER_KEYS,
  ),
  (keys) => ({
    ...tlsSettings(keys),
    insecure: keys.insecure,
    insecureSkipVerify: keys.insecureSkipVerify,
    serverName: keys.serverName || undefined,
  }),
);
