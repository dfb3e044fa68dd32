import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { PipelineError } from '../component/errors.ts';
import { BucketArchive } from './archive-bucket.ts';

const CONTENT = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));
const NEVER = new AbortController().signal;

type Answer = (request: IncomingMessage, response: ServerResponse, from: number) => void;

/** A store that speaks as much of S3 as reading one object takes. */
async function archiveWith(t: TestContext, answer: Answer): Promise<BucketArchive> {
  process.env.AWS_ACCESS_KEY_ID = 'a';
  process.env.AWS_SECRET_ACCESS_KEY = 'b';
  const server = createServer((request, response) => {
    const from = /^bytes=(\d+)-/.exec(request.headers.range ?? '');
    answer(request, response, Number(from?.[1] ?? 0));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const archive = await BucketArchive.open(
    {
      ...{
        region: 'us-east-1',
        endpoint: `http://127.0.0.1:${port}`,
        roleArn: undefined,
        externalId: undefined,
      },
      ...{
        forcesPathStyle: true,
        disablesSsl: false,
        retryMode: 'nop',
        retryMaxAttempts: 1,
        retryMaxBackoffMs: 10,
      },
      checksumCalculation: 'when_required',
    },
    { bucket: 'b', prefix: '' },
    { connectionsMax: 2, seed: 1, stop: NEVER },
  );
  t.after(async () => {
    await archive.close();
    server.closeAllConnections();
    server.close();
  });
  return archive;
}

function send(response: ServerResponse, from: number, to = CONTENT.length): void {
  const isPart = from > 0;
  const range = isPart ? { 'content-range': `bytes ${from}-${CONTENT.length - 1}/${CONTENT.length}` } : {};
  response.writeHead(isPart ? 206 : 200, { 'content-length': CONTENT.length - from, ...range });
  if (to === CONTENT.length) response.end(CONTENT.subarray(from));
  else response.write(CONTENT.subarray(from, to), () => response.destroy());
}

function refuse(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'content-type': 'application/xml' });
  response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>no</Message></Error>`);
}

async function read(archive: BucketArchive): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of archive.read('key', NEVER)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function errorOf(archive: BucketArchive): Promise<PipelineError> {
  const error = await read(archive).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof PipelineError, String(error));
  return error;
}

test('an object is read on behind the last byte when its connection breaks', async (t) => {
  const begun: number[] = [];
  const archive = await archiveWith(t, (_, response, from) => {
    begun.push(from);
    send(response, from, begun.length <= 3 ? from + 70_000 : CONTENT.length);
  });
  assert.ok((await read(archive)).equals(CONTENT));
  assert.equal(begun.length, 4);
  assert.ok(
    begun.every((from, index) => index === 0 || from > begun[index - 1]!),
    String(begun),
  );
});

test('what is about one object lets the others be read, and everything else ends the reading', async (t) => {
  const refusals: [number, string, boolean][] = [
    [404, 'NoSuchKey', true],
    [403, 'InvalidObjectState', true],
    [403, 'AccessDenied', true],
    [403, 'SignatureDoesNotMatch', false],
    [404, 'NoSuchBucket', false],
  ];
  for (const [status, code, isPermanent] of refusals) {
    const archive = await archiveWith(t, (_, response) => refuse(response, status, code));
    const error = await errorOf(archive);
    assert.equal(error.permanent, isPermanent, code);
    assert.equal(error.code, isPermanent ? 'ARCHIVE_UNREADABLE' : 'EXPORT_REJECTED', code);
  }
});

test('a reading that is stopped ends at once', async (t) => {
  const archive = await archiveWith(t, (_, response) => {
    response.writeHead(200, { 'content-length': CONTENT.length });
    response.write(CONTENT.subarray(0, 1000));
  });
  const stop = new AbortController();
  const chunks = archive.read('key', stop.signal);
  const first = await chunks.next();
  assert.equal(first.value?.length, 1000);
  setTimeout(() => stop.abort(), 20);
  const started = performance.now();
  await assert.rejects(chunks.next(), PipelineError);
  assert.ok(performance.now() - started < 10_000);
});
