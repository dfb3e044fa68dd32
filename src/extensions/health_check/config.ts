import type { AuthReference } from '../../component/factory.ts';
import {
  boolean,
  count,
  duration,
  endpoint,
  ignored,
  oneOf,
  refused,
  section,
  squash,
  string,
} from '../../config/field-kinds.ts';
import { type CheckIssue, defineConfig, defineShape, type Shape } from '../../config/schema.ts';
import { tlsServerShape } from '../../config/tls-server.ts';
import type { TlsServerSettings } from '../../stdx/tls-settings.ts';
import {
  authShape,
  type PageServerConfig,
  pageServerShape,
  serverAuthenticators,
} from '../helper/page-config.ts';

/** Bodies instead of the JSON; a text that is not set is the JSON again. */
export interface ResponseBodyConfig {
  healthy: string;
  unhealthy: string;
}

/** Which errors of components count as ill health in the answers of the second version. */
export interface ComponentHealthConfig {
  includesPermanent: boolean;
  includesRecoverable: boolean;
  /** How long a recoverable error may last before it counts. */
  recoveryMs: number;
}

interface PathConfig {
  isEnabled: boolean;
  path: string;
}

export interface HttpHealthConfig {
  server: PageServerConfig;
  status: PathConfig;
}

export interface GrpcHealthConfig {
  endpoint: string;
  tls: TlsServerSettings | undefined;
  auth: { authenticator: string } | undefined;
}

export interface HealthCheckConfig {
  server: PageServerConfig;
  path: string;
  responseBody: ResponseBodyConfig | undefined;
  usesV2: boolean;
  http: HttpHealthConfig | undefined;
  grpc: GrpcHealthConfig | undefined;
  componentHealth: ComponentHealthConfig;
}

const responseBodyShape = defineShape<ResponseBodyConfig>({
  healthy: string('healthy', { default: '', doc: 'Body while ready; empty means the JSON.' }),
  unhealthy: string('unhealthy', { default: '', doc: 'Body while not ready; empty means the JSON.' }),
});

/** Checked and without effect, in the Collector, too. */
const pipelineCheckShape = defineShape({
  isEnabled: boolean('enabled', { default: false, doc: 'Whether pipelines are checked.' }),
  intervalMs: duration('interval', { default: '5m', doc: 'Window of failures.' }),
  threshold: count('exporter_failure_threshold', { default: 5, min: 1, doc: 'Failures in the window.' }),
});

const ALWAYS_CHECKED = 'workers and logs of every pipeline are always part of the answer';
const FIXED = 'calls are small and few: limits are fixed';

const pathShape = (path: string, isEnabled: boolean, doc: string): Shape<PathConfig> =>
  defineShape<PathConfig>({
    isEnabled: boolean('enabled', { default: isEnabled, doc }),
    path: string('path', { default: path, pattern: /^\//, patternHint: 'must start with /', doc: 'Path.' }),
  });

const NO_CONFIG_PAGE = 'is not supported yet; `millrace print-config` prints the configuration';

const httpShape: Shape<HttpHealthConfig> = defineShape<HttpHealthConfig & { config: PathConfig }>(
  {
    server: squash(pageServerShape('localhost:13133')),
    status: section('status', pathShape('/status', true, 'Whether it answers.'), {
      doc: 'State of the engine, of a pipeline (`?pipeline=ID`), of every component (`?verbose`).',
    }),
    config: section('config', pathShape('/config', false, 'Only false is supported.'), {
      doc: 'The configuration as a page.',
    }),
  },
  ({ config }) => (config.isEnabled ? [{ key: 'config.enabled', message: NO_CONFIG_PAGE }] : []),
);

const grpcShape: Shape<GrpcHealthConfig> = defineShape<GrpcHealthConfig & { transport: 'tcp' }>(
  {
    endpoint: endpoint('endpoint', {
      accepts: 'host:port',
      default: 'localhost:13132',
      doc: 'Address to listen on.',
    }),
    transport: oneOf('transport', { values: ['tcp'], default: 'tcp', doc: 'Only tcp is supported.' }),
    tls: section('tls', tlsServerShape, {
      optional: true,
      doc: 'TLS; absent means plain text. Its files are read at the start alone.',
    }),
    auth: section('auth', authShape, { optional: true, doc: 'Who may ask; absent means everybody.' }),
  },
  undefined,
  [
    ignored(count('max_recv_msg_size_mib', { doc: 'Largest message.' }), FIXED),
    ignored(count('max_concurrent_streams', { doc: 'Calls at a time.' }), FIXED),
    ignored(count('read_buffer_size', { doc: 'Bytes of the read buffer.' }), FIXED),
    ignored(count('write_buffer_size', { doc: 'Bytes of the write buffer.' }), FIXED),
    ignored(boolean('include_metadata', { doc: 'Keep metadata.' }), FIXED),
    refused('keepalive'),
    refused('middlewares'),
  ],
);

const componentHealthShape = defineShape<ComponentHealthConfig>({
  includesPermanent: boolean('include_permanent_errors', {
    default: false,
    doc: 'Whether a permanent error of a component is ill health.',
  }),
  includesRecoverable: boolean('include_recoverable_errors', {
    default: false,
    doc: 'Whether a recoverable error of a component is ill health when it lasts.',
  }),
  recoveryMs: duration('recovery_duration', {
    default: '0s',
    doc: 'How long a recoverable error may last before it is ill health.',
  }),
});

export const healthCheckConfigSchema = defineConfig<HealthCheckConfig>(
  {
    server: squash(pageServerShape('localhost:13133')),
    path: string('path', {
      default: '/',
      pattern: /^\//,
      patternHint: 'must start with /',
      doc: 'Path of the answer; `/` answers on every path.',
    }),
    responseBody: section('response_body', responseBodyShape, {
      optional: true,
      doc: 'Texts to answer with instead of the JSON.',
    }),
    usesV2: boolean('use_v2', {
      default: false,
      doc: 'The second version: `http`, `grpc` and `component_health` instead of the keys above.',
    }),
    http: section('http', httpShape, { optional: true, doc: 'Second version: pages.' }),
    grpc: section('grpc', grpcShape, { optional: true, doc: 'Second version: `grpc.health.v1.Health`.' }),
    componentHealth: section('component_health', componentHealthShape, {
      doc: 'Second version: which errors are ill health.',
    }),
  },
  checkVersion,
  [
    ignored(
      section('check_collector_pipeline', pipelineCheckShape, { doc: 'Check of exporters.' }),
      ALWAYS_CHECKED,
    ),
  ],
);

function checkVersion({ usesV2, http, grpc, path, responseBody }: HealthCheckConfig): CheckIssue[] {
  if (!usesV2) {
    const message = 'belongs to use_v2: true';
    return Object.entries({ http, grpc }).flatMap(([key, value]) =>
      value === undefined ? [] : [{ key, message }],
    );
  }
  const issues: CheckIssue[] = [];
  if (http === undefined && grpc === undefined)
    issues.push({ key: '', message: 'must be configured with http, grpc or both when use_v2 is true' });
  const message = 'has no effect with use_v2';
  if (path !== '/') issues.push({ key: 'path', message, isWarning: true });
  if (responseBody !== undefined) issues.push({ key: 'response_body', message, isWarning: true });
  return issues;
}

/** For the factory. */
export function healthAuthenticators({ usesV2, server, http, grpc }: HealthCheckConfig): AuthReference[] {
  if (!usesV2) return serverAuthenticators(server);
  return [
    ...(http === undefined ? [] : serverAuthenticators(http.server, ['http'])),
    ...(grpc === undefined ? [] : serverAuthenticators(grpc, ['grpc'])),
  ];
}
