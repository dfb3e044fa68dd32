// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the configuration language writes references so.
import assert from 'node:assert/strict';
import test from 'node:test';
import { ExpandedText } from './expanded-text.ts';
import {
  boolean,
  byteCount,
  count,
  duration,
  endpoint,
  ignored,
  integer,
  number,
  oneOf,
  refused,
  secret,
  section,
  sections,
  squash,
  string,
  stringList,
  stringMap,
} from './field-kinds.ts';
import { defineConfig, defineShape } from './schema.ts';

interface Limits {
  itemsMax: number;
  bytesMax: number | undefined;
}

interface Sample {
  timeoutMs: number;
  level: 'basic' | 'normal';
  endpoint: string;
  password: string | undefined;
  headers: Record<string, string>;
  topics: string[];
  ratio: number;
  isStrict: boolean;
  limits: Limits;
  batch: Limits | undefined;
  shared: { offset: number };
  rules: { name: string }[] | undefined;
}

const limitsShape = defineShape<Limits>(
  {
    itemsMax: count('items_max', { default: 10, doc: 'Most items.' }),
    bytesMax: byteCount('bytes_max', { doc: 'Most bytes.' }),
  },
  (limits) => (limits.itemsMax === 13 ? [{ key: 'items_max', message: 'must not be 13' }] : []),
);

const sampleSchema = defineConfig<Sample>(
  {
    timeoutMs: duration('timeout', { default: '200ms', doc: 'Longest wait.', oldKey: 'wait' }),
    level: oneOf('level', {
      values: ['basic', 'normal'],
      default: 'normal',
      ignoreCase: true,
      doc: 'Detail.',
    }),
    endpoint: endpoint('endpoint', { accepts: 'host:port', default: 'localhost:4317', doc: 'Address.' }),
    password: secret('password', { doc: 'Password.' }),
    headers: stringMap('headers', { default: {}, secretValues: true, doc: 'Headers.' }),
    topics: stringList('topics', { default: ['a', 'b'], doc: 'Topics.' }),
    ratio: number('ratio', { default: 0.5, min: 0, max: 1, doc: 'Ratio.' }),
    isStrict: boolean('strict', { default: true, doc: 'Strictness.' }),
    limits: section('limits', limitsShape, { doc: 'Limits.' }),
    batch: section('batch', limitsShape, { optional: true, doc: 'Batching.' }),
    shared: squash(defineShape({ offset: integer('offset', { default: -1, doc: 'Offset.' }) })),
    rules: sections('rules', defineShape({ name: string('name', { required: true, doc: 'Name.' }) }), {
      doc: 'Rules.',
    }),
  },
  (config) => (config.ratio === 0 ? [{ key: 'limits.items_max', message: 'needs a ratio' }] : []),
  [ignored(boolean('fsync', { default: false, doc: 'Flush.' }), 'every write is flushed'), refused('views')],
);

const DEFAULTS: Sample = {
  timeoutMs: 200,
  level: 'normal',
  endpoint: 'localhost:4317',
  password: undefined,
  headers: {},
  topics: ['a', 'b'],
  ratio: 0.5,
  isStrict: true,
  limits: { itemsMax: 10, bytesMax: undefined },
  batch: undefined,
  shared: { offset: -1 },
  rules: undefined,
};

function parseGood(raw: unknown): Sample {
  const parsed = sampleSchema.parse(raw);
  assert.deepEqual(parsed.issues, []);
  assert.ok(parsed.value !== undefined);
  return parsed.value;
}

function messagesOf(raw: unknown): string[] {
  return sampleSchema.parse(raw).issues.map((issue) => `${issue.path.join('::')}: ${issue.message}`);
}

test('null, undefined and {} give the defaults of the table', () => {
  for (const raw of [null, undefined, {}]) assert.deepEqual(parseGood(raw), DEFAULTS);
  assert.deepEqual(parseGood({ limits: null, headers: null, timeout: null, topics: null }), DEFAULTS);
});

test('every kind turns its YAML value into the property', () => {
  const value = parseGood({
    timeout: '1m30s',
    level: 'BASIC',
    endpoint: '[::1]:0',
    password: 'hunter2',
    headers: { 'x-key': 'v' },
    topics: 'x,y',
    ratio: 1,
    strict: false,
    limits: { items_max: 0, bytes_max: '256MiB' },
    offset: 7,
    rules: [{ name: 'r' }],
  });
  assert.deepEqual(value, {
    ...DEFAULTS,
    timeoutMs: 90_000,
    level: 'basic',
    endpoint: '[::1]:0',
    password: 'hunter2',
    headers: { 'x-key': 'v' },
    topics: ['x', 'y'],
    ratio: 1,
    isStrict: false,
    limits: { itemsMax: 0, bytesMax: 268_435_456 },
    shared: { offset: 7 },
    rules: [{ name: 'r' }],
  });
  assert.deepEqual(structuredClone(value), value);
});

test('a bare integer is a duration in nanoseconds, a bare numeric text is refused', () => {
  assert.equal(parseGood({ timeout: 5_000_000 }).timeoutMs, 5);
  assert.deepEqual(messagesOf({ timeout: '5' }), ['timeout: missing unit in duration, got "5"']);
  assert.deepEqual(messagesOf({ timeout: '-1s' }), ['timeout: must be non-negative, got "-1s"']);
});

test('an optional section is off when absent or disabled, on with defaults when null', () => {
  const on = { itemsMax: 10, bytesMax: undefined };
  assert.equal(parseGood({}).batch, undefined);
  assert.deepEqual(parseGood({ batch: null }).batch, on);
  assert.deepEqual(parseGood({ batch: {} }).batch, on);
  assert.deepEqual(parseGood({ batch: { enabled: true, items_max: 3 } }).batch, { ...on, itemsMax: 3 });
  assert.equal(parseGood({ batch: { enabled: false, items_max: 3 } }).batch, undefined);
  assert.deepEqual(messagesOf({ batch: { enabled: 'no' } }), [
    'batch::enabled: expected true or false, got "no"',
  ]);
});

test('all issues of all levels are reported, with the nearest key', () => {
  const raw = {
    endpont: 'x',
    timeout: true,
    level: 'loud',
    limits: { item_max: 1, items_max: 1.5 },
    batch: { items_max: 13 },
    ratio: 1.5,
    strict: 'true',
    headers: { a: 1 },
    topics: ['ok', 2],
    rules: [{}, { name: 5 }, 'x'],
    views: [],
    offset: '7',
  };
  assert.deepEqual(messagesOf(raw), [
    ': unknown key "endpont" (did you mean "endpoint"?)',
    'timeout: expected a duration such as 200ms or 1h30m, got true',
    'level: expected one of basic, normal, got "loud"',
    'headers::a: expected a string',
    'topics::1: expected a string',
    'ratio: must be at most 1, got 1.5',
    'strict: expected true or false, got "true"',
    'limits: unknown key "item_max" (did you mean "items_max"?)',
    'limits::items_max: expected an integer, got 1.5',
    'batch::items_max: must not be 13',
    'offset: expected an integer, got "7"',
    'rules::0::name: is required',
    'rules::1::name: expected a string, got 5',
    'rules::2: expected a map of keys, got "x"',
    ': "views" is not supported yet',
  ]);
});

test('rules between keys run once every value could be read', () => {
  assert.deepEqual(messagesOf({ ratio: 0 }), ['limits::items_max: needs a ratio']);
  assert.deepEqual(messagesOf('text'), [': expected a map of keys, got "text"']);
  assert.deepEqual(messagesOf([]), [': expected a map of keys, got a list']);
});

test('old spellings and keys without effect are read, checked and warned about', () => {
  const parsed = sampleSchema.parse({ wait: '1s', fsync: true });
  assert.equal(parsed.value?.timeoutMs, 1_000);
  assert.deepEqual(
    parsed.warnings?.map((warning) => warning.message),
    ['"wait" is deprecated; use "timeout" instead', '"fsync" has no effect: every write is flushed'],
  );
  assert.deepEqual(messagesOf({ wait: '1s', timeout: '2s', fsync: 1 }), [
    ': "wait" is the old name of "timeout": keep one',
    'fsync: expected true or false, got 1',
  ]);
});

test('references give texts to keys that want text and YAML values to the others', () => {
  const port = new ExpandedText(123, '0123', '${env:PORT}');
  assert.equal(parseGood({ password: port }).password, '0123');
  assert.equal(parseGood({ offset: port }).shared.offset, 123);
  assert.deepEqual(parseGood({ headers: { a: port } }).headers, { a: '0123' });
  assert.deepEqual(parseGood({ topics: new ExpandedText(['x', 'y'], '[x, y]', '${env:T}') }).topics, [
    'x',
    'y',
  ]);
  assert.deepEqual(parseGood({ topics: new ExpandedText('x,y', 'x,y', '${env:T}') }).topics, ['x', 'y']);
  assert.deepEqual(
    parseGood({ limits: new ExpandedText({ items_max: 4 }, '', '${env:L}') }).limits.itemsMax,
    4,
  );
  assert.deepEqual(messagesOf({ strict: new ExpandedText('s3cret', 's3cret', '${env:X}') }), [
    'strict: expected true or false, got the value of ${env:X}',
  ]);
});

test('a secret is in no message and in no printed configuration', () => {
  assert.deepEqual(messagesOf({ password: 4711 }), ['password: expected a string']);
  const printed = sampleSchema.redact(parseGood({ password: 'canary', headers: { a: 'canary' } }));
  assert.ok(!JSON.stringify(printed).includes('canary'));
  assert.equal((printed as Sample).password, '[REDACTED]');
  assert.equal((printed as Sample).timeoutMs, 200);
});

test('keys of Object.prototype are unknown keys or plain data, never prototypes', () => {
  const hostile = JSON.parse(
    '{"__proto__": {"polluted": true}, "constructor": 1, "headers": {"__proto__": "x"}}',
  );
  assert.deepEqual(messagesOf(hostile), [': unknown key "__proto__"', ': unknown key "constructor"']);
  const { headers } = parseGood({ headers: hostile.headers });
  assert.deepEqual(Object.keys(headers), ['__proto__']);
  assert.equal(Object.getPrototypeOf(headers), Object.prototype);
});

test('the table gives the documentation', () => {
  const docs = new Map(sampleSchema.fields.map((field) => [field.key, field]));
  assert.deepEqual(docs.get('timeout'), {
    key: 'timeout',
    type: 'duration',
    defaultText: '200ms',
    doc: 'Longest wait.',
  });
  assert.equal(docs.get('limits.items_max')?.defaultText, '10');
  assert.equal(docs.get('topics')?.defaultText, '["a","b"]');
  assert.equal(docs.get('rules[].name')?.type, 'string');
  assert.equal(docs.get('offset')?.type, 'integer');
});

test('a table with one key twice or a default that does not parse is a bug', () => {
  const first = string('a', { doc: 'A.' });
  assert.throws(() => defineShape({ first, second: string('a', { doc: 'A.' }) }), /"a" is defined twice/);
  assert.throws(
    () => duration('d', { default: '5', doc: 'D.' }).defaultValue,
    /default of "d" does not parse/,
  );
});
