/** Random requests and random actions against a model on decoded objects. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { SIGNALS, type Signal } from '../../component/signal.ts';
import { Prng } from '../../stdx/prng.ts';
import { encodedRequest, type Message } from '../../testkit/otlp-arbitraries.ts';
import { EXACT, flattenRequest } from '../../testkit/otlp-flatten.ts';
import { requestType } from '../../testkit/otlp-root.ts';
import { acceptedRequest, encodeRequest, processorBed } from '../helper/processor.test-peer.ts';
import { resourceProcessorFactory } from '../resource/factory.ts';
import { attributesProcessorFactory } from './factory.ts';

const KEYS = ['a', 'b', 'ab', 'http.method', 'ü'];
interface Attribute {
  key?: string;
  value?: Message;
}
interface Action {
  action: string;
  key?: string;
  value?: unknown;
  from_attribute?: string;
  default_value?: unknown;
  pattern?: string;
}

/** Gives all attributes of a message tree keys of a small set, so that actions meet them, twice as well. */
function renameKeys(node: unknown, prng: Prng): void {
  if (typeof node !== 'object' || node === null) return;
  for (const [name, value] of Object.entries(node)) {
    if (name === 'attributes' && Array.isArray(value)) {
      for (const attribute of value as Attribute[]) attribute.key = KEYS[prng.nextUint32() % KEYS.length]!;
    } else renameKeys(value, prng);
  }
}

const key = fc.constantFrom(...KEYS, 'new');
const value = fc.oneof(
  fc.string(),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noInteger: true }),
  fc.boolean(),
  fc.array(fc.oneof(fc.string(), fc.integer()), { maxLength: 3 }),
  fc.dictionary(fc.constantFrom('x', 'y'), fc.oneof(fc.string(), fc.boolean())),
);
const put = fc.constantFrom('insert', 'update', 'upsert');
const pattern = fc.constantFrom('^a', 'b$', '[x-z]', 'http\\..*', 'ü');
const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ action: put, key, value }),
  fc.record({ action: put, key, from_attribute: key }),
  fc.record({ action: put, key, from_attribute: key, default_value: value }),
  fc.record({ action: fc.constant('delete'), key }),
  fc.record({ action: fc.constantFrom('delete', 'hash'), pattern }),
  fc.record({ action: fc.constant('hash'), key }),
);

function literal(plain: unknown): Message {
  if (typeof plain === 'string') return { string_value: plain };
  if (typeof plain === 'boolean') return { bool_value: plain };
  if (typeof plain === 'number')
    return Number.isInteger(plain) ? { int_value: String(plain) } : { double_value: plain };
  if (Array.isArray(plain)) return { array_value: plain.length === 0 ? {} : { values: plain.map(literal) } };
  const values = Object.entries(plain as object).map(([name, item]) => ({ key: name, value: literal(item) }));
  return { kvlist_value: values.length === 0 ? {} : { values } };
}

function hashed(any: Message = {}): Message {
  const words = Buffer.alloc(8);
  let bytes: Buffer | undefined;
  if (typeof any.string_value === 'string') bytes = Buffer.from(any.string_value);
  else if (any.bool_value !== undefined) bytes = Buffer.from([any.bool_value === true ? 1 : 0]);
  else if (any.int_value !== undefined) {
    words.writeBigInt64LE(BigInt(any.int_value as string));
    bytes = words;
  } else if (any.double_value !== undefined) {
    words.writeDoubleLE(any.double_value as number);
    bytes = words;
  }
  return { string_value: bytes === undefined ? '' : createHash('sha256').update(bytes).digest('hex') };
}

/** Of twins the first one counts; writing removes the others. */
function applyModel(attributes: Attribute[], { action: kind, ...args }: Action): Attribute[] {
  const name = args.key;
  const first = attributes.findIndex((each) => each.key === name);
  const isNamed = (each: Attribute) =>
    args.pattern !== undefined && new RegExp(args.pattern, 'u').test(each.key ?? '');
  if (kind === 'delete') return attributes.filter((each) => each.key !== name && !isNamed(each));
  if (kind === 'hash') {
    return attributes
      .filter((each, i) => each.key !== name || i === first)
      .map((each) => (each.key === name || isNamed(each) ? { ...each, value: hashed(each.value) } : each));
  }
  if (first >= 0 ? kind === 'insert' : kind === 'update') return attributes;
  let next: Message | undefined = args.value === undefined ? undefined : literal(args.value);
  if (args.from_attribute !== undefined) {
    const from = attributes.find((each) => each.key === args.from_attribute);
    const fallback = args.default_value === undefined ? undefined : literal(args.default_value);
    next = from === undefined ? fallback : (from.value ?? {});
  }
  if (next === undefined || name === undefined) return attributes;
  if (first < 0) return [...attributes, { key: name, value: next }];
  return attributes
    .filter((each, i) => each.key !== name || i === first)
    .map((each) => (each.key === name ? { key: name, value: next } : each));
}

/** Absent and empty are the same: a value that an encoder left out, a list without attributes. */
function normal(message: unknown): unknown {
  const text = JSON.stringify(message, (name, node) => {
    if (name === 'attributes' && Array.isArray(node) && node.length === 0) return undefined;
    if (typeof node === 'number' && !Number.isFinite(node)) return String(node);
    return typeof node === 'number' && Object.is(node, -0) ? '-0' : node;
  });
  return JSON.parse(text ?? 'null');
}

function attributesOf(message: unknown, actions: readonly Action[]): Message {
  const { attributes = [], ...rest } = (message ?? {}) as { attributes?: Attribute[] };
  return { ...rest, attributes: actions.reduce(applyModel, attributes) };
}

async function check(
  signal: Signal,
  bytes: Uint8Array,
  seed: number,
  actions: Action[],
  isResource: boolean,
) {
  const type = requestType(signal);
  const tree = type.toObject(type.decode(acceptedRequest(signal, bytes)), EXACT) as Message;
  renameKeys(tree, new Prng(seed));
  const request = encodeRequest(signal, tree);
  const before = flattenRequest(signal, request);
  const bed = isResource
    ? await processorBed(signal, [[resourceProcessorFactory, { attributes: actions }]])
    : await processorBed(signal, [[attributesProcessorFactory, { actions }]]);
  const result = bed.process(request);
  assert.equal(result.itemCount, before.length);
  const expected = before.map((flat) =>
    isResource
      ? { ...flat, resource: attributesOf(flat.resource, actions) }
      : { ...flat, item: attributesOf(flat.item, actions) },
  );
  const after = flattenRequest(signal, result.bytes);
  const actual = after.map((flat) => (isResource ? { ...flat, resource: flat.resource ?? {} } : flat));
  assert.deepEqual(actual.map(normal), expected.map(normal));
}

for (const signal of SIGNALS) {
  for (const isResource of [false, true]) {
    test(`${signal}: random actions on ${isResource ? 'resources' : 'items'} equal the model`, async () => {
      const inputs = [
        encodedRequest(signal),
        fc.nat(),
        fc.array(action, { minLength: 1, maxLength: 4 }),
      ] as const;
      const property = fc.asyncProperty(...inputs, (bytes, seed, actions) =>
        check(signal, bytes, seed, actions, isResource),
      );
      await fc.assert(property, { numRuns: 150 });
    });
  }
}
