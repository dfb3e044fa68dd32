import assert from 'node:assert/strict';
import { test } from 'node:test';
import { awss3ReceiverConfigSchema, parseTime } from './config.ts';

const MINIMAL = { starttime: '2026-03-01', endtime: '2026-03-02', s3downloader: { s3_bucket: 'archive' } };

/** Texts alone: where they belong is in their paths. */
function issuesOf(raw: unknown): string[] {
  return awss3ReceiverConfigSchema.parse(raw).issues.map(({ message }) => message);
}

test('defaults are the Collector’s', () => {
  const { value, issues, warnings } = awss3ReceiverConfigSchema.parse(MINIMAL);
  assert.deepEqual([issues, warnings], [[], []]);
  const { connection, ...downloader } = value!.downloader;
  assert.equal(connection.region, 'us-east-1');
  assert.deepEqual(downloader, {
    ...{ bucket: 'archive', prefix: '', filePrefix: '', includesSignal: true, timeZone: 'UTC' },
    partitionFormat: 'year=%Y/month=%m/day=%d/hour=%H/minute=%M',
  });
});

test('times have the three notations of the Collector, in UTC', () => {
  assert.equal(parseTime('2026-03-01'), Date.UTC(2026, 2, 1));
  assert.equal(parseTime('2026-03-01 08:30'), Date.UTC(2026, 2, 1, 8, 30));
  assert.equal(parseTime('2026-03-01T08:30:00+02:00'), Date.UTC(2026, 2, 1, 6, 30));
  for (const wrong of ['', 'now', '2026-03-01 8:30', '2026-13-01', '2026-03-01T08:30'])
    assert.equal(parseTime(wrong), undefined);
});

test('the older key of the partition counts unless the newer one is there', () => {
  const formatOf = (keys: object) =>
    awss3ReceiverConfigSchema.parse({ ...MINIMAL, s3downloader: { s3_bucket: 'a', ...keys } }).value!
      .downloader.partitionFormat;
  assert.equal(formatOf({ s3_partition: 'hour' }), 'year=%Y/month=%m/day=%d/hour=%H');
  assert.equal(formatOf({ s3_partition: 'hour', s3_partition_format: '%Y/%m/%d' }), '%Y/%m/%d');
});

test('formats whose folders do not name the time are refused', () => {
  const issues = (format: string) =>
    issuesOf({ ...MINIMAL, s3downloader: { s3_bucket: 'a', s3_partition_format: format } });
  for (const good of ['year=%Y/month=%m', 'dt=%Y-%m-%d/hour=%H', '%Y/%m/%d/%H/%M', 'app/%F/%H'])
    assert.deepEqual(issues(good), [], good);
  for (const bad of ['%s', 'week=%V/%d', 'day=%d/month=%m', '%m/%d/%Y', 'all'])
    assert.deepEqual(issues(bad), ['has no folders that name the time'], bad);
});

test('what is not served is refused by name', () => {
  const refused = issuesOf({
    ...MINIMAL,
    ...{ encodings: [], notifications: {} },
    s3downloader: { s3_bucket: 'a', tag_object_after_ingestion: true, skip_ingesting_tagged_objects: true },
  });
  for (const key of [
    'encodings',
    'notifications',
    'tag_object_after_ingestion',
    'skip_ingesting_tagged_objects',
  ])
    assert.ok(
      refused.some((issue) => issue.includes(key)),
      `${key}: ${refused.join('; ')}`,
    );
  assert.deepEqual(issuesOf({ ...MINIMAL, s3downloader: {} }), ['bucket is required']);
  assert.deepEqual(issuesOf({ ...MINIMAL, endtime: '2026-02-01' }), ['must be later than starttime']);
  const { warnings } = awss3ReceiverConfigSchema.parse({
    ...MINIMAL,
    s3downloader: { s3_bucket: 'a', endpoint_partition_id: 'aws' },
  });
  assert.equal(warnings?.length, 1);
});

const QUEUE = {
  queue_url: 'https://sqs.eu-central-1.amazonaws.com/123456789012/new',
  region: 'eu-central-1',
};

test('one of the two ways to read is given, with the words of the Collector', () => {
  const s3downloader = { s3_bucket: 'a' };
  const cases: [object, string[]][] = [
    [{}, ['either starttime/endtime or sqs configuration must be provided']],
    [{ starttime: '2026-03-01' }, ['when starttime is specified, endtime is required']],
    [{ endtime: '2026-03-01' }, ['when endtime is specified, starttime is required']],
    [
      { starttime: '2026-03-01', endtime: '2026-03-02', sqs: QUEUE },
      ['starttime/endtime and sqs configuration cannot be used together'],
    ],
    [{ sqs: {} }, ['sqs.queue_url is required', 'sqs.region is required']],
    [{ sqs: { ...QUEUE, wait_time_seconds: 21 } }, ['sqs.wait_time_seconds must be between 0 and 20']],
    [{ sqs: { ...QUEUE, wait_time_seconds: -1 } }, ['sqs.wait_time_seconds must be between 0 and 20']],
    [
      { sqs: { ...QUEUE, max_number_of_messages: 0 } },
      ['sqs.max_number_of_messages must be between 1 and 10'],
    ],
    [
      { sqs: { ...QUEUE, max_number_of_messages: 11 } },
      ['sqs.max_number_of_messages must be between 1 and 10'],
    ],
    [{ sqs: QUEUE }, []],
  ];
  for (const [keys, issues] of cases)
    assert.deepEqual(issuesOf({ s3downloader, ...keys }), issues, JSON.stringify(keys));
});

test('a queue has the defaults of the Collector, and is named by a URL', () => {
  const parse = (sqs: object) => awss3ReceiverConfigSchema.parse({ s3downloader: { s3_bucket: 'a' }, sqs });
  const { value, warnings } = parse(QUEUE);
  assert.deepEqual(warnings, []);
  assert.deepEqual(value!.queue, {
    ...{ queueUrl: QUEUE.queue_url, region: 'eu-central-1', endpoint: undefined },
    ...{ messagesMax: 10, waitSeconds: 20, deletesMessages: true },
  });
  for (const wrong of [
    'arn:aws:sqs:eu-central-1:123456789012:new',
    'new',
    'https://sqs',
    'https:https://sqs.x/1/n',
  ]) {
    const [issue] = parse({ ...QUEUE, queue_url: wrong }).issues;
    assert.match(issue?.message ?? '', /^must be the URL of a queue/, wrong);
  }
  assert.match(parse({ ...QUEUE, delete_messages: false }).warnings?.[0]?.message ?? '', /stored again/);
});
