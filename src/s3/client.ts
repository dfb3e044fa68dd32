/** The only file that imports the AWS client: what exporters, receivers and archive readers want of an S3 store. */
import type { Readable } from 'node:stream';
import type {
  CompletedPart,
  CompleteMultipartUploadCommandInput,
  HeadObjectCommandInput,
  HeadObjectCommandOutput,
  ListMultipartUploadsCommandOutput,
  PutObjectCommandInput,
  S3ClientConfig,
} from '@aws-sdk/client-s3';
import { userAgent } from '../stdx/product.ts';
import { boundAnswers } from './bounded-answers.ts';
import { connectionHandler, credentialOptions, retryOptions } from './client-options.ts';
import type { S3ConnectionConfig } from './config.ts';
import { isAlreadyThere, isNotFound, s3Error } from './errors.ts';
import type {
  ListOptions,
  S3Content,
  S3Description,
  S3Entry,
  S3Level,
  S3StoreOptions,
  WriteOptions,
  WriteResult,
} from './objects.ts';
import { type PartRequest, uploadParts } from './upload-parts.ts';

type Sdk = typeof import('@aws-sdk/client-s3');
type SdkClient = InstanceType<Sdk['S3Client']>;

/** Objects up to this size go up in one request; larger ones in parts of it. */
export const PART_BYTES = 5 << 20;
/** Of a page of a listing: a thousand keys of a KiB, each letter written as an entity of XML. */
const ANSWER_BYTES_MAX = 8 << 20;
/** To tell the store that an upload is given up, when nobody waits any more. */
const CLEANUP_TIMEOUT_MS = 10_000;

/** One store with one set of credentials; any number of buckets. Errors of all methods are PipelineErrors, retryable. */
export class S3Store {
  readonly #sdk: Sdk;
  readonly #client: SdkClient;
  /** For single objects; the same as the other one but for what it repeats. */
  readonly #putClient: SdkClient;
  readonly #hasChecksums: boolean;

  private constructor(sdk: Sdk, client: SdkClient, putClient: SdkClient, hasChecksums: boolean) {
    this.#sdk = sdk;
    this.#client = client;
    this.#putClient = putClient;
    this.#hasChecksums = hasChecksums;
  }

  /** Loads the client; connects with the first request. */
  static async open(config: S3ConnectionConfig, options: S3StoreOptions): Promise<S3Store> {
    const sdk = await import('@aws-sdk/client-s3');
    const checksums = config.checksumCalculation === 'when_required' ? 'WHEN_REQUIRED' : 'WHEN_SUPPORTED';
    const settings = {
      // Without one the client takes that of the environment, as the tools of AWS do.
      ...(config.region === '' ? {} : { region: config.region }),
      ...(config.endpoint === undefined ? { tls: !config.disablesSsl } : { endpoint: config.endpoint }),
      forcePathStyle: config.forcesPathStyle,
      ...(await credentialOptions(config)),
      requestChecksumCalculation: checksums,
      responseChecksumValidation: checksums,
      // It would cost a round trip for each part, and a connection of its own with this client's handler.
      expectContinueHeader: false,
      systemClockOffset: options.clockOffsetMs ?? 0,
      customUserAgent: userAgent().split(' ')[0]!,
      requestHandler: connectionHandler(options.connectionsMax),
    } as const;
    const client = openClient(sdk, { ...settings, ...retryOptions(config, options.seed) });
    const putClient = !options.leavesThrottledPuts
      ? client
      : openClient(sdk, {
          ...settings,
          ...retryOptions(config, options.seed, true),
          // One set of connections, and one that asks for credentials.
          requestHandler: client.config.requestHandler,
          credentials: client.config.credentials,
        });
    return new S3Store(sdk, client, putClient, checksums === 'WHEN_SUPPORTED');
  }

  /** Pages of up to 1000 objects whose keys begin with `prefix`, in ascending order of their bytes. */
  async *list(bucket: string, prefix: string, options: ListOptions = {}): AsyncGenerator<readonly S3Entry[]> {
    for await (const { objects } of this.#pages(bucket, prefix, options, {})) yield objects;
  }

  /** The same, but what lies below a further `/` is one prefix up to that slash. */
  listLevel(bucket: string, prefix: string, options: ListOptions = {}): AsyncGenerator<S3Level> {
    return this.#pages(bucket, prefix, options, { Delimiter: '/' });
  }

  async *#pages(
    bucket: string,
    prefix: string,
    { startAfter, signal }: ListOptions,
    grouping: { Delimiter?: string },
  ): AsyncGenerator<S3Level> {
    let token: string | undefined;
    do {
      const page = await this.#run(`list s3://${bucket}/${prefix}`, (send) =>
        send(
          new this.#sdk.ListObjectsV2Command({
            Bucket: bucket,
            Prefix: prefix,
            ...grouping,
            ...(token === undefined ? {} : { ContinuationToken: token }),
            ...(token === undefined && startAfter !== undefined ? { StartAfter: startAfter } : {}),
          }),
          untilAborted(signal),
        ),
      );
      yield {
        objects: (page.Contents ?? []).map(({ Key = '', Size = 0, LastModified, ETag = '' }) => ({
          key: Key,
          sizeBytes: Size,
          modifiedUnixMs: LastModified?.getTime() ?? 0,
          etag: ETag,
        })),
        prefixes: (page.CommonPrefixes ?? []).map(({ Prefix = '' }) => Prefix),
      };
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  /** @param options.from byte to begin at, for going on behind a connection that broke. */
  async get(
    bucket: string,
    key: string,
    { from = 0, signal }: { from?: number; signal?: AbortSignal | undefined } = {},
  ): Promise<S3Content> {
    const what = `get s3://${bucket}/${key}`;
    const range = from === 0 ? {} : { Range: `bytes=${from}-` };
    const answer = await this.#run(what, (send) =>
      send(new this.#sdk.GetObjectCommand({ Bucket: bucket, Key: key, ...range }), untilAborted(signal)),
    );
    return {
      chunks: bodyChunks(what, answer.Body as Readable | undefined),
      sizeBytes: answer.ContentLength,
      contentEncoding: (answer.ContentEncoding ?? '').toLowerCase(),
      metadata: answer.Metadata ?? {},
      etag: answer.ETag ?? '',
    };
  }

  /** Size in bytes, or undefined when there is no such object. */
  async size(bucket: string, key: string, signal?: AbortSignal): Promise<number | undefined> {
    const answer = await this.#look({ Bucket: bucket, Key: key }, signal);
    return answer === undefined ? undefined : (answer.ContentLength ?? 0);
  }

  /** What the store keeps beside an object's bytes, or undefined when there is no such object. */
  async describe(bucket: string, key: string, signal?: AbortSignal): Promise<S3Description | undefined> {
    const answer = await this.#look({ Bucket: bucket, Key: key, ChecksumMode: 'ENABLED' }, signal);
    return answer && { metadata: answer.Metadata ?? {}, crc32: answer.ChecksumCRC32 };
  }

  async #look(
    input: HeadObjectCommandInput,
    signal: AbortSignal | undefined,
  ): Promise<HeadObjectCommandOutput | undefined> {
    try {
      return await this.#client.send(new this.#sdk.HeadObjectCommand(input), untilAborted(signal));
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw s3Error(`head s3://${input.Bucket}/${input.Key}`, error);
    }
  }

  /** One request. The body is read until the promise settles. */
  async put(
    bucket: string,
    key: string,
    body: Uint8Array,
    options: WriteOptions,
    signal: AbortSignal,
  ): Promise<WriteResult> {
    const sizeBytes = body.byteLength;
    const params = { ...writeParams(bucket, key, options), Body: body };
    return this.#write(`put s3://${bucket}/${key}`, async () => {
      await this.#putClient.send(new this.#sdk.PutObjectCommand(params), { abortSignal: signal });
      return sizeBytes;
    });
  }

  /**
   * In parts, as the chunks come: three parts are in memory, and their memory is used again. A failure, an abort or an
   * error of the chunks gives the upload up and tells the store so.
   *
   * @param chunks each may be overwritten when the next one is asked for.
   */
  async upload(
    bucket: string,
    key: string,
    chunks: AsyncIterable<Uint8Array>,
    options: WriteOptions,
    signal: AbortSignal,
  ): Promise<WriteResult> {
    return this.#write(`upload s3://${bucket}/${key}`, async () => {
      const target = { Bucket: bucket, Key: key };
      const { ifAbsent, ifMatch, ...kept } = options;
      const created = await this.#client.send(
        new this.#sdk.CreateMultipartUploadCommand({
          ...writeParams(bucket, key, { ...kept, ifAbsent: false }),
          ...(this.#hasChecksums ? { ChecksumAlgorithm: 'CRC32' } : {}),
        }),
        { abortSignal: signal },
      );
      const upload = { ...target, UploadId: created.UploadId };
      try {
        const { parts, sizeBytes } = await uploadParts(chunks, PART_BYTES, signal, (part) =>
          this.#sendPart(upload, part),
        );
        const complete = {
          ...upload,
          MultipartUpload: { Parts: parts },
          ...conditions(options),
        };
        await this.#client.send(new this.#sdk.CompleteMultipartUploadCommand(complete), {
          abortSignal: signal,
        });
        return sizeBytes;
      } catch (error) {
        const abortSignal = AbortSignal.timeout(CLEANUP_TIMEOUT_MS);
        const abort = new this.#sdk.AbortMultipartUploadCommand(upload);
        // What cannot be told now is found by `abortUploads` later.
        await this.#client.send(abort, { abortSignal }).catch(() => undefined);
        throw error;
      }
    });
  }

  async #sendPart(
    upload: { Bucket: string; Key: string; UploadId: string | undefined },
    { partNumber, bytes, signal }: PartRequest,
  ): Promise<CompletedPart> {
    const answer = await this.#client.send(
      new this.#sdk.UploadPartCommand({
        ...upload,
        PartNumber: partNumber,
        Body: bytes,
        ...(this.#hasChecksums ? { ChecksumAlgorithm: 'CRC32' } : {}),
      }),
      { abortSignal: signal },
    );
    const { ETag, ChecksumCRC32 } = answer;
    return {
      PartNumber: partNumber,
      ETag,
      ...(ChecksumCRC32 === undefined ? {} : { ChecksumCRC32 }),
    };
  }

  /**
   * Gives up uploads that nobody finished.
   * @param isOurs whether one of this key, begun then, is left over.
   * @returns how many were given up.
   */
  async abortUploads(
    bucket: string,
    prefix: string,
    isOurs: (key: string, initiatedUnixMs: number) => boolean,
    signal: AbortSignal,
  ): Promise<number> {
    return this.#run(`list uploads of s3://${bucket}/${prefix}`, async (send) => {
      let count = 0;
      let marker: UploadMarker | undefined = {};
      while (marker !== undefined) {
        const page: ListMultipartUploadsCommandOutput = await send(
          new this.#sdk.ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix, ...marker }),
          { abortSignal: signal },
        );
        for (const { Key = '', UploadId, Initiated } of page.Uploads ?? []) {
          if (UploadId === undefined || !isOurs(Key, Initiated?.getTime() ?? 0)) continue;
          const given = { Bucket: bucket, Key, UploadId };
          await send(new this.#sdk.AbortMultipartUploadCommand(given), { abortSignal: signal });
          count++;
        }
        const { NextKeyMarker, NextUploadIdMarker } = page;
        const isMore = page.IsTruncated === true && NextKeyMarker !== undefined;
        marker = isMore ? { KeyMarker: NextKeyMarker, UploadIdMarker: NextUploadIdMarker } : undefined;
      }
      return count;
    });
  }

  close(): void {
    this.#client.destroy();
    this.#putClient.destroy();
  }

  async #write(what: string, write: () => Promise<number>): Promise<WriteResult> {
    try {
      return { existed: false, sizeBytes: await write() };
    } catch (error) {
      if (isAlreadyThere(error)) return { existed: true, sizeBytes: 0 };
      throw s3Error(what, error);
    }
  }

  async #run<T>(what: string, run: (send: SdkClient['send']) => Promise<T>): Promise<T> {
    try {
      return await run(this.#client.send.bind(this.#client) as SdkClient['send']);
    } catch (error) {
      throw s3Error(what, error);
    }
  }
}

function openClient(sdk: Sdk, settings: S3ClientConfig): SdkClient {
  const client = new sdk.S3Client(settings);
  client.middlewareStack.add(boundAnswers(ANSWER_BYTES_MAX), {
    step: 'deserialize',
    priority: 'low',
    name: 'boundAnswers',
  });
  return client;
}

interface UploadMarker {
  KeyMarker?: string | undefined;
  UploadIdMarker?: string | undefined;
}

type WriteParams = PutObjectCommandInput & Pick<CompleteMultipartUploadCommandInput, 'IfNoneMatch'>;

function writeParams(bucket: string, key: string, options: WriteOptions): WriteParams {
  const { contentEncoding, contentType, acl, storageClass, metadata } = options;
  return {
    Bucket: bucket,
    Key: key,
    ...(contentEncoding === undefined ? {} : { ContentEncoding: contentEncoding }),
    ...(contentType === undefined ? {} : { ContentType: contentType }),
    ...(acl === undefined ? {} : { ACL: acl as NonNullable<PutObjectCommandInput['ACL']> }),
    ...(storageClass === undefined
      ? {}
      : { StorageClass: storageClass as NonNullable<PutObjectCommandInput['StorageClass']> }),
    ...(metadata === undefined ? {} : { Metadata: { ...metadata } }),
    ...conditions(options),
  };
}

function conditions({ ifAbsent, ifMatch }: WriteOptions) {
  return {
    ...(ifAbsent ? { IfNoneMatch: '*' } : {}),
    ...(ifMatch === undefined ? {} : { IfMatch: ifMatch }),
  };
}

function untilAborted(signal: AbortSignal | undefined) {
  return signal === undefined ? {} : { abortSignal: signal };
}

async function* bodyChunks(what: string, body: Readable | undefined): AsyncGenerator<Uint8Array> {
  if (body === undefined) return;
  try {
    for await (const chunk of body) yield chunk as Uint8Array;
  } catch (error) {
    throw s3Error(what, error);
  } finally {
    body.destroy();
  }
}
