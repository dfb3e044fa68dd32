/** Trace requests: a shop's services calling each other, eight spans a trace unless told otherwise. */
import { assert } from '../stdx/assert.ts';
import type { Prng } from '../stdx/prng.ts';
import type { AttributePair, Operation, Origin } from './generators-attributes.ts';
import { attributes, OPERATIONS, resourceModel, SERVICES } from './generators-attributes.ts';
import type { MessageModel } from './generators-schema.ts';

const KIND_INTERNAL = 1;
const KIND_SERVER = 2;
const KIND_CLIENT = 3;
const KIND_PRODUCER = 4;
const STATUS_ERROR = 2;

interface Shape {
  readonly service: number;
  readonly parent: number;
  readonly kind: number;
  readonly name: (operation: Operation) => string;
  readonly pairs: (operation: Operation, trace: number, item: number, random: Prng) => AttributePair[];
}

const userId = (trace: number): AttributePair => [
  'user.id',
  { kind: 'userDigits', index: trace, before: 'u-' },
];

const httpServer: Shape['pairs'] = (operation, trace, item) => [
  ['http.request.method', operation.method],
  ['url.path', { kind: 'itemDigits', index: item, before: operation.path }],
  ['http.route', operation.route],
  ['url.scheme', 'https'],
  ['http.response.status_code', operation.statusCode],
  ['server.address', 'shop.example.com'],
  ['server.port', 8443],
  ['network.protocol.version', '1.1'],
  ['user_agent.original', 'shop-ios/5.2'],
  userId(trace),
];

const httpClient: Shape['pairs'] = (operation, trace, item) => [
  ['http.request.method', operation.method],
  ['url.full', { kind: 'itemDigits', index: item, before: `http://orders${operation.path}` }],
  ['http.response.status_code', operation.statusCode],
  ['server.address', 'orders.shop-prod.svc'],
  ['server.port', 8443],
  ['network.protocol.version', '1.1'],
  ['http.request.resend_count', 0],
  ['http.request.body.size', 512],
  ['app.cache.hit', false],
  userId(trace),
];

const sqlClient: Shape['pairs'] = (operation, trace, _item, random) => [
  ['db.system.name', 'postgresql'],
  ['db.namespace', 'shop'],
  ['db.operation.name', 'SELECT'],
  ['db.collection.name', operation.table],
  ['db.query.text', `SELECT * FROM ${operation.table} WHERE id = $1`],
  ['db.response.returned_rows', random.nextInt(40)],
  ['server.address', 'pg-primary.shop-prod'],
  ['server.port', 5432],
  ['app.pool.wait_ms', { double: random.nextInt(400) / 100 }],
  userId(trace),
];

const redisClient: Shape['pairs'] = (operation, trace, item) => [
  ['db.system.name', 'redis'],
  ['db.namespace', '0'],
  ['db.operation.name', 'GET'],
  ['db.query.text', { kind: 'itemDigits', index: item, before: `GET ${operation.table}:v3:` }],
  ['server.address', 'redis-cache-0.shop-prod.svc'],
  ['server.port', 6379],
  ['network.peer.address', '10.42.7.19'],
  ['network.peer.port', 6379],
  ['app.cache.hit', true],
  userId(trace),
];

const rpc: Shape['pairs'] = (_operation, trace, _item, random) => [
  ['rpc.system', 'grpc'],
  ['rpc.service', 'shop.inventory.v1.Inventory'],
  ['rpc.method', 'ReserveStock'],
  ['rpc.grpc.status_code', 0],
  ['server.address', 'inventory.shop-prod'],
  ['server.port', 50051],
  ['network.peer.address', '10.42.3.77'],
  ['app.items.count', 1 + random.nextInt(12)],
  ['app.retry', false],
  userId(trace),
];

const internal: Shape['pairs'] = (operation, trace, item, random) => [
  ['code.function.name', 'PriceCalculator.calculate'],
  ['code.file.path', '/srv/price-calculator.py'],
  ['code.line.number', 118],
  ['thread.id', 20 + random.nextInt(16)],
  ['thread.name', `worker-${random.nextInt(16)}`],
  ['app.currency', 'EUR'],
  ['app.cart.total', { double: random.nextInt(50_000) / 100 }],
  ['app.order.id', { kind: 'itemDigits', index: item, before: 'ord-' }],
  ['app.feature', operation.table],
  userId(trace),
];

const messaging: Shape['pairs'] = (operation, trace, item, random) => [
  ['messaging.system', 'kafka'],
  ['messaging.operation.name', 'send'],
  ['messaging.destination.name', `shop.${operation.table}.events`],
  ['messaging.destination.partition.id', String(random.nextInt(24))],
  ['messaging.kafka.message.key', { kind: 'itemDigits', index: item, before: 'ord-' }],
  ['messaging.message.body.size', 300 + random.nextInt(900)],
  ['server.address', 'kafka-1.shop-prod.svc'],
  ['server.port', 9092],
  ['app.schema.version', 3],
  userId(trace),
];

const SHAPES: readonly Shape[] = [
  { service: 0, parent: -1, kind: KIND_SERVER, name: (o) => `${o.method} ${o.route}`, pairs: httpServer },
  { service: 0, parent: 0, kind: KIND_CLIENT, name: (o) => o.method, pairs: httpClient },
  { service: 1, parent: 1, kind: KIND_SERVER, name: (o) => `${o.method} ${o.route}`, pairs: httpServer },
  { service: 1, parent: 2, kind: KIND_CLIENT, name: (o) => `SELECT ${o.table}`, pairs: sqlClient },
  { service: 1, parent: 2, kind: KIND_CLIENT, name: () => 'GET', pairs: redisClient },
  {
    service: 2,
    parent: 2,
    kind: KIND_SERVER,
    name: () => 'shop.inventory.v1.Inventory/ReserveStock',
    pairs: rpc,
  },
  { service: 3, parent: 5, kind: KIND_INTERNAL, name: () => 'PriceCalculator.calculate', pairs: internal },
  {
    service: 3,
    parent: 6,
    kind: KIND_PRODUCER,
    name: (o) => `send shop.${o.table}.events`,
    pairs: messaging,
  },
];

/** A child starts later and ends earlier than its parent by more than the millisecond that times are shifted by. */
const STEP_NANOS = 2_500_000;

interface TracePlan {
  readonly operation: Operation;
  readonly trace: number;
  readonly isFailed: boolean;
  /** Nanoseconds before the request when the root span started and ended. */
  readonly startBefore: number;
  readonly endBefore: number;
}

function depthOf(shapeIndex: number): number {
  const parent = SHAPES[shapeIndex]?.parent ?? -1;
  return parent < 0 ? 0 : depthOf(parent) + 1;
}

function exceptionEvent(timeBefore: number): MessageModel {
  return {
    timeUnixNano: { kind: 'time', index: timeBefore },
    name: 'exception',
    attributes: attributes([
      ['exception.type', 'UpstreamTimeout'],
      ['exception.message', 'inventory did not answer within 800 ms'],
    ]),
  };
}

/** Spans of a trace lie one after the other; a trace longer than the shapes repeats them below its first span. */
function parentItem(position: number, item: number): number {
  const shapeIndex = position % SHAPES.length;
  const parent = SHAPES[shapeIndex]?.parent ?? -1;
  if (parent >= 0) return item - shapeIndex + parent;
  return position === 0 ? -1 : item - position;
}

function spanModel(
  shape: Shape,
  depth: number,
  plan: TracePlan,
  parent: number,
  item: number,
  random: Prng,
): MessageModel {
  const endBefore = plan.endBefore + depth * STEP_NANOS;
  const isFailed = plan.isFailed && shape.kind === KIND_SERVER;
  return {
    traceId: { kind: 'traceId', index: plan.trace },
    spanId: { kind: 'spanId', index: item },
    parentSpanId: parent < 0 ? undefined : { kind: 'spanId', index: parent },
    name: shape.name(plan.operation),
    kind: shape.kind,
    startTimeUnixNano: { kind: 'time', index: plan.startBefore - depth * STEP_NANOS },
    endTimeUnixNano: { kind: 'time', index: endBefore },
    attributes: attributes(shape.pairs(plan.operation, plan.trace, item, random)),
    events: isFailed ? [exceptionEvent(endBefore + STEP_NANOS)] : undefined,
    status: isFailed ? { message: 'upstream timeout', code: STATUS_ERROR } : undefined,
    flags: 0x101,
  };
}

function planTrace(trace: number, random: Prng): TracePlan {
  const operation = OPERATIONS[random.nextInt(OPERATIONS.length)];
  assert(operation !== undefined);
  const endBefore = 2_000_000 + random.nextInt(40_000_000);
  // Most requests are quick, a few are slow, as the square of a uniform number makes them.
  const durationNanos = 40_000_000 + Math.floor(random.nextFloat() ** 2 * 600_000_000);
  return { operation, trace, isFailed: trace % 16 === 5, startBefore: endBefore + durationNanos, endBefore };
}

/** An ExportTraceServiceRequest with one resource a service; `itemCount` spans in traces of `itemsPerTrace`. */
export function tracesModel(
  random: Prng,
  itemCount: number,
  itemsPerTrace: number,
  origin: Origin,
): MessageModel {
  const spans: MessageModel[][] = SERVICES.map(() => []);
  let plan = planTrace(0, random);
  for (let item = 0; item < itemCount; item += 1) {
    const position = item % itemsPerTrace;
    if (position === 0) plan = planTrace(item / itemsPerTrace, random);
    const shapeIndex = position % SHAPES.length;
    const shape = SHAPES[shapeIndex];
    assert(shape !== undefined);
    spans[shape.service]?.push(
      spanModel(shape, depthOf(shapeIndex), plan, parentItem(position, item), item, random),
    );
  }
  const resourceSpans = spans.flatMap((list, service) =>
    list.length === 0
      ? []
      : [
          {
            resource: resourceModel(service, origin),
            scopeSpans: [
              { scope: { name: '@opentelemetry/instrumentation-http', version: '0.57.1' }, spans: list },
            ],
            schemaUrl: 'https://opentelemetry.io/schemas/1.30.0',
          },
        ],
  );
  return { resourceSpans };
}
