/** Generated traces for samplers: every kind of attribute, spread over requests and out of order. */
import { Prng } from '../../stdx/prng.ts';
import type { Message } from '../otlp-arbitraries.ts';
import { requestType } from '../otlp-root.ts';

/** Traces whose spans are mixed with each other's; the spans of a trace never leave their group. */
const GROUP_TRACES = 200;
const REQUESTS_OF_GROUP = 6;
const SPANS_MAX = 6;
const NANOS_OF_MS = 1_000_000n;
const BASE_NANOS = 1_760_000_000_000n * NANOS_OF_MS;

const ROUTES = [
  '/api/v1/cart',
  '/api/v2/pay',
  '/healthz',
  '/',
  '',
  '/static/app.js',
  '/api/v10/x',
  '/Ünï/cødé',
];
const TENANTS = ['acme', 'globex', 'initech', 'umbrella', 'hooli', 'stark', 'wayne', 'wonka'];
const TRACE_STATES = [
  '',
  'vendor=a',
  'vendor=b,other=c',
  'other=c , vendor=a',
  'vendor=a,vendor=a',
  'vendor=a,Bad=c',
  'x@y=1,vendor=a,,',
  'vendor=',
];

export interface RequestGroup {
  requests: Uint8Array[];
  /** In hex. */
  traceIds: string[];
}

/** Always the same groups for a seed. */
export function* samplingGroups(traceCount: number, seed: number): Generator<RequestGroup> {
  const random = new Prng(seed);
  for (let done = 0; done < traceCount; done += GROUP_TRACES) {
    yield group(random, Math.min(GROUP_TRACES, traceCount - done));
  }
}

function group(random: Prng, traceCount: number): RequestGroup {
  const type = requestType('traces');
  const traceIds: string[] = [];
  const requests: Message[][] = Array.from({ length: REQUESTS_OF_GROUP }, () => []);
  for (let trace = 0; trace < traceCount; trace++) {
    const id = Buffer.from(Uint32Array.from({ length: 4 }, () => random.nextUint32()).buffer);
    traceIds.push(id.toString('hex'));
    // Most traces are all plain, so that no policy matches nearly everything.
    const oddity = random.nextInt(3) === 0 ? 0.5 : 0.08;
    const start = BASE_NANOS + BigInt(random.nextInt(1_000_000)) * NANOS_OF_MS;
    const spanCount = 1 + random.nextInt(SPANS_MAX);
    for (let ordinal = 0; ordinal < spanCount; ordinal++) {
      requests[random.nextInt(REQUESTS_OF_GROUP)]!.push(resourceSpans(random, id, start, oddity));
    }
  }
  const encoded = requests
    .filter((groups) => groups.length > 0)
    .map((groups) => type.encode(type.fromObject({ resource_spans: merged(random, groups) })).finish());
  return { requests: encoded, traceIds };
}

/** Shuffles, and lets neighbours share a resource and sometimes a scope. */
function merged(random: Prng, groups: Message[]): Message[] {
  for (let at = groups.length - 1; at > 0; at--) {
    const other = random.nextInt(at + 1);
    [groups[at], groups[other]] = [groups[other]!, groups[at]!];
  }
  const result: Message[] = [];
  for (const each of groups) {
    const last = result.at(-1)?.scope_spans as Message[] | undefined;
    if (last === undefined || random.nextInt(3) === 0) result.push(each);
    else if (random.nextInt(2) === 0) last.push(...(each.scope_spans as Message[]));
    else (last.at(-1)!.spans as Message[]).push(...((each.scope_spans as Message[])[0]!.spans as Message[]));
  }
  return result;
}

function resourceSpans(random: Prng, traceId: Uint8Array, start: bigint, oddity: number): Message {
  const startNanos = start + BigInt(random.nextInt(80_000)) * 1000n;
  const takenNanos =
    random.nextFloat() < oddity ? random.nextInt(400) * 1_000_000 : random.nextInt(20_000_000);
  const span = {
    trace_id: traceId,
    span_id: Uint8Array.from({ length: 8 }, () => 1 + random.nextInt(255)),
    name: 'op',
    trace_state: random.nextFloat() < oddity ? pick(random, TRACE_STATES) : '',
    start_time_unix_nano: startNanos.toString(),
    end_time_unix_nano: (startNanos + BigInt(takenNanos)).toString(),
    attributes: attributes(random, oddity),
    status: random.nextFloat() < oddity / 2 ? { code: random.nextInt(3) } : undefined,
    flags: random.nextFloat() < oddity ? random.nextInt(4) | 0x100 : 0x100,
    events: random.nextFloat() < oddity ? [{ name: pick(random, ['exception', 'retry']) }] : [],
  };
  const resource = random.nextFloat() < oddity / 2 ? attributes(random, oddity) : [];
  const name = { key: 'service.name', value: { string_value: pick(random, TENANTS) } };
  return { resource: { attributes: [name, ...resource] }, scope_spans: [{ spans: [span] }] };
}

function attributes(random: Prng, oddity: number): Message[] {
  const result: Message[] = [{ key: 'plain', value: { string_value: 'always here' } }];
  const add = (key: string, value: () => Message) => {
    if (random.nextFloat() < oddity)
      result.push({ key, value: random.nextInt(4) === 0 ? anyValue(random) : value() });
  };
  for (let twice = 0; twice < 2; twice++) {
    add('http.route', () => ({ string_value: pick(random, ROUTES) }));
    add('tenant', () => ({ string_value: pick(random, TENANTS) }));
    add('retries', () => ({ int_value: random.nextInt(20) - 5 }));
    add('size', () => ({
      int_value: pick(random, ['-9223372036854775808', '9223372036854775807', '500', '4096']),
    }));
    add('cached', () => ({ bool_value: random.nextInt(2) === 0 }));
    add('ratio', () => ({ double_value: random.nextFloat() }));
  }
  return result;
}

/** Of every kind. */
function anyValue(random: Prng): Message {
  return pick(random, [
    {},
    { string_value: '' },
    { string_value: 'acme' },
    { bool_value: true },
    { bool_value: false },
    { int_value: 3 },
    { double_value: 3.5 },
    { bytes_value: new Uint8Array([97, 99]) },
    { array_value: { values: [{ string_value: 'acme' }] } },
    { kvlist_value: { values: [{ key: 'a', value: { int_value: 1 } }] } },
  ]);
}

function pick<T>(random: Prng, from: readonly T[]): T {
  return from[random.nextInt(from.length)]!;
}
