/**
 * What only an AWS knows: roles that STS lets somebody assume, canned ACLs, storage classes. Against moto, which checks
 * each signature and asks IAM's policies, and knows nothing of this engine.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  type EnginePorts,
  type EngineProcess,
  engineConfig,
  freePorts,
  metricSum,
  until,
} from '../engine-process.ts';
import { ledgerRequest } from '../ledger-client.ts';
import { AWS_ACCOUNT, AwsServer } from '../services/aws-server.ts';
import { afterwards, CLEAN_EXIT, drained, startEngine, tempDirectory } from './storage.test-peer.ts';

const BUCKET = 'archive';
const SENDER = 'collector';
const EXTERNAL_ID = 'agreed-upon';
const TRUST = {
  Effect: 'Allow',
  Action: 'sts:AssumeRole',
  Principal: { AWS: `arn:aws:iam::${AWS_ACCOUNT}:user/${SENDER}` },
} as const;

/** An account with a bucket and a user who may do nothing but assume roles. */
class Account {
  readonly aws: AwsServer;
  readonly ports: EnginePorts;
  readonly #dataDir: string;
  #environment: Record<string, string> = {};

  private constructor(aws: AwsServer, ports: EnginePorts, dataDir: string) {
    this.aws = aws;
    this.ports = ports;
    this.#dataDir = dataDir;
  }

  static async create(t: TestContext): Promise<Account> {
    const aws = await AwsServer.start();
    afterwards(t, () => aws.stop());
    await aws.createBucket(BUCKET);
    return new Account(aws, await freePorts(), join(tempDirectory(t), 'data'));
  }

  /** The last thing to do before engines start. */
  async enforce(): Promise<void> {
    const assume = { Effect: 'Allow', Action: 'sts:AssumeRole', Resource: '*' } as const;
    this.#environment = this.aws.environment(await this.aws.createUser(SENDER, [assume]));
    await this.aws.enforcePolicies();
  }

  async start(t: TestContext, uploader: Record<string, string>): Promise<EngineProcess> {
    const exporter = {
      s3uploader: {
        ...{ endpoint: this.aws.endpoint, s3_force_path_style: true, s3_bucket: BUCKET },
        ...{ retry_max_backoff: '50ms', ...uploader },
      },
      marshaler: 'otlp_proto',
      retry_on_failure: { initial_interval: '50ms', max_interval: '200ms' },
    };
    return startEngine(t, {
      config: engineConfig(this.ports, { awss3: exporter }, { signals: ['traces'] }),
      dataDir: this.#dataDir,
      env: this.#environment,
    });
  }

  async send(sequence: number, paddingBytes = 100): Promise<void> {
    const answer = await fetch(`http://127.0.0.1:${this.ports.http}/v1/traces`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-protobuf' },
      body: Buffer.from(ledgerRequest(1, sequence, paddingBytes)),
    });
    assert.equal(answer.status, 200, await answer.text());
  }

  async objectCount(): Promise<number> {
    return (await this.aws.keysOf(BUCKET)).length;
  }

  /** Refused, said so by this message, and kept. */
  async assertKept(engine: EngineProcess, message: RegExp): Promise<void> {
    await until('the refusal', () => message.test(engine.log));
    const text = await engine.metrics(this.ports.metrics);
    assert.ok(metricSum(text, 'otelcol_exporter_queue_size') > 0);
    assert.equal(metricSum(text, 'otelcol_exporter_send_failed_spans'), 0, 'nothing is given up');
    assert.equal(await this.objectCount(), 0);
  }
}

test('a role is assumed, and what may write is the role alone', { timeout: 90_000 }, async (t) => {
  const account = await Account.create(t);
  const writes = [{ Effect: 'Allow', Action: 's3:PutObject', Resource: '*' }] as const;
  const condition = { StringEquals: { 'sts:ExternalId': EXTERNAL_ID } };
  const writer = await account.aws.createRole('writer', [{ ...TRUST, Condition: condition }], writes);
  const reads = [{ Effect: 'Allow', Action: 's3:GetObject', Resource: '*' }] as const;
  const reader = await account.aws.createRole('reader', [TRUST], reads);
  const stranger = { ...TRUST, Principal: { AWS: `arn:aws:iam::${AWS_ACCOUNT}:user/somebody` } };
  const closed = await account.aws.createRole('closed', [stranger], writes);
  await account.enforce();

  // The user's own keys, a role that trusts somebody else, a role without the right to write, another external id.
  const refusals: [Record<string, string>, RegExp][] = [
    [{}, /put s3:.*AccessDenied.*the credentials are not accepted; the data is kept until they are/],
    [{ role_arn: closed }, /AccessDenied.*sts:AssumeRole.*the credentials are not accepted/],
    [{ role_arn: reader }, /put s3:.*AccessDenied.*the credentials are not accepted/],
    [
      { role_arn: writer, external_id: 'guessed' },
      /AccessDenied.*sts:AssumeRole.*the credentials are not accepted/,
    ],
  ];
  for (const [index, [uploader, message]] of refusals.entries()) {
    const engine = await account.start(t, uploader);
    await account.send(index);
    await account.assertKept(engine, message);
    assert.deepEqual(await engine.kill('SIGTERM'), CLEAN_EXIT);
  }
  const engine = await account.start(t, { role_arn: writer, external_id: EXTERNAL_ID });
  await drained(engine, account.ports.metrics);
  assert.ok((await account.objectCount()) > 0);
});

test('storage class and ACL are on objects, of one request and in parts', { timeout: 90_000 }, async (t) => {
  const account = await Account.create(t);
  const writes = { Effect: 'Allow', Action: ['s3:PutObject', 's3:PutObjectAcl'], Resource: '*' } as const;
  const writer = await account.aws.createRole('writer', [TRUST], [writes]);
  await account.enforce();
  const uploader = { role_arn: writer, storage_class: 'GLACIER_IR', acl: 'authenticated-read' };
  const engine = await account.start(t, uploader);
  await account.send(0);
  await until('the first object', async () => (await account.objectCount()) === 1);
  await account.send(1, 2_000_000);
  await drained(engine, account.ports.metrics);
  const sizes: number[] = [];
  for (const key of await account.aws.keysOf(BUCKET)) {
    const head = await account.aws.request('s3', 'HEAD', `/${BUCKET}/${key}`);
    assert.equal(head.headers.get('x-amz-storage-class'), 'GLACIER_IR');
    sizes.push(Number(head.headers.get('content-length')));
    const acl = await account.aws.request('s3', 'GET', `/${BUCKET}/${key}`, { query: { acl: '' } });
    assert.match(await acl.text(), /AuthenticatedUsers<\/URI><\/Grantee><Permission>READ</);
  }
  assert.equal(sizes.length, 2);
  assert.ok(Math.max(...sizes) > 5 << 20);
});
