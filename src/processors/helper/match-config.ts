/** `include` and `exclude`: which items a processor means. */
import type { Signal } from '../../component/signal.ts';
import {
  anything,
  boolean,
  count,
  ignored,
  oneOf,
  section,
  sections,
  string,
  stringList,
} from '../../config/field-kinds.ts';
import { type CheckIssue, defineShape, type Shape } from '../../config/schema.ts';
import { regexIssue } from '../../ottl/regex.ts';
import { severityNumber } from './severity.ts';

export interface AttributeCriterion {
  key: string;
  /** undefined: it has to be there, whatever its value. */
  value: unknown;
}

export interface LibraryCriterion {
  name: string;
  version: string | undefined;
}

export interface SeverityCriterion {
  /** Smallest severity number that matches. */
  min: number;
  matchesUndefined: boolean;
}

/** What all matching blocks become. Kinds of criteria are ANDed; see the matcher for the rest. */
export interface MatchCriteria {
  matchType: 'strict' | 'regexp';
  services: string[];
  spanNames: string[];
  spanKinds: string[];
  attributes: AttributeCriterion[];
  resources: AttributeCriterion[];
  libraries: LibraryCriterion[];
  logBodies: string[];
  logSeverityTexts: string[];
  logSeverity: SeverityCriterion | undefined;
  metricNames: string[];
}

export const SPAN_KINDS = [
  'SPAN_KIND_UNSPECIFIED',
  'SPAN_KIND_INTERNAL',
  'SPAN_KIND_SERVER',
  'SPAN_KIND_CLIENT',
  'SPAN_KIND_PRODUCER',
  'SPAN_KIND_CONSUMER',
] as const;

export const NO_CRITERIA: Omit<MatchCriteria, 'matchType'> = {
  services: [],
  spanNames: [],
  spanKinds: [],
  attributes: [],
  resources: [],
  libraries: [],
  logBodies: [],
  logSeverityTexts: [],
  logSeverity: undefined,
  metricNames: [],
};

const attributeShape = defineShape<AttributeCriterion>({
  key: string('key', { required: true, doc: 'Name of the attribute.' }),
  value: anything('value', { doc: 'Its value; without one the attribute has to be there.' }),
});

const libraryShape = defineShape<LibraryCriterion>({
  name: string('name', { required: true, doc: 'Name of the instrumentation scope.' }),
  version: string('version', { doc: 'Its version; without one any version matches.' }),
});

/** As written. */
export interface SeverityKeys {
  min: unknown;
  matchesUndefined: boolean;
}

const severityShape = defineShape<SeverityKeys>(
  {
    min: anything('min', {
      doc: 'Least severity: a name such as `INFO` or `warn2`, or a number from 1 to 24.',
    }),
    matchesUndefined: boolean('match_undefined', {
      default: false,
      doc: 'Whether records without one match.',
    }),
  },
  ({ min }) => (severityNumber(min) === undefined ? [{ key: 'min', message: 'is not a severity' }] : []),
);

export function criterionList(key: string, doc: string) {
  return sections(key, attributeShape, { doc });
}

export function severityField(key: string) {
  return section(key, severityShape, { optional: true, doc: 'Records of at least this severity.' });
}

export function severityOf(keys: SeverityKeys | undefined): SeverityCriterion | undefined {
  if (keys === undefined) return undefined;
  return { min: severityNumber(keys.min) ?? 0, matchesUndefined: keys.matchesUndefined };
}

const matchTypeField = oneOf('match_type', {
  values: ['strict', 'regexp'],
  required: true,
  doc: 'Whether texts have to be equal, or an RE2 expression has to be found in them.',
});

const regexpShape = defineShape({
  isCached: boolean('cacheenabled', { default: false, doc: 'Keep results.' }),
  entriesMax: count('cachemaxnumentries', { default: 0, doc: 'How many.' }),
});
/** Keys that every matching block may have besides its own. */
export const REGEXP_OPTIONS = [
  ignored(
    section('regexp', regexpShape, { doc: 'Cache of results.' }),
    'results of short texts are always kept, in a table of fixed size',
  ),
] as const;

interface MatchKeys extends Omit<MatchCriteria, 'attributes' | 'resources' | 'libraries' | 'logSeverity'> {
  attributes: AttributeCriterion[] | undefined;
  resources: AttributeCriterion[] | undefined;
  libraries: LibraryCriterion[] | undefined;
  logSeverity: SeverityKeys | undefined;
}

const names = (key: string, doc: string) => stringList(key, { default: [], doc });

/** The block of `attributes` and of `filter`'s spans. */
export const matchShape: Shape<MatchKeys> = defineShape<MatchKeys>(
  {
    matchType: matchTypeField,
    services: names('services', '`service.name` of the resource; spans only.'),
    spanNames: names('span_names', 'Names of spans.'),
    spanKinds: names('span_kinds', 'Kinds of spans, such as `SPAN_KIND_SERVER`.'),
    attributes: criterionList('attributes', 'Attributes of the item; all have to match.'),
    resources: criterionList('resources', 'Attributes of the resource; all have to match.'),
    libraries: sections('libraries', libraryShape, { doc: 'Instrumentation scopes; all have to match.' }),
    logBodies: names('log_bodies', 'Bodies of log records that are text.'),
    logSeverityTexts: names('log_severity_texts', 'Severity texts of log records.'),
    logSeverity: severityField('log_severity_number'),
    metricNames: names('metric_names', 'Names of metrics.'),
  },
  (keys) => checkCriteria(criteriaOf(keys), MATCH_KEYS),
  REGEXP_OPTIONS,
);

/** What the keys mean. */
export function criteriaOf(keys: MatchKeys): MatchCriteria {
  const { attributes = [], resources = [], libraries = [], logSeverity, ...rest } = keys;
  return { ...rest, attributes, resources, libraries, logSeverity: severityOf(logSeverity) };
}

/** YAML keys of the criteria of one kind of block. */
export type CriteriaKeys = Partial<Record<keyof Omit<MatchCriteria, 'matchType'>, string>>;

export const MATCH_KEYS: CriteriaKeys = {
  services: 'services',
  spanNames: 'span_names',
  spanKinds: 'span_kinds',
  attributes: 'attributes',
  resources: 'resources',
  libraries: 'libraries',
  logBodies: 'log_bodies',
  logSeverityTexts: 'log_severity_texts',
  logSeverity: 'log_severity_number',
  metricNames: 'metric_names',
};

function isGiven(criteria: MatchCriteria, property: keyof CriteriaKeys): boolean {
  const value = criteria[property];
  return Array.isArray(value) ? value.length > 0 : value !== undefined;
}

export function checkCriteria(criteria: MatchCriteria, keys: CriteriaKeys): CheckIssue[] {
  const properties = Object.keys(keys) as (keyof CriteriaKeys)[];
  if (!properties.some((property) => isGiven(criteria, property))) {
    return [{ key: '', message: `needs at least one of ${Object.values(keys).join(', ')}` }];
  }
  const issues: CheckIssue[] = [];
  const report = (property: keyof CriteriaKeys, message: string) =>
    issues.push({ key: keys[property] ?? '', message });
  if (criteria.matchType === 'strict') {
    for (const kind of criteria.spanKinds) {
      if (!(SPAN_KINDS as readonly string[]).includes(kind)) {
        report(
          'spanKinds',
          `"${kind}" is not a span kind (valid values: [${SPAN_KINDS.slice(1).join(' ')}])`,
        );
      }
    }
  }
  for (const property of ['attributes', 'resources'] as const) {
    for (const criterion of criteria[property]) {
      const message = criterionIssue(criterion, criteria.matchType);
      if (message !== undefined) report(property, `"${criterion.key}" ${message}`);
    }
  }
  if (criteria.matchType === 'regexp') {
    for (const [property, pattern] of patternsOf(criteria)) {
      const message = regexIssue(pattern);
      if (message !== undefined) report(property, message);
    }
  }
  return issues;
}

function criterionIssue({ key, value }: AttributeCriterion, type: string): string | undefined {
  if (key === '') return 'must not be empty';
  if (value === undefined) return undefined;
  if (type === 'regexp') {
    if (typeof value !== 'string') return 'must have a text as its value with match_type regexp';
    return regexIssue(value);
  }
  if (value !== null && typeof value === 'object') return 'has a list or map as its value: not supported yet';
  return undefined;
}

function patternsOf(criteria: MatchCriteria): (readonly [keyof CriteriaKeys, string])[] {
  const texts = [
    'services',
    'spanNames',
    'spanKinds',
    'logBodies',
    'logSeverityTexts',
    'metricNames',
  ] as const;
  const patterns: (readonly [keyof CriteriaKeys, string])[] = texts.flatMap((property) =>
    criteria[property].map((pattern) => [property, pattern] as const),
  );
  for (const { name, version } of criteria.libraries) {
    patterns.push(['libraries', name]);
    if (version !== undefined) patterns.push(['libraries', version]);
  }
  return patterns;
}

const OF_SIGNAL: Record<Signal, readonly (keyof CriteriaKeys)[]> = {
  traces: ['services', 'spanNames', 'spanKinds', 'attributes', 'resources', 'libraries'],
  logs: ['attributes', 'resources', 'libraries', 'logBodies', 'logSeverityTexts', 'logSeverity'],
  metrics: ['metricNames', 'resources'],
};

/** Criteria that a pipeline of this signal cannot have, as messages. */
export function signalIssues(criteria: MatchCriteria | undefined, block: string, signal: Signal): string[] {
  if (criteria === undefined) return [];
  const strange = (Object.keys(MATCH_KEYS) as (keyof CriteriaKeys)[]).filter(
    (property) => isGiven(criteria, property) && !OF_SIGNAL[signal].includes(property),
  );
  return strange.map((property) => `"${block}.${MATCH_KEYS[property]}" cannot match ${signal}`);
}
