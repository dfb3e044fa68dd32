/** `service::telemetry::metrics`: how much is measured, where it goes, and in which form. */
import {
  boolean,
  endpoint,
  ignored,
  integer,
  oneOf,
  section,
  sections,
  string,
  stringList,
} from './field-kinds.ts';
import { parseHostPort } from './host-port.ts';
import { type CheckIssue, defineShape, mapShape, type Shape } from './schema.ts';
import { ownExporterShape } from './telemetry-exporter.ts';
import type { PeriodicReaderPlan, TelemetryLevel, TelemetryPlan, ViewPlan } from './telemetry-plan.ts';
import { viewShape } from './telemetry-views.ts';

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
  periodic: PeriodicReaderPlan | undefined;
}

interface MetricsKeys {
  level: TelemetryLevel;
  address: string | undefined;
  readers: ReaderKeys[] | undefined;
  views: ViewPlan[] | undefined;
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

const periodicShape: Shape<PeriodicReaderPlan> = defineShape<PeriodicReaderPlan>({
  intervalMs: integer('interval', {
    default: 60_000,
    min: 100,
    doc: 'Milliseconds from one sending to the next.',
  }),
  timeoutMs: integer('timeout', { default: 30_000, min: 1, doc: 'Milliseconds that one sending may take.' }),
  exporter: section('exporter', ownExporterShape('metrics'), { doc: 'Where they are sent.' }),
});

const readerShape = defineShape<ReaderKeys>({
  pull: section(
    'pull',
    defineShape({ exporter: section('exporter', exporterShape, { doc: 'What serves.' }) }),
    {
      optional: true,
      doc: 'Metrics that somebody else collects.',
    },
  ),
  periodic: section('periodic', periodicShape, { optional: true, doc: 'Metrics that are sent.' }),
});

export const telemetryMetricsShape: Shape<MetricsPlan> = mapShape(
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
        doc: 'Where metrics go: at most one Prometheus endpoint, and any number of periodic readers.',
      }),
      views: sections('views', viewShape, { doc: 'Which metrics leave, and how; needs level detailed.' }),
    },
    checkMetrics,
  ),
  ({ level, address, readers, views }) => {
    const reader = level === 'none' ? undefined : chooseReader(address, readers);
    const periodic = (readers ?? []).flatMap((each) => each.periodic ?? []);
    return {
      level,
      prometheus: reader && { host: reader.host, port: reader.port },
      exposition: reader?.exposition ?? EXPOSITION_DEFAULT,
      periodicReaders: level === 'none' ? [] : periodic,
      views: views ?? [],
    };
  },
);

function chooseReader(
  address: string | undefined,
  readers: ReaderKeys[] | undefined,
): PrometheusReader | undefined {
  if (readers !== undefined) {
    return readers.find(({ pull }) => pull !== undefined)?.pull?.exporter.prometheus;
  }
  const written = address === undefined ? undefined : parseHostPort(address);
  return { ...(written ?? ADDRESS_DEFAULT), exposition: EXPOSITION_DEFAULT };
}

function checkMetrics({ level, address, readers, views }: MetricsKeys): CheckIssue[] {
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
  if ((views ?? []).length > 0 && level !== 'detailed') {
    const message = 'can only be set when service::telemetry::metrics::level is detailed';
    issues.push({ key: 'views', message });
  }
  return [...issues, ...checkReaders(readers ?? [])];
}

function checkReaders(readers: readonly ReaderKeys[]): CheckIssue[] {
  const issues: CheckIssue[] = [];
  let hasPrometheus = false;
  for (const [index, { pull, periodic }] of readers.entries()) {
    const key = `readers.${index}`;
    if ((pull === undefined) === (periodic === undefined)) {
      issues.push({ key, message: 'must have either pull or periodic' });
    } else if (pull !== undefined && pull.exporter.prometheus === undefined) {
      issues.push({ key, message: 'must have pull::exporter::prometheus' });
    } else if (pull !== undefined && hasPrometheus) {
      issues.push({ key, message: 'only one Prometheus reader is supported' });
    }
    hasPrometheus ||= pull !== undefined;
  }
  return issues;
}
