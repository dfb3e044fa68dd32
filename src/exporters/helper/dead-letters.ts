/** Items that a backend refused for good, as one line of JSON each: readable, bounded, and on disk when written. */
import { type FileHandle, mkdir, open, readdir, readFile, stat, truncate, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeWholeContext } from '../../component/client-context.ts';
import type { PipelineError } from '../../component/errors.ts';
import type { ExportBatch } from '../../component/exporter.ts';
import type { Signal } from '../../component/signal.ts';
import { protoToJson } from '../../otlp/proto-to-json.ts';
import type { Clock } from '../../stdx/clock.ts';
import type { BatchParts } from './batch-parts.ts';
import type { FailedPart } from './poison.ts';

const FILE_BYTES_MAX = 16 << 20;
/** At least so many files share the bytes, so that the oldest is a small part of what is kept. */
const FILES_OF_TOTAL = 4;
/** Of one exporter and signal; beyond it the oldest file goes. */
const TOTAL_BYTES_MAX = 256 << 20;
/** Text that is put together before it is written. */
const CHUNK_CHARS = 1 << 20;
const LINE_FEED = 0x0a;
/** Beside a file: which of its lines were sent again since. Written by the command line alone. */
export const RETRIED_SUFFIX = '.retried';
const FILE_PATTERN = /^(traces|metrics|logs)-(\d{8,})\.jsonl$/;

/** Fields of a line. `request` alone is needed to send the item again. */
export interface DeadLetter {
  /** ISO 8601, when it was set aside. */
  time: string;
  exporter: string;
  signal: Signal;
  code: string;
  error: string;
  batch_id: string;
  /** Items that were refused together with this one; 1 when the search went down to it. */
  refused_items: number;
  /** OTLP export request that holds the item alone, base64. */
  request: string;
  /** Who sent it, as far as batches are parted by that: component/client-context.ts, base64. Shown nowhere. */
  client?: string;
  /** The same as OTLP/JSON, when it decodes. */
  json?: unknown;
}

export interface DeadLettersSettings {
  /** Of this exporter; made when the first item comes. */
  directory: string;
  exporterId: string;
  signal: Signal;
  clock: Clock;
  fileBytesMax?: number;
  totalBytesMax?: number;
  /** 0: no bound. */
  filesMax?: number;
}

/** Files of one signal in a directory of dead letters, oldest first. */
export async function listDeadLetterFiles(directory: string): Promise<{ name: string; signal: Signal }[]> {
  const names = await readdir(directory).catch(() => []);
  return names
    .flatMap((name) => {
      const match = FILE_PATTERN.exec(name);
      return match === null ? [] : [{ name, signal: match[1] as Signal, sequence: Number(match[2]) }];
    })
    .sort((a, b) => a.signal.localeCompare(b.signal) || a.sequence - b.sequence)
    .map(({ name, signal }) => ({ name, signal }));
}

function lineOf(
  { exporterId, signal, clock }: DeadLettersSettings,
  batch: ExportBatch,
  part: FailedPart,
  request: Uint8Array,
): string {
  const error: PipelineError = part.error;
  const head: DeadLetter = {
    time: new Date(clock.unixMs()).toISOString(),
    exporter: exporterId,
    signal,
    code: error.code,
    error: error.message,
    batch_id: batch.batchId,
    refused_items: part.to - part.from,
    request: Buffer.from(request.buffer, request.byteOffset, request.byteLength).toString('base64'),
  };
  const client = batch.client === undefined ? undefined : encodeWholeContext(batch.client);
  if (client !== undefined) head.client = Buffer.from(client).toString('base64');
  const text = JSON.stringify(head);
  try {
    return `${text.slice(0, -1)},"json":${protoToJson(signal, request)}}\n`;
  } catch {
    // It was stored as valid framing; what is wrong deeper inside may be the very reason of the refusal.
    return `${text}\n`;
  }
}

/** Where items go that a backend refuses for good. */
export interface DeadLetterSink {
  /** For people: where to look for them. */
  readonly directory: string;
  /**
   * Resolves when every item of the parts is on disk.
   * @returns items that were deleted to keep the limit.
   */
  write(batch: ExportBatch, parts: BatchParts, failed: readonly FailedPart[]): Promise<number>;
}

/** Writes for one exporter instance in one thread; calls are served one after the other. */
export class DeadLetters implements DeadLetterSink {
  readonly directory: string;
  readonly #settings: DeadLettersSettings;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(settings: DeadLettersSettings) {
    this.#settings = settings;
    this.directory = settings.directory;
  }

  /** A rejected write leaves nothing behind if it can, because it will be repeated. */
  write(batch: ExportBatch, parts: BatchParts, failed: readonly FailedPart[]): Promise<number> {
    const work = this.#turn.then(() => this.#write(batch, parts, failed));
    this.#turn = work.catch(() => undefined);
    return work;
  }

  async #write(batch: ExportBatch, parts: BatchParts, failed: readonly FailedPart[]): Promise<number> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    const touched = new Map<string, number>();
    try {
      let text = '';
      for (const part of failed) {
        for (const item of parts.items(part.from, part.to)) {
          text += lineOf(this.#settings, batch, part, item);
          if (text.length < CHUNK_CHARS) continue;
          await this.#append(Buffer.from(text), touched);
          text = '';
        }
      }
      if (text !== '') await this.#append(Buffer.from(text), touched);
    } catch (error) {
      for (const [path, sizeBytes] of touched) await truncate(path, sizeBytes).catch(() => undefined);
      throw error;
    }
    // The items are written: what cannot be deleted now is deleted behind the next ones.
    return this.#trim().catch(() => 0);
  }

  /**
   * Opens the file for each chunk: refusals are rare, and a file that someone moved away meanwhile is none of ours.
   * @param touched gets the size that each file had before.
   */
  async #append(bytes: Uint8Array, touched: Map<string, number>): Promise<void> {
    const { totalBytesMax = TOTAL_BYTES_MAX } = this.#settings;
    const { fileBytesMax = Math.min(FILE_BYTES_MAX, totalBytesMax / FILES_OF_TOTAL) } = this.#settings;
    const newest = (await this.#files()).at(-1);
    const sizeBytes = newest === undefined ? 0 : (await stat(join(this.directory, newest))).size;
    const isNew = newest === undefined || sizeBytes + bytes.byteLength > fileBytesMax;
    const name = isNew ? nextName(newest, this.#settings.signal) : newest;
    const path = join(this.directory, name);
    // Left by a removal that was cut short, the note would hide lines of the new file.
    if (isNew) await unlink(path + RETRIED_SUFFIX).catch(() => undefined);
    const file = await open(path, 'a+', 0o600);
    if (!touched.has(path)) touched.set(path, isNew ? 0 : sizeBytes);
    try {
      if (!isNew && !(await endsLine(file, sizeBytes))) await file.appendFile('\n');
      await file.appendFile(bytes);
      await file.datasync();
    } finally {
      await file.close();
    }
    if (isNew) await flushDirectory(this.directory);
  }

  async #files(): Promise<string[]> {
    const files = await listDeadLetterFiles(this.directory);
    return files.filter(({ signal }) => signal === this.#settings.signal).map(({ name }) => name);
  }

  /** Deletes the oldest files beyond the limit, never the newest; returns how many items they held. */
  async #trim(): Promise<number> {
    const { totalBytesMax = TOTAL_BYTES_MAX, filesMax = 0 } = this.#settings;
    const files = await this.#files();
    const sizeOf = (name: string) =>
      stat(join(this.directory, name)).then(
        ({ size }) => size,
        () => 0,
      );
    const sizes = await Promise.all(files.map(sizeOf));
    let totalBytes = sizes.reduce((sum, size) => sum + size, 0);
    let droppedCount = 0;
    const tooMany = filesMax === 0 ? 0 : files.length - filesMax;
    for (let index = 0; index < files.length - 1; index++) {
      if (totalBytes <= totalBytesMax && index >= tooMany) break;
      const path = join(this.directory, files[index]!);
      const retried = parseLineRanges(await readFile(path + RETRIED_SUFFIX, 'utf8').catch(() => ''));
      const retriedCount = retried.reduce((sum, { from, to }) => sum + to - from + 1, 0);
      droppedCount += Math.max(countLines(await readFile(path)) - retriedCount, 0);
      await unlink(path);
      await unlink(path + RETRIED_SUFFIX).catch(() => undefined);
      totalBytes -= sizes[index]!;
    }
    return droppedCount;
  }
}

/** Lines `from-to`, counted from 1, as they stand in the note beside a file. */
export function parseLineRanges(text: string): { from: number; to: number }[] {
  return [...text.matchAll(/^(\d+)-(\d+)$/gm)].map(([, from, to]) => ({
    from: Number(from),
    to: Number(to),
  }));
}

function nextName(newest: string | undefined, signal: Signal): string {
  const sequence = newest === undefined ? 0 : Number(FILE_PATTERN.exec(newest)?.[2] ?? 0);
  return `${signal}-${String(sequence + 1).padStart(8, '0')}.jsonl`;
}

/** A crash can leave half a line; what follows must not become part of it. */
async function endsLine(file: FileHandle, sizeBytes: number): Promise<boolean> {
  if (sizeBytes === 0) return true;
  const last = Buffer.alloc(1);
  await file.read(last, 0, 1, sizeBytes - 1);
  return last[0] === LINE_FEED;
}

function countLines(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(LINE_FEED); at >= 0; at = bytes.indexOf(LINE_FEED, at + 1)) count++;
  return count;
}

async function flushDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
