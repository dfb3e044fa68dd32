import {
  boolean,
  count,
  duration,
  endpoint,
  ignored,
  refused,
  section,
  string,
} from '../../config/field-kinds.ts';
import { defineConfig, defineShape } from '../../config/schema.ts';

/** Bodies instead of the JSON; a text that is not set is the JSON again. */
export interface ResponseBodyConfig {
  healthy: string;
  unhealthy: string;
}

export interface HealthCheckConfig {
  endpoint: string;
  path: string;
  responseBody: ResponseBodyConfig | undefined;
  usesV2: boolean;
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

export const healthCheckConfigSchema = defineConfig<HealthCheckConfig>(
  {
    endpoint: endpoint('endpoint', {
      accepts: 'host:port',
      default: 'localhost:13133',
      doc: 'Address to listen on.',
    }),
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
    usesV2: boolean('use_v2', { default: false, doc: 'Only false is supported.' }),
  },
  ({ usesV2 }) => (usesV2 ? [{ key: 'use_v2', message: 'is not supported yet' }] : []),
  [
    ignored(
      section('check_collector_pipeline', pipelineCheckShape, { doc: 'Check of exporters.' }),
      ALWAYS_CHECKED,
    ),
    refused('tls'),
    refused('auth'),
    refused('cors'),
    refused('http', 'belongs to use_v2, which is not supported yet'),
    refused('grpc', 'belongs to use_v2, which is not supported yet'),
    refused('component_health', 'belongs to use_v2, which is not supported yet'),
  ],
);
