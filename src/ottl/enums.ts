import type { OttlContext } from './fields.ts';

const numbered = (prefix: string, names: readonly string[]): [string, bigint][] =>
  names.map((name, index) => [`${prefix}${name}`, BigInt(index)]);

const severities = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'].flatMap((level) =>
  ['', '2', '3', '4'].map((step) => level + step),
);

const SPAN_ENUMS = new Map([
  ...numbered('SPAN_KIND_', ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER']),
  ...numbered('STATUS_CODE_', ['UNSET', 'OK', 'ERROR']),
]);
const METRIC_ENUMS = new Map([
  ...numbered('AGGREGATION_TEMPORALITY_', ['UNSPECIFIED', 'DELTA', 'CUMULATIVE']),
  ...numbered('METRIC_DATA_TYPE_', [
    ...['NONE', 'GAUGE', 'SUM', 'HISTOGRAM', 'EXPONENTIAL_HISTOGRAM', 'SUMMARY'],
  ]),
]);
const NO_ENUMS = new Map<string, bigint>();

/** Names for numbers that a context knows. */
export const ENUMS: Readonly<Record<OttlContext, ReadonlyMap<string, bigint>>> = {
  resource: NO_ENUMS,
  scope: NO_ENUMS,
  span: SPAN_ENUMS,
  spanevent: SPAN_ENUMS,
  metric: METRIC_ENUMS,
  datapoint: new Map([...METRIC_ENUMS, ...numbered('FLAG_', ['NONE', 'NO_RECORDED_VALUE'])]),
  log: new Map(numbered('SEVERITY_NUMBER_', ['UNSPECIFIED', ...severities])),
};
