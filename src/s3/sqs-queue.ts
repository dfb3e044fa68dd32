/** The only file that imports the client of SQS: a queue whose messages tell of new objects. */
import { userAgent } from '../stdx/product.ts';
import { boundAnswers } from './bounded-answers.ts';
import { connectionHandler, credentialOptions } from './client-options.ts';
import type { S3ConnectionConfig } from './config.ts';
import { s3Error } from './errors.ts';

type Sdk = typeof import('@aws-sdk/client-sqs');
type SdkClient = InstanceType<Sdk['SQSClient']>;

/** Messages of one request, of whatever kind: the service takes no more. */
export const BATCH_MESSAGES_MAX = 10;
/** Ten messages of a MiB, each quote of them escaped. */
const ANSWER_BYTES_MAX = 32 << 20;
/** One that waits for messages, one that deletes, one that holds messages. */
const CONNECTIONS_MAX = 3;
/** For an answer, beyond the time that it is held back on purpose. */
const REQUEST_TIMEOUT_MS = 30_000;

export interface SqsQueueOptions {
  queueUrl: string;
  region: string;
  /** undefined: that of the region. */
  endpoint: string | undefined;
  /** Whose role asks. */
  connection: S3ConnectionConfig;
}

export interface QueueMessage {
  /** The same whenever the message is delivered. */
  id: string;
  /** Of this delivery. */
  handle: string;
  body: string;
}

export interface ReceiveOptions {
  messagesMax: number;
  /** How long the service waits for messages when there are none. */
  waitSeconds: number;
}

/** A message for which the service did not do what it did for the others. */
export interface RefusedMessage {
  handle: string;
  reason: string;
  /** Asking again does not help. */
  isFinal: boolean;
}

/** Errors of all methods are PipelineErrors, retryable; every request has an end in time and in bytes. */
export class SqsQueue {
  readonly #sdk: Sdk;
  readonly #client: SdkClient;
  readonly #queueUrl: string;

  private constructor(sdk: Sdk, client: SdkClient, queueUrl: string) {
    this.#sdk = sdk;
    this.#client = client;
    this.#queueUrl = queueUrl;
  }

  /** Loads the client; connects with the first request. */
  static async open(options: SqsQueueOptions): Promise<SqsQueue> {
    const sdk = await import('@aws-sdk/client-sqs');
    const { queueUrl, region, endpoint, connection } = options;
    const client = new sdk.SQSClient({
      region,
      ...(endpoint === undefined ? {} : { endpoint }),
      // As in the Collector, the region or the endpoint tells the host: signed requests go nowhere else.
      useQueueUrlAsEndpoint: false,
      // Whoever asks does so again, and tells about it.
      maxAttempts: 1,
      ...(await credentialOptions(connection)),
      customUserAgent: userAgent().split(' ')[0]!,
      requestHandler: connectionHandler(CONNECTIONS_MAX),
    });
    client.middlewareStack.add(boundAnswers(ANSWER_BYTES_MAX), {
      ...{ step: 'deserialize', priority: 'low', name: 'boundAnswers' },
    });
    return new SqsQueue(sdk, client, queueUrl);
  }

  /** What is received is nobody else's until its visibility timeout is over. */
  async receive({ messagesMax, waitSeconds }: ReceiveOptions, stop: AbortSignal): Promise<QueueMessage[]> {
    const command = new this.#sdk.ReceiveMessageCommand({
      QueueUrl: this.#queueUrl,
      MaxNumberOfMessages: messagesMax,
      WaitTimeSeconds: waitSeconds,
    });
    const answer = await this.#run('receive from', stop, waitSeconds * 1000, (bound) =>
      this.#client.send(command, bound),
    );
    return (answer.Messages ?? []).flatMap(({ MessageId, ReceiptHandle, Body }) =>
      ReceiptHandle === undefined
        ? []
        : [{ id: MessageId ?? ReceiptHandle, handle: ReceiptHandle, body: Body ?? '' }],
    );
  }

  /** @param handles of ten messages at most. */
  async delete(handles: readonly string[], stop: AbortSignal): Promise<RefusedMessage[]> {
    const command = new this.#sdk.DeleteMessageBatchCommand({
      QueueUrl: this.#queueUrl,
      Entries: handles.map((ReceiptHandle, index) => ({ Id: String(index), ReceiptHandle })),
    });
    const answer = await this.#run('delete from', stop, 0, (bound) => this.#client.send(command, bound));
    return refusedOf(handles, answer.Failed);
  }

  /**
   * @param handles of ten messages at most.
   * @param seconds from now on in which nobody else gets them; 0: they are everybody's.
   */
  async hold(handles: readonly string[], seconds: number, stop: AbortSignal): Promise<RefusedMessage[]> {
    const command = new this.#sdk.ChangeMessageVisibilityBatchCommand({
      QueueUrl: this.#queueUrl,
      Entries: handles.map((ReceiptHandle, index) => ({
        ...{ Id: String(index), ReceiptHandle, VisibilityTimeout: seconds },
      })),
    });
    const answer = await this.#run('hold messages of', stop, 0, (bound) => this.#client.send(command, bound));
    return refusedOf(handles, answer.Failed);
  }

  close(): void {
    this.#client.destroy();
  }

  /** Not by `AbortSignal.any`: a stop that lives as long as the engine would gather a signal for each request. */
  async #run<T>(
    verb: string,
    stop: AbortSignal,
    heldBackMs: number,
    send: (bound: { abortSignal: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    const bound = new AbortController();
    const end = () => bound.abort();
    const timer = setTimeout(end, heldBackMs + REQUEST_TIMEOUT_MS);
    stop.addEventListener('abort', end, { once: true });
    if (stop.aborted) end();
    try {
      return await send({ abortSignal: bound.signal });
    } catch (error) {
      throw s3Error(`${verb} ${this.#queueUrl}`, error);
    } finally {
      clearTimeout(timer);
      stop.removeEventListener('abort', end);
    }
  }
}

interface FailedEntry {
  Id?: string | undefined;
  Code?: string | undefined;
  Message?: string | undefined;
  SenderFault?: boolean | undefined;
}

function refusedOf(handles: readonly string[], failed: readonly FailedEntry[] | undefined): RefusedMessage[] {
  return (failed ?? []).flatMap(({ Id, Code, Message, SenderFault }) => {
    const handle = handles[Number(Id)];
    if (handle === undefined) return [];
    const reason = [Code, Message].filter((text) => text !== undefined && text !== '').join(': ');
    return [{ handle, reason: reason.slice(0, REASON_LENGTH_MAX), isFinal: SenderFault === true }];
  });
}

/** The text of a remote may be of any length. */
const REASON_LENGTH_MAX = 300;
