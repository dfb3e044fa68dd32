import { refused, secret, string, stringList } from '../../config/field-kinds.ts';
import { type CheckIssue, defineConfig } from '../../config/schema.ts';

/** One of `filename`, `token` and `tokens`; the file wins. */
export interface BearerTokenAuthConfig {
  scheme: string;
  header: string;
  token: string | undefined;
  tokens: string[];
  filename: string | undefined;
}

export const bearerTokenAuthConfigSchema = defineConfig<BearerTokenAuthConfig>(
  {
    scheme: string('scheme', {
      default: 'Bearer',
      pattern: /^[!-~]*$/,
      patternHint: 'must be one word',
      doc: 'Word before the token; may be empty.',
    }),
    header: string('header', {
      default: 'Authorization',
      pattern: /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/,
      patternHint: 'must be the name of a header',
      doc: 'Header that carries the token.',
    }),
    token: secret('token', { doc: 'The token, for both directions.' }),
    tokens: stringList('tokens', {
      secretItems: true,
      default: [],
      doc: 'Tokens that clients may send; the first is what exporters send.',
    }),
    filename: string('filename', {
      doc: 'File with one token a line; read again when it changes. Wins over `token` and `tokens`.',
    }),
  },
  checkTokens,
  [refused('file_retry')],
);

function checkTokens(config: BearerTokenAuthConfig): CheckIssue[] {
  const { token, tokens, filename } = config;
  if (token && tokens.length > 0) {
    return [{ key: '', message: 'either "token" or "tokens" should be specified, not both' }];
  }
  if (!token && tokens.length === 0 && !filename) {
    return [{ key: '', message: 'no bearer token provided: set "token", "tokens" or "filename"' }];
  }
  if (![token ?? '', ...tokens].every(isHeaderValue)) {
    return [{ key: '', message: 'a token has characters that no header can carry' }];
  }
  return tokens.includes('') ? [{ key: 'tokens', message: 'must not hold an empty token' }] : [];
}

export function isHeaderValue(text: string): boolean {
  return /^[\t\x20-\x7e]*$/.test(text);
}
