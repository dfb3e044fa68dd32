/**
 * LZ4 frames (lz4_Frame_format.md) around the blocks that lz4js packs and unpacks. Its own frames are of no use here:
 * they say that blocks depend on each other, which Kafka's Java client and brokers refuse.
 */

/** lz4js. */
export interface Lz4Blocks {
  /** @returns bytes written to `target`; 0 when nothing of the block could be shortened. */
  compressBlock(
    source: Uint8Array,
    target: Uint8Array,
    start: number,
    sizeBytes: number,
    table: Uint32Array,
  ): number;
  /** @returns the end of what was written to `target`; what lies beyond its end is lost without a word. */
  decompressBlock(
    source: Uint8Array,
    target: Uint8Array,
    start: number,
    sizeBytes: number,
    targetStart: number,
  ): number;
  xxh32(seed: number, bytes: Uint8Array, start: number, sizeBytes: number): number;
}

const MAGIC = 0x184d2204;
const VERSION = 0x40;
const VERSION_MASK = 0xc0;
const BLOCKS_INDEPENDENT = 0x20;
const HAS_BLOCK_CHECKSUM = 0x10;
const HAS_CONTENT_SIZE = 0x08;
const HAS_CONTENT_CHECKSUM = 0x04;
const HAS_DICTIONARY = 0x01;
/** Bit of a block's length: the block is stored as it is. */
const STORED = 0x8000_0000;
const BLOCK_BYTES: Readonly<Record<number, number>> = { 4: 1 << 16, 5: 1 << 18, 6: 1 << 20, 7: 1 << 22 };
/** 256 KiB: readers need a buffer of that size, and the table of each block has to be cleared. */
const BLOCK_SIZE_ID = 5;
const TABLE_ENTRIES = 1 << 16;

export function lz4Compress(lz4: Lz4Blocks, bytes: Uint8Array): Uint8Array {
  const blockBytes = BLOCK_BYTES[BLOCK_SIZE_ID]!;
  const blockCount = Math.ceil(bytes.length / blockBytes);
  // A block that grows is stored; while it is tried it may need a 255th more.
  const target = Buffer.allocUnsafe(15 + bytes.length + blockCount * 4 + Math.ceil(blockBytes / 255) + 16);
  let at = target.writeUInt32LE(MAGIC);
  target[at] = VERSION | BLOCKS_INDEPENDENT;
  target[at + 1] = BLOCK_SIZE_ID << 4;
  target[at + 2] = (lz4.xxh32(0, target, at, 2) >>> 8) & 0xff;
  at += 3;
  const table = new Uint32Array(TABLE_ENTRIES);
  for (let start = 0; start < bytes.length; start += blockBytes) {
    const block = bytes.subarray(start, start + blockBytes);
    table.fill(0);
    const packed = lz4.compressBlock(block, target.subarray(at + 4), 0, block.length, table);
    if (packed > 0 && packed < block.length) {
      target.writeUInt32LE(packed, at);
      at += 4 + packed;
    } else {
      target.writeUInt32LE((STORED | block.length) >>> 0, at);
      target.set(block, at + 4);
      at += 4 + block.length;
    }
  }
  at = target.writeUInt32LE(0, at);
  return target.subarray(0, at);
}

interface FrameHead {
  blockBytesMax: number;
  hasBlockChecksum: boolean;
  hasContentChecksum: boolean;
  /** Where the first block begins. */
  start: number;
}

/** Frames one behind the other. @throws Error when it is no such stream, or longer than `bytesMax`. */
export function lz4Decompress(lz4: Lz4Blocks, bytes: Uint8Array, bytesMax: number): Buffer {
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const contents: Uint8Array[] = [];
  let total = 0;
  for (let at = 0; at < source.length; ) {
    const head = readHead(source, at);
    at = head.start;
    for (;;) {
      if (at + 4 > source.length) throw new Error('an lz4 frame is cut off');
      const word = source.readUInt32LE(at);
      at += 4;
      if (word === 0) break;
      const isStored = word >= STORED;
      const sizeBytes = isStored ? word - STORED : word;
      const end = at + sizeBytes;
      if (end > source.length || sizeBytes > head.blockBytesMax) throw new Error('an lz4 block is cut off');
      const content = isStored ? source.subarray(at, end) : unpackBlock(lz4, source, at, sizeBytes, head);
      total += content.length;
      if (total > bytesMax) throw new Error('an lz4 stream is too long');
      contents.push(content);
      at = end + (head.hasBlockChecksum ? 4 : 0);
    }
    if (head.hasContentChecksum) at += 4;
  }
  return Buffer.concat(contents, total);
}

function unpackBlock(
  lz4: Lz4Blocks,
  source: Buffer,
  at: number,
  sizeBytes: number,
  head: FrameHead,
): Uint8Array {
  const target = Buffer.allocUnsafe(head.blockBytesMax);
  const length = lz4.decompressBlock(source, target, at, sizeBytes, 0);
  if (length > target.length) throw new Error('an lz4 block is longer than its frame says');
  return target.subarray(0, length);
}

function readHead(source: Buffer, at: number): FrameHead {
  if (at + 7 > source.length || source.readUInt32LE(at) !== MAGIC) throw new Error('no lz4 frame');
  const flags = source[at + 4]!;
  const blockBytesMax = BLOCK_BYTES[(source[at + 5]! >> 4) & 7];
  if ((flags & VERSION_MASK) !== VERSION || blockBytesMax === undefined) throw new Error('no lz4 frame');
  if ((flags & BLOCKS_INDEPENDENT) === 0)
    throw new Error('lz4 blocks that depend on each other are not read');
  if ((flags & HAS_DICTIONARY) !== 0) throw new Error('lz4 frames with a dictionary are not read');
  return {
    blockBytesMax,
    hasBlockChecksum: (flags & HAS_BLOCK_CHECKSUM) !== 0,
    hasContentChecksum: (flags & HAS_CONTENT_CHECKSUM) !== 0,
    start: at + 7 + ((flags & HAS_CONTENT_SIZE) === 0 ? 0 : 8),
  };
}
