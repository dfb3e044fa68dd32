import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type BucketEvents, type Notification, parseNotification } from './event-notification.ts';

const WANTED = { bucket: 'archive', prefix: 'prod' };
const NOTHING_LEFT_OUT = { other_event: 0, other_bucket: 0, other_prefix: 0 };

interface RecordKeys {
  key?: unknown;
  size?: unknown;
  bucket?: unknown;
  event?: unknown;
  source?: unknown;
}

function record({
  key = 'prod/traces_1.binpb',
  size = 10,
  bucket = 'archive',
  event = 'ObjectCreated:Put',
  source = 'aws:s3',
}: RecordKeys = {}): object {
  return {
    ...{ eventVersion: '2.4', eventSource: source, awsRegion: 'eu-central-1', eventName: event },
    s3: {
      s3SchemaVersion: '1.0',
      bucket: { name: bucket },
      object: { key, size, sequencer: '0055AED6DCD90281E5' },
    },
  };
}

function parse(...records: unknown[]): Notification {
  return parseNotification(JSON.stringify({ Records: records }), WANTED);
}

function viaSns(message: unknown): string {
  return JSON.stringify({
    ...{ Type: 'Notification', MessageId: '1', TopicArn: 'arn:aws:sns:eu-central-1:1:new', Subject: 'S3' },
    Message: typeof message === 'string' ? message : JSON.stringify(message),
  });
}

test('an event names objects, directly and by way of SNS', () => {
  const expected: BucketEvents = {
    kind: 'events',
    objects: [{ key: 'prod/traces_1.binpb', sizeBytes: 10 }],
    leftOut: NOTHING_LEFT_OUT,
  };
  assert.deepEqual(parse(record()), expected);
  assert.deepEqual(parseNotification(viaSns({ Records: [record()] }), WANTED), expected);
});

test('what S3 sends when notifications are set up is a test, directly and by way of SNS', () => {
  const event = {
    Service: 'Amazon S3',
    Event: 's3:TestEvent',
    Time: '2026-03-01T08:00:00Z',
    Bucket: 'archive',
  };
  assert.deepEqual(parseNotification(JSON.stringify(event), WANTED), { kind: 'test' });
  assert.deepEqual(parseNotification(viaSns(event), WANTED), { kind: 'test' });
});

test('other events, buckets and prefixes are counted by reason', () => {
  const told = parse(
    record({ event: 'ObjectRemoved:Delete' }),
    record({ source: 'aws:sns' }),
    record({ bucket: 'other' }),
    record({ key: 'test/traces_1.binpb' }),
    record({ key: 'production/traces_2.binpb' }),
    record({ event: 'ObjectCreated:CompleteMultipartUpload', key: 'prod/traces_3.binpb' }),
  );
  assert.deepEqual(told, {
    kind: 'events',
    // The prefix is the beginning of keys, as in the Collector, with or without a slash behind it.
    objects: ['production/traces_2.binpb', 'prod/traces_3.binpb'].map((key) => ({ key, sizeBytes: 10 })),
    leftOut: { other_event: 2, other_bucket: 1, other_prefix: 1 },
  });
});

test('keys are written as in the query of a URL', () => {
  const keyOf = (key: string) => (parse(record({ key })) as BucketEvents).objects[0]?.key;
  assert.equal(keyOf('prod/year%3D2026/a+b%2Bc.json'), 'prod/year=2026/a b+c.json');
  assert.equal(keyOf('prod/%C3%A4%F0%9F%AA%A3'), 'prod/ä🪣');
  // Not encoded at all, as some stores do it.
  assert.equal(keyOf('prod/100%/x'), 'prod/100%/x');
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (name) => {
      const key = `prod/${name}`;
      assert.equal(keyOf(encodeURIComponent(key).replaceAll('%20', '+')), key);
    }),
  );
});

test('a size that is none counts as nothing', () => {
  for (const size of [-1, 1.5, '10', null, 2 ** 60])
    assert.equal((parse(record({ size })) as BucketEvents).objects[0]?.sizeBytes, 0);
});

test('what tells of nothing is malformed, with a reason', () => {
  const bodies: [string, RegExp][] = [
    ['', /no JSON object/],
    ['{"Records":[', /no JSON object/],
    ['[]', /no JSON object/],
    ['"text"', /no JSON object/],
    ['{}', /neither an event notification/],
    ['{"Records":[]}', /neither an event notification/],
    ['{"Records":{"length":1}}', /neither an event notification/],
    // EventBridge.
    [
      '{"detail-type":"Object Created","detail":{"bucket":{"name":"archive"}}}',
      /neither an event notification/,
    ],
    ['{"Type":"SubscriptionConfirmation","Message":"{}"}', /neither an event notification/],
    ['{"Type":"Notification"}', /without a message/],
    [viaSns('no JSON'), /whose message is no JSON object/],
    [viaSns(viaSns({ Records: [record()] })), /neither an event notification/],
    ['{"Records":[null]}', /a record without/],
    ['{"Records":["text"]}', /a record without/],
    [
      JSON.stringify({ Records: [record(), { eventSource: 'aws:s3', eventName: 'ObjectCreated:Put' }] }),
      /a record/,
    ],
    [JSON.stringify({ Records: [record({ key: '' })] }), /a record without/],
    [JSON.stringify({ Records: [record({ key: 5 })] }), /a record without/],
    [JSON.stringify({ Records: [record({ bucket: {} })] }), /a record without/],
    [JSON.stringify({ Records: [record({ event: 7 })] }), /a record without/],
    ['['.repeat(100_000), /no JSON object/],
  ];
  for (const [body, reason] of bodies) {
    const told = parseNotification(body, WANTED);
    assert.ok(told.kind === 'malformed', body.slice(0, 100));
    assert.match(told.reason, reason, body.slice(0, 100));
  }
});

test('no text throws, and objects are of the bucket and the prefix', () => {
  const names = fc.constantFrom(
    'Records',
    'Type',
    'Message',
    's3',
    'eventName',
    '__proto__',
    'key',
    'bucket',
  );
  const leaf = fc.oneof(fc.string(), fc.integer(), fc.constant(null), fc.boolean());
  const inner = fc.dictionary(names, leaf, { maxKeys: 4 });
  const anything = fc.oneof(
    leaf,
    inner,
    fc.array(inner, { maxLength: 3 }),
    fc.dictionary(names, inner, { maxKeys: 4 }),
  );
  const records = fc.record({
    key: fc.oneof(fc.string(), anything),
    size: fc.oneof(fc.integer(), anything),
    bucket: fc.constantFrom('archive', 'other', 5),
    event: fc.constantFrom('ObjectCreated:Put', 'ObjectRemoved:Delete', null),
  });
  const bodies = fc.oneof(
    fc.string(),
    anything.map((value) => JSON.stringify(value)),
    fc.array(records, { maxLength: 4 }).map((list) => JSON.stringify({ Records: list.map(record) })),
    fc.array(records, { maxLength: 4 }).map((list) => viaSns({ Records: list.map(record) })),
  );
  fc.assert(
    fc.property(bodies, (body) => {
      const told = parseNotification(body, WANTED);
      if (told.kind !== 'events') return;
      for (const { key, sizeBytes } of told.objects) {
        assert.ok(key.startsWith('prod'));
        assert.ok(Number.isSafeInteger(sizeBytes) && sizeBytes >= 0);
      }
    }),
    { numRuns: 300 },
  );
});
