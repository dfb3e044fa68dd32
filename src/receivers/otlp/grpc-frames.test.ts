import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prng } from '../../stdx/prng.ts';
import { AssemblyMemory, BodyAssembler } from './body-assembler.ts';
import { encodeGrpcMessage, type FrameFault, frameMessage, GrpcFrameReader } from './grpc-frames.ts';

const MESSAGE_BYTES_MAX = 1000;

interface ReadResult {
  fault: FrameFault | undefined;
  message: Buffer;
  isCompressed: boolean;
}

/** Reads the parts as one stream; checks that the memory comes back whatever happens. */
function readFrames(parts: readonly Uint8Array[], memory = new AssemblyMemory(1 << 20)): ReadResult {
  const body = new BodyAssembler(memory);
  const reader = new GrpcFrameReader(body, MESSAGE_BYTES_MAX);
  let fault: FrameFault | undefined;
  for (const part of parts) {
    fault = reader.push(part);
    if (fault !== undefined) break;
  }
  fault ??= reader.end();
  const message = Buffer.concat(body.finish());
  if (fault === undefined) assert.equal(reader.messageBytes, message.byteLength);
  body.release();
  assert.equal(memory.usedBytes, 0);
  return { fault, message, isCompressed: reader.isCompressed };
}

test('a message split at every byte is the same message', () => {
  const message = Buffer.from(Array.from({ length: 40 }, (_, i) => i));
  const stream = Buffer.from(frameMessage(message));
  for (let at = 0; at <= stream.byteLength; at++) {
    const result = readFrames([stream.subarray(0, at), stream.subarray(at)]);
    assert.equal(result.fault, undefined);
    assert.ok(result.message.equals(message), `split at ${at}`);
  }
  const bytes = [...stream].map((byte) => Buffer.of(byte));
  assert.ok(readFrames(bytes).message.equals(message), 'byte by byte');
});

test('the prefix decides: flag, length and where the message ends', () => {
  assert.equal(readFrames([Buffer.of(0, 0, 0, 0, 0)]).fault, undefined, 'an empty message');
  assert.equal(readFrames([Buffer.of(1, 0, 0, 0, 1, 9)]).isCompressed, true);
  assert.equal(readFrames([]).fault, 'no_message');
  assert.equal(readFrames([Buffer.of(2, 0, 0, 0, 0)]).fault, 'bad_flag');
  assert.equal(readFrames([Buffer.of(255)]).fault, 'bad_flag');
  assert.equal(readFrames([Buffer.of(0, 0, 0)]).fault, 'truncated');
  assert.equal(readFrames([Buffer.of(0, 0, 0, 0, 2)]).fault, 'truncated');
  assert.equal(readFrames([Buffer.of(0, 0, 0, 0, 2, 7)]).fault, 'truncated');
  assert.equal(readFrames([Buffer.of(0, 0, 0, 0, 1, 7, 8)]).fault, 'extra_message');
  const two = Buffer.concat([frameMessage(Buffer.of(1)), frameMessage(Buffer.of(2))]);
  assert.equal(readFrames([two]).fault, 'extra_message');
  assert.equal(readFrames([two.subarray(0, 6), two.subarray(6)]).fault, 'extra_message');
});

test('a length over the limit is refused before any of it is kept', () => {
  assert.equal(readFrames([frameMessage(Buffer.alloc(MESSAGE_BYTES_MAX))]).fault, undefined);
  assert.equal(readFrames([Buffer.of(0, 0, 0, 0x03, 0xe9)]).fault, 'too_large');
  assert.equal(readFrames([Buffer.of(0, 0xff, 0xff, 0xff, 0xff)]).fault, 'too_large', '2^32-1');
  assert.equal(readFrames([Buffer.of(0, 0x80, 0, 0, 0)]).fault, 'too_large', '2^31 is not negative');
});

test('the bound over all connections is a fault of its own', () => {
  assert.equal(readFrames([frameMessage(Buffer.alloc(10))], new AssemblyMemory(100)).fault, 'no_memory');
});

test('any bytes in any pieces give the fault that their prefix says (fuzz)', () => {
  const seconds = Number(process.env.FUZZ_SECONDS ?? 5);
  const seed = Number(process.env.FUZZ_SEED ?? Date.now() & 0xffff);
  const prng = new Prng(seed);
  const endMs = Date.now() + seconds * 1000;
  let runs = 0;
  for (; Date.now() < endMs; runs++) {
    const stream = randomStream(prng);
    const parts: Buffer[] = [];
    for (let at = 0; at < stream.byteLength; ) {
      const next = at + 1 + prng.nextInt(prng.nextInt(4) === 0 ? 400 : 7);
      parts.push(stream.subarray(at, next));
      at = next;
    }
    const { fault, message } = readFrames(parts);
    assert.equal(fault, expectedFault(stream), `seed ${seed}, run ${runs}: ${stream.toString('hex')}`);
    if (fault === undefined) assert.ok(message.equals(stream.subarray(5)), `seed ${seed}, run ${runs}`);
  }
  assert.ok(runs > 1000);
});

/** The rules of the framing written a second time, over the whole stream at once. */
function expectedFault(stream: Buffer): FrameFault | undefined {
  if (stream.byteLength === 0) return 'no_message';
  if (stream.readUInt8(0) > 1) return 'bad_flag';
  if (stream.byteLength < 5) return 'truncated';
  const lengthBytes = stream.readUInt32BE(1);
  if (lengthBytes > MESSAGE_BYTES_MAX) return 'too_large';
  if (stream.byteLength > lengthBytes + 5) return 'extra_message';
  return stream.byteLength < lengthBytes + 5 ? 'truncated' : undefined;
}

function randomStream(prng: Prng): Buffer {
  const payload = Buffer.alloc(prng.nextInt(1200), prng.nextUint32() & 0xff);
  const stream = Buffer.from(frameMessage(payload));
  switch (prng.nextInt(5)) {
    case 0:
      return stream;
    case 1:
      return stream.subarray(0, prng.nextInt(stream.byteLength + 1));
    case 2:
      return Buffer.concat([stream, Buffer.alloc(prng.nextInt(8), 1)]);
    case 3: {
      const at = prng.nextInt(5);
      stream.writeUInt8(prng.nextUint32() & 0xff, at);
      return stream;
    }
    default:
      return Buffer.from(Array.from({ length: prng.nextInt(20) }, () => prng.nextUint32() & 0xff));
  }
}

test('status messages are percent-encoded UTF-8', () => {
  assert.equal(encodeGrpcMessage('plain text, ~!'), 'plain text, ~!');
  assert.equal(encodeGrpcMessage('100 % ä\n'), '100 %25 %C3%A4%0A');
  assert.equal(encodeGrpcMessage(''), '');
});
