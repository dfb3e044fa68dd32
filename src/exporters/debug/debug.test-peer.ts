/** Requests of the tests, and the thread whose standard streams they read. */
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { PipelineError } from '../../component/errors.ts';
import type { ComponentSettings, LogFields, Logger } from '../../component/settings.ts';
import type { Signal } from '../../component/signal.ts';
import { systemClock } from '../../stdx/clock.ts';
import { requestType } from '../../testkit/otlp-root.ts';
import { debugConfigSchema } from './config.ts';
import { debugExporterFactory } from './factory.ts';

export interface PeerData {
  config: object;
  signal: Signal;
  batches: { slices: Uint8Array[]; itemCount: number }[];
}

export interface PeerResult {
  logged: { message: string; fields: LogFields }[];
  /** Error code of each batch, empty when it was delivered. */
  outcomes: string[];
}

const ATTRIBUTES = (text: string) => [
  { key: `key${text}`, value: { string_value: `value${text}` } },
  { key: 'int', value: { int_value: '9223372036854775807' } },
  { key: 'double', value: { double_value: 1.5 } },
  { key: 'flag', value: { bool_value: true } },
  { key: 'bytes', value: { bytes_value: Buffer.from([1, 2, 3]) } },
  { key: 'empty', value: {} },
  { key: 'list', value: { array_value: { values: [{ string_value: text }, { int_value: '2' }] } } },
  {
    key: 'map',
    value: {
      kvlist_value: {
        values: [
          { key: 'z', value: { string_value: text } },
          { key: 'a', value: { bool_value: false } },
        ],
      },
    },
  },
];
const TRACE_ID = Buffer.from('0102030405060708090a0b0c0d0e0f10', 'hex');
const SPAN_ID = Buffer.from('1112131415161718', 'hex');
const TIME = '1581452773000000789';

function points(text: string) {
  const common = {
    attributes: ATTRIBUTES(text),
    start_time_unix_nano: '1581452772000000321',
    time_unix_nano: TIME,
  };
  const exemplars = [
    {
      filtered_attributes: ATTRIBUTES(text),
      time_unix_nano: TIME,
      as_int: '7',
      trace_id: TRACE_ID,
      span_id: SPAN_ID,
    },
  ];
  const head = { name: `metric${text}`, description: text, unit: `1${text}` };
  const number = { ...common, as_int: '123', exemplars };
  const histogram = {
    ...common,
    count: 3,
    sum: 4.5,
    min: 1,
    max: 2,
    bucket_counts: [1, 2],
    explicit_bounds: [1],
  };
  const buckets = { offset: 0, bucket_counts: [1, 1] };
  const exponential = { ...common, count: 5, scale: 1, zero_count: 1, positive: buckets, negative: buckets };
  const quantile_values = [{ quantile: 0.5, value: 2.5 }];
  return [
    { ...head, metadata: ATTRIBUTES(text), gauge: { data_points: [number, { ...common, as_double: 1e-5 }] } },
    { ...head, sum: { aggregation_temporality: 2, is_monotonic: true, data_points: [number] } },
    { ...head, histogram: { aggregation_temporality: 1, data_points: [histogram] } },
    { ...head, exponential_histogram: { aggregation_temporality: 2, data_points: [exponential] } },
    { ...head, summary: { data_points: [{ ...common, count: 2, sum: 5, quantile_values }] } },
  ];
}

function items(signal: Signal, text: string): object[] {
  if (signal === 'metrics') return points(text);
  const attributes = ATTRIBUTES(text);
  const ids = { trace_id: TRACE_ID, span_id: SPAN_ID };
  if (signal === 'logs') {
    const severity = { severity_number: 10, severity_text: `INFO${text}`, event_name: `event${text}` };
    const body = { string_value: `body${text}` };
    return [{ ...ids, ...severity, body, attributes, time_unix_nano: TIME, flags: 1 }];
  }
  const event = { name: `event${text}`, attributes, time_unix_nano: TIME, dropped_attributes_count: 2 };
  const link = { ...ids, trace_state: text, attributes };
  const span = {
    ...ids,
    parent_span_id: SPAN_ID,
    name: `span${text}`,
    kind: 2,
    trace_state: `ot=th:0${text}`,
    start_time_unix_nano: '1581452772000000321',
    end_time_unix_nano: TIME,
    status: { code: 2, message: `failed${text}` },
    attributes,
    dropped_events_count: 1,
    events: [event],
    links: [link],
  };
  return [span];
}

const LEVELS: Record<Signal, [string, string, string]> = {
  traces: ['resource_spans', 'scope_spans', 'spans'],
  metrics: ['resource_metrics', 'scope_metrics', 'metrics'],
  logs: ['resource_logs', 'scope_logs', 'log_records'],
};

/** A request with every field that is shown; `text` is part of every string in it. */
export function fullRequest(signal: Signal, text = ''): Uint8Array {
  const [resources, scopes, itemsName] = LEVELS[signal];
  const scope = {
    schema_url: `scope-schema${text}`,
    scope: { name: `library${text}`, version: `1.0${text}`, attributes: ATTRIBUTES(text) },
    [itemsName]: items(signal, text),
  };
  const resource = { attributes: ATTRIBUTES(text) };
  const type = requestType(signal);
  const content = { [resources]: [{ schema_url: `schema${text}`, resource, [scopes]: [scope] }] };
  return type.encode(type.fromObject(content)).finish();
}

/** One resource and scope without attributes, with spans `span-0`, `span-1`, ... */
export function spansRequest(spanCount: number, nameChars = 0): Uint8Array {
  const spans = Array.from({ length: spanCount }, (_, i) => ({ name: `span-${i}`.padEnd(nameChars, '.') }));
  const type = requestType('traces');
  return type.encode(type.fromObject({ resource_spans: [{ scope_spans: [{ spans }] }] })).finish();
}

async function run(data: PeerData): Promise<PeerResult> {
  const logged: PeerResult['logged'] = [];
  const logger: Logger = {
    debug() {},
    info: (message, fields = {}) => logged.push({ message, fields }),
    warn() {},
    error() {},
    child: () => logger,
  };
  const settings: ComponentSettings = {
    id: 'debug/test',
    logger,
    clock: systemClock,
    meter: {
      counter: () => ({ add() {} }),
      gauge: () => ({ set() {} }),
      latency: () => ({ record() {} }),
      histogram: () => ({ record() {} }),
    },
  };
  const { value, issues } = debugConfigSchema.parse(data.config);
  if (value === undefined) throw new Error(JSON.stringify(issues));
  const exporter = await debugExporterFactory.create(settings, value, data.signal);
  await exporter.start();
  const outcomes: string[] = [];
  for (const { slices, itemCount } of data.batches) {
    const batch = { signal: data.signal, batchId: 'b', slices, itemCount, sizeBytes: 0, receivedUnixMs: 0 };
    const code = await exporter.export(batch, new AbortController().signal).then(
      () => '',
      (error) => (error instanceof PipelineError ? `${error.code}:${error.permanent}` : String(error)),
    );
    outcomes.push(code);
  }
  await exporter.shutdown(0);
  return { logged, outcomes };
}

if (!isMainThread && workerData?.batches !== undefined)
  parentPort!.postMessage(await run(workerData as PeerData));
