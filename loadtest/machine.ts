/** What a figure depends on besides the program: the machine, its file system, and whether its memory was touched. */
import { existsSync, mkdirSync, readdirSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { cpus, freemem, release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const GIB = 1024 ** 3;

/** The directory of package.json, above both the sources and the compiled tree. */
export function projectRoot(): string {
  for (let dir = dirname(fileURLToPath(import.meta.url)); ; dir = dirname(dir)) {
    if (existsSync(join(dir, 'package.json')) && existsSync(join(dir, 'loadtest', 'scenarios'))) return dir;
    if (dir === dirname(dir)) throw new Error('no package.json with loadtest/scenarios above this file');
  }
}

/** Type of the file system that holds the path: flushing to tmpfs costs nothing, so it must be visible. */
export function fileSystemOf(path: string): string {
  let best = { mountPoint: '', type: 'unknown' };
  for (const line of readFileSync('/proc/self/mounts', 'utf8').split('\n')) {
    const [, mountPoint = '', type = ''] = line.split(' ');
    const isAbove =
      path === mountPoint || path.startsWith(mountPoint.endsWith('/') ? mountPoint : `${mountPoint}/`);
    if (isAbove && mountPoint.length >= best.mountPoint.length) best = { mountPoint, type };
  }
  return best.type;
}

export function hardwareLine(dataDir: string): string {
  const list = cpus();
  return (
    `${list.length} cores ${list[0]?.model.trim() ?? 'unknown'}, ${(totalmem() / GIB).toFixed(0)} GiB, ` +
    `Linux ${release()}, Node ${process.version}, data on ${fileSystemOf(dataDir)}`
  );
}

const WARMUP_BYTES_MAX = 4 * GIB;
const CHUNK_BYTES = 16 * 1024 * 1024;

/**
 * Writes and deletes a large file, so that the page cache of a fresh virtual machine has real memory behind it:
 * the first touch of a page costs the hypervisor several times what later writes cost, and would be measured as
 * the engine's.
 *
 * @returns bytes written.
 */
export async function warmPageCache(dataDir: string): Promise<number> {
  mkdirSync(dataDir, { recursive: true });
  const disk = statfsSync(dataDir);
  const sizeBytes = Math.min(WARMUP_BYTES_MAX, freemem() / 2, (disk.bavail * disk.bsize) / 4);
  const path = join(dataDir, 'memory-warmup');
  const chunk = Buffer.alloc(CHUNK_BYTES, 0x55);
  const file = await open(path, 'w');
  let written = 0;
  try {
    while (written + CHUNK_BYTES <= sizeBytes) {
      await file.write(chunk);
      written += CHUNK_BYTES;
    }
  } finally {
    await file.close();
    await rm(path);
  }
  return written;
}

/** Disk blocks below a directory, in bytes; files that vanish meanwhile count nothing. */
export function diskBytes(path: string): number {
  try {
    const stat = statSync(path);
    if (!stat.isDirectory()) return stat.blocks * 512;
    return readdirSync(path).reduce((sum, name) => sum + diskBytes(join(path, name)), 0);
  } catch {
    return 0;
  }
}
