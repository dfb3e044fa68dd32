/**
 * Snappy as Kafka's Java client frames it (snappy-java, SnappyOutputStream): a header, then blocks with a length in
 * front, all big-endian:
 *
 * ```
 * 82 'SNAPPY' 00 | int32 version 1 | int32 compatible version 1 | (int32 block bytes | block) ...
 * ```
 * Other clients write one block without any of it, so both are read.
 */

/** snappyjs. */
export interface SnappyBlocks {
  compress(bytes: Uint8Array): Uint8Array;
  uncompress(bytes: Uint8Array, lengthMax?: number): Uint8Array;
}

const MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const HEADER_BYTES = 16;
const VERSION = 1;
/** What a block holds unpacked: the reader's buffer is as large, and Java's is 32 KiB by default. */
const BLOCK_CONTENT_BYTES = 32 * 1024;

export function xerialCompress(snappy: SnappyBlocks, bytes: Uint8Array): Uint8Array {
  const header = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(header);
  header.writeInt32BE(VERSION, 8);
  header.writeInt32BE(VERSION, 12);
  const chunks: Uint8Array[] = [header];
  const content = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < content.length; at += BLOCK_CONTENT_BYTES) {
    const block = snappy.compress(content.subarray(at, at + BLOCK_CONTENT_BYTES));
    const head = Buffer.alloc(4);
    head.writeInt32BE(block.length);
    chunks.push(head, block);
  }
  return Buffer.concat(chunks);
}

/** @throws Error when it is no snappy, or longer than `bytesMax`. */
export function xerialDecompress(snappy: SnappyBlocks, bytes: Uint8Array, bytesMax: number): Buffer {
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isFramed = source.length >= HEADER_BYTES && MAGIC.equals(source.subarray(0, MAGIC.length));
  if (!isFramed) return asBuffer(snappy.uncompress(source, bytesMax));
  const contents: Uint8Array[] = [];
  let total = 0;
  for (let at = HEADER_BYTES; at < source.length; ) {
    if (at + 4 > source.length) throw new Error('a snappy block is cut off');
    const blockBytes = source.readInt32BE(at);
    at += 4;
    if (blockBytes < 0 || at + blockBytes > source.length) throw new Error('a snappy block is cut off');
    const content = snappy.uncompress(source.subarray(at, at + blockBytes), bytesMax - total);
    total += content.length;
    contents.push(content);
    at += blockBytes;
  }
  return Buffer.concat(contents, total);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
