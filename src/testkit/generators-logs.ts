/** Log requests: structured application logs, eight records a trace unless told otherwise. */
import { assert } from '../stdx/assert.ts';
import type { Prng } from '../stdx/prng.ts';
import type { AttributePair, Operation, Origin } from './generators-attributes.ts';
import { attributes, OPERATIONS, resourceModel, SERVICES } from './generators-attributes.ts';
import type { FieldValue, MessageModel } from './generators-schema.ts';

interface Severity {
  readonly number: number;
  readonly text: string;
}

/** One of twelve is an error, two are warnings: the mix of a service that is well. */
const SEVERITIES: readonly Severity[] = [
  { number: 9, text: 'INFO' },
  { number: 9, text: 'INFO' },
  { number: 5, text: 'DEBUG' },
  { number: 9, text: 'INFO' },
  { number: 13, text: 'WARN' },
  { number: 9, text: 'INFO' },
  { number: 5, text: 'DEBUG' },
  { number: 17, text: 'ERROR' },
  { number: 9, text: 'INFO' },
  { number: 5, text: 'DEBUG' },
  { number: 13, text: 'WARN' },
  { number: 9, text: 'INFO' },
];

interface Body {
  readonly before: string;
  readonly after: string;
}

function bodyText(severity: Severity, operation: Operation): Body {
  if (severity.number >= 17) {
    return {
      before: 'Upstream inventory did not answer within 800 ms while handling order ',
      after: `, giving up on ${operation.route}`,
    };
  }
  if (severity.number >= 13) {
    return {
      before: 'Slow query on ',
      after: ` (table ${operation.table}): 412 ms waiting for a connection of the pool`,
    };
  }
  if (severity.number >= 9) {
    return {
      before: `${operation.method} ${operation.path}`,
      after: ` completed with status ${operation.statusCode} for tenant eu-1`,
    };
  }
  return {
    before: `Cache lookup ${operation.table}:v3:`,
    after: ' hit after 1 try, entry is 37 seconds old, 1180 bytes',
  };
}

function recordAttributes(operation: Operation, trace: number, random: Prng): AttributePair[] {
  return [
    ['log.logger', 'shop.http.RequestHandler'],
    ['thread.name', `worker-${random.nextInt(16)}`],
    ['thread.id', 20 + random.nextInt(16)],
    ['http.route', operation.route],
    ['http.response.status_code', operation.statusCode],
    ['code.function.name', 'handleRequest'],
    ['app.duration_ms', { double: random.nextInt(80_000) / 100 }],
    ['user.id', { kind: 'userDigits', index: trace, before: 'u-' }],
  ];
}

function recordModel(item: number, trace: number, operation: Operation, random: Prng): MessageModel {
  const severity = SEVERITIES[random.nextInt(SEVERITIES.length)];
  assert(severity !== undefined);
  const body = bodyText(severity, operation);
  const timeBefore = 5_000_000 + random.nextInt(400_000_000);
  const text: FieldValue = { kind: 'itemDigits', index: item, before: body.before, after: body.after };
  return {
    timeUnixNano: { kind: 'time', index: timeBefore },
    observedTimeUnixNano: { kind: 'time', index: timeBefore - 3_000_000 },
    severityNumber: severity.number,
    severityText: severity.text,
    body: { stringValue: text },
    attributes: attributes(recordAttributes(operation, trace, random)),
    flags: 1,
    traceId: { kind: 'traceId', index: trace },
    spanId: { kind: 'spanId', index: item },
  };
}

/** An ExportLogsServiceRequest; records of one trace lie together and come from one service. */
export function logsModel(
  random: Prng,
  itemCount: number,
  itemsPerTrace: number,
  origin: Origin,
): MessageModel {
  const records: MessageModel[][] = SERVICES.map(() => []);
  let operation = OPERATIONS[0];
  for (let item = 0; item < itemCount; item += 1) {
    const trace = Math.floor(item / itemsPerTrace);
    if (item % itemsPerTrace === 0) operation = OPERATIONS[random.nextInt(OPERATIONS.length)];
    assert(operation !== undefined);
    records[trace % SERVICES.length]?.push(recordModel(item, trace, operation, random));
  }
  const resourceLogs = records.flatMap((list, service) =>
    list.length === 0
      ? []
      : [
          {
            resource: resourceModel(service, origin),
            scopeLogs: [{ scope: { name: 'com.example.shop.http', version: '2.4.0' }, logRecords: list }],
            schemaUrl: 'https://opentelemetry.io/schemas/1.30.0',
          },
        ],
  );
  return { resourceLogs };
}
