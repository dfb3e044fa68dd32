/** `service::telemetry`: the engine's own metrics, logs and resource. */
import type { TelemetryLevel, TelemetryPlan } from './collector-plan.ts';
import {
  anything,
  boolean,
  endpoint,
  ignored,
  integer,
  oneOf,
  refused,
  section,
  sections,
  squash,
  string,
  stringList,
} from './field-kinds.ts';
import { parseHostPort } from './host-port.ts';
import { type CheckIssue, defineShape, mapShape, type Shape } from './schema.ts';
import { telemetryLogsShape } from './telemetry-logs-config.ts';
import { readResource } from './telemetry-resource.ts';

type MetricsPlan = TelemetryPlan['metrics'];

interface PrometheusReader {
  host: string;
  port: number;
  exposition: MetricsPlan['exposition'];
}

interface PrometheusKeys {
  host: string;
  port: number;
  withoutUnits: boolean;
  withoutTypeSuffix: boolean;
  constantLabels: { included: string[] | undefined; excluded: string[] } | undefined;
}

interface ReaderKeys {
  pull: { exporter: { prometheus: PrometheusReader | undefined } } | undefined;
}

interface MetricsKeys {
  level: TelemetryLevel;
  address: string | undefined;
  readers: ReaderKeys[] | undefined;
}

const EXPOSITION_DEFAULT: MetricsPlan['exposition'] = {
  hasTypeSuffix: false,
  hasUnitSuffix: false,
  constantLabels: undefined,
};

/** Where metrics are when the file does not say: loopback, by address so that no resolver decides. */
const ADDRESS_DEFAULT = { host: '127.0.0.1', port: 8888 };

const constantLabelsShape = defineShape<{ included: string[] | undefined; excluded: string[] }>({
  included: stringList('included', { doc: 'Names of the attributes; all unless given.' }),
  excluded: stringList('excluded', { default: [], doc: 'Names of attributes that are left out.' }),
});

const prometheusShape: Shape<PrometheusReader> = mapShape(
  defineShape<PrometheusKeys>(
    {
      host: string('host', { default: 'localhost', doc: 'Address to listen on.' }),
      port: integer('port', { default: 8888, min: 0, max: 65_535, doc: 'Port to listen on.' }),
      withoutUnits: boolean('without_units', {
        default: true,
        doc: 'No `_seconds` and `_bytes` behind names that have none.',
      }),
      withoutTypeSuffix: boolean('without_type_suffix', {
        default: true,
        doc: 'No `_total` behind counters.',
      }),
      constantLabels: section('with_resource_constant_labels', constantLabelsShape, {
        optional: true,
        doc: 'Resource attributes that become labels of every series.',
      }),
    },
    undefined,
    [
      ignored(
        boolean('without_scope_info', { doc: 'Leave out scope labels.' }),
        'own metrics never have scope labels',
      ),
    ],
  ),
  ({ host, port, withoutUnits, withoutTypeSuffix, constantLabels }) => ({
    host,
    port,
    exposition: { hasUnitSuffix: !withoutUnits, hasTypeSuffix: !withoutTypeSuffix, constantLabels },
  }),
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
  ({ level, address, readers }) => {
    const reader = level === 'none' ? undefined : chooseReader(address, readers);
    return {
      level,
      prometheus: reader && { host: reader.host, port: reader.port },
      exposition: reader?.exposition ?? EXPOSITION_DEFAULT,
    };
  },
);

function chooseReader(
  address: string | undefined,
  readers: ReaderKeys[] | undefined,
): PrometheusReader | undefined {
  if (readers !== undefined) return readers[0]?.pull?.exporter.prometheus;
  const written = address === undefined ? undefined : parseHostPort(address);
  return { ...(written ?? ADDRESS_DEFAULT), exposition: EXPOSITION_DEFAULT };
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

const tracesShape = defineShape({}, undefined, [
  ignored(string('level', { doc: 'How much is traced.' }), 'the engine does not trace itself'),
  ignored(stringList('propagators', { doc: 'Context formats.' }), 'the engine does not trace itself'),
  refused('processors'),
  refused('sampler'),
  refused('limits'),
]);

/** A table of its own, so that its mistakes are listed beside those of the other keys. */
const resourceShape: Shape<TelemetryPlan['resource']> = mapShape(
  defineShape<{ resource: unknown }>(
    {
      resource: anything('resource', {
        doc: 'Attributes of the engine itself: a map of names to values (null takes one away), or `attributes`.',
      }),
    },
    ({ resource }) => readResource(resource).problems.map((message) => ({ key: 'resource', message })),
  ),
  ({ resource }) => readResource(resource).attributes,
);

export const telemetryShape: Shape<TelemetryPlan> = defineShape<TelemetryPlan>(
  {
    metrics: section('metrics', metricsShape, { doc: "The engine's own metrics." }),
    logs: section('logs', telemetryLogsShape, { doc: "The engine's own log lines." }),
    resource: squash(resourceShape),
  },
  undefined,
  [ignored(section('traces', tracesShape, { doc: 'Own traces.' }), 'the engine does not trace itself')],
);
