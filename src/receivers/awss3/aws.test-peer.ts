/** A queue of SQS and a bucket of S3 as their protocols show them to this receiver, on one port, with faults by script. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A function answers by itself, or never. Otherwise an error as the service words it. */
export type Fault =
  | ((incoming: IncomingMessage, outgoing: ServerResponse) => void)
  | { status: number; code: string }
  | undefined;

export interface QueueRequest {
  action: string;
  input: {
    MaxNumberOfMessages?: number;
    WaitTimeSeconds?: number;
    Entries?: { Id: string; ReceiptHandle: string; VisibilityTimeout?: number }[];
  };
}

interface Message {
  id: string;
  body: string;
  /** Of the last delivery; undefined: it is nobody's. */
  handle: string | undefined;
}

/** An entry of a batch that is refused; undefined: it is not. */
type EntryFault = { code: string; isSenderFault: boolean } | undefined;

const WAIT_STEP_MS = 5;

export class FakeAws {
  readonly endpoint: string;
  /** Keys without the bucket. */
  readonly objects = new Map<string, Buffer>();
  readonly requests: QueueRequest[] = [];
  /** Asked for every request: an action of the queue, or `GetObject`. */
  script: (action: string, key: string) => Fault = () => undefined;
  /** Asked for each entry of a batch. */
  entryScript: (action: string) => EntryFault = () => undefined;
  readonly #server: Server;
  readonly #messages = new Map<string, Message>();
  #sequence = 0;

  private constructor(server: Server) {
    this.#server = server;
    this.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', (incoming, outgoing) => void this.#serve(incoming, outgoing));
  }

  static async start(): Promise<FakeAws> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new FakeAws(server);
  }

  stop(): void {
    this.#server.close().closeAllConnections();
  }

  send(body: string): void {
    const id = `message-${this.#sequence++}`;
    this.#messages.set(id, { id, body, handle: undefined });
  }

  /** Messages that nobody has deleted. */
  get depth(): number {
    return this.#messages.size;
  }

  /** Of these, the ones that somebody has received. */
  get heldCount(): number {
    return [...this.#messages.values()].filter(({ handle }) => handle !== undefined).length;
  }

  /** Every visibility timeout is over. */
  expire(): void {
    for (const message of this.#messages.values()) message.handle = undefined;
  }

  requestsOf(action: string): QueueRequest[] {
    return this.requests.filter((request) => request.action === action);
  }

  async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    outgoing.on('error', () => undefined);
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const target = incoming.headers['x-amz-target'] as string | undefined;
    const action = target?.replace('AmazonSQS.', '') ?? 'GetObject';
    const key = decodeURIComponent(new URL(incoming.url!, this.endpoint).pathname)
      .split('/')
      .slice(2)
      .join('/');
    const fault = this.script(action, key);
    if (typeof fault === 'function') return fault(incoming, outgoing);
    if (target === undefined) return this.#serveObject(key, fault, outgoing);
    const request = { action, input: JSON.parse(Buffer.concat(chunks).toString()) as QueueRequest['input'] };
    this.requests.push(request);
    outgoing.setHeader('content-type', 'application/x-amz-json-1.0');
    if (fault !== undefined) {
      outgoing.statusCode = fault.status;
      outgoing.end(
        JSON.stringify({ __type: `com.amazonaws.sqs#${fault.code}`, message: 'as the test says' }),
      );
      return;
    }
    outgoing.end(JSON.stringify(await this.#answer(request, incoming)));
  }

  #serveObject(
    key: string,
    fault: { status: number; code: string } | undefined,
    outgoing: ServerResponse,
  ): void {
    const bytes = this.objects.get(key);
    const error = fault ?? (bytes === undefined ? { status: 404, code: 'NoSuchKey' } : undefined);
    if (error === undefined) return void outgoing.end(bytes);
    outgoing.writeHead(error.status, { 'content-type': 'application/xml' });
    outgoing.end(`<Error><Code>${error.code}</Code><Message>as the test says</Message></Error>`);
  }

  async #answer({ action, input }: QueueRequest, incoming: IncomingMessage): Promise<object> {
    if (action === 'ReceiveMessage') return { Messages: await this.#receive(input, incoming) };
    const [Successful, Failed]: object[][] = [[], []];
    for (const { Id, ReceiptHandle, VisibilityTimeout } of input.Entries ?? []) {
      const fault = this.entryScript(action);
      if (fault !== undefined) {
        Failed!.push({ Id, Code: fault.code, SenderFault: fault.isSenderFault, Message: 'as the test says' });
        continue;
      }
      Successful!.push({ Id });
      const message = [...this.#messages.values()].find(({ handle }) => handle === ReceiptHandle);
      if (message === undefined) continue;
      if (action === 'DeleteMessageBatch') this.#messages.delete(message.id);
      else if (VisibilityTimeout === 0) message.handle = undefined;
    }
    return { Successful, Failed };
  }

  async #receive(input: QueueRequest['input'], incoming: IncomingMessage): Promise<object[]> {
    const untilMs = performance.now() + (input.WaitTimeSeconds ?? 0) * 1000;
    let free: Message[];
    do {
      free = [...this.#messages.values()].filter(({ handle }) => handle === undefined);
      if (free.length > 0 || incoming.socket.destroyed) break;
      await new Promise((resolve) => setTimeout(resolve, WAIT_STEP_MS));
    } while (performance.now() < untilMs);
    if (incoming.socket.destroyed) return [];
    const taken = free.slice(0, input.MaxNumberOfMessages ?? 1);
    return taken.map((message) => {
      assert.equal(message.handle, undefined);
      message.handle = `${message.id}/delivery-${this.#sequence++}`;
      return {
        ...{ MessageId: message.id, ReceiptHandle: message.handle, Body: message.body },
        MD5OfBody: createHash('md5').update(message.body).digest('hex'),
      };
    });
  }
}
