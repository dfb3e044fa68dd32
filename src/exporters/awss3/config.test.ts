import assert from 'node:assert/strict';
import { test } from 'node:test';
import { awss3ConfigSchema } from './config.ts';

function issuesOf(raw: unknown): string[] {
  return awss3ConfigSchema
    .parse(raw)
    .issues.map(({ message, key }) => (key === undefined ? message : `${key}: ${message}`));
}

const MINIMAL = { s3uploader: { s3_bucket: 'archive' } };

test('defaults are the Collector’s', () => {
  const { value, issues, warnings } = awss3ConfigSchema.parse(MINIMAL);
  assert.deepEqual([issues, warnings], [[], []]);
  assert.deepEqual(value!.uploader, {
    connection: {
      region: 'us-east-1',
      endpoint: undefined,
      roleArn: undefined,
      externalId: undefined,
      forcesPathStyle: false,
      disablesSsl: false,
      retryMode: 'standard',
      retryMaxAttempts: 3,
      retryMaxBackoffMs: 20_000,
      checksumCalculation: 'when_supported',
    },
    bucket: 'archive',
    prefix: '',
    basePrefix: '',
    partitionFormat: 'year=%Y/month=%m/day=%d/hour=%H/minute=%M',
    timeZone: 'Local',
    filePrefix: '',
    acl: '',
    storageClass: 'STANDARD',
    compression: '',
    uniqueKey: '',
    isConditional: true,
  });
  assert.equal(value!.marshaler, 'otlp_json');
  assert.equal(value!.delivery.timeoutMs, 5000);
});

test('a configuration of an early release is read', () => {
  const early = {
    s3uploader: {
      ...{ region: 'eu-central-1', s3_bucket: 'databucket', s3_prefix: 'metric', s3_partition: 'hour' },
      ...{ file_prefix: 'x', endpoint: 'http://minio:9000', role_arn: 'arn:aws:iam::1:role/w' },
      ...{ s3_force_path_style: true, disable_ssl: true },
    },
    marshaler: 'otlp_proto',
  };
  const { value, issues } = awss3ConfigSchema.parse(early);
  assert.deepEqual(issues, []);
  assert.equal(value!.uploader.partitionFormat, 'year=%Y/month=%m/day=%d/hour=%H');
});

test('the newer key for partitions wins, and says so', () => {
  const keys = { s3_bucket: 'b', s3_partition: 'hour', s3_partition_format: '%Y' };
  const { value, warnings } = awss3ConfigSchema.parse({ s3uploader: keys });
  assert.equal(value!.uploader.partitionFormat, '%Y');
  assert.equal(warnings?.length, 1);
});

test('what the Collector refuses is refused in its words', () => {
  const refused: [Record<string, unknown>, RegExp][] = [
    [{ region: '' }, /region is required/],
    [{ s3_bucket: '' }, /bucket or endpoint is required/],
    [{ acl: 'everyone' }, /invalid ACL/],
    [{ storage_class: 'WARM' }, /invalid StorageClass/],
    [{ s3_partition_timezone: 'Mars/Olympus' }, /invalid S3 partition timezone/],
    [{ compression: 'snappy' }, /expected one of/],
    [{ retry_mode: 'never' }, /standard, adaptive, nop/],
    [{ unique_key_func_name: 'ulid' }, /uuidv7/],
    [{ s3_partition_format: '%Y %Z' }, /%Z is not supported/],
  ];
  for (const [keys, text] of refused)
    assert.match(issuesOf({ s3uploader: { s3_bucket: 'b', ...keys } }).join('\n'), text);
});

test('what is not built is refused by name', () => {
  assert.match(issuesOf({ ...MINIMAL, encoding: 'avro' }).join(), /encoding/);
  assert.match(issuesOf({ ...MINIMAL, encoding_file_extension: 'x' }).join(), /encoding/);
  assert.match(issuesOf({ ...MINIMAL, marshaler: 'avro' }).join(), /otlp_json/);
});

test('a bucket of an attribute needs the list of those it may name', () => {
  const raw = { ...MINIMAL, resource_attrs_to_s3: { s3_bucket: 'com.example.bucket' } };
  assert.match(issuesOf(raw).join(), /must list the buckets/);
  const allowed = { s3_bucket: 'com.example.bucket', allowed_buckets: ['a'] };
  assert.deepEqual(issuesOf({ ...MINIMAL, resource_attrs_to_s3: allowed }), []);
});

test('a manifest needs folders that end and do not come again', () => {
  const parse = (partition: Record<string, string>, enabled = true) =>
    issuesOf({ s3uploader: { s3_bucket: 'archive', ...partition }, manifest: { enabled } });
  for (const partition of [{}, { s3_partition: 'hour' }, { s3_partition_format: 'dt=%F' }])
    assert.deepEqual(parse(partition as Record<string, string>), []);
  assert.deepEqual(parse({ s3_partition_format: '%H' }), [
    'must begin with folders that end and do not come again, together with "manifest": year, month, day and hour, for example',
  ]);
  assert.deepEqual(parse({ s3_partition_format: '%H' }, false), []);
});
