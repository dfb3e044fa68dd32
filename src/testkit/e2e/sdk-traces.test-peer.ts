/** Spans made with the SDK, and the rows they must become, written down by hand. */
import {
  createTraceState,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace-base';
import type { Row } from '../services/stored-engine.ts';
import { moment, RESOURCE, RESOURCE_PAIRS } from './sdk-transports.test-peer.ts';

const ATTRIBUTES = {
  text: 'GET /köln?q=😀',
  'text.empty': '',
  'int.max': Number.MAX_SAFE_INTEGER,
  'int.min': -Number.MAX_SAFE_INTEGER,
  'int.zero': 0,
  double: -0.1,
  'double.tiny': 5e-324,
  'bool.true': true,
  'bool.false': false,
  texts: ['a', 'b"\\', ''],
  ints: [1, -2, 9007199254740991],
  doubles: [0.5, -1.25],
  bools: [true, false],
};
const ATTRIBUTE_PAIRS: [string, string][] = [
  ['text', 'GET /köln?q=😀'],
  ['text.empty', ''],
  ['int.max', '9007199254740991'],
  ['int.min', '-9007199254740991'],
  ['int.zero', '0'],
  ['double', '-0.1'],
  ['double.tiny', '5e-324'],
  ['bool.true', 'true'],
  ['bool.false', 'false'],
  ['texts', '["a","b\\"\\\\",""]'],
  ['ints', '[1,-2,9007199254740991]'],
  ['doubles', '[0.5,-1.25]'],
  ['bools', '[true,false]'],
];
const REMOTE: SpanContext = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  traceFlags: TraceFlags.SAMPLED,
  traceState: createTraceState('rojo=00f067aa0ba902b7,congo=t61rcWkgMzE'),
  isRemote: true,
};
const LINKED: SpanContext = {
  traceId: 'ffffffffffffffffffffffffffffffff',
  spanId: '00000000000000ff',
  traceFlags: TraceFlags.NONE,
  traceState: createTraceState('a=1'),
};
const start = moment(0, 123_456_789);
const end = moment(1, 123_456_790);
const eventTime = moment(0, 999_999_999);
const exceptionTime = moment(1, 1);

/** Sends five spans of two scopes and returns their expected rows. @throws when the exporter reports a failure. */
export async function sendSpans(exporter: SpanExporter, service: string): Promise<Row[]> {
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes(RESOURCE(service)),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  });
  const tracer = provider.getTracer('checkout', '1.2.3');
  const remote = trace.setSpanContext(ROOT_CONTEXT, REMOTE);
  const server = tracer.startSpan(
    'GET /cart',
    {
      kind: SpanKind.SERVER,
      startTime: start.hrTime,
      attributes: ATTRIBUTES,
      links: [{ context: LINKED, attributes: { why: 'retry', times: 2 } }, { context: REMOTE }],
    },
    remote,
  );
  server.addEvent('cache.miss', { key: 'cart', tries: 3, ratio: 0.25 }, eventTime.hrTime);
  server.addEvent('bare', eventTime.hrTime);
  server.recordException(
    { name: 'TypeError', message: 'no cart', stack: 'at cart.js:1' },
    exceptionTime.hrTime,
  );
  server.setStatus({ code: SpanStatusCode.ERROR, message: 'no cart' });
  server.end(end.hrTime);

  const parent = trace.setSpan(ROOT_CONTEXT, server);
  const other = provider.getTracer('other');
  const children = CHILDREN.map(({ name, kind, status }) => {
    const span = other.startSpan(name, { kind, startTime: end.hrTime }, parent);
    if (status === 'Ok') span.setStatus({ code: SpanStatusCode.OK });
    span.end(end.hrTime);
    return span.spanContext().spanId;
  });
  await provider.forceFlush();
  await provider.shutdown();
  return [
    serverRow(service, server.spanContext().spanId),
    ...children.map((id, index) => childRow(service, id, server.spanContext().spanId, CHILDREN[index]!)),
  ];
}

interface Child {
  name: string;
  kind: SpanKind;
  column: string;
  status: string;
}

const CHILDREN: readonly Child[] = [
  { name: 'SELECT', kind: SpanKind.CLIENT, column: 'Client', status: 'Ok' },
  { name: 'send', kind: SpanKind.PRODUCER, column: 'Producer', status: 'Unset' },
  { name: 'receive', kind: SpanKind.CONSUMER, column: 'Consumer', status: 'Unset' },
  { name: '', kind: SpanKind.INTERNAL, column: 'Internal', status: 'Ok' },
];

const TRACE_STATE = 'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE';

function serverRow(service: string, spanId: string): Row {
  return {
    Timestamp: start.nanos,
    TraceId: REMOTE.traceId,
    SpanId: spanId,
    ParentSpanId: REMOTE.spanId,
    TraceState: TRACE_STATE,
    SpanName: 'GET /cart',
    SpanKind: 'Server',
    ServiceName: service,
    ResourceAttributes: RESOURCE_PAIRS(service),
    ScopeName: 'checkout',
    ScopeVersion: '1.2.3',
    SpanAttributes: ATTRIBUTE_PAIRS,
    Duration: '1000000001',
    StatusCode: 'Error',
    StatusMessage: 'no cart',
    'Events.Timestamp': [eventTime.nanos, eventTime.nanos, exceptionTime.nanos],
    'Events.Name': ['cache.miss', 'bare', 'exception'],
    'Events.Attributes': [
      [
        ['key', 'cart'],
        ['tries', '3'],
        ['ratio', '0.25'],
      ],
      [],
      [
        ['exception.type', 'TypeError'],
        ['exception.message', 'no cart'],
        ['exception.stacktrace', 'at cart.js:1'],
      ],
    ],
    'Links.TraceId': [LINKED.traceId, REMOTE.traceId],
    'Links.SpanId': [LINKED.spanId, REMOTE.spanId],
    'Links.TraceState': ['a=1', TRACE_STATE],
    'Links.Attributes': [
      [
        ['why', 'retry'],
        ['times', '2'],
      ],
      [],
    ],
  };
}

function childRow(service: string, spanId: string, parentSpanId: string, child: Child): Row {
  return {
    Timestamp: end.nanos,
    TraceId: REMOTE.traceId,
    SpanId: spanId,
    ParentSpanId: parentSpanId,
    TraceState: TRACE_STATE,
    SpanName: child.name,
    SpanKind: child.column,
    ServiceName: service,
    ResourceAttributes: RESOURCE_PAIRS(service),
    ScopeName: 'other',
    ScopeVersion: '',
    SpanAttributes: [],
    Duration: '0',
    StatusCode: child.status,
    StatusMessage: '',
    'Events.Timestamp': [],
    'Events.Name': [],
    'Events.Attributes': [],
    'Links.TraceId': [],
    'Links.SpanId': [],
    'Links.TraceState': [],
    'Links.Attributes': [],
  };
}
