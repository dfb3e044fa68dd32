/** Decision tables: what is kept, what is written, and what is counted. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Signal } from '../../component/signal.ts';
import type { Message } from '../../testkit/otlp-arbitraries.ts';
import { flattenRequest } from '../../testkit/otlp-flatten.ts';
import { configIssues, encodeRequest, processorBed } from '../helper/processor.test-peer.ts';
import { probabilisticSamplerProcessorFactory as factory } from './factory.ts';

const COUNTED = 'otelcol_processor_probabilistic_sampler_count';
/** Randomness 0x80000000000000: thresholds up to `8` keep it. */
const HALF_ID = '00010203040506070880000000000000';
const LOW_ID = '00010203040506070800000000000001';

interface Case {
  config: Record<string, unknown>;
  id?: string;
  state?: string;
  attributes?: Record<string, unknown>;
  /** undefined: dropped. Traces: the tracestate; logs: threshold and randomness. */
  expected: string | undefined;
  policy: string;
}

function anyValue(plain: unknown): Message {
  if (typeof plain === 'string') return { string_value: plain };
  return Number.isInteger(plain) ? { int_value: String(plain) } : { double_value: plain };
}

function requestOf(signal: Signal, { id, state, attributes = {} }: Case): Uint8Array {
  const list = Object.entries(attributes).map(([key, plain]) => ({ key, value: anyValue(plain) }));
  const idBytes = id === undefined ? {} : { trace_id: Buffer.from(id, 'hex') };
  return signal === 'traces'
    ? encodeRequest(signal, {
        resource_spans: [
          {
            scope_spans: [
              {
                spans: [
                  {
                    ...idBytes,
                    span_id: Buffer.alloc(8, 1),
                    trace_state: state ?? '',
                    name: 'n',
                    attributes: list,
                  },
                ],
              },
            ],
          },
        ],
      })
    : encodeRequest(signal, {
        resource_logs: [{ scope_logs: [{ log_records: [{ ...idBytes, attributes: list, flags: 7 }] }] }],
      });
}

function outcome(signal: Signal, item: Message): string {
  if (signal === 'traces') return (item.trace_state as string | undefined) ?? '';
  const attributes = (item.attributes ?? []) as { key: string; value: { string_value?: string } }[];
  const text = (key: string) => attributes.find((each) => each.key === key)?.value.string_value ?? '-';
  return `${text('sampling.threshold')} ${text('sampling.randomness')}`;
}

async function check(signal: Signal, each: Case): Promise<void> {
  const what = JSON.stringify(each);
  const bed = await processorBed(signal, [[factory, each.config]]);
  const bytes = requestOf(signal, each);
  const result = bed.process(bytes);
  const [flat] = result.itemCount === 0 ? [] : flattenRequest(signal, result.bytes);
  assert.equal(flat && outcome(signal, flat.item), each.expected, what);
  const counted = bed.meter
    .takeSnapshot()
    .counters.filter(({ name }) => name === `${COUNTED}_${signal}_sampled`);
  assert.deepEqual(
    counted.map(({ labels, value }) => [labels, value]),
    [[{ policy: each.policy, sampled: String(flat !== undefined) }, 1]],
    what,
  );
}

const equalizing = (percentage: number, rest: object = {}) => ({
  mode: 'equalizing',
  sampling_percentage: percentage,
  ...rest,
});
const proportional = (percentage: number, rest: object = {}) => ({
  mode: 'proportional',
  sampling_percentage: percentage,
  ...rest,
});
const OPEN = { fail_closed: false };

const SPANS: readonly Case[] = [
  { config: equalizing(50), id: HALF_ID, expected: 'ot=th:8', policy: 'trace_id_w3c' },
  { config: equalizing(49.9), id: HALF_ID, expected: undefined, policy: 'trace_id_w3c' },
  { config: equalizing(100), id: LOW_ID, expected: 'ot=th:0', policy: 'trace_id_w3c' },
  // A threshold that is higher already stays, and what is kept by it is kept.
  {
    config: equalizing(75),
    id: HALF_ID,
    state: 'a=1,ot=th:8;x:y',
    expected: 'ot=th:8;x:y,a=1',
    policy: 'trace_id_w3c',
  },
  { config: proportional(50), id: HALF_ID, state: 'ot=th:0', expected: 'ot=th:8', policy: 'trace_id_w3c' },
  { config: proportional(50), id: HALF_ID, state: 'ot=th:4', expected: undefined, policy: 'trace_id_w3c' },
  {
    config: proportional(50),
    id: LOW_ID,
    state: 'ot=rv:c0000000000000;th:8',
    expected: 'ot=rv:c0000000000000;th:c',
    policy: 'sampling_randomness',
  },
  // Nothing to change: the bytes go through.
  { config: equalizing(50), id: HALF_ID, state: 'ot=th:8', expected: 'ot=th:8', policy: 'trace_id_w3c' },
  // Inconsistent: the randomness lies below the threshold.
  { config: equalizing(50), id: LOW_ID, state: 'ot=th:8', expected: undefined, policy: 'trace_id_w3c' },
  { config: equalizing(50, OPEN), id: LOW_ID, state: 'ot=th:8', expected: 'ot=th:0', policy: 'trace_id_w3c' },
  // Malformed: what cannot be read is not written.
  {
    config: equalizing(50),
    id: HALF_ID,
    state: 'ot=rv:1',
    expected: undefined,
    policy: 'missing_randomness',
  },
  {
    config: equalizing(50, OPEN),
    id: HALF_ID,
    state: 'ot=rv:1',
    expected: 'ot=rv:1',
    policy: 'missing_randomness',
  },
  { config: { sampling_percentage: 0 }, id: HALF_ID, expected: undefined, policy: 'sampling_priority' },
  {
    config: { sampling_percentage: 0 },
    id: HALF_ID,
    attributes: { 'sampling.priority': '2.5' },
    expected: 'ot=th:0',
    policy: 'sampling_priority',
  },
  {
    config: equalizing(100),
    id: HALF_ID,
    attributes: { 'sampling.priority': 0 },
    expected: undefined,
    policy: 'sampling_priority',
  },
  // hash_seed does not touch what another mode has decided.
  {
    config: { sampling_percentage: 100, ...OPEN },
    id: HALF_ID,
    state: 'ot=th:4',
    expected: 'ot=th:4',
    policy: 'trace_id_hash',
  },
  {
    config: { sampling_percentage: 100 },
    id: HALF_ID,
    state: 'ot=th:4',
    expected: undefined,
    policy: 'trace_id_hash',
  },
];

test('spans are decided, marked and counted as the table says', async () => {
  for (const each of SPANS) await check('traces', each);
});

const LOGS: readonly Case[] = [
  { config: equalizing(50), id: HALF_ID, expected: '8 -', policy: 'trace_id_w3c' },
  { config: equalizing(50), expected: undefined, policy: 'missing_randomness' },
  { config: equalizing(50, OPEN), expected: '0 -', policy: 'missing_randomness' },
  {
    config: proportional(50),
    attributes: { 'sampling.threshold': '8', 'sampling.randomness': 'c0000000000000' },
    expected: 'c c0000000000000',
    policy: 'sampling_randomness',
  },
  {
    config: equalizing(50, { sampling_priority: 'p' }),
    id: LOW_ID,
    attributes: { p: 100 },
    expected: '0 -',
    policy: 'sampling_priority',
  },
  // No percentage: the configured one counts.
  {
    config: equalizing(50, { sampling_priority: 'p' }),
    id: HALF_ID,
    attributes: { p: 101 },
    expected: '8 -',
    policy: 'trace_id_w3c',
  },
  {
    config: { sampling_percentage: 50, attribute_source: 'record', from_attribute: 'id' },
    id: HALF_ID,
    expected: undefined,
    policy: 'missing_randomness',
  },
  {
    config: { sampling_percentage: 100, attribute_source: 'record', from_attribute: 'id' },
    attributes: { id: '' },
    expected: undefined,
    policy: 'missing_randomness',
  },
];

test('log records are decided, marked and counted as the table says', async () => {
  for (const each of LOGS) await check('logs', each);
});

test('hash_seed writes the randomness of the hash and the threshold of its 14 bits', async () => {
  const config = { sampling_percentage: 100, attribute_source: 'record', from_attribute: 'id' };
  const bed = await processorBed('logs', [[factory, config]]);
  const request = requestOf('logs', { config, attributes: { id: 'foobar' }, expected: '', policy: '' });
  const [flat] = flattenRequest('logs', bed.process(request).bytes);
  // FNV-1a with the seed's four zero bytes in front of the text.
  let hash = 0x811c9dc5n;
  for (const byte of [0, 0, 0, 0, ...Buffer.from('foobar')]) {
    hash = ((hash ^ BigInt(byte)) * 0x01000193n) & 0xffffffffn;
  }
  const bucket = hash & 0x3fffn;
  const unused = hash >> 18n;
  const randomness = ((0x3fffn - bucket) << 42n) | ((unused ^ (unused << 10n)) << 14n) | bucket;
  assert.equal(outcome('logs', flat!.item), `0 ${randomness.toString(16).padStart(14, '0')}`);
});

test('a request in which nothing changes is the same bytes', async () => {
  const config = equalizing(50);
  const bed = await processorBed('traces', [[factory, config]]);
  const bytes = requestOf('traces', { config, id: HALF_ID, state: 'ot=th:8,v=1', expected: '', policy: '' });
  assert.equal(bed.process(bytes).bytes, bytes);
});

test('of several trace_state fields the last one counts', async () => {
  const bed = await processorBed('traces', [[factory, equalizing(50)]]);
  const field = (text: string) => Buffer.from([0x1a, text.length, ...Buffer.from(text)]);
  const span = Buffer.concat([
    field('ot=th:ff'),
    Buffer.from([0x0a, 16, ...Buffer.from(HALF_ID, 'hex')]),
    field('ot=th:0'),
    Buffer.from([0x12, 8, 1, 1, 1, 1, 1, 1, 1, 1]),
  ]);
  const wrap = (tag: number, body: Buffer) => Buffer.concat([Buffer.from([tag, body.length]), body]);
  const request = wrap(0x0a, wrap(0x12, wrap(0x12, span)));
  const [flat] = flattenRequest('traces', bed.process(new Uint8Array(request)).bytes);
  assert.equal(flat!.item.trace_state, 'ot=th:8');
});

test('what cannot be configured is refused with its key', () => {
  const issues = (raw: object) => configIssues(factory, raw);
  assert.match(issues({ sampling_percentage: -1 })[0]!, /^sampling_percentage: must be non-negative/);
  assert.match(issues({ sampling_percentage: 1e-20 })[0]!, /^sampling_percentage: is too small/);
  assert.match(issues({ sampling_precision: 0 })[0]!, /^sampling_precision: /);
  assert.match(issues({ sampling_precision: 15 })[0]!, /^sampling_precision: /);
  assert.match(issues({ mode: 'head' })[0]!, /^mode: expected one of/);
  assert.match(issues({ hash_seed: 2 ** 32 })[0]!, /^hash_seed: /);
  assert.match(issues({ attribute_source: 'traceId' })[0]!, /^attribute_source: /);
});
