/**
 * Component types of the Collector's distributions: what is not built here yet is told apart from a typing
 * error. Types that were renamed are listed once, under their new name; both spellings load.
 */
import type { ComponentKind } from '../component/factory.ts';

function words(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
}

const KNOWN_TYPES: Readonly<Record<ComponentKind, ReadonlySet<string>>> = {
  receiver: words(`
    active_directory_ds aerospike apache apache_spark awscloudwatch awscontainerinsightreceiver awsecscontainermetrics
    awsfirehose awslambda awss3 awsxray azure_blob azure_event_hub azure_monitor bigip carbon chrony ciscoos
    cloudflare cloudfoundry collectd couchdb datadog docker_stats elasticsearch expvar faro file_log file_stats flinkmetrics
    fluent_forward github gitlab googlecloudmonitoring googlecloudpubsub googlecloudspanner haproxy host_metrics
    http_check iis influxdb jaeger jmx journald k8s_cluster k8s_events k8s_objects k8slog kafka kafka_metrics
    kubelet_stats libhoneyevent loki memcached mongodb mongodbatlas mysql namedpipe netflow nginx nop nsxt ntp
    opencensus oracledb osquery otelarrow otlp otlp_json_file podman_stats postgresql pprof prometheus
    prometheus_remote_write prometheus_simple pulsar purefa purefb rabbitmq receiver_creator redfish redis
    riak saphana signalfx simple skywalking snmp snowflake solace splunk_hec splunkenterprise sql_query sqlserver
    ssh_check statsd stef syslog systemd tcp_check tcp_log tls_check udp_log vcenter vcr wavefront webhook_event
    windows_event_log windows_perf_counters windows_service yang_grpc zipkin zookeeper`),
  processor: words(`
    adaptive_tail_sampling attributes batch coralogix cumulative_to_delta datadog_semantics delta_to_cumulative
    delta_to_rate dns_lookup experimental_metricsgeneration filter geoip groupbyattrs groupbytrace group_by_attrs
    group_by_trace interval isolation_forest k8s_attributes log_dedup log_structparser logs_transform lookup
    memory_limiter metric_start_time metrics_transform nop probabilistic_sampler queuebatch redaction remotetap
    removeemptyvalues resource resource_detection routing schema span span_pruning spanmetrics sumologic
    tail_sampling transform unroll`),
  exporter: words(`
    alertmanager alibabacloud_logservice awscloudwatchlogs awsemf awskinesis awss3 awsxray azure_blob azure_data_explorer
    azuremonitor bmc_helix carbon cassandra clickhouse coralogix datadog dataset debug doris elasticsearch faro file
    googlecloud googlecloudpubsub googlecloudstorage googlemanagedprometheus honeycombmarker influxdb instana kafka kinetica
    load_balancing logicmonitor logzio loki mezmo nop opencensus opensearch oracle_observability otelarrow otlp_grpc
    otlp_http prometheus prometheus_remote_write pulsar rabbitmq sapm sematext sentry signalfx splunk_hec stef
    sumologic syslog tencentcloud_logservice tinybird zipkin`),
  connector: words(`
    count datadog exceptions failover forward grafanacloud metrics_as_logs otlp_json round_robin routing
    service_graph signal_to_metrics slow_sql span_metrics sum`),
  extension: words(`
    ack asapclient avro_log_encoding awslogs_encoding azure_auth azure_encoding basicauth bearertokenauth
    cfgarden_observer cgroup_runtime datadog db_storage docker_observer ecs_observer ecs_task_observer file_storage
    googleclientauth googlecloudlogentry_encoding headers_setter health_check healthcheckv2 host_observer
    http_forwarder jaeger_encoding jaegerremotesampling json_log_encoding k8s_leader_elector k8s_observer kafkatopics_observer
    memory_limiter memory_ballast oauth2client oidc opamp opampcustommessages otlp_encoding pprof redis_storage
    remotetap sigv4auth skywalking_encoding solarwindsapmsettings sumologic text_encoding zipkin_encoding zpages`),
};

/** [new, old]; the rest of the renamed types only lost or gained underscores. */
const RENAMED: Readonly<Partial<Record<ComponentKind, ReadonlyArray<readonly [string, string]>>>> = {
  exporter: [
    ['otlp_grpc', 'otlp'],
    ['debug', 'logging'],
  ],
};

/** Types whose name without underscores is the old spelling. */
const UNDERSCORED: Readonly<Record<ComponentKind, ReadonlySet<string>>> = {
  receiver: words(`
    apache_spark aws_cloudwatch file_log fluent_forward host_metrics k8s_objects kafka_metrics kubelet_stats
    otlp_json_file prometheus_remote_write sql_query tcp_log udp_log webhook_event windows_event_log`),
  processor: words(`
    cumulative_to_delta delta_to_cumulative delta_to_rate group_by_attrs group_by_trace k8s_attributes log_dedup
    metric_start_time metrics_transform resource_detection span_pruning`),
  exporter: words('load_balancing otlp_http prometheus_remote_write'),
  connector: words('metrics_as_logs round_robin service_graph signal_to_metrics span_metrics'),
  extension: new Set(),
};

export interface Spelling {
  /** The other name of the same type; undefined when it has one name only. */
  other: string | undefined;
  isOld: boolean;
}

/** Whether a type has two names, and which of them this is. */
export function spellingOf(kind: ComponentKind, type: string): Spelling {
  for (const [now, before] of RENAMED[kind] ?? []) {
    if (type === now) return { other: before, isOld: false };
    if (type === before) return { other: now, isOld: true };
  }
  for (const now of UNDERSCORED[kind]) {
    const before = now.replaceAll('_', '');
    if (type === now) return { other: before, isOld: false };
    if (type === before) return { other: now, isOld: true };
  }
  return { other: undefined, isOld: false };
}

/** Whether the Collector has such a component, under this or its other name. */
export function isKnownType(kind: ComponentKind, type: string): boolean {
  const { other } = spellingOf(kind, type);
  return KNOWN_TYPES[kind].has(type) || (other !== undefined && KNOWN_TYPES[kind].has(other));
}

/** Kinds in which the Collector has this type. */
export function kindsOfType(type: string): ComponentKind[] {
  return (Object.keys(KNOWN_TYPES) as ComponentKind[]).filter((kind) => isKnownType(kind, type));
}

export function knownTypes(kind: ComponentKind): ReadonlySet<string> {
  return KNOWN_TYPES[kind];
}
