import assert from 'node:assert/strict';
import test, { describe, type TestContext } from 'node:test';
import { type GrpcBed, startGrpcBed, TRACES_PATH } from './grpc-bed.test-peer.ts';
import { eventually, sleep } from './http-client.test-peer.ts';
import {
  callHeaders,
  FLAG_END_HEADERS,
  FLAG_END_STREAM,
  FRAME_CONTINUATION,
  FRAME_DATA,
  FRAME_HEADERS,
  FRAME_PING,
  FRAME_PRIORITY,
  FRAME_RST_STREAM,
  FRAME_SETTINGS,
  FRAME_WINDOW_UPDATE,
  FrameClient,
  field,
  frame,
} from './http2-frames.test-peer.ts';

const EMPTY = Buffer.alloc(0);
const FLOOD_MS = 5000;
const RSS_RISE_BYTES_MAX = 100 << 20;

interface Flood {
  name: string;
  /** Sent once before the flood. */
  start?: Buffer;
  next(index: number): Buffer;
  /** Does the attacker take what it is sent? */
  reads?: boolean;
}

const openStream = frame(FRAME_HEADERS, FLAG_END_HEADERS, 1, callHeaders(TRACES_PATH));
const streamId = (index: number) => 2 * index + 1;
const word = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

const FLOODS: readonly Flood[] = [
  {
    name: 'rapid reset (D8)',
    next: (i) =>
      Buffer.concat([
        frame(FRAME_HEADERS, FLAG_END_HEADERS, streamId(i), callHeaders(TRACES_PATH)),
        frame(FRAME_RST_STREAM, 0, streamId(i), word(8)),
      ]),
  },
  {
    name: 'resets that the server is provoked to send (D8)',
    next: (i) =>
      Buffer.concat([
        frame(FRAME_HEADERS, FLAG_END_HEADERS, streamId(i), callHeaders(TRACES_PATH)),
        // An increment of zero is an error of the stream.
        frame(FRAME_WINDOW_UPDATE, 0, streamId(i), word(0)),
      ]),
  },
  {
    name: 'CONTINUATION without end (D9)',
    start: frame(FRAME_HEADERS, 0, 1, callHeaders(TRACES_PATH)),
    next: (i) => frame(FRAME_CONTINUATION, 0, 1, field(`x-${i}`, 'y')),
  },
  {
    name: 'CONTINUATION frames without content (D9)',
    start: frame(FRAME_HEADERS, 0, 1, callHeaders(TRACES_PATH)),
    next: () => frame(FRAME_CONTINUATION, 0, 1, EMPTY),
  },
  { name: 'PING (D10)', next: () => frame(FRAME_PING, 0, 0, Buffer.alloc(8)) },
  {
    name: 'PING whose answers nobody reads (D10)',
    reads: false,
    next: () => frame(FRAME_PING, 0, 0, Buffer.alloc(8)),
  },
  { name: 'SETTINGS (D10)', next: () => frame(FRAME_SETTINGS, 0, 0, EMPTY) },
  {
    name: 'SETTINGS whose answers nobody reads (D10)',
    reads: false,
    next: () => frame(FRAME_SETTINGS, 0, 0, EMPTY),
  },
  { name: 'DATA without content (D10)', start: openStream, next: () => frame(FRAME_DATA, 0, 1, EMPTY) },
  {
    name: 'window overflow of the connection (D12)',
    next: () => frame(FRAME_WINDOW_UPDATE, 0, 0, word(0x7fffffff)),
  },
  {
    name: 'streams beyond the limit (D8)',
    next: (i) => frame(FRAME_HEADERS, FLAG_END_HEADERS, streamId(i), callHeaders(TRACES_PATH)),
  },
];

/** The healthy client sends all the time; its slowest answer in milliseconds. */
async function serveWhile(bed: GrpcBed, isOver: () => boolean): Promise<number> {
  let slowestMs = 0;
  while (!isOver()) {
    const startedMs = performance.now();
    const { code } = await bed.client.export(Buffer.from('healthy'), undefined, Date.now() + 4000);
    assert.equal(code, 0);
    slowestMs = Math.max(slowestMs, performance.now() - startedMs);
    await sleep(5);
  }
  return slowestMs;
}

async function attack(t: TestContext, { start, next, reads = true }: Flood): Promise<void> {
  const bed = await startGrpcBed();
  t.after(() => bed.stop());
  assert.equal((await bed.client.export(Buffer.from('before'))).code, 0);
  const rssBefore = process.memoryUsage().rss;
  const attacker = await FrameClient.open(bed.port, reads);
  t.after(() => attacker.close());
  if (start !== undefined) attacker.socket.write(start);
  let isOver = false;
  const healthy = serveWhile(bed, () => isOver);
  const count = await attacker.flood(next, FLOOD_MS);
  isOver = true;
  await healthy;
  assert.ok(attacker.isClosed || attacker.socket.destroyed, `still open after ${count} frames`);
  await eventually('only the healthy session is left', () => bed.server.connectionCount === 1);
  await eventually('no exchange is left', () => bed.admission.openExchanges === 0);
  assert.equal(bed.admission.memory.usedBytes, 0);
  assert.ok(process.memoryUsage().rss - rssBefore < RSS_RISE_BYTES_MAX);
  assert.equal((await bed.client.export(Buffer.from('after'))).code, 0);
}

describe('HTTP/2 floods end the connection that sends them, and nobody else notices', () => {
  for (const flood of FLOODS) test(flood.name, (t) => attack(t, flood));
});

test('a flood of PRIORITY frames costs the others nothing (D10)', async (t) => {
  const bed = await startGrpcBed();
  t.after(() => bed.stop());
  const attacker = await FrameClient.open(bed.port);
  t.after(() => attacker.close());
  let isOver = false;
  const healthy = serveWhile(bed, () => isOver);
  const rssBefore = process.memoryUsage().rss;
  await attacker.flood(
    (i) => frame(FRAME_PRIORITY, 0, streamId(i % 10_000), Buffer.concat([word(0), Buffer.from([1])])),
    1000,
  );
  isOver = true;
  assert.ok((await healthy) < 1000);
  assert.ok(process.memoryUsage().rss - rssBefore < RSS_RISE_BYTES_MAX);
});

test('header blocks over the limits are refused, and the next call is served (D4)', async (t) => {
  const bed = await startGrpcBed();
  t.after(() => bed.stop());
  for (const extra of [
    Array.from({ length: 200 }, (_, i) => field(`x-${i}`, 'y')),
    [field('x', 'y'.repeat(15_000)), field('z', 'y'.repeat(2_000))],
  ]) {
    const client = await FrameClient.open(bed.port);
    t.after(() => client.close());
    const block = Buffer.concat([callHeaders(TRACES_PATH), ...extra]);
    const parts = [block.subarray(0, 16_000), block.subarray(16_000)];
    client.socket.write(
      frame(
        FRAME_HEADERS,
        parts[1]!.length === 0 ? FLAG_END_HEADERS | FLAG_END_STREAM : FLAG_END_STREAM,
        1,
        parts[0]!,
      ),
    );
    if (parts[1]!.length > 0) client.socket.write(frame(FRAME_CONTINUATION, FLAG_END_HEADERS, 1, parts[1]!));
    await eventually(
      'it is refused',
      () =>
        client.isClosed ||
        client.received.includes(FRAME_RST_STREAM) ||
        client.goAwayCode !== undefined ||
        client.received.includes(FRAME_HEADERS),
    );
  }
  assert.equal(bed.consumer.taken.length, 0);
  assert.equal((await bed.client.export(Buffer.from('after'))).code, 0);
});
