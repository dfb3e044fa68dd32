/** OTLP/JSON requests in which every field of the protocol that ClickHouse has a column for is set to something telling. */
type Json = Record<string, unknown>;

/** Rows of each table that the requests below make. */
export const FULL_ROW_COUNTS = {
  traces: 8,
  logs: 12,
  gauge: 3,
  sum: 3,
  histogram: 2,
  exponential_histogram: 2,
  summary: 2,
} as const;

const SCHEMA_URL = 'https://opentelemetry.io/schemas/1.37.0';
const TRACE_ID = '5b8efff798038103d269b633813fc60c';
const NOW = BigInt(Date.now()) * 1_000_000n;

/** Nanoseconds after the start of this process's minute, as JSON wants them. */
const at = (nanos: number): string => (NOW + BigInt(nanos)).toString();
const spanId = (n: number): string => n.toString(16).padStart(16, '0');
const attribute = (key: string, value: Json): Json => ({ key, value });

/** Every kind of value, each with its extremes. */
const VALUES: Record<string, Json> = {
  text: { stringValue: 'köln 😀 "quoted" \\ \n\t\u0001' },
  'text.empty': { stringValue: '' },
  'text.long': { stringValue: 'x'.repeat(20_000) },
  'bool.true': { boolValue: true },
  'bool.false': { boolValue: false },
  'int.max': { intValue: '9223372036854775807' },
  'int.min': { intValue: '-9223372036854775808' },
  'int.unsafe': { intValue: '9007199254740993' },
  'int.zero': { intValue: '0' },
  double: { doubleValue: 0.1 },
  'double.whole': { doubleValue: 3 },
  'double.max': { doubleValue: 1.7976931348623157e308 },
  'double.tiny': { doubleValue: 5e-324 },
  'double.small': { doubleValue: -1.5e-9 },
  bytes: { bytesValue: 'AAECA/3+/w==' },
  'bytes.empty': { bytesValue: '' },
  array: {
    arrayValue: {
      values: [
        { stringValue: 'a"b' },
        { intValue: '-9223372036854775808' },
        { doubleValue: 2.5 },
        { boolValue: false },
        { bytesValue: '/w==' },
        { arrayValue: { values: [{ intValue: '1' }] } },
        { kvlistValue: { values: [attribute('k', { stringValue: 'v' })] } },
        {},
      ],
    },
  },
  'array.empty': { arrayValue: { values: [] } },
  kvlist: {
    kvlistValue: {
      values: [
        attribute('deep', { kvlistValue: { values: [attribute('er', { arrayValue: { values: [{}] } })] } }),
        attribute('int', { intValue: '9223372036854775807' }),
        attribute('', { stringValue: 'empty key' }),
      ],
    },
  },
  'kvlist.empty': { kvlistValue: { values: [] } },
  unset: {},
};
const ALL_ATTRIBUTES = Object.entries(VALUES).map(([key, value]) => attribute(key, value));

function resource(service: string): Json {
  return {
    attributes: [attribute('service.name', { stringValue: service }), ...ALL_ATTRIBUTES],
    droppedAttributesCount: 3,
  };
}

const SCOPE = {
  name: 'lib',
  version: '1.0.0-ü',
  attributes: [attribute('scope.int', { intValue: '5' }), attribute('scope.list', VALUES.array!)],
  droppedAttributesCount: 7,
};

export function fullTraces(service: string): Json {
  const spans = [0, 1, 2, 3, 4, 5].map((kind) => ({
    traceId: TRACE_ID,
    spanId: spanId(kind + 1),
    parentSpanId: kind === 0 ? '' : spanId(kind),
    traceState: kind % 2 === 0 ? 'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE' : '',
    flags: kind === 3 ? 769 : 0,
    name: `span ${kind} ü`,
    kind,
    startTimeUnixNano: at(kind),
    endTimeUnixNano: at(kind * 1_000_000_007),
    attributes: kind === 0 ? ALL_ATTRIBUTES : [attribute('n', { intValue: String(kind) })],
    droppedAttributesCount: kind,
    status: [{}, { code: 1 }, { code: 2, message: 'timeout "x"' }][kind % 3],
    events: kind === 1 ? EVENTS : [],
    droppedEventsCount: 11,
    links: kind === 2 ? LINKS : [],
    droppedLinksCount: 12,
  }));
  const otherSpans = [
    // Ends before it starts: clocks do that.
    {
      traceId: 'f'.repeat(32),
      spanId: 'f'.repeat(16),
      name: 'odd',
      startTimeUnixNano: at(9),
      endTimeUnixNano: at(2),
    },
    {
      traceId: `${'0'.repeat(31)}1`,
      spanId: spanId(1),
      name: '',
      startTimeUnixNano: at(0),
      endTimeUnixNano: at(0),
    },
  ];
  return {
    resourceSpans: [
      {
        resource: resource(service),
        schemaUrl: SCHEMA_URL,
        scopeSpans: [
          { scope: SCOPE, schemaUrl: `${SCHEMA_URL}/scope`, spans },
          { scope: {}, spans: otherSpans },
        ],
      },
    ],
  };
}

const EVENTS = [
  { timeUnixNano: at(5), name: 'exception', attributes: ALL_ATTRIBUTES, droppedAttributesCount: 2 },
  { timeUnixNano: at(6), name: '', attributes: [] },
];
const LINKS = [
  {
    traceId: 'a'.repeat(32),
    spanId: 'b'.repeat(16),
    traceState: 'k=v',
    attributes: ALL_ATTRIBUTES,
    droppedAttributesCount: 4,
    flags: 257,
  },
  { traceId: TRACE_ID, spanId: spanId(4) },
];

export function fullLogs(service: string): Json {
  const bodies = ['text', 'bool.true', 'int.max', 'double', 'bytes', 'array', 'kvlist', 'unset'].map(
    (name, index) => ({
      timeUnixNano: at(index),
      observedTimeUnixNano: at(index + 1000),
      severityNumber: index * 3 + 1,
      severityText: ['', 'TRACE', 'Warn ü'][index % 3],
      body: VALUES[name],
      attributes: index === 0 ? ALL_ATTRIBUTES : [],
      droppedAttributesCount: index,
      flags: index === 1 ? 1 : 0,
      traceId: index % 2 === 0 ? TRACE_ID : '',
      spanId: index % 2 === 0 ? spanId(index + 1) : '',
      eventName: index === 2 ? 'device.app.lifecycle' : '',
    }),
  );
  const rest = [
    // Only the time of observation: the column Timestamp takes that one.
    { observedTimeUnixNano: at(77), body: { stringValue: 'observed' } },
    { timeUnixNano: at(1), severityNumber: 24, flags: 0x1ff, body: { stringValue: '' } },
    { timeUnixNano: at(2), severityNumber: 0 },
    { timeUnixNano: at(3), body: VALUES['int.min'], attributes: [attribute('a', VALUES['double.tiny']!)] },
  ];
  return {
    resourceLogs: [
      {
        resource: resource(service),
        schemaUrl: SCHEMA_URL,
        scopeLogs: [
          { scope: SCOPE, schemaUrl: `${SCHEMA_URL}/scope`, logRecords: bodies },
          { logRecords: rest },
        ],
      },
    ],
  };
}

const POINT = {
  attributes: [attribute('route', { stringValue: '/ü' }), attribute('code', { intValue: '200' })],
  startTimeUnixNano: at(1),
  timeUnixNano: at(2),
};
const EXEMPLARS = [
  {
    filteredAttributes: ALL_ATTRIBUTES,
    timeUnixNano: at(3),
    asDouble: 0.25,
    spanId: spanId(9),
    traceId: TRACE_ID,
  },
  { timeUnixNano: at(4), asInt: '-42' },
];
const DISTRIBUTION = { count: '9223372036854775807', sum: -12.5, min: -100.25, max: 7 };

export function fullMetrics(service: string): Json {
  const metric = (name: string, data: Json): Json => ({
    name,
    description: `${name} of the shop`,
    unit: '{thing}/s',
    metadata: [attribute('origin', { stringValue: 'test' })],
    ...data,
  });
  const metrics = [
    metric('temperature', {
      gauge: {
        dataPoints: [
          { ...POINT, asDouble: -273.15, exemplars: EXEMPLARS },
          { ...POINT, asInt: '-9007199254740992', flags: 0 },
          { ...POINT, attributes: [], flags: 1 },
        ],
      },
    }),
    metric('orders', {
      sum: {
        aggregationTemporality: 2,
        isMonotonic: true,
        dataPoints: [{ ...POINT, asInt: '7', exemplars: EXEMPLARS }],
      },
    }),
    metric('balance', {
      sum: {
        aggregationTemporality: 1,
        isMonotonic: false,
        dataPoints: [
          { ...POINT, asDouble: 1e-300 },
          { ...POINT, asDouble: -0.0 },
        ],
      },
    }),
    metric('latency', { histogram: { aggregationTemporality: 1, dataPoints: HISTOGRAMS } }),
    metric('wait', { exponentialHistogram: { aggregationTemporality: 2, dataPoints: EXPONENTIALS } }),
    metric('quantiles', { summary: { dataPoints: SUMMARIES } }),
  ];
  return {
    resourceMetrics: [
      {
        resource: resource(service),
        schemaUrl: SCHEMA_URL,
        scopeMetrics: [{ scope: SCOPE, schemaUrl: `${SCHEMA_URL}/scope`, metrics }],
      },
    ],
  };
}

const HISTOGRAMS = [
  {
    ...POINT,
    ...DISTRIBUTION,
    bucketCounts: ['0', '9007199254740993', '9223372036854775807'],
    explicitBounds: [-1.5, 0.1],
    exemplars: EXEMPLARS,
    flags: 0,
  },
  { ...POINT, attributes: [], count: '0', bucketCounts: [], explicitBounds: [], flags: 1 },
];
const EXPONENTIALS = [
  {
    ...POINT,
    ...DISTRIBUTION,
    scale: -10,
    zeroCount: '4611686018427387905',
    positive: { offset: -2147483648, bucketCounts: ['1', '0', '9223372036854775807'] },
    negative: { offset: 2147483647, bucketCounts: ['3'] },
    zeroThreshold: 0.001,
    exemplars: EXEMPLARS,
  },
  { ...POINT, count: '2', scale: 20, positive: { bucketCounts: ['2'] } },
];
const SUMMARIES = [
  {
    ...POINT,
    count: '100',
    sum: 5050.5,
    quantileValues: [
      { quantile: 0, value: 1 },
      { quantile: 0.99, value: -99.5 },
      { quantile: 1, value: 100 },
    ],
  },
  { ...POINT, attributes: [], count: '0', sum: 0, flags: 1 },
];
