import type { Signal } from '../../component/signal.ts';
import { ignored, oneOf, refused, section, stringList } from '../../config/field-kinds.ts';
import { type CheckIssue, defineConfig, defineShape, mapShape, type Shape } from '../../config/schema.ts';
import {
  type AttributeCriterion,
  type CriteriaKeys,
  checkCriteria,
  criteriaOf,
  criterionList,
  type MatchCriteria,
  matchShape,
  NO_CRITERIA,
  REGEXP_OPTIONS,
  type SeverityKeys,
  severityField,
  severityOf,
  signalIssues,
} from '../helper/match-config.ts';

/** What one signal's block says: items stay that are included, if anything is, and not excluded. */
export interface FilterBlock {
  include: MatchCriteria | undefined;
  exclude: MatchCriteria | undefined;
}

export interface FilterConfig {
  spans: FilterBlock | undefined;
  metrics: FilterBlock | undefined;
  logs: FilterBlock | undefined;
}

const OTTL = 'is not supported yet: OTTL conditions are not; include and exclude are';

type MatchType = MatchCriteria['matchType'] | 'expr';

const matchType = oneOf('match_type', {
  values: ['strict', 'regexp', 'expr'],
  required: true,
  doc: 'Whether texts have to be equal, or an RE2 expression has to be found in them; `expr` is not supported yet.',
});

function checkBlock(
  type: MatchType,
  criteria: Omit<MatchCriteria, 'matchType'>,
  keys: CriteriaKeys,
): CheckIssue[] {
  if (type === 'expr') return [{ key: 'match_type', message: '"expr" is not supported yet' }];
  return checkCriteria({ ...criteria, matchType: type }, keys);
}

/** The checks let no `expr` through. */
function finished(type: MatchType, criteria: Omit<MatchCriteria, 'matchType'>): MatchCriteria {
  return { ...criteria, matchType: type === 'regexp' ? 'regexp' : 'strict' };
}

const texts = (key: string, doc: string) => stringList(key, { default: [], doc });

interface MetricKeys {
  matchType: MatchType;
  metricNames: string[];
  resources: AttributeCriterion[] | undefined;
}

const METRIC_KEYS: CriteriaKeys = { metricNames: 'metric_names', resources: 'resource_attributes' };

function metricCriteria({ metricNames, resources = [] }: MetricKeys): Omit<MatchCriteria, 'matchType'> {
  return { ...NO_CRITERIA, metricNames, resources };
}

const metricShape: Shape<MatchCriteria> = mapShape(
  defineShape<MetricKeys>(
    {
      matchType,
      metricNames: texts('metric_names', 'Names of metrics.'),
      resources: criterionList('resource_attributes', 'Attributes of the resource; all have to match.'),
    },
    (keys) => checkBlock(keys.matchType, metricCriteria(keys), METRIC_KEYS),
    [...REGEXP_OPTIONS, refused('expressions', 'is not supported yet: only strict and regexp are')],
  ),
  (keys) => finished(keys.matchType, metricCriteria(keys)),
);

interface LogKeys {
  matchType: MatchType;
  resources: AttributeCriterion[] | undefined;
  attributes: AttributeCriterion[] | undefined;
  logSeverityTexts: string[];
  logBodies: string[];
  logSeverity: SeverityKeys | undefined;
}

const LOG_KEYS: CriteriaKeys = {
  resources: 'resource_attributes',
  attributes: 'record_attributes',
  logSeverityTexts: 'severity_texts',
  logBodies: 'bodies',
  logSeverity: 'severity_number',
};

function logCriteria({ resources = [], attributes = [], logSeverity, ...keys }: LogKeys) {
  const { logSeverityTexts, logBodies } = keys;
  const severity = severityOf(logSeverity);
  return { ...NO_CRITERIA, resources, attributes, logSeverityTexts, logBodies, logSeverity: severity };
}

const logShape: Shape<MatchCriteria> = mapShape(
  defineShape<LogKeys>(
    {
      matchType,
      resources: criterionList('resource_attributes', 'Attributes of the resource; all have to match.'),
      attributes: criterionList('record_attributes', 'Attributes of the record; all have to match.'),
      logSeverityTexts: texts('severity_texts', 'Severity texts.'),
      logBodies: texts('bodies', 'Bodies that are text.'),
      logSeverity: severityField('severity_number'),
    },
    (keys) => checkBlock(keys.matchType, logCriteria(keys), LOG_KEYS),
    REGEXP_OPTIONS,
  ),
  (keys) => finished(keys.matchType, logCriteria(keys)),
);

function blockShape(criteria: Shape<MatchCriteria>, ottlKeys: readonly string[]): Shape<FilterBlock> {
  return defineShape<FilterBlock>(
    {
      include: section('include', criteria, { optional: true, doc: 'Only what matches stays.' }),
      exclude: section('exclude', criteria, { optional: true, doc: 'What matches is dropped.' }),
    },
    ({ include, exclude }) =>
      include === undefined && exclude === undefined
        ? [{ key: '', message: 'needs "include", "exclude" or both' }]
        : [],
    ottlKeys.map((key) => refused(key, OTTL)),
  );
}

const spanShape = mapShape(matchShape, criteriaOf);

export const filterConfigSchema = defineConfig<FilterConfig>(
  {
    spans: section('spans', blockShape(spanShape, []), { optional: true, doc: 'Which spans stay.' }),
    metrics: section('metrics', blockShape(metricShape, ['resource', 'metric', 'datapoint']), {
      optional: true,
      doc: 'Which metrics stay, with all their data points.',
    }),
    logs: section('logs', blockShape(logShape, ['resource', 'log_record']), {
      optional: true,
      doc: 'Which log records stay.',
    }),
  },
  ({ spans }) => {
    const issues = signalIssues(spans?.include, 'include', 'traces').concat(
      signalIssues(spans?.exclude, 'exclude', 'traces'),
    );
    return issues.map((message) => ({ key: 'spans', message }));
  },
  [
    ...[
      'traces',
      'profiles',
      'trace_conditions',
      'metric_conditions',
      'log_conditions',
      'profile_conditions',
    ].map((key) => refused(key, OTTL)),
    ignored(
      oneOf('error_mode', {
        values: ['ignore', 'silent', 'propagate'],
        doc: 'What a failing condition does.',
      }),
      'include and exclude cannot fail',
    ),
  ],
);

/** The block for the items of a signal; undefined: all of them stay. */
export function blockOf(config: FilterConfig, signal: Signal): FilterBlock | undefined {
  return { traces: config.spans, metrics: config.metrics, logs: config.logs }[signal];
}
