/** `service::telemetry`: the engine's own metrics and logs. */
import type { TelemetryLevel, TelemetryPlan } from './collector-plan.ts';
import {
  anything,
  boolean,
  count,
  duration,
  endpoint,
  ignored,
  integer,
  oneOf,
  refused,
  section,
  sections,
  string,
  stringList,
} from './field-kinds.ts';
import { parseHostPort } from './host-port.ts';
import { type CheckIssue, defineShape, mapShape, type Shape } from './schema.ts';

interface PrometheusReader {
  host: string;
  port: number;
}

interface ReaderKeys {
  pull: { exporter: { prometheus: PrometheusReader | undefined } } | undefined;
}

interface MetricsKeys {
  level: TelemetryLevel;
  address: string | undefined;
  readers: ReaderKeys[] | undefined;
}

interface LogsKeys {
  level: 'debug' | 'info' | 'warn' | 'error';
  encoding: 'console' | 'json';
  outputPaths: string[];
  errorOutputPaths: string[];
}

/** Where metrics are when the file does not say: loopback, by address so that no resolver decides. */
const PROMETHEUS_DEFAULT: PrometheusReader = { host: '127.0.0.1', port: 8888 };

const NAMES_FIXED = 'metric names always follow the Collector, with unit and type';
const OWN_LOG = 'log lines have a fixed form';

const prometheusShape = defineShape<PrometheusReader>(
  {
    host: string('host', { default: 'localhost', doc: 'Address to listen on.' }),
    port: integer('port', { default: 8888, min: 0, max: 65_535, doc: 'Port to listen on.' }),
  },
  undefined,
  [
    ignored(boolean('without_scope_info', { doc: 'Leave out scope labels.' }), NAMES_FIXED),
    ignored(boolean('without_units', { doc: 'Leave out units.' }), NAMES_FIXED),
    ignored(boolean('without_type_suffix', { doc: 'Leave out type suffixes.' }), NAMES_FIXED),
    ignored(anything('with_resource_constant_labels', { doc: 'Resource labels.' }), NAMES_FIXED),
  ],
);

const exporterShape = defineShape<{ prometheus: PrometheusReader | undefined }>({
  prometheus: section('prometheus', prometheusShape, { optional: true, doc: 'Serves `/metrics`.' }),
});

const readerShape = defineShape<ReaderKeys>(
  {
    pull: section(
      'pull',
      defineShape({ exporter: section('exporter', exporterShape, { doc: 'What serves.' }) }),
      {
        optional: true,
        doc: 'Metrics that somebody else collects.',
      },
    ),
  },
  undefined,
  [refused('periodic', 'is not supported yet; use pull::exporter::prometheus')],
);

const metricsShape: Shape<TelemetryPlan['metrics']> = mapShape(
  defineShape<MetricsKeys>(
    {
      level: oneOf('level', {
        values: ['none', 'basic', 'normal', 'detailed'],
        default: 'normal',
        ignoreCase: true,
        doc: 'How much is measured; `none` serves no metrics.',
      }),
      address: endpoint('address', {
        accepts: 'host:port',
        doc: 'Old spelling of one Prometheus reader.',
      }),
      readers: sections('readers', readerShape, {
        doc: 'Where metrics are offered: one Prometheus endpoint.',
      }),
    },
    checkMetrics,
    [refused('views')],
  ),
  ({ level, address, readers }) => ({
    level,
    prometheus: level === 'none' ? undefined : choosePrometheus(address, readers),
  }),
);

function choosePrometheus(
  address: string | undefined,
  readers: ReaderKeys[] | undefined,
): PrometheusReader | undefined {
  if (readers !== undefined) return readers[0]?.pull?.exporter.prometheus;
  return (address === undefined ? undefined : parseHostPort(address)) ?? PROMETHEUS_DEFAULT;
}

function checkMetrics({ level, address, readers }: MetricsKeys): CheckIssue[] {
  const issues: CheckIssue[] = [];
  if (address !== undefined) {
    const message = '"address" is deprecated; use readers with pull::exporter::prometheus instead';
    issues.push({ key: 'address', message, isWarning: true });
    if (readers !== undefined)
      issues.push({ key: 'address', message: 'is the old spelling of "readers": keep one' });
  }
  if (readers?.length === 0 && level !== 'none') {
    const message = 'collector telemetry metrics reader should exist when metric level is not none';
    issues.push({ key: 'readers', message });
  }
  readers?.forEach((reader, index) => {
    if (reader.pull?.exporter.prometheus === undefined) {
      issues.push({ key: `readers.${index}`, message: 'must have pull::exporter::prometheus' });
    } else if (index > 0) {
      issues.push({ key: `readers.${index}`, message: 'only one Prometheus reader is supported' });
    }
  });
  return issues;
}

const samplingShape = defineShape({
  enabled: boolean('enabled', { default: true, doc: 'Whether repeated lines are thinned out.' }),
  tickMs: duration('tick', { default: '10s', doc: 'Time over which lines are counted.' }),
  initial: count('initial', { default: 10, doc: 'Lines of one message before thinning.' }),
  thereafter: count('thereafter', { default: 100, doc: 'One of this many lines after that.' }),
});

const logsShape: Shape<TelemetryPlan['logs']> = mapShape(
  defineShape<LogsKeys>(
    {
      level: oneOf('level', {
        values: ['debug', 'info', 'warn', 'error'],
        default: 'info',
        ignoreCase: true,
        doc: 'Least severity that is printed.',
      }),
      encoding: oneOf('encoding', {
        values: ['console', 'json'],
        default: 'console',
        doc: 'Lines for people or for programs.',
      }),
      outputPaths: stringList('output_paths', { default: ['stderr'], doc: 'Only stderr.' }),
      errorOutputPaths: stringList('error_output_paths', { default: ['stderr'], doc: 'Only stderr.' }),
    },
    (logs) => [
      ...checkOutput('output_paths', logs.outputPaths),
      ...checkOutput('error_output_paths', logs.errorOutputPaths),
    ],
    [
      ignored(boolean('development', { doc: 'Development mode.' }), OWN_LOG),
      ignored(boolean('disable_caller', { doc: 'No source positions.' }), OWN_LOG),
      ignored(boolean('disable_stacktrace', { doc: 'No stack traces.' }), OWN_LOG),
      ignored(boolean('disable_zap_resource', { doc: 'No resource fields.' }), OWN_LOG),
      ignored(anything('initial_fields', { doc: 'Fields of every line.' }), OWN_LOG),
      ignored(
        section('sampling', samplingShape, { doc: 'Thinning.' }),
        'repeated lines are always thinned out',
      ),
      refused('processors'),
    ],
  ),
  ({ level, encoding }) => ({ level, encoding }),
);

function checkOutput(key: string, paths: readonly string[]): CheckIssue[] {
  return paths.length === 1 && paths[0] === 'stderr' ? [] : [{ key, message: 'only [stderr] is supported' }];
}

const tracesShape = defineShape({}, undefined, [
  ignored(string('level', { doc: 'How much is traced.' }), 'the engine does not trace itself'),
  ignored(stringList('propagators', { doc: 'Context formats.' }), 'the engine does not trace itself'),
  refused('processors'),
  refused('sampler'),
  refused('limits'),
]);

export const telemetryShape: Shape<TelemetryPlan> = defineShape<TelemetryPlan>(
  {
    metrics: section('metrics', metricsShape, { doc: "The engine's own metrics." }),
    logs: section('logs', logsShape, { doc: "The engine's own log lines, on stderr." }),
  },
  undefined,
  [
    ignored(section('traces', tracesShape, { doc: 'Own traces.' }), 'the engine does not trace itself'),
    ignored(anything('resource', { doc: 'Own resource.' }), 'own metrics carry no resource attributes'),
  ],
);
