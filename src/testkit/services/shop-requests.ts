/** OTLP/JSON requests of a small shop: values that the processors of configs/examples act on, each beside one they leave alone. */
type Json = Record<string, unknown>;
type Plain = string | number | boolean;

const NOW = BigInt(Date.now()) * 1_000_000n;
const at = (millis: number): string => (NOW + BigInt(millis) * 1_000_000n).toString();
const hex = (n: number, digits: number): string => n.toString(16).padStart(digits, '0');

function value(plain: Plain): Json {
  if (typeof plain === 'string') return { stringValue: plain };
  if (typeof plain === 'boolean') return { boolValue: plain };
  return Number.isInteger(plain) ? { intValue: String(plain) } : { doubleValue: plain };
}

const attributes = (plain: Record<string, Plain>): Json[] =>
  Object.entries(plain).map(([key, each]) => ({ key, value: value(each) }));

/** One resource a service, some of them without what processors look for. */
const RESOURCES: readonly Record<string, Plain>[] = [
  { 'service.name': 'checkout', 'host.name': 'node-1', 'deployment.environment': 'production' },
  { 'service.name': 'checkout-canary', 'telemetry.sdk.language': 'nodejs', 'host.name': 'node-2' },
  { 'service.name': 'mailer', 'k8s.namespace.name': 'kube-system', 'service.instance.id': 'm-1' },
  { 'service.name': 'cart', 'k8s.namespace.name': 'shop', team: 'nobody' },
];

const REQUEST_ATTRIBUTES: readonly Record<string, Plain>[] = [
  {
    'http.method': 'POST',
    'http.url': 'https://shop.example.com/cart/7?item=3',
    'http.status_code': '201',
    'user.email': 'ana@example.com',
    credit_card: '4111111111111111',
  },
  { 'http.method': 'GET', 'http.url': 'not a url', 'http.status_code': 'none', synthetic: true },
  { 'db.statement': 'SELECT 1', debit_card_holder: 'Ana', 'enduser.id': 'known', weight: 3 },
  { 'http.status_code': 404, 'user.email': '', retry: 'yes', synthetic: false },
  {},
];
const SPAN_NAMES = ['POST /cart', 'GET /healthz', 'HEAD /readyz?deep', 'SELECT', 'GET /cart/healthz'];

export function shopTraces(): Json {
  const spans = (service: number) =>
    SPAN_NAMES.flatMap((name, n) =>
      [1, 2, 3].map((kind) => ({
        traceId: hex(service + 1, 32),
        spanId: hex((service + 1) * 1000 + n * 10 + kind, 16),
        name,
        kind,
        startTimeUnixNano: at(n),
        endTimeUnixNano: at(n + kind),
        attributes: attributes(REQUEST_ATTRIBUTES[(n + kind) % REQUEST_ATTRIBUTES.length]!),
        status: kind === 3 ? { code: 2, message: 'failed' } : {},
      })),
    );
  return {
    resourceSpans: RESOURCES.map((resource, service) => ({
      resource: { attributes: attributes(resource) },
      scopeSpans: [{ scope: { name: 'http', version: '1.2' }, spans: spans(service) }],
    })),
  };
}

const BODIES = ['order placed', 'heartbeat 7', 'login password=hunter2', 'Heartbeat lost', ''];
const SEVERITIES: readonly (readonly [number, string])[] = [
  [0, ''],
  [5, 'DEBUG'],
  [9, 'INFO'],
  [13, 'warning'],
  [17, 'ERROR'],
];

export function shopLogs(): Json {
  const records = BODIES.flatMap((body, n) =>
    SEVERITIES.map(([severityNumber, severityText]) => ({
      timeUnixNano: at(n),
      observedTimeUnixNano: at(n + 1),
      severityNumber,
      severityText,
      body: value(body),
      attributes: attributes(REQUEST_ATTRIBUTES[n]!),
    })),
  );
  return {
    resourceLogs: RESOURCES.map((resource) => ({
      resource: { attributes: attributes(resource) },
      scopeLogs: [{ scope: { name: 'logger' }, logRecords: records }],
    })),
  };
}

const METRIC_NAMES = [
  'http.server.request.duration',
  'queue.length',
  'go_gc_cycles',
  'runtime.uptime',
  'not.go_gc',
];

export function shopMetrics(): Json {
  const point = { startTimeUnixNano: at(0), timeUnixNano: at(1000) };
  const points = REQUEST_ATTRIBUTES.map((each, n) => ({
    ...point,
    asInt: String(n),
    attributes: attributes({ ...each, 'http.route': `/r/${n}` }),
  }));
  const data = (n: number): Json => {
    if (n === 0) {
      const bounds = { explicitBounds: [0.1, 1], bucketCounts: ['1', '2', '3'], count: '6', sum: 4.5 };
      return {
        histogram: {
          aggregationTemporality: 2,
          dataPoints: points.map(({ asInt: _, ...rest }) => ({ ...rest, ...bounds })),
        },
      };
    }
    if (n === 1) return { gauge: { dataPoints: points } };
    return { sum: { aggregationTemporality: 1 + (n % 2), isMonotonic: n > 2, dataPoints: points } };
  };
  return {
    resourceMetrics: RESOURCES.map((resource) => ({
      resource: { attributes: attributes(resource) },
      scopeMetrics: [
        {
          scope: { name: 'meter' },
          metrics: METRIC_NAMES.map((name, n) => ({ name, unit: 's', ...data(n) })),
        },
      ],
    })),
  };
}
