import type { DeliveryConfig } from '../../component/factory.ts';
import type { Signal } from '../../component/signal.ts';
import {
  anything,
  boolean,
  byteCount,
  count,
  duration,
  endpoint,
  ignored,
  integer,
  oneOf,
  refused,
  section,
  squash,
  stringMap,
} from '../../config/field-kinds.ts';
import { type CheckIssue, defineConfig, defineShape } from '../../config/schema.ts';
import { tlsClientShape } from '../../config/tls-client.ts';
import type { TlsClientSettings } from '../../stdx/tls-settings.ts';
import {
  BODY_COMPRESSIONS,
  type BodyCompression,
  HAS_ZSTD,
  NO_ZSTD_MESSAGE,
} from '../helper/body-compression.ts';
import { type ClientAuthConfig, clientAuthField } from '../helper/client-auth.ts';
import { type DeliveryDefaults, deliveryShape } from '../helper/config.ts';
import { checkHeaders } from '../helper/request-headers.ts';

export interface OtlpHttpConfig {
  endpoint: string | undefined;
  tracesEndpoint: string | undefined;
  metricsEndpoint: string | undefined;
  logsEndpoint: string | undefined;
  encoding: 'proto' | 'json';
  compression: BodyCompression | '';
  compressionParams: { level: number | undefined };
  headers: Record<string, string>;
  tls: TlsClientSettings;
  auth: ClientAuthConfig | undefined;
  proxyUrl: string | undefined;
  /** 0: no limit. */
  connectionsMax: number;
  idleTimeoutMs: number;
  disablesKeepAlives: boolean;
  delivery: DeliveryConfig;
}

/**
 * Bytes, because servers bound requests by bytes: 4 MiB is the smallest usual limit, and a request over it is lost.
 */
export const DELIVERY_DEFAULTS: DeliveryDefaults = {
  timeout: '30s',
  batchSizer: 'bytes',
  batchMinSize: 2 << 20,
  batchMaxSize: 7 << 19,
};

const NO_PROTOCOL_2 = 'requests go over HTTP/1.1';
const NODE_BUFFERS = 'Node.js sizes its socket buffers itself';
const POOL = 'there are never more connections than `num_consumers`, and all of them are kept';

const signalEndpoint = (signal: string) =>
  endpoint(`${signal}_endpoint`, {
    accepts: 'url',
    doc: `Complete URL for ${signal}; wins over \`endpoint\`.`,
  });

export const otlpHttpConfigSchema = defineConfig<OtlpHttpConfig>(
  {
    endpoint: endpoint('endpoint', {
      accepts: 'url',
      doc: 'Base URL; `/v1/traces`, `/v1/metrics` or `/v1/logs` is appended. The scheme decides about TLS.',
    }),
    tracesEndpoint: signalEndpoint('traces'),
    metricsEndpoint: signalEndpoint('metrics'),
    logsEndpoint: signalEndpoint('logs'),
    encoding: oneOf('encoding', {
      values: ['proto', 'json'],
      default: 'proto',
      doc: 'Protobuf, which is sent as it was received, or JSON, which is made of it.',
    }),
    compression: oneOf('compression', {
      values: ['', ...BODY_COMPRESSIONS],
      default: 'gzip',
      doc: 'Compression of request bodies. `zstd` needs Node.js 22.15.',
    }),
    compressionParams: section(
      'compression_params',
      defineShape<OtlpHttpConfig['compressionParams']>({
        level: integer('level', {
          min: -1,
          max: 22,
          doc: 'gzip, zlib and deflate: -1 to 9; zstd: 1 to 22. Not set: 1.',
        }),
      }),
      { doc: 'Effort of the compression.' },
    ),
    headers: stringMap('headers', {
      default: {},
      secretValues: true,
      doc: 'Sent with every request; they win over the headers of the exporter.',
    }),
    tls: section('tls', tlsClientShape, { doc: 'TLS of `https` endpoints.' }),
    auth: clientAuthField(),
    proxyUrl: endpoint('proxy_url', {
      accepts: 'url',
      schemes: ['http', 'https', 'socks5'],
      doc: 'Proxy of all requests; default from HTTP_PROXY, HTTPS_PROXY and NO_PROXY, never for loopback addresses.',
    }),
    connectionsMax: count('max_conns_per_host', {
      default: 0,
      doc: 'Most connections; 0 leaves it to `num_consumers`.',
    }),
    idleTimeoutMs: duration('idle_conn_timeout', {
      default: '90s',
      doc: 'Connections that were idle for this long are closed; 0 keeps them.',
    }),
    disablesKeepAlives: boolean('disable_keep_alives', {
      default: false,
      doc: 'A connection for each request.',
    }),
    delivery: squash(deliveryShape(DELIVERY_DEFAULTS)),
  },
  checkConfig,
  [
    ignored(byteCount('read_buffer_size', { doc: 'Bytes of the read buffer.' }), NODE_BUFFERS),
    ignored(byteCount('write_buffer_size', { doc: 'Bytes of the write buffer.' }), NODE_BUFFERS),
    ignored(count('max_idle_conns', { doc: 'Most idle connections.' }), POOL),
    ignored(count('max_idle_conns_per_host', { doc: 'Most idle connections of a host.' }), POOL),
    ignored(duration('http2_read_idle_timeout', { doc: 'Silence before a ping.' }), NO_PROTOCOL_2),
    ignored(duration('http2_ping_timeout', { doc: 'Wait for the answer to a ping.' }), NO_PROTOCOL_2),
    ignored(boolean('force_attempt_http2', { doc: 'Try HTTP/2.' }), NO_PROTOCOL_2),
    ignored(
      anything('profiles_endpoint', { doc: 'Complete URL for profiles.' }),
      'there is no profiles signal',
    ),
    refused('middlewares'),
    refused('cookies'),
  ],
);

function checkConfig(config: OtlpHttpConfig): CheckIssue[] {
  const issues = [...checkHeaders(config.headers), ...checkCompression(config)];
  const { endpoint: base, tracesEndpoint, metricsEndpoint, logsEndpoint } = config;
  if ((base ?? tracesEndpoint ?? metricsEndpoint ?? logsEndpoint) === undefined) {
    issues.push({ key: '', message: 'at least one endpoint must be specified' });
  }
  return issues;
}

function checkCompression(config: OtlpHttpConfig): CheckIssue[] {
  const { compression } = config;
  const { level } = config.compressionParams;
  const issues: CheckIssue[] = [];
  if (compression === 'zstd' && !HAS_ZSTD) issues.push({ key: 'compression', message: NO_ZSTD_MESSAGE });
  if (level === undefined) return issues;
  const key = 'compression_params.level';
  if (compression === 'zstd') {
    if (level < 1) issues.push({ key, message: 'must be 1 to 22 for zstd' });
  } else if (['gzip', 'zlib', 'deflate'].includes(compression)) {
    if (level > 9) issues.push({ key, message: `must be -1 to 9 for ${compression}` });
  } else if (level !== 0) {
    issues.push({ key, message: `compression "${compression || 'none'}" has no levels` });
  }
  return issues;
}

/** Where a signal goes; undefined when the configuration does not say. */
export function signalUrl(config: OtlpHttpConfig, signal: Signal): string | undefined {
  const { endpoint: base, tracesEndpoint, metricsEndpoint, logsEndpoint } = config;
  const own = { traces: tracesEndpoint, metrics: metricsEndpoint, logs: logsEndpoint }[signal];
  if (own !== undefined || base === undefined) return own;
  return base.endsWith('/') ? `${base}v1/${signal}` : `${base}/v1/${signal}`;
}
