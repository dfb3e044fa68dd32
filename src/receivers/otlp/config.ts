/** Keys of the receiver `otlp`, and what they mean for its servers. */
import type { Compression } from '../../component/consumer.ts';
import { SIGNALS, type Signal } from '../../component/signal.ts';
import { corsShape } from '../../config/cors.ts';
import {
  boolean,
  byteCount,
  count,
  duration,
  endpoint,
  ignored,
  oneOf,
  refused,
  section,
  string,
  stringList,
  stringMap,
} from '../../config/field-kinds.ts';
import { parseHostPort } from '../../config/host-port.ts';
import { type CheckIssue, defineConfig, defineShape, mapShape, type Shape } from '../../config/schema.ts';
import { tlsServerShape } from '../../config/tls-server.ts';
import type { CorsConfig } from '../../stdx/cors-policy.ts';
import type { TlsServerSettings } from '../../stdx/tls-settings.ts';
import { keepaliveShape } from './config-keepalive.ts';
import type { GrpcKeepaliveConfig } from './grpc-session.ts';
import { STREAMS_MAX } from './limits.ts';

const MIB = 1024 * 1024;
const DEFAULT_MESSAGE_MIB = 4;
/** What OTLP 1.11 asks servers to take; a record of the log holds no more. */
const BODY_MIB_MAX = 64;

export interface ListenConfig {
  /** undefined: every address of the machine. */
  host: string | undefined;
  port: number;
  tls: TlsServerSettings | undefined;
  auth: AuthKeys | undefined;
  /** Headers of clients are shown to what stands behind the receiver, as far as that names them. */
  includesMetadata: boolean;
}

export interface OtlpGrpcConfig extends ListenConfig {
  /** As sent and after decompression. */
  messageBytesMax: number;
  concurrentStreamsMax: number;
  keepalive: GrpcKeepaliveConfig;
}

export interface OtlpHttpConfig extends ListenConfig {
  /** As sent and after decompression. */
  bodyBytesMax: number;
  paths: Record<Signal, string>;
  responseHeaders: Record<string, string>;
  /** Content encodings beside identity. */
  compressions: Compression[];
  cors: CorsConfig | undefined;
  /** 0: the receiver's own limit. Any other value moves the listener to node:http. */
  readTimeoutMs: number;
  readHeaderTimeoutMs: number;
  writeTimeoutMs: number;
  idleTimeoutMs: number;
}

/** A protocol is undefined when its key is absent. */
export interface OtlpConfig {
  grpc: OtlpGrpcConfig | undefined;
  http: OtlpHttpConfig | undefined;
}

export interface OtlpReceiverConfig {
  protocols: OtlpConfig;
}

const COMPRESSION_NAMES: Readonly<Record<string, Compression>> = {
  '': 'identity',
  identity: 'identity',
  gzip: 'gzip',
  zstd: 'zstd',
  zlib: 'deflate',
  deflate: 'deflate',
};
const NOT_SUPPORTED_COMPRESSIONS = ['snappy', 'x-snappy-framed', 'lz4'];

const INCLUDE_METADATA = {
  default: false,
  doc: 'Keep the headers of clients that `from_context`, `metadata_keys` or `headers_setter` name, with the data.',
} as const;

/** Of each protocol, built anew, because a table owns its fields. */
const otherKeys = () => [
  refused('middlewares'),
  ignored(oneOf('transport', { values: ['tcp'], doc: 'What carries it.' }), 'it is always TCP'),
];

interface AuthKeys {
  authenticator: string;
}

const authShape = defineShape<AuthKeys>(
  {
    authenticator: string('authenticator', {
      required: true,
      doc: 'Id of the extension that checks every request by its headers.',
    }),
  },
  undefined,
  [refused('request_params')],
);

/** Fields of both protocols, each built anew, because a table owns its fields. */
const securityFields = () => ({
  tls: section('tls', tlsServerShape, { optional: true, doc: 'TLS; absent means plain text.' }),
  auth: section('auth', authShape, { optional: true, doc: 'Who may send; absent means everybody.' }),
});
const NO_SOCKET_BUFFER = 'buffers follow the bodies, bounded over all connections';

interface SecurityKeys {
  tls: TlsServerSettings | undefined;
  auth: AuthKeys | undefined;
}

interface GrpcKeys extends SecurityKeys {
  endpoint: string;
  maxRecvMsgSizeMib: number;
  maxConcurrentStreams: number;
  keepalive: GrpcKeepaliveConfig;
  includesMetadata: boolean;
}

const grpcShape: Shape<OtlpGrpcConfig> = mapShape(
  defineShape<GrpcKeys>(
    {
      endpoint: endpoint('endpoint', {
        accepts: 'host:port',
        default: 'localhost:4317',
        doc: 'Address to listen on.',
      }),
      maxRecvMsgSizeMib: count('max_recv_msg_size_mib', {
        default: 0,
        max: BODY_MIB_MAX,
        doc: 'Largest message in MiB, before and after decompression; 0 means 4.',
      }),
      maxConcurrentStreams: count('max_concurrent_streams', {
        default: 0,
        doc: 'Calls that one connection may have open; 0 means 128.',
      }),
      ...securityFields(),
      keepalive: section('keepalive', keepaliveShape, { doc: 'Life of connections and pings.' }),
      includesMetadata: boolean('include_metadata', INCLUDE_METADATA),
    },
    () => [],
    [
      ...otherKeys(),
      ignored(byteCount('read_buffer_size', { doc: 'Read buffer.' }), NO_SOCKET_BUFFER),
      ignored(byteCount('write_buffer_size', { doc: 'Write buffer.' }), NO_SOCKET_BUFFER),
    ],
  ),
  (keys) => ({
    ...listenConfig(keys),
    messageBytesMax: (keys.maxRecvMsgSizeMib || DEFAULT_MESSAGE_MIB) * MIB,
    concurrentStreamsMax: keys.maxConcurrentStreams || STREAMS_MAX,
    keepalive: keys.keepalive,
  }),
);

interface HttpKeys extends SecurityKeys {
  endpoint: string;
  maxRequestBodySize: number;
  tracesUrlPath: string;
  metricsUrlPath: string;
  logsUrlPath: string;
  responseHeaders: Record<string, string>;
  compressionAlgorithms: string[];
  cors: CorsConfig | undefined;
  readTimeoutMs: number;
  readHeaderTimeoutMs: number;
  writeTimeoutMs: number;
  idleTimeoutMs: number;
  keepsAlive: boolean;
  includesMetadata: boolean;
}

const DEFAULT_BODY_BYTES = 20 * MIB;

const httpKeysShape = defineShape<HttpKeys>(
  {
    endpoint: endpoint('endpoint', {
      accepts: 'host:port',
      default: 'localhost:4318',
      doc: 'Address to listen on.',
    }),
    ...securityFields(),
    maxRequestBodySize: byteCount('max_request_body_size', {
      default: DEFAULT_BODY_BYTES,
      max: BODY_MIB_MAX * MIB,
      doc: 'Largest body in bytes, before and after decompression; 0 means 20 MiB.',
    }),
    tracesUrlPath: string('traces_url_path', { default: '/v1/traces', doc: 'Path of traces.' }),
    metricsUrlPath: string('metrics_url_path', { default: '/v1/metrics', doc: 'Path of metrics.' }),
    logsUrlPath: string('logs_url_path', { default: '/v1/logs', doc: 'Path of logs.' }),
    responseHeaders: stringMap('response_headers', {
      default: {},
      secretValues: true,
      doc: 'Headers of every response.',
    }),
    compressionAlgorithms: stringList('compression_algorithms', {
      default: ['', 'gzip', 'zstd', 'zlib', 'deflate'],
      doc: 'Content encodings to take; an empty list takes none.',
    }),
    cors: section('cors', corsShape, { optional: true, doc: 'Rules for browsers of other origins.' }),
    readTimeoutMs: duration('read_timeout', { default: '0s', doc: 'Whole request; 0 means 30s.' }),
    readHeaderTimeoutMs: duration('read_header_timeout', { default: '0s', doc: 'Header; 0 means 10s.' }),
    writeTimeoutMs: duration('write_timeout', { default: '0s', doc: 'A stalled response; 0 means 30s.' }),
    idleTimeoutMs: duration('idle_timeout', {
      default: '0s',
      doc: 'Silence on a kept connection; 0 means 65s, on uWebSockets.js 10s.',
    }),
    keepsAlive: boolean('keep_alives_enabled', { default: true, doc: 'Only true is supported.' }),
    includesMetadata: boolean('include_metadata', INCLUDE_METADATA),
  },
  checkHttp,
  otherKeys(),
);

const httpShape: Shape<OtlpHttpConfig> = mapShape(httpKeysShape, (keys) => {
  const { readTimeoutMs, readHeaderTimeoutMs, writeTimeoutMs, idleTimeoutMs, cors } = keys;
  return {
    ...listenConfig(keys),
    bodyBytesMax: keys.maxRequestBodySize || DEFAULT_BODY_BYTES,
    paths: urlPaths(keys),
    responseHeaders: keys.responseHeaders,
    compressions: [...new Set(keys.compressionAlgorithms.map((name) => COMPRESSION_NAMES[name]!))],
    cors: cors !== undefined && cors.allowedOrigins.length > 0 ? cors : undefined,
    readTimeoutMs,
    readHeaderTimeoutMs,
    writeTimeoutMs,
    idleTimeoutMs,
  };
});

const protocolsShape = defineShape<OtlpConfig>(
  {
    grpc: section('grpc', grpcShape, { optional: true, doc: 'OTLP/gRPC; the bare key switches it on.' }),
    http: section('http', httpShape, { optional: true, doc: 'OTLP/HTTP; the bare key switches it on.' }),
  },
  ({ grpc, http }) =>
    grpc === undefined && http === undefined
      ? [{ key: '', message: 'must specify at least one protocol when using the OTLP receiver' }]
      : [],
);

/** The table behind `receivers: otlp:`. */
export const otlpConfigSchema = defineConfig<OtlpReceiverConfig>({
  protocols: section('protocols', protocolsShape, { doc: 'What to listen for.' }),
});

function listenConfig(keys: SecurityKeys & { endpoint: string; includesMetadata: boolean }): ListenConfig {
  const parsed = parseHostPort(keys.endpoint);
  return {
    host: parsed?.host === '' ? undefined : parsed?.host,
    port: parsed?.port ?? 0,
    tls: keys.tls,
    auth: keys.auth,
    includesMetadata: keys.includesMetadata,
  };
}

function urlPaths(keys: HttpKeys): Record<Signal, string> {
  const rooted = (path: string): string => (path.startsWith('/') ? path : `/${path}`);
  return {
    traces: rooted(keys.tracesUrlPath),
    metrics: rooted(keys.metricsUrlPath),
    logs: rooted(keys.logsUrlPath),
  };
}

function checkHttp(keys: HttpKeys): CheckIssue[] {
  const issues: CheckIssue[] = [];
  if (!keys.keepsAlive) issues.push({ key: 'keep_alives_enabled', message: 'false is not supported yet' });
  const paths = urlPaths(keys);
  if (new Set(Object.values(paths)).size < SIGNALS.length) {
    issues.push({ key: '', message: 'the paths of the signals must differ' });
  }
  for (const name of keys.compressionAlgorithms) {
    if (Object.hasOwn(COMPRESSION_NAMES, name)) continue;
    const isKnown = NOT_SUPPORTED_COMPRESSIONS.includes(name);
    const message = isKnown ? `"${name}" is not supported yet` : `unknown algorithm "${name}"`;
    issues.push({ key: 'compression_algorithms', message });
  }
  for (const [name, value] of Object.entries(keys.responseHeaders)) {
    // A line break would let a value end the header block; the value itself may be a credential.
    if (/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name) && /^[\t\x20-\x7e]*$/.test(value)) continue;
    issues.push({ key: 'response_headers', message: `"${name}" is not a header that can be sent` });
  }
  for (const origin of keys.cors?.allowedOrigins ?? []) {
    if (origin.split('*').length <= 2) continue;
    issues.push({ key: 'cors.allowed_origins', message: `"${origin}" has more than one *` });
  }
  return issues;
}
