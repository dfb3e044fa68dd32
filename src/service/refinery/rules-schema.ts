/** Refinery's rules file, version 2, as tables: its keys, their types, what belongs together. */
import {
  anything,
  boolean,
  count,
  duration,
  integer,
  number,
  oneOf,
  section,
  sections,
  string,
  stringList,
} from '../../config/field-kinds.ts';
import { type CheckIssue, defineConfig, defineShape, type Shape, type Table } from '../../config/schema.ts';

export const OPERATORS = [
  ...['=', '!=', '>', '>=', '<', '<=', 'starts-with', 'contains', 'does-not-contain', 'exists'],
  ...['not-exists', 'has-root-span', 'matches', 'in', 'not-in'],
] as const;
export type Operator = (typeof OPERATORS)[number] | string;
export type Datatype = '' | 'string' | 'int' | 'float' | 'bool';

export interface ConditionRule {
  field: string;
  fields: string[];
  operator: Operator;
  value: unknown;
  datatype: Datatype;
}

export interface KeyedRule {
  fieldList: string[];
  maxKeys: number;
  usesTraceLength: boolean;
}

export interface DeterministicRule {
  sampleRate: number;
}

export interface DynamicRule extends KeyedRule {
  sampleRate: number;
  clearFrequencyMs: number;
}

export interface EmaRule extends KeyedRule {
  adjustmentIntervalMs: number;
  weight: number;
  ageOutValue: number | undefined;
  burstMultiple: number;
  burstDetectionDelay: number;
}

export interface EmaDynamicRule extends EmaRule {
  goalSampleRate: number;
}

/** The three samplers with a volume as their goal; only that has anything like it here. */
export interface ThroughputRule {
  goalThroughputPerSec: number;
}

export interface SamplerChoice {
  DeterministicSampler: DeterministicRule | undefined;
  DynamicSampler: DynamicRule | undefined;
  EMADynamicSampler: EmaDynamicRule | undefined;
  EMAThroughputSampler: ThroughputRule | undefined;
  WindowedThroughputSampler: ThroughputRule | undefined;
  TotalThroughputSampler: ThroughputRule | undefined;
}

export interface SamplingRule {
  name: string;
  conditions: ConditionRule[] | undefined;
  scope: 'trace' | 'span';
  sampler: SamplerChoice | undefined;
  drops: boolean;
  sampleRate: number | undefined;
}

export interface RulesBasedRule {
  rules: SamplingRule[] | undefined;
  checksNestedFields: boolean;
}

export interface TopSampler extends SamplerChoice {
  RulesBasedSampler: RulesBasedRule | undefined;
}

const SAMPLERS = {
  doc: 'Parameters.',
  optional: true,
} as const;

const keyedTable: Table<KeyedRule> = {
  fieldList: stringList('FieldList', { required: true, doc: 'Fields that make the key.' }),
  maxKeys: count('MaxKeys', { default: 500, doc: 'Keys that are tracked.' }),
  usesTraceLength: boolean('UseTraceLength', {
    default: false,
    doc: 'The number of spans is part of the key.',
  }),
};
const emaTable: Table<EmaRule> = {
  ...keyedTable,
  adjustmentIntervalMs: duration('AdjustmentInterval', {
    default: '15s',
    doc: 'How often rates are calculated.',
  }),
  weight: number('Weight', { default: 0.5, doc: 'Share of the newest interval.' }),
  ageOutValue: number('AgeOutValue', { doc: 'Keys below it are forgotten.' }),
  burstMultiple: number('BurstMultiple', { default: 2, doc: 'Early calculation.' }),
  burstDetectionDelay: count('BurstDetectionDelay', { default: 3, doc: 'Intervals before that.' }),
};
const throughputTable = {
  goalThroughputPerSec: count('GoalThroughputPerSec', { required: true, doc: 'Spans a second.' }),
  usesClusterSize: boolean('UseClusterSize', { default: false, doc: 'The goal is that of all instances.' }),
};

const deterministicShape = defineShape<DeterministicRule>({
  sampleRate: integer('SampleRate', { required: true, min: 1, doc: 'One of so many traces.' }),
});
const dynamicShape = defineShape<DynamicRule>({
  ...keyedTable,
  sampleRate: count('SampleRate', { required: true, min: 1, doc: 'One of so many spans.' }),
  clearFrequencyMs: duration('ClearFrequency', { default: '30s', doc: 'How often rates are calculated.' }),
});
const emaDynamicShape = defineShape<EmaDynamicRule>({
  ...emaTable,
  goalSampleRate: count('GoalSampleRate', { required: true, min: 1, doc: 'One of so many spans.' }),
});
const emaThroughputShape: Shape<ThroughputRule> = defineShape<
  EmaRule & ThroughputRule & Record<string, unknown>
>({
  ...emaTable,
  ...throughputTable,
  initialSampleRate: count('InitialSampleRate', { default: 10, doc: 'Rate before the first interval.' }),
} as Table<EmaRule & ThroughputRule & Record<string, unknown>>);
const windowedShape: Shape<ThroughputRule> = defineShape<
  KeyedRule & ThroughputRule & Record<string, unknown>
>({
  ...keyedTable,
  ...throughputTable,
  updateFrequencyMs: duration('UpdateFrequency', { default: '1s', doc: 'How often rates are calculated.' }),
  lookbackFrequencyMs: duration('LookbackFrequency', { default: '30s', doc: 'Length of the window.' }),
} as Table<KeyedRule & ThroughputRule & Record<string, unknown>>);
const totalShape: Shape<ThroughputRule> = defineShape<KeyedRule & ThroughputRule & Record<string, unknown>>({
  ...keyedTable,
  ...throughputTable,
  clearFrequencyMs: duration('ClearFrequency', { default: '30s', doc: 'How often rates are calculated.' }),
} as Table<KeyedRule & ThroughputRule & Record<string, unknown>>);

const choiceTable: Table<SamplerChoice> = {
  DeterministicSampler: section('DeterministicSampler', deterministicShape, SAMPLERS),
  DynamicSampler: section('DynamicSampler', dynamicShape, SAMPLERS),
  EMADynamicSampler: section('EMADynamicSampler', emaDynamicShape, SAMPLERS),
  EMAThroughputSampler: section('EMAThroughputSampler', emaThroughputShape, SAMPLERS),
  WindowedThroughputSampler: section('WindowedThroughputSampler', windowedShape, SAMPLERS),
  TotalThroughputSampler: section('TotalThroughputSampler', totalShape, SAMPLERS),
};

function exactlyOne(choice: SamplerChoice): CheckIssue[] {
  const given = Object.entries(choice).filter(([, value]) => value !== undefined);
  if (given.length === 1) return [];
  const names = given.map(([name]) => name).join(', ');
  return [{ key: '', message: given.length === 0 ? 'needs a sampler' : `has several samplers: ${names}` }];
}

const conditionShape = defineShape<ConditionRule>(
  {
    field: string('Field', { default: '', doc: 'Field of a span.' }),
    fields: stringList('Fields', { default: [], doc: 'Fields, of which the first that exists counts.' }),
    operator: oneOf('Operator', { values: OPERATORS, required: true, doc: 'How it is compared.' }),
    value: anything('Value', { doc: 'With what.' }),
    datatype: oneOf('Datatype', {
      values: ['', 'string', 'int', 'float', 'bool'],
      default: '',
      doc: 'Type that both sides are converted to.',
    }),
  } as Table<ConditionRule>,
  ({ field, fields, operator }) => {
    if (operator === 'has-root-span') return [];
    if (field === '' && fields.length === 0) return [{ key: '', message: 'needs "Field" or "Fields"' }];
    return field !== '' && fields.length > 0
      ? [{ key: 'Fields', message: 'must not be given together with "Field"' }]
      : [];
  },
);

const ruleShape = defineShape<SamplingRule>({
  name: string('Name', { default: '', doc: 'Name of the rule.' }),
  conditions: sections('Conditions', conditionShape, { doc: 'All have to hold.' }),
  scope: oneOf('Scope', {
    values: ['trace', 'span'],
    default: 'trace',
    doc: 'Whether one span has to meet all.',
  }),
  sampler: section('Sampler', defineShape<SamplerChoice>(choiceTable, exactlyOne), {
    optional: true,
    doc: 'Sampler for what matches.',
  }),
  drops: boolean('Drop', { default: false, doc: 'Whether what matches is dropped.' }),
  sampleRate: integer('SampleRate', { doc: 'One of so many traces; 0 and less: none.' }),
});

const rulesBasedShape = defineShape<RulesBasedRule>({
  rules: sections('Rules', ruleShape, { doc: 'The first that matches decides.' }),
  checksNestedFields: boolean('CheckNestedFields', { default: false, doc: 'Look into JSON texts.' }),
});

/** What stands below one name of `Samplers`. */
export const topSamplerSchema = defineConfig<TopSampler>(
  {
    ...choiceTable,
    RulesBasedSampler: section('RulesBasedSampler', rulesBasedShape, SAMPLERS),
  },
  exactlyOne,
);
