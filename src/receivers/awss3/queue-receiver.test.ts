/** The receiver at a queue and a bucket that answer as the test says: what is deleted, held, given back and let go of. */
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { OUTCOME_MALFORMED } from '../../component/consumer.ts';
import type { Logger } from '../../component/settings.ts';
import { until } from '../../testkit/engine-process.ts';
import { eventNotification } from '../../testkit/services/queue-bed.ts';
import {
  OK_OUTCOME,
  ReadableMeter,
  RecordingConsumer,
  ShiftedClock,
  testSettings,
} from '../otlp/bed.test-peer.ts';
import { FakeAws, type Fault } from './aws.test-peer.ts';
import { awss3ReceiverConfigSchema } from './config.ts';
import { awss3ReceiverFactory } from './factory.ts';

process.env.AWS_ACCESS_KEY_ID = 'AKIATEST';
process.env.AWS_SECRET_ACCESS_KEY = 'test';

/** Field 1 of a request: a resource without anything in it. */
const RESOURCE = Buffer.from([0x0a, 0x00]);
const PREFIX = 'millrace_awss3_receiver_';

class Bed {
  readonly aws: FakeAws;
  readonly consumer = new RecordingConsumer(['traces']);
  readonly meter = new ReadableMeter();
  readonly clock = new ShiftedClock();
  readonly said: string[] = [];
  #shutdown: () => Promise<void> = async () => undefined;

  private constructor(aws: FakeAws) {
    this.aws = aws;
  }

  static async create(t: TestContext): Promise<Bed> {
    const bed = new Bed(await FakeAws.start());
    t.after(async () => {
      bed.consumer.outcome ??= OK_OUTCOME;
      for (const { done } of bed.consumer.taken.splice(0)) done(OK_OUTCOME);
      await bed.stop();
      bed.aws.stop();
    });
    return bed;
  }

  async start(queue: object = {}): Promise<void> {
    const { endpoint } = this.aws;
    const { value, issues } = awss3ReceiverConfigSchema.parse({
      sqs: {
        queue_url: `${endpoint}/123456789012/new`,
        region: 'us-east-1',
        endpoint,
        wait_time_seconds: 1,
        ...queue,
      },
      s3downloader: { endpoint, s3_bucket: 'archive', s3_force_path_style: true, retry_mode: 'nop' },
    });
    assert.deepEqual(issues, []);
    const say = (message: string, fields?: object) =>
      void this.said.push(`${message} ${JSON.stringify(fields ?? {})}`);
    const logger: Logger = { debug: say, info: say, warn: say, error: say, child: () => logger };
    const settings = { ...testSettings(this.meter, this.clock), logger };
    const receiver = await awss3ReceiverFactory.create(settings, value!, this.consumer);
    await receiver.start();
    this.#shutdown = () => receiver.shutdown(this.clock.monotonicMs() + 10_000);
  }

  async stop(): Promise<void> {
    await this.#shutdown();
  }

  /** One object of a request, and a message for all of them. */
  put(...keys: string[]): void {
    for (const key of keys) this.aws.objects.set(key, RESOURCE);
    this.aws.send(eventNotification(...keys.map((key) => ({ key }))));
  }

  metric(name: string, label: string): number {
    return this.meter.value(`${PREFIX}${name}{receiver=otlp,${label}}`);
  }

  async taken(count: number): Promise<void> {
    await until(`${count} requests`, () => this.consumer.taken.length >= count);
  }

  async emptied(): Promise<void> {
    await until('an empty queue', () => this.aws.depth === 0);
  }

  async hasSaid(pattern: RegExp): Promise<void> {
    await until(`${pattern}`, () => this.said.some((line) => pattern.test(line)));
  }
}

test('a message is deleted when every object that it names is on disk, and not before', async (t) => {
  const bed = await Bed.create(t);
  bed.consumer.outcome = undefined;
  bed.put('traces_1.binpb', 'traces_2.binpb');
  await bed.start();
  await bed.taken(2);
  const [first, second] = bed.consumer.taken;
  first!.done(OK_OUTCOME);
  // Another message goes the whole way meanwhile.
  bed.put('traces_3.binpb');
  await bed.taken(3);
  bed.consumer.taken[2]!.done(OK_OUTCOME);
  await until('its deletion', () => bed.aws.depth === 1);
  assert.equal(bed.metric('queue_messages', 'outcome=stored'), 1);
  second!.done({ ...OK_OUTCOME, code: OUTCOME_MALFORMED, message: 'no request' });
  await bed.emptied();
  assert.equal(bed.metric('queue_messages', 'outcome=stored'), 2);
  assert.equal(bed.metric('objects', 'outcome=stored'), 3);
  assert.equal(bed.meter.value(`${PREFIX}dropped_messages{receiver=otlp}`), 1);
  await bed.hasSaid(/a part of an object is not stored.*traces_2.*no request/);
});

test('what names nothing wanted is deleted and counted; what tells of nothing stays', async (t) => {
  const bed = await Bed.create(t);
  bed.aws.send('{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"archive"}');
  bed.aws.send(
    eventNotification(
      { key: 'traces_1.binpb', bucket: 'other' },
      { key: 'a', event: 'ObjectRemoved:Delete' },
    ),
  );
  bed.aws.send(eventNotification({ key: 'logs_1.binpb' }, { key: 'readme.txt' }));
  bed.aws.send(eventNotification({ key: 'traces_gone.binpb' }));
  bed.aws.send('no JSON');
  await bed.start();
  await until('the others to be deleted', () => bed.aws.depth === 1);
  assert.equal(bed.metric('queue_messages', 'outcome=test'), 1);
  assert.equal(bed.metric('queue_messages', 'outcome=left_out'), 2);
  assert.equal(bed.metric('left_out_records', 'reason=other_bucket'), 1);
  assert.equal(bed.metric('left_out_records', 'reason=other_event'), 1);
  assert.equal(bed.metric('objects', 'outcome=left_out'), 2);
  assert.equal(bed.metric('objects', 'outcome=gone'), 1);
  assert.equal(bed.metric('queue_messages', 'outcome=malformed'), 1);
  await bed.hasSaid(/tells of no object: it stays there.*no JSON object/);
  assert.equal(bed.consumer.taken.length, 0);
});

test('an object that is refused leaves its message in the queue, and is read when it comes back', async (t) => {
  const bed = await Bed.create(t);
  let isRefused = true;
  bed.aws.script = (action, key) =>
    isRefused && action === 'GetObject' && key === 'traces_2.binpb'
      ? { status: 403, code: 'AccessDenied' }
      : undefined;
  bed.put('traces_1.binpb', 'traces_2.binpb');
  bed.put('traces_3.binpb');
  await bed.start();
  await bed.hasSaid(/cannot be read: its message stays in the queue.*traces_2.*access denied/);
  await until('the other message to be deleted', () => bed.aws.depth === 1);
  assert.equal(bed.metric('queue_messages', 'outcome=failed'), 1);
  isRefused = false;
  bed.aws.expire();
  await bed.emptied();
  // At least once: the first object of the message is stored again.
  assert.equal(bed.consumer.taken.length, 4);
});

test('a message that takes long is held, and one that comes again meanwhile is not read twice', async (t) => {
  const bed = await Bed.create(t);
  bed.consumer.outcome = undefined;
  bed.put('traces_1.binpb');
  await bed.start();
  await bed.taken(1);
  bed.clock.shiftMs += 11_000;
  await until('it to be held', () => bed.aws.requestsOf('ChangeMessageVisibilityBatch').length > 0);
  const [hold] = bed.aws.requestsOf('ChangeMessageVisibilityBatch');
  assert.equal(hold!.input.Entries?.[0]?.VisibilityTimeout, 60);
  bed.clock.shiftMs += 21_000;
  await until('it to be held again', () => bed.aws.requestsOf('ChangeMessageVisibilityBatch').length > 1);
  bed.aws.expire();
  await until('it to be delivered again', () => bed.aws.heldCount === 1);
  bed.put('traces_2.binpb');
  await bed.taken(2);
  for (const { done } of bed.consumer.taken) done(OK_OUTCOME);
  await bed.emptied();
  assert.equal(bed.consumer.taken.length, 2);
  assert.equal(bed.metric('objects', 'outcome=stored'), 2);
});

test('no more than a hundred messages are held', async (t) => {
  const bed = await Bed.create(t);
  bed.consumer.outcome = undefined;
  for (let object = 0; object < 150; object++) bed.put(`traces_${object}.binpb`);
  await bed.start();
  await bed.taken(100);
  assert.equal(bed.aws.heldCount, 100);
  bed.consumer.outcome = OK_OUTCOME;
  for (const { done } of [...bed.consumer.taken]) done(OK_OUTCOME);
  await bed.emptied();
  assert.equal(bed.consumer.taken.length, 150);
});

test('a deletion that is refused for now is tried again, one that is refused for good is not', async (t) => {
  const bed = await Bed.create(t);
  const faults = [{ code: 'InternalError', isSenderFault: false }];
  bed.aws.entryScript = (action) => (action === 'DeleteMessageBatch' ? faults.shift() : undefined);
  bed.put('traces_1.binpb');
  await bed.start();
  await bed.emptied();
  await bed.hasSaid(/is not deleted: it may come again.*InternalError/);
  faults.push({ code: 'ReceiptHandleIsInvalid', isSenderFault: true });
  bed.put('traces_2.binpb');
  await bed.hasSaid(/is not deleted: it may come again.*ReceiptHandleIsInvalid/);
  await until('it to be let go of', () => bed.meter.value(`${PREFIX}held_messages{receiver=otlp}`) === 0);
  assert.equal(bed.aws.depth, 1);
  assert.equal(bed.consumer.taken.length, 2);
});

test('without delete_messages nothing is deleted, and messages that come back are read again', async (t) => {
  const bed = await Bed.create(t);
  bed.put('traces_1.binpb');
  await bed.start({ delete_messages: false });
  await bed.taken(1);
  await until('it to be done with', () => bed.metric('queue_messages', 'outcome=stored') === 1);
  bed.aws.expire();
  await bed.taken(2);
  assert.deepEqual(bed.aws.requestsOf('DeleteMessageBatch'), []);
});

test('a stop ends a long poll at once', { timeout: 10_000 }, async (t) => {
  const bed = await Bed.create(t);
  let isAsked = false;
  bed.aws.script = () => () => {
    isAsked = true;
  };
  await bed.start({ wait_time_seconds: 20 });
  await until('the question', () => isAsked);
  await bed.stop();
});

test('a stop deletes what is stored and gives the rest back at once', async (t) => {
  const bed = await Bed.create(t);
  let canDelete = false;
  bed.aws.script = (action) =>
    action === 'DeleteMessageBatch' && !canDelete ? { status: 503, code: 'ServiceUnavailable' } : undefined;
  bed.put('traces_1.binpb');
  await bed.start();
  await bed.hasSaid(/cannot be deleted, will be tried again.*ServiceUnavailable/);
  bed.consumer.isFull = true;
  bed.put('traces_2.binpb');
  await until('the second message', () => bed.aws.heldCount === 2);
  canDelete = true;
  await bed.stop();
  assert.equal(bed.aws.depth, 1);
  assert.equal(bed.aws.heldCount, 0);
  assert.equal(bed.consumer.taken.length, 1);
});

/** Sends a piece again and again until the other side has had enough. */
function endless(outgoing: ServerResponse, piece: Buffer): void {
  const write = (): void => {
    while (!outgoing.destroyed) if (!outgoing.write(piece)) return void outgoing.once('drain', write);
  };
  write();
}

test('a queue that refuses, breaks off or answers without end is asked again', {
  timeout: 60_000,
}, async (t) => {
  const bed = await Bed.create(t);
  const flood: Fault = (_, outgoing) => {
    outgoing.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' });
    endless(outgoing, Buffer.alloc(1 << 20, 0x20));
  };
  const faults: [Fault, RegExp][] = [
    [flood, /the answer has more than 32 MiB/],
    [{ status: 403, code: 'AccessDeniedException' }, /the credentials are not accepted/],
    [{ status: 400, code: 'QueueDoesNotExist' }, /the queue is not there under this URL/],
    [(incoming) => incoming.socket.destroy(), /no answer in time/],
  ];
  bed.put('traces_1.binpb');
  for (const [fault, message] of faults) {
    let left = 1;
    bed.aws.script = (action) => (action === 'ReceiveMessage' && left-- > 0 ? fault : undefined);
    await bed.start();
    await bed.hasSaid(message);
    if (message !== faults.at(-1)![1]) await bed.stop();
  }
  await bed.emptied();
  assert.equal(bed.consumer.taken.length, 1);
});
