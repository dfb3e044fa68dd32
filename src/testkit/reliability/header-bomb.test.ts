/**
 * HPACK bombs (D11): one byte of the wire stands for four kilobytes of header, on many connections that take nothing of what
 * they are sent, so that whatever the server keeps for them stays kept.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { startGrpcBed, TRACES_PATH } from '../../receivers/otlp/grpc-bed.test-peer.ts';
import {
  callHeaders,
  FLAG_END_HEADERS,
  FRAME_HEADERS,
  FRAME_SETTINGS,
  FrameClient,
  field,
  frame,
} from '../../receivers/otlp/http2-frames.test-peer.ts';
import { until } from '../engine-process.ts';

const CONNECTIONS = 100;
const STREAMS = 120;
const NAME_BYTES = 4000;
/** Of both ends: the attackers live in this process, too. */
const HELD_BYTES_MAX = 100 << 20;
/** Dynamic entry 62: the newest one. */
const INDEXED_62 = 0x80 | 62;
const INITIAL_WINDOW_SIZE = 4;

/** `field` with its first byte set to "literal with incremental indexing": the server remembers it. */
function remembered(name: string, value: string): Buffer {
  const literal = field(name, value);
  literal[0] = 0x40;
  return literal;
}

/** Bytes that are in use and no garbage, on and off the heap. */
function heldBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function zeroWindow(): Buffer {
  const setting = Buffer.alloc(6);
  setting.writeUInt16BE(INITIAL_WINDOW_SIZE, 0);
  return frame(FRAME_SETTINGS, 0, 0, setting);
}

test('D11: header blocks that refer to one large entry again and again, held open, stay bounded', {
  timeout: 180_000,
}, async (t) => {
  const bed = await startGrpcBed({ server: { connectionsMax: 200, connectionsPerAddressMax: 200 } });
  t.after(() => bed.stop());
  assert.equal((await bed.client.export(Buffer.from('before'))).code, 0);
  const heldBefore = heldBytes();
  const seed = Buffer.concat([callHeaders(TRACES_PATH), remembered('x', 'y'.repeat(NAME_BYTES - 33))]);
  // Just below the limit of a header list, which is 16 KiB, and far above it.
  const near = Buffer.concat([callHeaders(TRACES_PATH), Buffer.alloc(3, INDEXED_62)]);
  const far = Buffer.concat([callHeaders(TRACES_PATH), Buffer.alloc(4000, INDEXED_62)]);
  const attackers = await Promise.all(
    Array.from({ length: CONNECTIONS }, async (_, index) => {
      const client = await FrameClient.open(bed.port, index % 2 === 0);
      t.after(() => client.close());
      client.socket.write(zeroWindow());
      client.socket.write(frame(FRAME_HEADERS, FLAG_END_HEADERS, 1, seed));
      for (let i = 1; i < STREAMS; i += 1) {
        client.socket.write(frame(FRAME_HEADERS, FLAG_END_HEADERS, 2 * i + 1, i % 8 === 0 ? far : near));
      }
      return client;
    }),
  );
  let slowestMs = 0;
  const endMs = performance.now() + 2000;
  while (performance.now() < endMs) {
    const startedMs = performance.now();
    assert.equal((await bed.client.export(Buffer.from('healthy'), undefined, Date.now() + 5000)).code, 0);
    slowestMs = Math.max(slowestMs, performance.now() - startedMs);
  }
  const openCalls = bed.admission.openExchanges;
  const riseBytes = heldBytes() - heldBefore;
  // Unpacked, the far blocks alone would be more than twenty gigabytes.
  assert.ok(riseBytes < HELD_BYTES_MAX, `${riseBytes >> 20} MiB more`);
  t.diagnostic(
    `${riseBytes >> 20} MiB more for ${openCalls} open calls, slowest healthy call ${Math.round(slowestMs)} ms`,
  );
  // Calls that bring no message are ended by the clock, and the connections that go too far at once.
  await until('no call is left open', () => bed.admission.openExchanges === 0);
  for (const attacker of attackers) attacker.close();
  await until('only the healthy session is left', () => bed.server.connectionCount === 1);
  assert.equal(bed.admission.memory.usedBytes, 0);
  assert.equal((await bed.client.export(Buffer.from('after'))).code, 0);
  assert.equal(
    bed.consumer.taken.every(({ body }) => body.byteLength < 20),
    true,
  );
});
