import { secret, section, string } from '../../config/field-kinds.ts';
import { type CheckIssue, defineConfig, defineShape } from '../../config/schema.ts';

export interface HtpasswdConfig {
  file: string | undefined;
  inline: string | undefined;
}

export interface ClientAuthConfig {
  username: string | undefined;
  password: string | undefined;
  usernameFile: string | undefined;
  passwordFile: string | undefined;
}

/** Exactly one of the two: they are the two directions. */
export interface BasicAuthConfig {
  htpasswd: HtpasswdConfig | undefined;
  clientAuth: ClientAuthConfig | undefined;
}

const htpasswdShape = defineShape<HtpasswdConfig>({
  file: string('file', { doc: 'File of `user:hash` lines; read again when it changes.' }),
  inline: secret('inline', { doc: 'The same as text; wins over the file for the same user.' }),
});

const clientAuthShape = defineShape<ClientAuthConfig>({
  username: string('username', { doc: 'User that exporters send.' }),
  password: secret('password', { doc: 'Password that exporters send.' }),
  usernameFile: string('username_file', { doc: 'File with the user; wins, and is followed.' }),
  passwordFile: string('password_file', { doc: 'File with the password; wins, and is followed.' }),
});

export const basicAuthConfigSchema = defineConfig<BasicAuthConfig>(
  {
    htpasswd: section('htpasswd', htpasswdShape, { optional: true, doc: 'Users that may send to us.' }),
    clientAuth: section('client_auth', clientAuthShape, {
      optional: true,
      doc: 'Credentials that exporters send.',
    }),
  },
  checkDirections,
);

function checkDirections({ htpasswd, clientAuth }: BasicAuthConfig): CheckIssue[] {
  if (htpasswd !== undefined && clientAuth !== undefined) {
    return [{ key: '', message: 'only one of "htpasswd" and "client_auth" can be set' }];
  }
  if (htpasswd !== undefined) {
    return htpasswd.file || htpasswd.inline ? [] : [{ key: 'htpasswd', message: 'needs "file" or "inline"' }];
  }
  if (clientAuth === undefined) return [{ key: '', message: 'needs "htpasswd" or "client_auth"' }];
  const hasUser = Boolean(clientAuth.username || clientAuth.usernameFile);
  const hasPassword = Boolean(clientAuth.password || clientAuth.passwordFile);
  if (!hasUser || !hasPassword) return [{ key: 'client_auth', message: 'needs a user and a password' }];
  return clientAuth.username?.includes(':')
    ? [{ key: 'client_auth.username', message: 'must not have a colon' }]
    : [];
}
