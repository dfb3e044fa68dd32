/**
 * Compression of record batches as Kafka's clients write and read it. Codecs are loaded when somebody asks for one.
 * Numbers as in `attributes` of a record batch (Kafka protocol guide, "Record Batch").
 */
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { gzipPacker, type PackRecords, zstdPacker } from './frame-packer.ts';
import { type Lz4Blocks, lz4Compress, lz4Decompress } from './lz4-frame.ts';
import { type SnappyBlocks, xerialCompress, xerialDecompress } from './snappy-xerial.ts';

export const KAFKA_COMPRESSIONS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
export type KafkaCompression = (typeof KAFKA_COMPRESSIONS)[number];

/** Bits of the attributes that say how the records are compressed. */
export const CODEC_IDS: Readonly<Record<KafkaCompression, number>> = {
  none: 0,
  gzip: 1,
  snappy: 2,
  lz4: 3,
  zstd: 4,
};

/** Largest content of one record batch that is unpacked: far over what brokers take, far under what hurts. */
export const UNPACKED_BYTES_MAX = 256 << 20;
/** Node.js writes zstd from 22.15 on; reading it works everywhere. */
export const CAN_WRITE_ZSTD = typeof zlib.zstdCompress === 'function';
/** Telemetry repeats itself: higher levels cost more time than their bytes are worth. */
const DEFAULT_LEVEL = 1;

export interface RecordPacker {
  readonly pack: PackRecords;
  /** Lets go of memory that is kept for the next batch. */
  close(): void;
}

export type UnpackRecords = (bytes: Uint8Array) => Promise<Buffer>;

const load = createRequire(import.meta.url);

/**
 * @param level of gzip -1 to 9, of zstd 1 to 22; the others have none.
 * @throws Error when this Node.js cannot write it.
 */
export function recordPacker(
  compression: Exclude<KafkaCompression, 'none'>,
  level: number = DEFAULT_LEVEL,
): RecordPacker {
  switch (compression) {
    case 'gzip':
      return gzipPacker(level);
    case 'zstd':
      if (!CAN_WRITE_ZSTD)
        throw new Error(`writing zstd needs Node.js 22.15 or later, this is ${process.version}`);
      return zstdPacker(level);
    case 'snappy': {
      const snappy = load('snappyjs') as SnappyBlocks;
      return blockPacker((bytes) => xerialCompress(snappy, bytes));
    }
    case 'lz4': {
      const lz4 = loadLz4();
      return blockPacker((bytes) => lz4Compress(lz4, bytes));
    }
  }
}

function blockPacker(compress: (bytes: Uint8Array) => Uint8Array): RecordPacker {
  return {
    pack: async (chunks, sizeBytes) => [compress(Buffer.concat(chunks, sizeBytes))],
    close: () => undefined,
  };
}

/** @returns a function that throws for bytes that are no such stream, or unpack to more than `bytesMax`. */
export function recordUnpacker(
  compression: Exclude<KafkaCompression, 'none'>,
  bytesMax = UNPACKED_BYTES_MAX,
): UnpackRecords {
  switch (compression) {
    case 'gzip': {
      const gunzip = promisify<Uint8Array, zlib.ZlibOptions, Buffer>(zlib.gunzip);
      return (bytes) => gunzip(bytes, { maxOutputLength: bytesMax });
    }
    case 'zstd':
      return zstdUnpacker(bytesMax);
    case 'snappy': {
      const snappy = load('snappyjs') as SnappyBlocks;
      return async (bytes) => xerialDecompress(snappy, bytes, bytesMax);
    }
    case 'lz4': {
      const lz4 = loadLz4();
      return async (bytes) => lz4Decompress(lz4, bytes, bytesMax);
    }
  }
}

function zstdUnpacker(bytesMax: number): UnpackRecords {
  if (typeof zlib.zstdDecompress === 'function') {
    const unzstd = promisify<Uint8Array, zlib.ZstdOptions, Buffer>(zlib.zstdDecompress);
    return (bytes) => unzstd(bytes, { maxOutputLength: bytesMax });
  }
  const fzstd = load('fzstd') as typeof import('fzstd');
  return async (bytes) => {
    const chunks: Uint8Array[] = [];
    let total = 0;
    // In pieces, so that a small input cannot ask for endless output at once.
    const stream = new fzstd.Decompress((chunk) => {
      total += chunk.length;
      if (total > bytesMax) throw new Error('a zstd stream is too long');
      chunks.push(chunk.slice());
    });
    stream.push(bytes, true);
    return Buffer.concat(chunks, total);
  };
}

function loadLz4(): Lz4Blocks {
  const { compressBlock, decompressBlock } = load('lz4js') as Omit<Lz4Blocks, 'xxh32'>;
  const { hash } = load('lz4js/xxh32.js') as { hash: Lz4Blocks['xxh32'] };
  return { compressBlock, decompressBlock, xxh32: hash };
}
