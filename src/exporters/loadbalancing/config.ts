import type { DeliveryConfig } from '../../component/factory.ts';
import {
  anything,
  duration,
  ignored,
  oneOf,
  refused,
  section,
  squash,
  string,
  stringList,
} from '../../config/field-kinds.ts';
import { type CheckIssue, defineConfig, defineShape, mapShape } from '../../config/schema.ts';
import { deliveryShape } from '../helper/config.ts';
import {
  checkOtlpGrpc,
  DELIVERY_DEFAULTS as OTLP_DELIVERY_DEFAULTS,
  OTLP_GRPC_OTHER_KEYS,
  OTLP_GRPC_TABLE,
  type OtlpConfig,
} from '../helper/grpc/config.ts';
import { parseTarget } from '../helper/grpc/target.ts';

export const ROUTING_KEYS = ['traceID', 'service', 'attributes', 'metric', 'resource', 'streamID'] as const;
export type RoutingKey = (typeof ROUTING_KEYS)[number];

/** How every backend is spoken to; the endpoint and the queue are those of the whole exporter. */
export type BackendConfig = Omit<OtlpConfig, 'endpoint' | 'delivery'> & { timeoutMs: number };

export interface DnsResolverConfig {
  hostname: string;
  /** Empty: the default port. */
  port: string;
  intervalMs: number;
  timeoutMs: number;
}

export interface LoadBalancingConfig {
  protocol: { otlp: BackendConfig };
  resolver: {
    static: { hostnames: readonly string[] } | undefined;
    dns: DnsResolverConfig | undefined;
  };
  routingKey: RoutingKey | undefined;
  routingAttributes: readonly string[];
  delivery: DeliveryConfig;
}

const WHOLE_EXPORTER = 'what waits is in the log of the whole exporter: set it beside `protocol`';

const { endpoint: _endpoint, delivery: _delivery, ...BACKEND_FIELDS } = OTLP_GRPC_TABLE;

const backendShape = defineShape<BackendConfig>(
  {
    ...BACKEND_FIELDS,
    timeoutMs: duration('timeout', {
      default: '5s',
      doc: 'Longest time of one attempt, unless there is a `timeout` beside `protocol`; 0 means no limit.',
    }),
  },
  // What is checked is in the fields that both have.
  (config) => checkOtlpGrpc(config as unknown as OtlpConfig),
  [
    ...OTLP_GRPC_OTHER_KEYS,
    ignored(string('endpoint', { doc: 'Address of a backend.' }), 'the resolver says where backends are'),
    ignored(anything('sending_queue', { doc: 'Queue of one backend.' }), WHOLE_EXPORTER),
    ignored(anything('retry_on_failure', { doc: 'Retries of one backend.' }), WHOLE_EXPORTER),
  ],
);

const staticShape = defineShape<{ hostnames: readonly string[] }>(
  {
    hostnames: stringList('hostnames', {
      default: [],
      doc: '`host` or `host:port` of every backend; 4317 where there is no port.',
    }),
  },
  ({ hostnames }) => [
    ...(hostnames.length === 0
      ? [{ key: 'hostnames', message: 'no endpoints specified for the static resolver' }]
      : []),
    ...hostnames.flatMap((hostname) => {
      const target = parseTarget(withPort(hostname));
      return 'error' in target ? [{ key: 'hostnames', message: `"${hostname}": ${target.error}` }] : [];
    }),
  ],
);

/** Numbers are fine, as in the Collector. */
const dnsKeys = defineShape<Omit<DnsResolverConfig, 'port'> & { port: unknown }>(
  {
    hostname: string('hostname', { default: '', doc: 'Name whose addresses are the backends. Required.' }),
    port: anything('port', { doc: 'Port of every backend; 4317 without.' }),
    intervalMs: duration('interval', { default: '5s', min: 1, doc: 'Time between two looks at the name.' }),
    timeoutMs: duration('timeout', { default: '1s', min: 1, doc: 'Longest look at the name.' }),
  },
  ({ hostname, port }) => [
    ...(hostname === ''
      ? [{ key: 'hostname', message: 'no hostname specified to resolve the backends' }]
      : []),
    ...(/^\d{0,5}$/.test(portText(port)) ? [] : [{ key: 'port', message: 'must be a port number' }]),
  ],
);

const dnsShape = mapShape(dnsKeys, (keys): DnsResolverConfig => ({ ...keys, port: portText(keys.port) }));

function portText(port: unknown): string {
  return typeof port === 'string' || typeof port === 'number' ? String(port) : port === undefined ? '' : '?';
}

const resolverShape = defineShape<LoadBalancingConfig['resolver']>(
  {
    static: section('static', staticShape, { optional: true, doc: 'A fixed list.' }),
    dns: section('dns', dnsShape, {
      optional: true,
      doc: 'All addresses of a name, looked up again and again.',
    }),
  },
  (resolver) => {
    if (resolver.static !== undefined && resolver.dns !== undefined)
      return [{ key: '', message: 'only one resolver should be specified' }];
    const isNone = resolver.static === undefined && resolver.dns === undefined;
    return isNone ? [{ key: '', message: 'no resolvers specified for the exporter' }] : [];
  },
  [
    refused('k8s', 'is not supported: a headless service is a name for `dns`'),
    refused('aws_cloud_map', 'is not supported: names of Cloud Map are names for `dns`'),
  ],
);

const protocolShape = defineShape<LoadBalancingConfig['protocol']>({
  otlp: section('otlp', backendShape, { doc: 'OTLP over gRPC, with the keys of exporter `otlp`.' }),
});

export const loadBalancingConfigSchema = defineConfig<LoadBalancingConfig>(
  {
    protocol: section('protocol', protocolShape, { doc: 'How backends are spoken to.' }),
    resolver: section('resolver', resolverShape, { doc: 'Where backends are: one of the two.' }),
    routingKey: oneOf('routing_key', {
      values: ROUTING_KEYS,
      doc: 'What goes to the same backend: `traceID` (default for traces; logs), `service` (default for logs and metrics; traces), `attributes`, and of metrics `metric` (name), `resource`, `streamID` (series).',
    }),
    routingAttributes: stringList('routing_attributes', {
      default: [],
      doc: 'Of `routing_key: attributes`: names that are looked for in resource, scope and item; also `span.kind`, `span.name`, `log.severity`, `log.body`.',
    }),
    delivery: squash(deliveryShape({ ...OTLP_DELIVERY_DEFAULTS, timeout: '0s' })),
  },
  checkConfig,
);

function checkConfig({ routingKey, routingAttributes }: LoadBalancingConfig): CheckIssue[] {
  if (routingKey === 'attributes' && routingAttributes.length === 0)
    return [{ key: 'routing_attributes', message: 'must be specified when routing_key is "attributes"' }];
  if (routingKey !== 'attributes' && routingAttributes.length > 0)
    return [{ key: 'routing_attributes', message: 'can only be used when routing_key is "attributes"' }];
  return [];
}

const DEFAULT_PORT = 4317;

/** As the Collector has it, but for IPv6 addresses in brackets, which get the port as well. */
export function withPort(endpoint: string): string {
  const isBare = endpoint.startsWith('[') ? endpoint.endsWith(']') : !endpoint.includes(':');
  return isBare ? `${endpoint}:${DEFAULT_PORT}` : endpoint;
}
