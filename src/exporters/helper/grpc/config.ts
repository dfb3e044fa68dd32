import type { DeliveryConfig } from '../../../component/factory.ts';
import {
  boolean,
  byteCount,
  duration,
  ignored,
  oneOf,
  refused,
  section,
  squash,
  string,
  stringMap,
  target,
} from '../../../config/field-kinds.ts';
import { type CheckIssue, defineShape, type OtherKey, type Table } from '../../../config/schema.ts';
import { tlsClientShape } from '../../../config/tls-client.ts';
import type { TlsClientSettings } from '../../../stdx/tls-settings.ts';
import { HAS_ZSTD, NO_ZSTD_MESSAGE } from '../body-compression.ts';
import { type ClientAuthConfig, clientAuthField } from '../client-auth.ts';
import { type DeliveryDefaults, deliveryShape } from '../config.ts';
import { checkHeaders } from '../request-headers.ts';

export const GRPC_COMPRESSIONS = ['', 'none', 'gzip', 'snappy', 'zstd'] as const;
export type GrpcCompression = (typeof GRPC_COMPRESSIONS)[number];
export const BALANCERS = ['round_robin', 'pick_first'] as const;
export type Balancer = (typeof BALANCERS)[number];

export interface KeepaliveConfig {
  timeMs: number;
  timeoutMs: number;
  permitsWithoutStream: boolean;
}

export interface OtlpConfig {
  endpoint: string;
  compression: GrpcCompression;
  tls: TlsClientSettings;
  keepalive: KeepaliveConfig | undefined;
  waitsForReady: boolean;
  headers: Record<string, string>;
  userAgent: string | undefined;
  balancer: Balancer;
  authority: string | undefined;
  auth: ClientAuthConfig | undefined;
  delivery: DeliveryConfig;
}

/** Bytes, because gRPC servers take no message over 4 MiB unless they are told to, and refuse it for good. */
export const DELIVERY_DEFAULTS: DeliveryDefaults = {
  timeout: '5s',
  batchSizer: 'bytes',
  batchMinSize: 2 << 20,
  batchMaxSize: 7 << 19,
};

const NODE_BUFFERS = 'Node.js sizes its socket buffers itself';

const keepaliveShape = defineShape<KeepaliveConfig>({
  // Servers disconnect clients that ping more often.
  timeMs: duration('time', { default: '10s', min: 1, doc: 'Silence after which the connection is pinged.' }),
  timeoutMs: duration('timeout', { default: '10s', min: 1, doc: 'Wait for the answer to a ping.' }),
  permitsWithoutStream: boolean('permit_without_stream', {
    default: false,
    doc: 'Ping also while no batch is being sent.',
  }),
});

/** The table of whoever sends OTLP over gRPC. */
export const OTLP_GRPC_TABLE: Table<OtlpConfig> = {
  endpoint: target('endpoint', {
    default: '',
    doc: '`host:port`, `http://host:port` (plain text), `https://host:port` (TLS), `dns:///host:port` or `unix:///path`. Required.',
  }),
  compression: oneOf('compression', {
    values: GRPC_COMPRESSIONS,
    default: 'gzip',
    doc: 'Compression of messages. `zstd` needs Node.js 22.15.',
  }),
  tls: section('tls', tlsClientShape, {
    doc: 'TLS of the connection, which is on unless `insecure` is set.',
  }),
  keepalive: section('keepalive', keepaliveShape, {
    optional: true,
    doc: 'Pings that find dead connections. Off without the key.',
  }),
  waitsForReady: boolean('wait_for_ready', {
    default: false,
    doc: 'Wait for a connection until the attempt times out, instead of failing the attempt at once.',
  }),
  headers: stringMap('headers', {
    default: {},
    secretValues: true,
    doc: 'Metadata of every call. Values of names that end in `-bin` are sent in base64.',
  }),
  userAgent: string('user_agent', { doc: 'Default `millrace/<version> (<os>/<arch>)`.' }),
  balancer: oneOf('balancer_name', {
    values: BALANCERS,
    default: 'round_robin',
    doc: 'Among several addresses of the name: all in turn, or the first that answers.',
  }),
  authority: string('authority', { doc: "Host that requests name, instead of the endpoint's." }),
  auth: clientAuthField(),
  delivery: squash(deliveryShape(DELIVERY_DEFAULTS)),
};

export const OTLP_GRPC_OTHER_KEYS: readonly OtherKey[] = [
  ignored(byteCount('read_buffer_size', { doc: 'Bytes of the read buffer.' }), NODE_BUFFERS),
  ignored(byteCount('write_buffer_size', { doc: 'Bytes of the write buffer.' }), NODE_BUFFERS),
  refused('middlewares'),
];

/** Everything but the endpoint, which `loadbalancing` finds out itself. */
export function checkOtlpGrpc(config: OtlpConfig): CheckIssue[] {
  const issues = checkHeaders(config.headers);
  if (config.authority !== undefined && !/^[\w.:[\]%-]+$/.test(config.authority)) {
    issues.push({ key: 'authority', message: 'expected a host, or host:port' });
  }
  for (const name of Object.keys(config.headers)) {
    if (!name.toLowerCase().startsWith('grpc-')) continue;
    issues.push({ key: 'headers', message: `"${name}": names from "grpc-" on are reserved` });
  }
  if (config.compression === 'zstd' && !HAS_ZSTD)
    issues.push({ key: 'compression', message: NO_ZSTD_MESSAGE });
  return issues;
}

/** Whether the connection is plain text: the endpoint's scheme decides, else `insecure` without authorities. */
export function isPlainText(config: OtlpConfig, isSecure: boolean | undefined): boolean {
  if (isSecure !== undefined) return !isSecure;
  const { insecure, caFile, caPem } = config.tls;
  return insecure && caFile === undefined && caPem === undefined;
}
