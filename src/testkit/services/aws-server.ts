/** A server of many services of AWS (moto) on a port of its own: S3, SQS, and IAM and STS that decide who may do what. */
import { tmpdir } from 'node:os';
import { freePort } from '../engine-process.ts';
import { type AwsKeys, signedHeaders } from './aws-signature.ts';
import { installProgram } from './programs.ts';
import { ServiceProcess } from './service-process.ts';

/** The account that moto runs as. */
export const AWS_ACCOUNT = '123456789012';
export const AWS_REGION = 'us-east-1';
/** Versions of the interfaces that are called by their query protocol. */
const VERSIONS = { iam: '2010-05-08', sts: '2011-06-15', sqs: '2012-11-05' } as const;
/** Before anybody is asked who they are, every key will do. */
const ANY_KEYS: AwsKeys = { accessKeyId: 'AKIATEST', secretAccessKey: 'test' };
const ALLOW_ALL = { Effect: 'Allow', Action: '*', Resource: '*' };

export interface PolicyStatement {
  Effect: 'Allow' | 'Deny';
  Action: string | readonly string[];
  Resource?: string;
  Principal?: Readonly<Record<string, string>>;
  Condition?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

export class AwsServer {
  readonly endpoint: string;
  readonly port: number;
  /** Whom the requests of this class are signed by. */
  #keys = ANY_KEYS;
  #process: ServiceProcess | undefined;

  private constructor(port: number) {
    this.port = port;
    this.endpoint = `http://127.0.0.1:${port}`;
  }

  /** @throws Error with the server's output when it does not start. */
  static async start(): Promise<AwsServer> {
    await installProgram('moto');
    const server = new AwsServer(await freePort());
    server.#process = await ServiceProcess.start({
      name: 'aws',
      // It keeps nothing there.
      directory: tmpdir(),
      port: server.port,
      isReady: async () =>
        fetch(`${server.endpoint}/moto-api/`).then(
          ({ ok }) => ok,
          () => false,
        ),
    });
    return server;
  }

  /** Its memory goes with it. */
  async stop(): Promise<void> {
    await this.#process?.kill();
  }

  /** Of a client that has these keys and finds STS here. */
  environment(keys: AwsKeys = this.#keys): Record<string, string> {
    return {
      AWS_ACCESS_KEY_ID: keys.accessKeyId,
      AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
      AWS_REGION,
      AWS_ENDPOINT_URL_STS: this.endpoint,
    };
  }

  /**
   * From now on a request needs a signature by keys that IAM or STS gave out, and a policy that allows it. Requests of this
   * class go on as a user who may do everything.
   */
  async enforcePolicies(): Promise<void> {
    this.#keys = await this.createUser('administrator', [ALLOW_ALL as PolicyStatement]);
    await this.#text(await fetch(`${this.endpoint}/moto-api/reset-auth`, { method: 'POST', body: '0' }));
  }

  /** @returns keys of a new user. */
  async createUser(name: string, statements: readonly PolicyStatement[]): Promise<AwsKeys> {
    await this.call('iam', 'CreateUser', { UserName: name });
    await this.call('iam', 'PutUserPolicy', {
      UserName: name,
      PolicyName: 'own',
      PolicyDocument: policy(statements),
    });
    const answer = await this.call('iam', 'CreateAccessKey', { UserName: name });
    return {
      accessKeyId: element(answer, 'AccessKeyId'),
      secretAccessKey: element(answer, 'SecretAccessKey'),
    };
  }

  /**
   * @param trust who may assume it.
   * @param statements what it may do.
   * @returns its ARN.
   */
  async createRole(
    name: string,
    trust: readonly PolicyStatement[],
    statements: readonly PolicyStatement[],
  ): Promise<string> {
    const answer = await this.call('iam', 'CreateRole', {
      RoleName: name,
      AssumeRolePolicyDocument: policy(trust),
    });
    await this.call('iam', 'PutRolePolicy', {
      RoleName: name,
      PolicyName: 'own',
      PolicyDocument: policy(statements),
    });
    return element(answer, 'Arn');
  }

  /** One call by the query protocol. @returns the answer's XML. @throws Error with it when it is a refusal. */
  async call(
    service: keyof typeof VERSIONS,
    action: string,
    parameters: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const form = new URLSearchParams({ Action: action, Version: VERSIONS[service], ...parameters });
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const body = Buffer.from(form.toString());
    return this.#text(await this.request(service, 'POST', '/', { body, headers }));
  }

  /**
   * One signed request, which may be refused.
   *
   * @param path each part as it is to be read.
   */
  async request(
    service: string,
    method: string,
    path: string,
    options: { query?: Record<string, string>; body?: Uint8Array; headers?: Record<string, string> } = {},
  ): Promise<Response> {
    const query = new URLSearchParams(Object.entries(options.query ?? {}).sort())
      .toString()
      .replaceAll('+', '%20');
    const encoded = path.split('/').map(encodeURIComponent).join('/');
    const headers = signedHeaders({
      ...{ keys: this.#keys, region: AWS_REGION, service, host: `127.0.0.1:${this.port}` },
      ...{ method, path: encoded, query, body: options.body ?? new Uint8Array() },
      headers: options.headers ?? {},
    });
    const url = `${this.endpoint}${encoded}${query === '' ? '' : `?${query}`}`;
    return fetch(url, { method, headers, ...(options.body && { body: Buffer.from(options.body) }) });
  }

  async createBucket(bucket: string): Promise<void> {
    await this.#text(await this.request('s3', 'PUT', `/${bucket}`));
  }

  /** Keys of a bucket's objects in order, a thousand at most. */
  async keysOf(bucket: string): Promise<string[]> {
    const text = await this.#text(
      await this.request('s3', 'GET', `/${bucket}`, { query: { 'list-type': '2' } }),
    );
    return [...text.matchAll(/<Key>([^<]*)<\/Key>/g)].map((match) => match[1]!);
  }

  async #text(answer: Response): Promise<string> {
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${answer.url}: ${answer.status} ${text}\n${this.#process?.log ?? ''}`);
    return text;
  }
}

function policy(statements: readonly PolicyStatement[]): string {
  return JSON.stringify({ Version: '2012-10-17', Statement: statements });
}

/** Text of the first element of this name. */
function element(xml: string, name: string): string {
  const found = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml);
  if (found === null) throw new Error(`no ${name} in ${xml}`);
  return found[1]!;
}
