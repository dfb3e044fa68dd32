/** `service::telemetry::traces`: spans of the engine's own work, sampled, sent by OTLP. */
import { anything, count, ignored, integer, oneOf, section, sections, stringList } from './field-kinds.ts';
import { type CheckIssue, defineShape, mapShape, type Shape } from './schema.ts';
import { ownExporterShape } from './telemetry-exporter.ts';
import type { OwnExporterPlan, SpanProcessorPlan, TracesPlan } from './telemetry-plan.ts';
import { readSampler } from './telemetry-sampler.ts';

interface BatchKeys {
  delayMs: number;
  timeoutMs: number;
  queueMax: number;
  batchMax: number;
  exporter: OwnExporterPlan;
}

interface ProcessorKeys {
  batch: BatchKeys | undefined;
  simple: { exporter: OwnExporterPlan } | undefined;
}

const exporterField = section('exporter', ownExporterShape('traces'), { doc: 'Where they are sent.' });

const batchShape = defineShape<BatchKeys>(
  {
    delayMs: integer('schedule_delay', { default: 5000, min: 100, doc: 'Milliseconds between sendings.' }),
    timeoutMs: integer('export_timeout', { default: 30_000, min: 1, doc: 'Milliseconds of one sending.' }),
    queueMax: count('max_queue_size', { default: 2048, min: 1, doc: 'Spans that may wait; more are lost.' }),
    batchMax: count('max_export_batch_size', { default: 512, min: 1, doc: 'Most spans of one sending.' }),
    exporter: exporterField,
  },
  ({ queueMax, batchMax }) =>
    batchMax > queueMax
      ? [{ key: 'max_export_batch_size', message: 'must not be more than max_queue_size' }]
      : [],
);

const processorShape: Shape<SpanProcessorPlan> = mapShape(
  defineShape<ProcessorKeys>(
    {
      batch: section('batch', batchShape, { optional: true, doc: 'Spans are sent together.' }),
      simple: section('simple', defineShape({ exporter: exporterField }), {
        optional: true,
        doc: 'Spans are sent as soon as they are collected from their thread, every 500 ms.',
      }),
    },
    ({ batch, simple }) =>
      (batch === undefined) === (simple === undefined)
        ? [{ key: '', message: 'must have either batch or simple' }]
        : [],
  ),
  ({ batch, simple }) =>
    batch ?? { delayMs: 0, timeoutMs: 30_000, queueMax: 2048, batchMax: 512, exporter: simple!.exporter },
);

interface TracesKeys {
  level: 'none' | 'basic' | 'normal' | 'detailed';
  propagators: string[];
  processors: SpanProcessorPlan[] | undefined;
  sampler: unknown;
}

const FEW_ATTRIBUTES = 'spans of the engine have a few short attributes, no events and no links';
const limit = (key: string) => count(key, { doc: 'A bound of spans.' });
const limitsShape = defineShape({
  attributeCount: limit('attribute_count_limit'),
  attributeLength: limit('attribute_value_length_limit'),
  eventCount: limit('event_count_limit'),
  linkCount: limit('link_count_limit'),
  eventAttributes: limit('event_attribute_count_limit'),
  linkAttributes: limit('link_attribute_count_limit'),
});

export const telemetryTracesShape: Shape<TracesPlan | undefined> = mapShape(
  defineShape<TracesKeys>(
    {
      level: oneOf('level', {
        values: ['none', 'basic', 'normal', 'detailed'],
        default: 'basic',
        ignoreCase: true,
        doc: '`none` switches spans off; the others are the same.',
      }),
      propagators: stringList('propagators', {
        default: [],
        doc: '`tracecontext`: a `traceparent` of a request is the parent of its spans.',
      }),
      processors: sections('processors', processorShape, {
        doc: 'What becomes of spans; without any there are none.',
      }),
      sampler: anything('sampler', {
        doc: 'Which spans are made: `always_on`, `always_off`, `trace_id_ratio_based`, or `parent_based` over them (the default, with `always_on`).',
      }),
    },
    checkTraces,
    [ignored(section('limits', limitsShape, { doc: 'Bounds of spans.' }), FEW_ATTRIBUTES)],
  ),
  ({ level, propagators, processors = [], sampler }) =>
    level === 'none' || processors.length === 0
      ? undefined
      : {
          processors,
          sampler: readSampler(sampler).sampler,
          takesTraceContext: propagators.includes('tracecontext'),
        },
);

function checkTraces({ propagators, sampler }: TracesKeys): CheckIssue[] {
  const unknown = propagators
    .filter((name) => name !== 'tracecontext')
    .map((name) => ({
      key: 'propagators',
      message:
        name === 'b3' ? '"b3" is not supported yet' : `unknown propagator "${name}"; there is tracecontext`,
    }));
  const wrong = readSampler(sampler).problems.map((message) => ({ key: 'sampler', message }));
  return [...unknown, ...wrong];
}
