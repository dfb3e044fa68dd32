/**
 * Looks at a segment as a plain file before anything maps it. LMDB trusts its file: a bad meta page or a missing tail
 * ends the process by a signal, which nothing in JavaScript can catch.
 *
 * Meta page as the library of this project writes it (two of them, at 0 and at one page), little-endian:
 * u16 flags at 18, u32 magic at 24, u32 version at 28, u32 page size at 48, u64 last page at 144, u64 transaction at 152.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { DATA_FILE } from './layout.ts';

const META_BYTES = 160;
const META_FLAG = 0x08;
const LMDB_MAGIC = 0xbeefc0de;
const LMDB_VERSION = 2;
const META_COUNT = 2;

export type PreflightResult =
  /** There is no data file, or one that nothing was ever written to: what a crash leaves while a segment is made. */
  | { outcome: 'void'; sizeBytes: 0 }
  | { outcome: 'good'; sizeBytes: number }
  /** May be read by a scan in another process, which decides. */
  | { outcome: 'suspect'; sizeBytes: number; reason: string }
  | { outcome: 'bad'; sizeBytes: number; reason: string };

/** Checks one segment directory without opening it as a database; never throws for what the file holds. */
export function preflightSegment(directory: string): PreflightResult {
  let fd: number;
  try {
    fd = openSync(join(directory, DATA_FILE), 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return { outcome: 'void', sizeBytes: 0 };
  }
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) return { outcome: 'bad', sizeBytes: 0, reason: 'data file is not a file' };
    if (stats.size === 0 && isUntouched(stats)) return { outcome: 'void', sizeBytes: 0 };
    return checkFile(fd, stats.size);
  } finally {
    closeSync(fd);
  }
}

/** Never written since it was made; a file that was cut to nothing has changed after its birth. */
function isUntouched(stats: { birthtimeMs: number; mtimeMs: number }): boolean {
  return Math.abs(stats.mtimeMs - stats.birthtimeMs) < 1;
}

function checkFile(fd: number, sizeBytes: number): PreflightResult {
  const first = readMeta(fd, 0);
  if (first === undefined) return { outcome: 'bad', sizeBytes, reason: 'truncated: no meta page' };
  const firstFault = metaFault(first);
  if (firstFault !== undefined)
    return { outcome: 'bad', sizeBytes, reason: `first meta page: ${firstFault}` };
  const pageBytes = first.pageBytes;
  let newest = first;
  for (let index = 1; index < META_COUNT; index++) {
    const meta = readMeta(fd, index * pageBytes);
    if (meta === undefined)
      return { outcome: 'bad', sizeBytes, reason: 'truncated: second meta page missing' };
    const fault = metaFault(meta) ?? (meta.pageBytes === pageBytes ? undefined : 'other page size');
    if (fault !== undefined) return { outcome: 'bad', sizeBytes, reason: `second meta page: ${fault}` };
    if (meta.transaction > newest.transaction) newest = meta;
  }
  const neededBytes = (newest.lastPage + 1) * pageBytes;
  if (neededBytes > sizeBytes) {
    // A transaction may end with pages that it took and gave back; those are never written. Rare, and only a scan
    // can tell it from a cut file.
    const reason = `truncated: ${sizeBytes} bytes of ${neededBytes}`;
    return { outcome: 'suspect', sizeBytes, reason };
  }
  return { outcome: 'good', sizeBytes };
}

interface Meta {
  flags: number;
  magic: number;
  version: number;
  pageBytes: number;
  lastPage: number;
  transaction: number;
}

function readMeta(fd: number, offset: number): Meta | undefined {
  const bytes = new Uint8Array(META_BYTES);
  if (readSync(fd, bytes, 0, META_BYTES, offset) < META_BYTES) return undefined;
  const view = new DataView(bytes.buffer);
  const u64 = (at: number): number => view.getUint32(at + 4, true) * 0x1_0000_0000 + view.getUint32(at, true);
  return {
    flags: view.getUint16(18, true),
    magic: view.getUint32(24, true),
    version: view.getUint32(28, true),
    pageBytes: view.getUint32(48, true),
    lastPage: u64(144),
    transaction: u64(152),
  };
}

function metaFault(meta: Meta): string | undefined {
  if (meta.magic !== LMDB_MAGIC) return 'not an LMDB file';
  if ((meta.flags & META_FLAG) === 0) return 'not a meta page';
  if ((meta.version & 0xffff) > LMDB_VERSION) return `newer LMDB format ${meta.version & 0xffff}`;
  if ((meta.version & 0xffff) !== LMDB_VERSION) return `other LMDB format ${meta.version & 0xffff}`;
  const isPowerOfTwo = (meta.pageBytes & (meta.pageBytes - 1)) === 0;
  if (!isPowerOfTwo || meta.pageBytes < 512 || meta.pageBytes > 65536) return `page size ${meta.pageBytes}`;
  return undefined;
}
