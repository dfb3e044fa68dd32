/** `include` and `exclude` by properties of the items: what the filter had before it had conditions. */
import { oneOf, refused, section, stringList } from '../../config/field-kinds.ts';
import { type CheckIssue, defineShape, mapShape, type Shape } from '../../config/schema.ts';
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
} from '../helper/match-config.ts';

/** Items stay that are included, if anything is, and not excluded. */
export interface FilterBlock {
  include: MatchCriteria | undefined;
  exclude: MatchCriteria | undefined;
}

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

export const metricShape: Shape<MatchCriteria> = mapShape(
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

export const logShape: Shape<MatchCriteria> = mapShape(
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

export const spanShape: Shape<MatchCriteria> = mapShape(matchShape, criteriaOf);

export function selectionShape(criteria: Shape<MatchCriteria>): Shape<FilterBlock> {
  return defineShape<FilterBlock>({
    include: section('include', criteria, { optional: true, doc: 'Only what matches stays.' }),
    exclude: section('exclude', criteria, { optional: true, doc: 'What matches is dropped.' }),
  });
}
