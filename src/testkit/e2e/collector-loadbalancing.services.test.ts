/**
 * The same items through the real Collector's loadbalancing exporter and through this one, to the same backends.
 * Guarantee: each item arrives at the same backend by both ways, for every routing key, so that tiers can be mixed.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { SIGNALS, type Signal } from '../../component/signal.ts';
import { framed, reply, startGrpcBackend } from '../../exporters/otlp/grpc-backend.test-peer.ts';
import { EngineProcess, freePorts, until } from '../engine-process.ts';
import { requestType } from '../otlp-root.ts';
import { CollectorProcess, installPrograms } from '../services/programs.ts';

const BACKENDS = 5;
const RESOURCES = 40;
const ITEMS = 12;

interface Lane {
  signal: Signal;
  name: string;
  keys: Record<string, unknown>;
}

const ATTRIBUTES = ['deployment.environment', 'zone', 'tenant'];
const lane = (signal: Signal, name: string, more: string[] = []): Lane => ({
  signal,
  name: `${signal}-${name}`,
  keys: {
    ...(name === 'default' ? {} : { routing_key: name }),
    ...(name === 'attributes' ? { routing_attributes: [...ATTRIBUTES, ...more] } : {}),
  },
});

const LANES: readonly Lane[] = [
  lane('traces', 'default'),
  lane('traces', 'service'),
  lane('traces', 'attributes', ['span.kind', 'span.name']),
  lane('logs', 'default'),
  lane('logs', 'traceID'),
  lane('logs', 'attributes', ['log.severity', 'log.body']),
  lane('metrics', 'default'),
  lane('metrics', 'metric'),
  lane('metrics', 'resource'),
  lane('metrics', 'streamID'),
  lane('metrics', 'attributes'),
];

const text = (value: string) => ({ stringValue: value });
const hex = (value: number, digits: number) =>
  ((value * 2_654_435_761) % 2 ** 32).toString(16).padStart(digits, 'a');

/** Names on every level, some of them missing; `id` tells each item. */
function attributesOf(number: number, id?: string) {
  const attributes = [{ key: 'zone', value: { intValue: String(number % 7) } }];
  if (number % 3 === 0) attributes.push({ key: 'tenant', value: text(`t${number % 5}`) as never });
  if (id !== undefined) attributes.push({ key: 'id', value: text(id) as never });
  return attributes;
}

function itemOf(signal: Signal, number: number): object {
  const id = `${signal}-${number}`;
  const attributes = attributesOf(number, id);
  const time = `${Date.now()}000000`;
  const traceId = hex(Math.floor(number / 3), 32);
  if (signal === 'traces') {
    const ids = { traceId, spanId: hex(number + 1, 16) };
    return { ...ids, name: `pay ${number % 9}`, kind: number % 6, startTimeUnixNano: time, attributes };
  }
  if (signal === 'logs')
    return {
      traceId,
      timeUnixNano: time,
      severityText: `S${number % 4}`,
      body: text(`b${number % 8}`),
      attributes,
    };
  const unit = number % 4 === 0 ? '' : 'ms';
  return { name: `requests.${number % 11}`, unit, ...metricData(number, { timeUnixNano: time, attributes }) };
}

/** Every kind of metric, and what of it belongs to the identity of a series. */
function metricData(number: number, point: object): object {
  const aggregationTemporality = 1 + (number % 2);
  const counted = { ...point, count: '1', sum: 2 };
  const kinds = [
    { gauge: { dataPoints: [{ ...point, asDouble: 1.5 }] } },
    { sum: { isMonotonic: true, aggregationTemporality, dataPoints: [{ ...point, asInt: '1' }] } },
    { sum: { aggregationTemporality, dataPoints: [{ ...point, asInt: '1' }] } },
    { histogram: { aggregationTemporality, dataPoints: [{ ...counted, bucketCounts: ['1'] }] } },
    { exponentialHistogram: { aggregationTemporality, dataPoints: [{ ...counted, zeroCount: '1' }] } },
    { summary: { dataPoints: [counted] } },
  ];
  return kinds[number % kinds.length]!;
}

function requestOf(signal: Signal): object {
  const [outer, inner, items] = {
    traces: ['resourceSpans', 'scopeSpans', 'spans'],
    logs: ['resourceLogs', 'scopeLogs', 'logRecords'],
    metrics: ['resourceMetrics', 'scopeMetrics', 'metrics'],
  }[signal] as [string, string, string];
  const resources = Array.from({ length: RESOURCES }, (_, resource) => {
    const attributes = [{ key: 'service.name', value: text(`service-${resource}`) }];
    if (resource % 2 === 0)
      attributes.push({ key: 'deployment.environment', value: text(`e${resource % 4}`) });
    const scopes = [0, 1].map((scope) => ({
      scope: {
        name: `s${scope}`,
        version: `1.${resource % 3}`,
        attributes: resource % 5 === 0 ? attributesOf(resource + scope) : [],
      },
      [items]: Array.from({ length: ITEMS }, (_, item) =>
        itemOf(signal, (resource * 2 + scope) * ITEMS + item),
      ),
    }));
    return { resource: { attributes }, [inner]: scopes };
  });
  return { [outer]: resources };
}

/** Ids of all items, found by their attribute wherever it is. */
function idsIn(value: unknown, found: string[] = []): string[] {
  if (Array.isArray(value)) for (const each of value) idsIn(each, found);
  else if (typeof value === 'object' && value !== null && !(value instanceof Uint8Array)) {
    const { key, value: inner } = value as { key?: string; value?: { string_value?: string } };
    if (key === 'id' && inner?.string_value !== undefined) found.push(inner.string_value);
    else for (const each of Object.values(value)) idsIn(each, found);
  }
  return found;
}

/** `way lane` -> id -> backends that got it. */
type Arrivals = Map<string, Map<string, number[]>>;

async function startBackends(t: TestContext, arrivals: Arrivals): Promise<string[]> {
  const endpoints: string[] = [];
  for (let number = 0; number < BACKENDS; number++) {
    const backend = await startGrpcBackend(t, (stream, { headers, body }) => {
      const way = String(headers['x-way']);
      const signal = SIGNALS.find((each) => way.includes(each))!;
      const ofWay = arrivals.get(way) ?? new Map<string, number[]>();
      arrivals.set(way, ofWay);
      for (const id of idsIn(requestType(signal).decode(body.subarray(5)).toJSON()))
        ofWay.set(id, [...(ofWay.get(id) ?? []), number]);
      reply(stream, { status: '0', body: framed(new Uint8Array(0)) });
    });
    endpoints.push(`127.0.0.1:${backend.port}`);
  }
  return endpoints;
}

function configOf(
  way: string,
  hostnames: readonly string[],
  ports: { http: number; metrics: number },
): object {
  const idOf = ({ name }: Lane) => `loadbalancing/${name}`;
  const exporters = LANES.map((each) => [
    idOf(each),
    {
      ...each.keys,
      protocol: {
        otlp: { tls: { insecure: true }, compression: 'none', headers: { 'x-way': `${way} ${each.name}` } },
      },
      resolver: { static: { hostnames } },
    },
  ]);
  const exporter = { prometheus: { host: '127.0.0.1', port: ports.metrics } };
  return {
    receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${ports.http}` } } } },
    exporters: Object.fromEntries(exporters),
    service: {
      telemetry: { metrics: { readers: [{ pull: { exporter } }] } },
      pipelines: Object.fromEntries(
        SIGNALS.map((signal) => {
          const ids = LANES.filter((each) => each.signal === signal).map(idOf);
          return [signal, { receivers: ['otlp'], exporters: ids }];
        }),
      ),
    },
  };
}

async function sendAll(port: number): Promise<void> {
  for (const signal of SIGNALS) {
    const response = await fetch(`http://127.0.0.1:${port}/v1/${signal}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(requestOf(signal)),
    });
    assert.equal(response.status, 200, await response.text());
  }
}

test('every item goes to the backend that the Collector sends it to', { timeout: 600_000 }, async (t) => {
  const programs = await installPrograms();
  const directory = mkdtempSync(join(tmpdir(), 'millrace-balanced-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const arrivals: Arrivals = new Map();
  const hostnames = await startBackends(t, arrivals);
  const [theirs, ours] = [await freePorts(), await freePorts()];
  const collector = await CollectorProcess.start(programs, configOf('collector', hostnames, theirs));
  t.after(() => collector.stop());
  const config = JSON.stringify(configOf('engine', hostnames, ours));
  const engine = await EngineProcess.start({ config, dataDir: join(directory, 'data') });
  t.after(() => engine.kill());
  await sendAll(theirs.http);
  await sendAll(ours.http);
  const expected = RESOURCES * 2 * ITEMS;
  const ways = LANES.flatMap(({ name }) => [`collector ${name}`, `engine ${name}`]);
  await until('all items by all ways', () => ways.every((way) => arrivals.get(way)?.size === expected));
  for (const { name } of LANES) {
    const expectedBackends = arrivals.get(`collector ${name}`)!;
    const seen = arrivals.get(`engine ${name}`)!;
    const wrong = [...seen].filter(([id, backends]) => backends.join() !== expectedBackends.get(id)?.join());
    assert.deepEqual(wrong.slice(0, 5), [], `${name}: ${wrong.length} of ${expected} went elsewhere`);
    assert.ok(new Set([...seen.values()].flat()).size > 1, `${name}: all of it at one backend`);
  }
});
