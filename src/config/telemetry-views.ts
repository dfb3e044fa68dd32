/** `service::telemetry::metrics::views`: one entry. */
import { oneOf, refused, section, string, stringList } from './field-kinds.ts';
import { type CheckIssue, defineShape, mapShape, type Shape } from './schema.ts';
import type { ViewPlan } from './telemetry-plan.ts';

type Nothing = Record<never, never>;

interface StreamKeys {
  name: string | undefined;
  description: string | undefined;
  attributeKeys: { included: string[] | undefined; excluded: string[] } | undefined;
  aggregation: { drop: Nothing | undefined; default: Nothing | undefined } | undefined;
}

const INSTRUMENT_TYPES = [
  'counter',
  'gauge',
  'histogram',
  'observable_counter',
  'observable_gauge',
  'observable_up_down_counter',
  'up_down_counter',
] as const;

const NO_VERSIONS = 'is not supported: scopes of this engine have no versions';
const FIXED_BUCKETS = 'is not supported: what is measured is counted in the buckets of the Collector';

const selectorShape = defineShape<ViewPlan['selector']>(
  {
    instrumentName: string('instrument_name', {
      doc: 'Name of metrics as OpenTelemetry writes it, with `*` and `?`; all unless given.',
    }),
    instrumentType: oneOf('instrument_type', { values: INSTRUMENT_TYPES, doc: 'Kind of metrics.' }),
    unit: string('unit', { doc: 'Unit of metrics.' }),
    meterName: string('meter_name', { doc: 'Instrumentation scope of metrics.' }),
  },
  undefined,
  [refused('meter_version', NO_VERSIONS), refused('meter_schema_url', NO_VERSIONS)],
);

const aggregationShape = defineShape<NonNullable<StreamKeys['aggregation']>>(
  {
    drop: section('drop', defineShape<Nothing>({}), { optional: true, doc: 'The metrics do not leave.' }),
    default: section('default', defineShape<Nothing>({}), { optional: true, doc: 'As they are.' }),
  },
  undefined,
  [
    refused('explicit_bucket_histogram', FIXED_BUCKETS),
    refused('base2_exponential_bucket_histogram', FIXED_BUCKETS),
    refused('sum'),
    refused('last_value'),
  ],
);

const streamShape = defineShape<StreamKeys>(
  {
    name: string('name', { doc: 'Another name; only for a selector that names one metric.' }),
    description: string('description', { doc: 'Another description.' }),
    attributeKeys: section(
      'attribute_keys',
      defineShape<NonNullable<StreamKeys['attributeKeys']>>({
        included: stringList('included', { doc: 'Attributes that stay; all unless given.' }),
        excluded: stringList('excluded', { default: [], doc: 'Attributes that do not stay.' }),
      }),
      { optional: true, doc: 'Which attributes stay; what differs in the others is added up.' },
    ),
    aggregation: section('aggregation', aggregationShape, { optional: true, doc: 'What is made of them.' }),
  },
  undefined,
  [refused('aggregation_cardinality_limit', 'is not supported: a metric has at most 2000 sets of labels')],
);

interface ViewKeys {
  selector: ViewPlan['selector'];
  stream: StreamKeys;
}

export const viewShape: Shape<ViewPlan> = mapShape(
  defineShape<ViewKeys>(
    {
      selector: section('selector', selectorShape, { doc: 'Which metrics it is about.' }),
      stream: section('stream', streamShape, { doc: 'What becomes of them.' }),
    },
    checkView,
  ),
  ({ selector, stream: { aggregation, ...stream } }) => ({
    selector,
    stream: { ...stream, isDropped: aggregation?.drop !== undefined },
  }),
);

function checkView({ selector, stream }: ViewKeys): CheckIssue[] {
  const issues: CheckIssue[] = [];
  if (Object.values(selector).every((value) => value === undefined)) {
    issues.push({ key: 'selector', message: 'must name something to select by' });
  }
  const { instrumentName } = selector;
  if (stream.name !== undefined && (instrumentName === undefined || /[*?]/.test(instrumentName))) {
    const message = 'needs a selector with an instrument_name without wildcards';
    issues.push({ key: 'stream.name', message });
  }
  return issues;
}
