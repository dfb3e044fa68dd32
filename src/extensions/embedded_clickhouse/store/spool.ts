/** Request bodies on their way into the engine, which reads them as files. */
import { randomUUID } from 'node:crypto';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';

/** Bytes gathered before they are written: few calls for large bodies, little memory for many requests. */
const WRITE_BYTES = 1024 * 1024;

/** A complete body; the file is there until `remove`. */
export interface SpooledBody {
  path: string;
  sizeBytes: number;
  remove(): Promise<void>;
}

/**
 * Writes a body to a new file of the directory, holding at most WRITE_BYTES and one chunk in memory.
 * A body that ends too early, or a full disk, leaves no file and rejects.
 */
export async function spoolBody(directory: string, body: AsyncIterable<Uint8Array>): Promise<SpooledBody> {
  const path = join(directory, randomUUID());
  const file = await open(path, 'wx', 0o600);
  // Missing already: the directory was emptied by a newer process.
  const remove = () => unlink(path).catch(() => {});
  try {
    const sizeBytes = await writeBody(file, body);
    await file.close();
    return { path, sizeBytes, remove };
  } catch (error) {
    await file.close();
    await remove();
    throw error;
  }
}

async function writeBody(file: FileHandle, body: AsyncIterable<Uint8Array>): Promise<number> {
  let sizeBytes = 0;
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  const flush = async () => {
    if (pendingBytes === 0) return;
    let chunks = pending;
    let leftBytes = pendingBytes;
    pending = [];
    pendingBytes = 0;
    while (leftBytes > 0) {
      const { bytesWritten } = await file.writev(chunks);
      leftBytes -= bytesWritten;
      if (leftBytes > 0) chunks = afterBytes(chunks, bytesWritten);
    }
  };
  for await (const chunk of body) {
    pending.push(chunk);
    pendingBytes += chunk.byteLength;
    sizeBytes += chunk.byteLength;
    if (pendingBytes >= WRITE_BYTES) await flush();
  }
  await flush();
  return sizeBytes;
}

/** What a short write has left over. */
function afterBytes(chunks: readonly Uint8Array[], writtenBytes: number): Uint8Array[] {
  let skip = writtenBytes;
  const rest: Uint8Array[] = [];
  for (const chunk of chunks) {
    if (skip >= chunk.byteLength) {
      skip -= chunk.byteLength;
      continue;
    }
    rest.push(chunk.subarray(skip));
    skip = 0;
  }
  return rest;
}
