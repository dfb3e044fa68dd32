/**
 * What OpenTelemetry calls the engine's series: instruments and attributes of semantic conventions have dots where
 * Prometheus has underscores, and instruments belong to a scope, the one of the Collector's code that has the same.
 */

const DOTTED_INSTRUMENT = /^(?:http|rpc)_/;

/** `http_server_request_body_size` is `http.server.request.body.size`; the Collector's and our own stay as they are. */
export function instrumentName(name: string): string {
  return DOTTED_INSTRUMENT.test(name) ? name.replaceAll('_', '.') : name;
}

/** Attributes whose dots do not stand wherever the label has an underscore, and those that are no text. */
const ATTRIBUTES: Readonly<Record<string, { name: string; type?: 'int' | 'bool' }>> = {
  error_type: { name: 'error.type' },
  http_request_method: { name: 'http.request.method' },
  http_response_status_code: { name: 'http.response.status_code', type: 'int' },
  http_route: { name: 'http.route' },
  network_protocol_name: { name: 'network.protocol.name' },
  network_protocol_version: { name: 'network.protocol.version' },
  otel_metric_overflow: { name: 'otel.metric.overflow', type: 'bool' },
  rpc_method: { name: 'rpc.method' },
  rpc_response_status_code: { name: 'rpc.response.status_code' },
  rpc_system_name: { name: 'rpc.system.name' },
  server_address: { name: 'server.address' },
  server_port: { name: 'server.port', type: 'int' },
  url_path: { name: 'url.path' },
  url_scheme: { name: 'url.scheme' },
};

export function attributeName(label: string): string {
  return ATTRIBUTES[label]?.name ?? label;
}

/** The value of a label as its attribute has it. */
export function attributeValue(label: string, value: string): string | number | boolean {
  const type = ATTRIBUTES[label]?.type;
  if (type === 'int' && /^\d{1,9}$/.test(value)) return Number(value);
  return type === 'bool' ? value === 'true' : value;
}

const COLLECTOR = 'go.opentelemetry.io/collector';
const SCOPES: readonly (readonly [prefix: string, scope: string])[] = [
  ['http_', 'go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp'],
  ['rpc_', 'go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc'],
  ['otelcol_receiver_', `${COLLECTOR}/receiver/receiverhelper`],
  ['otelcol_processor_batch_', `${COLLECTOR}/processor/batchprocessor`],
  ['otelcol_processor_memory_limiter_', `${COLLECTOR}/processor/memorylimiterprocessor`],
  [
    'otelcol_processor_filter_',
    'github.com/open-telemetry/opentelemetry-collector-contrib/processor/filterprocessor',
  ],
  [
    'otelcol_processor_tail_sampling_',
    'github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor',
  ],
  ['otelcol_processor_', `${COLLECTOR}/processor/processorhelper`],
  ['otelcol_exporter_', `${COLLECTOR}/exporter/exporterhelper`],
  ['otelcol_process_', `${COLLECTOR}/service`],
];

/** Name of the instrumentation scope, which views select by `meter_name`. */
export function scopeName(name: string): string {
  return SCOPES.find(([prefix]) => name.startsWith(prefix))?.[1] ?? 'millrace';
}
