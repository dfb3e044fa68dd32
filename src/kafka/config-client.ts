/** Keys that the `kafka` receiver and the `kafka` exporter share: brokers, client, TLS, credentials, metadata. */
import {
  anything,
  boolean,
  count,
  duration,
  ignored,
  integer,
  oneOf,
  refused,
  secret,
  section,
  string,
  stringList,
} from '../config/field-kinds.ts';
import { parseHostPort } from '../config/host-port.ts';
import { type CheckIssue, defineShape, type Shape } from '../config/schema.ts';
import { tlsClientShape } from '../config/tls-client.ts';
import type { TlsClientSettings } from '../stdx/tls-settings.ts';

export const SASL_MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'] as const;
export type SaslMechanism = (typeof SASL_MECHANISMS)[number];

export interface KafkaSaslConfig {
  mechanism: SaslMechanism;
  username: string;
  password: string;
  /** Id of the extension that gives bearer tokens; for OAUTHBEARER alone. */
  tokenSource: string | undefined;
}

interface KafkaPlainTextConfig {
  username: string;
  password: string;
}

/** The properties follow the YAML, so that printed configurations find the secrets; read them with the functions below. */
export interface KafkaClientConfig {
  /** `host:port`, or a host alone. */
  brokers: readonly string[];
  clientId: string;
  /** undefined: plain text, unless `auth.tls` says otherwise. */
  tls: TlsClientSettings | undefined;
  auth: {
    sasl: KafkaSaslConfig | undefined;
    plainText: KafkaPlainTextConfig | undefined;
    tls: TlsClientSettings | undefined;
  };
  metadata: {
    refreshIntervalMs: number;
    retry: { max: number; backoffMs: number };
  };
}

const DEFAULT_PORT = 9092;

/** All keys at the level of their user: `client: squash(kafkaClientShape)`. */
export const kafkaClientShape: Shape<KafkaClientConfig> = defineShape<KafkaClientConfig>(
  {
    brokers: stringList('brokers', {
      default: ['localhost:9092'],
      doc: 'Brokers that are asked for the others first; port 9092 unless one is written.',
    }),
    clientId: string('client_id', {
      default: 'otel-collector',
      doc: 'Name of this client in the logs, metrics and quotas of the brokers.',
    }),
    tls: section('tls', tlsClientShape, {
      optional: true,
      doc: 'TLS of the connections; absent: plain text.',
    }),
    auth: section('auth', authShape(), { doc: 'Who we are. Nothing of it written: nobody.' }),
    metadata: section('metadata', metadataShape(), { doc: 'What is known of topics and brokers.' }),
  },
  checkClient,
  [
    ignored(
      string('protocol_version', { doc: 'Version of the brokers.' }),
      'versions are agreed with every broker when it is connected',
    ),
    ignored(
      boolean('resolve_canonical_bootstrap_servers_only', { doc: 'Look up the names behind `brokers`.' }),
      'the names in `brokers` are used as they are written',
    ),
    ignored(
      duration('conn_idle_timeout', { doc: 'Idle time after which connections are closed.' }),
      'connections stay open; what a broker closes is opened again when it is needed',
    ),
  ],
);

function authShape(): Shape<KafkaClientConfig['auth']> {
  return defineShape<KafkaClientConfig['auth']>(
    {
      sasl: section('sasl', saslShape(), { optional: true, doc: 'Credentials.' }),
      plainText: section('plain_text', plainTextShape(), {
        optional: true,
        doc: 'Old spelling of `sasl` with mechanism PLAIN.',
      }),
      tls: section('tls', tlsClientShape, { optional: true, doc: 'Old place of `tls`.' }),
    },
    checkAuth,
    [
      refused(
        'kerberos',
        'is not supported: use "sasl" with PLAIN, SCRAM or OAUTHBEARER, or client certificates',
      ),
    ],
  );
}

function saslShape(): Shape<KafkaSaslConfig> {
  return defineShape<KafkaSaslConfig>(
    {
      mechanism: oneOf('mechanism', {
        values: SASL_MECHANISMS,
        required: true,
        doc: 'How the credentials are shown.',
      }),
      username: string('username', { default: '', doc: 'For PLAIN and SCRAM.' }),
      password: secret('password', { default: '', doc: 'For PLAIN and SCRAM.' }),
      tokenSource: string('oauthbearer_token_source', {
        doc: 'Id of the extension that gives bearer tokens, for OAUTHBEARER.',
      }),
    },
    checkSasl,
    [
      ignored(integer('version', { doc: 'Version of the SASL handshake.' }), 'it is agreed with the broker'),
      refused(
        'aws_msk',
        'is not supported, and neither are the mechanisms AWS_MSK_IAM and AWS_MSK_IAM_OAUTHBEARER',
      ),
    ],
  );
}

function plainTextShape(): Shape<KafkaPlainTextConfig> {
  return defineShape<KafkaPlainTextConfig>({
    username: string('username', { required: true, doc: 'Name of the user.' }),
    password: secret('password', { required: true, doc: 'Password of the user.' }),
  });
}

function metadataShape(): Shape<KafkaClientConfig['metadata']> {
  return defineShape<KafkaClientConfig['metadata']>(
    {
      refreshIntervalMs: duration('refresh_interval', {
        default: '10m',
        doc: 'Age at which metadata are fetched again though nothing has failed.',
      }),
      retry: section(
        'retry',
        defineShape<KafkaClientConfig['metadata']['retry']>({
          max: count('max', {
            default: 3,
            doc: 'Times that a failed step is tried again before it is an error.',
          }),
          backoffMs: duration('backoff', { default: '250ms', doc: 'Wait before each of them.' }),
        }),
        { doc: 'Errors that pass by themselves, such as a partition that changes its leader.' },
      ),
    },
    undefined,
    [
      ignored(
        anything('full', { doc: 'Fetch the metadata of all topics.' }),
        'metadata are fetched of the topics that are used',
      ),
    ],
  );
}

function checkClient(config: KafkaClientConfig): CheckIssue[] {
  const issues: CheckIssue[] = [];
  if (config.brokers.length === 0) issues.push({ key: 'brokers', message: 'at least one broker is needed' });
  for (const broker of config.brokers) {
    if (brokerAddress(broker) !== undefined) continue;
    issues.push({
      key: 'brokers',
      message: `expected host:port with a name or an IPv4 address, got ${JSON.stringify(broker)}`,
    });
  }
  if (config.auth.tls !== undefined) {
    if (config.tls !== undefined) {
      issues.push({ key: 'auth.tls', message: '"auth.tls" is the old place of "tls": keep one' });
    } else {
      issues.push({
        key: 'auth.tls',
        message: '"auth.tls" is deprecated; use "tls" instead',
        isWarning: true,
      });
    }
  }
  return issues;
}

function checkAuth({ sasl, plainText }: KafkaClientConfig['auth']): CheckIssue[] {
  if (plainText === undefined) return [];
  if (sasl !== undefined) return [{ key: 'plain_text', message: 'cannot be used together with "sasl"' }];
  const message = '"plain_text" is deprecated; use "sasl" with mechanism PLAIN instead';
  return [{ key: 'plain_text', message, isWarning: true }];
}

function checkSasl({ mechanism, username, password, tokenSource }: KafkaSaslConfig): CheckIssue[] {
  if (mechanism === 'OAUTHBEARER') {
    if (tokenSource !== undefined) return [];
    return [{ key: 'oauthbearer_token_source', message: 'is required for OAUTHBEARER' }];
  }
  const issues: CheckIssue[] = [];
  if (username === '') issues.push({ key: 'username', message: 'is required' });
  if (password === '') issues.push({ key: 'password', message: 'is required' });
  return issues;
}

/** `host:port` of one entry of `brokers`; undefined when it is none. */
export function brokerAddress(text: string): string | undefined {
  const trimmed = text.trim();
  const candidate = /^[^:]+$/.test(trimmed) ? `${trimmed}:${DEFAULT_PORT}` : trimmed;
  const parsed = parseHostPort(candidate);
  // The client takes an address apart at its colons, so those of IPv6 need a name.
  const isUsable =
    parsed !== undefined && parsed.host !== '' && !parsed.host.includes(':') && parsed.port !== 0;
  return isUsable ? candidate : undefined;
}

/** undefined: plain text. As in the Collector, `insecure` without an authority of one's own switches TLS off. */
export function kafkaTls(config: KafkaClientConfig): TlsClientSettings | undefined {
  const tls = config.tls ?? config.auth.tls;
  if (tls === undefined) return undefined;
  const hasAuthority = tls.caFile !== undefined || tls.caPem !== undefined;
  return tls.insecure && !hasAuthority ? undefined : tls;
}

/** undefined: no credentials. */
export function kafkaSasl(config: KafkaClientConfig): KafkaSaslConfig | undefined {
  const { sasl, plainText } = config.auth;
  if (plainText === undefined) return sasl;
  return { mechanism: 'PLAIN', ...plainText, tokenSource: undefined };
}
