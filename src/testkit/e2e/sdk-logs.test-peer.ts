/** Log records made with the SDK, and the rows they must become, written down by hand. */
import { ROOT_CONTEXT, TraceFlags, trace } from '@opentelemetry/api';
import { type LogRecord, SeverityNumber } from '@opentelemetry/api-logs';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider, type LogRecordExporter } from '@opentelemetry/sdk-logs';
import type { Row } from '../services/stored-engine.ts';
import { moment, RESOURCE, RESOURCE_PAIRS } from './sdk-transports.test-peer.ts';

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN_ID = '00f067aa0ba902b7';
const SCHEMA_URL = 'https://opentelemetry.io/schemas/1.37.0';
const time = moment(2, 7);
const observed = moment(3, 123_456_789);

interface Case {
  record: LogRecord;
  columns: Row;
}

/** Each record and the columns in which it differs from an empty one. */
const CASES: readonly Case[] = [
  {
    record: {
      body: 'order 17 paid 💶\n"quoted" \\ \u0000 end',
      severityNumber: SeverityNumber.INFO,
      severityText: 'INFO',
      eventName: 'order.paid',
      context: trace.setSpanContext(ROOT_CONTEXT, {
        traceId: TRACE_ID,
        spanId: SPAN_ID,
        traceFlags: TraceFlags.SAMPLED,
      }),
      attributes: {
        text: 'ü',
        int: -7,
        'int.max': 9007199254740991,
        double: 1e-7,
        bool: false,
        bytes: Uint8Array.of(0, 255, 16, 32),
        list: ['a', 1, 2.5, true, null, ['nested']],
        map: { inner: { deep: 'x' }, empty: {}, n: 1 },
        nothing: null,
      },
    },
    columns: {
      Body: 'order 17 paid 💶\n"quoted" \\ \u0000 end',
      SeverityNumber: 9,
      SeverityText: 'INFO',
      EventName: 'order.paid',
      TraceId: TRACE_ID,
      SpanId: SPAN_ID,
      TraceFlags: 1,
      LogAttributes: [
        ['text', 'ü'],
        ['int', '-7'],
        ['int.max', '9007199254740991'],
        ['double', '1e-7'],
        ['bool', 'false'],
        ['bytes', 'AP8QIA=='],
        ['list', '["a",1,2.5,true,null,["nested"]]'],
        ['map', '{"inner":{"deep":"x"},"empty":{},"n":1}'],
        ['nothing', ''],
      ],
    },
  },
  { record: { body: 42 }, columns: { Body: '42' } },
  { record: { body: -0.5 }, columns: { Body: '-0.5' } },
  { record: { body: true }, columns: { Body: 'true' } },
  { record: { body: Uint8Array.of(1, 2, 3) }, columns: { Body: 'AQID' } },
  { record: { body: ['x', 2] }, columns: { Body: '["x",2]' } },
  { record: { body: { a: [1, { b: 'c' }] } }, columns: { Body: '{"a":[1,{"b":"c"}]}' } },
  { record: { eventName: 'no.body' }, columns: { EventName: 'no.body' } },
  {
    record: { body: 'fatal', severityNumber: SeverityNumber.FATAL4, severityText: 'panic' },
    columns: { Body: 'fatal', SeverityNumber: 24, SeverityText: 'panic' },
  },
];

/** Sends one record a case and returns the expected rows. @throws when the exporter reports a failure. */
export async function sendLogs(exporter: LogRecordExporter, service: string): Promise<Row[]> {
  const provider = new LoggerProvider({
    resource: resourceFromAttributes(RESOURCE(service)),
    processors: [new BatchLogRecordProcessor({ exporter })],
  });
  const logger = provider.getLogger('orders', '0.9', { schemaUrl: SCHEMA_URL });
  for (const { record } of CASES) {
    logger.emit({ timestamp: time.hrTime, observedTimestamp: observed.hrTime, ...record });
  }
  await provider.forceFlush();
  await provider.shutdown();
  return CASES.map(({ columns }) => ({
    Timestamp: time.nanos,
    TraceId: '',
    SpanId: '',
    TraceFlags: 0,
    SeverityText: '',
    SeverityNumber: 0,
    ServiceName: service,
    Body: '',
    ResourceSchemaUrl: '',
    ResourceAttributes: RESOURCE_PAIRS(service),
    ScopeSchemaUrl: SCHEMA_URL,
    ScopeName: 'orders',
    ScopeVersion: '0.9',
    ScopeAttributes: [],
    LogAttributes: [],
    EventName: '',
    ...columns,
  }));
}
