/** A real S3 server (versitygw on a directory) on a port of its own, and signed requests that owe nothing to an SDK. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { freePort } from '../engine-process.ts';
import { type AwsKeys, signedHeaders } from './aws-signature.ts';
import { installProgram } from './programs.ts';
import { ServiceProcess } from './service-process.ts';

export interface S3Options {
  keys?: AwsKeys;
  region?: string;
  /** Made before `start` returns. */
  buckets?: readonly string[];
}

const DEFAULT_KEYS: AwsKeys = { accessKeyId: 'millrace', secretAccessKey: 'millrace-secret' };

export class S3Server {
  readonly endpoint: string;
  readonly keys: AwsKeys;
  readonly region: string;
  readonly port: number;
  readonly #directory: string;
  #process: ServiceProcess | undefined;

  private constructor(port: number, keys: AwsKeys, region: string, directory: string) {
    this.port = port;
    this.endpoint = `http://127.0.0.1:${port}`;
    this.keys = keys;
    this.region = region;
    this.#directory = directory;
  }

  /** @throws Error with the server's output when it does not start. */
  static async start(options: S3Options = {}): Promise<S3Server> {
    await installProgram('versitygw');
    const directory = mkdtempSync(join(tmpdir(), 'millrace-s3-'));
    const { keys = DEFAULT_KEYS, region = 'us-east-1' } = options;
    const server = new S3Server(await freePort(), keys, region, directory);
    try {
      await server.startProcess();
      for (const bucket of options.buckets ?? []) await server.createBucket(bucket);
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  /** What clients read in their environment. */
  get environment(): Record<string, string> {
    return {
      AWS_ACCESS_KEY_ID: this.keys.accessKeyId,
      AWS_SECRET_ACCESS_KEY: this.keys.secretAccessKey,
      AWS_REGION: this.region,
    };
  }

  get pid(): number {
    return this.#process!.child.pid!;
  }

  /** Starts it on its directory and its port, after `kill`. */
  async startProcess(): Promise<void> {
    this.#process = await ServiceProcess.start({
      name: 's3',
      directory: this.#directory,
      port: this.port,
      env: this.environment,
      isReady: async () =>
        fetch(this.endpoint).then(
          async (response) => (await response.text()).includes('AccessDenied'),
          () => false,
        ),
    });
  }

  /** Ends the server; its objects stay for `startProcess`. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#process?.kill(signal);
  }

  /** Lets requests wait, until `resume`. */
  pause(): void {
    this.#process!.child.kill('SIGSTOP');
  }

  resume(): void {
    this.#process!.child.kill('SIGCONT');
  }

  /** Ends the server and deletes its objects. */
  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** @throws Error with the server's answer. */
  async createBucket(bucket: string): Promise<void> {
    await this.#expect(await this.request('PUT', `/${bucket}`), `bucket ${bucket}`);
  }

  /** Keys of a bucket's complete objects in order, read from the disk and not through the server. */
  keysOf(bucket: string): string[] {
    const root = join(this.#directory, 'buckets', bucket);
    if (!existsSync(root)) return [];
    return readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(root, join(entry.parentPath, entry.name)).split('\\').join('/'))
      .filter((key) => !key.startsWith('.sgwtmp/'))
      .sort();
  }

  /** An object's bytes, read from the disk. */
  objectBytes(bucket: string, key: string): Buffer {
    return readFileSync(join(this.#directory, 'buckets', bucket, key));
  }

  /** Keys of the multipart uploads that were begun and neither completed nor aborted. */
  async openUploads(bucket: string): Promise<string[]> {
    const answer = await this.request('GET', `/${bucket}`, { query: { uploads: '' } });
    const text = await this.#expect(answer, `uploads of ${bucket}`);
    return [...text.matchAll(/<Key>([^<]*)<\/Key>/g)].map((match) => match[1]!);
  }

  /**
   * One request signed with the server's keys (AWS Signature Version 4).
   *
   * @param path `/bucket` or `/bucket/key`, each part as it is to be read.
   */
  async request(
    method: string,
    path: string,
    options: { query?: Record<string, string>; body?: Uint8Array; headers?: Record<string, string> } = {},
  ): Promise<Response> {
    const query = new URLSearchParams(Object.entries(options.query ?? {}).sort())
      .toString()
      .replaceAll('+', '%20');
    const encoded = path.split('/').map(encodeURIComponent).join('/');
    const body = options.body ?? new Uint8Array();
    const headers = signedHeaders({
      ...{ keys: this.keys, region: this.region, service: 's3', host: `127.0.0.1:${this.port}` },
      ...{ method, path: encoded, query, body, headers: options.headers ?? {} },
    });
    const url = `${this.endpoint}${encoded}${query === '' ? '' : `?${query}`}`;
    return fetch(url, { method, headers, ...(options.body && { body: Buffer.from(body) }) });
  }

  async #expect(answer: Response, what: string): Promise<string> {
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${what}: ${answer.status} ${text}\n${this.#process?.log ?? ''}`);
    return text;
  }
}
