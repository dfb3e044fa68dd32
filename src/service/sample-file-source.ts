/**
 * Recorded requests in a file, as exporters named `file` write them: lines of OTLP/JSON, or protobuf messages behind
 * their length (4 bytes, big end first); either of them compressed by gzip as a whole, or not.
 */
import { closeSync, createReadStream, openSync, readSync } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { PipelineError } from '../component/errors.ts';
import { jsonToProto } from '../otlp/json-to-proto.ts';
import type { BatchRead, SampleSink } from './sample-sink.ts';

export interface FilePlan {
  kind: 'file';
  path: string;
  format: 'json' | 'proto';
  isGzip: boolean;
  sizeBytes: number;
}

const CHUNK_BYTES = 1024 * 1024;
const BATCH_BYTES = 1024 * 1024;
/** Longest line or message. */
const MESSAGE_BYTES_MAX = 256 * 1024 * 1024;
const LENGTH_BYTES = 4;
const LINE_FEED = 0x0a;
const OPEN_BRACE = 0x7b;
const SPACES: readonly number[] = [0x20, 0x09, 0x0a, 0x0d];

/** Finds out what a file holds by its beginning. @throws when it cannot be opened. */
export async function planFile(path: string, sizeBytes: number): Promise<FilePlan | { error: string }> {
  const head = new Uint8Array(LENGTH_BYTES);
  const file = openSync(path, 'r');
  const headBytes = readSync(file, head);
  closeSync(file);
  const isGzip = headBytes >= 2 && head[0] === 0x1f && head[1] === 0x8b;
  const plan: FilePlan = { kind: 'file', path, format: 'proto', isGzip, sizeBytes };
  for await (const chunk of chunksOf(plan)) {
    const [first] = chunk as unknown as [number];
    if (chunk.length > 7 && isZstd(chunk.subarray(LENGTH_BYTES)))
      return {
        error: 'its messages are compressed by zstd, which is not read; write it without compression',
      };
    const isJson = first === OPEN_BRACE || SPACES.includes(first);
    // A message begins with the high byte of its length, which is smaller than any other text begins with.
    if (!isJson && first * 2 ** 24 >= MESSAGE_BYTES_MAX)
      return { error: 'holds neither lines of JSON nor protobuf messages behind their lengths' };
    return { ...plan, format: isJson ? 'json' : 'proto' };
  }
  return plan;
}

function isZstd(bytes: Uint8Array): boolean {
  return bytes[0] === 0x28 && bytes[1] === 0xb5 && bytes[2] === 0x2f && bytes[3] === 0xfd;
}

async function* chunksOf({ path, isGzip }: FilePlan): AsyncGenerator<Uint8Array> {
  const stream = createReadStream(path, { highWaterMark: CHUNK_BYTES });
  if (!isGzip) {
    yield* stream;
    return;
  }
  const inflated = createGunzip({ chunkSize: CHUNK_BYTES });
  stream.on('error', (error) => inflated.destroy(error));
  yield* stream.pipe(inflated);
}

/** A line or a message. */
interface Part {
  bytes: Uint8Array;
  /** Of the line, from 1; or of its first byte. */
  number: number;
}

/** Cuts what comes in chunks; what is not complete waits for the next chunk. */
class Splitter {
  readonly #plan: FilePlan;
  readonly #onSkip: (place: string, reason: string) => void;
  #rest: Uint8Array = new Uint8Array(0);
  #line = 1;
  #offset = 0;
  isBroken = false;

  constructor(plan: FilePlan, onSkip: (place: string, reason: string) => void) {
    this.#plan = plan;
    this.#onSkip = onSkip;
  }

  placeOf({ number }: Part): string {
    const { path, format } = this.#plan;
    return format === 'json' ? `${path}:${number}` : `${path}, byte ${number}`;
  }

  push(chunk: Uint8Array): Part[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const parts: Part[] = [];
    const used = this.#plan.format === 'json' ? this.#lines(bytes, parts) : this.#messages(bytes, parts);
    this.#rest = bytes.slice(used);
    this.#offset += used;
    return parts;
  }

  #lines(bytes: Uint8Array, parts: Part[]): number {
    let start = 0;
    for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED, start)) {
      parts.push({ bytes: bytes.subarray(start, end), number: this.#line++ });
      start = end + 1;
    }
    if (bytes.length - start > MESSAGE_BYTES_MAX) this.#break(this.#line, 'a line is too long');
    return start;
  }

  #messages(bytes: Uint8Array, parts: Part[]): number {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let start = 0;
    while (bytes.length - start >= LENGTH_BYTES) {
      const sizeBytes = view.getUint32(start);
      if (sizeBytes > MESSAGE_BYTES_MAX) {
        this.#break(this.#offset + start, 'no length of a message; the rest of the file cannot be read');
        return bytes.length;
      }
      const end = start + LENGTH_BYTES + sizeBytes;
      if (end > bytes.length) break;
      parts.push({ bytes: bytes.subarray(start + LENGTH_BYTES, end), number: this.#offset + start });
      start = end;
    }
    return start;
  }

  #break(number: number, reason: string): void {
    this.isBroken = true;
    this.#onSkip(this.placeOf({ bytes: this.#rest, number }), reason);
  }

  /** Behind the last chunk. */
  end(): Part[] {
    if (this.isBroken || this.#rest.length === 0) return [];
    if (this.#plan.format === 'json') return [{ bytes: this.#rest, number: this.#line }];
    this.#break(this.#offset, 'the file ends within a message');
    return [];
  }
}

/**
 * Reads the whole file and uses the batches of it that it is told to take, one in each round of the generator.
 * @param isTeller all workers meet the same flaws of the file itself; one tells of them.
 */
export async function* readFile(
  plan: FilePlan,
  takeBatch: () => number,
  isTeller: boolean,
  sink: SampleSink,
): AsyncGenerator<BatchRead> {
  const splitter = new Splitter(plan, (place, reason) => {
    if (isTeller) sink.skip(place, reason);
  });
  let batch = 0;
  let sizeBytes = 0;
  let own = takeBatch();
  for await (const parts of partsOf(plan, splitter, isTeller ? sink : undefined)) {
    for (const part of parts) {
      if (batch === own) takePart(plan, part, () => splitter.placeOf(part), sink);
      sizeBytes += part.bytes.length + 1;
      if (sizeBytes < BATCH_BYTES) continue;
      if (batch === own) {
        yield { batch, sizeBytes };
        own = takeBatch();
      }
      batch++;
      sizeBytes = 0;
    }
  }
  if (sizeBytes > 0 && batch === own) yield { batch, sizeBytes };
}

async function* partsOf(
  plan: FilePlan,
  splitter: Splitter,
  teller: SampleSink | undefined,
): AsyncGenerator<Part[]> {
  try {
    for await (const chunk of chunksOf(plan)) {
      yield splitter.push(chunk);
      if (splitter.isBroken) return;
    }
  } catch (error) {
    // A gzip file that was cut off, or is damaged: what came before it counts.
    const code = String((error as NodeJS.ErrnoException).code);
    if (!code.startsWith('Z_') && code !== 'ERR_TRAILING_JUNK_AFTER_STREAM_END') throw error;
    teller?.skip(plan.path, `the rest cannot be inflated: ${(error as Error).message}`);
    return;
  }
  yield splitter.end();
}

function takePart({ format }: FilePlan, { bytes }: Part, place: () => string, sink: SampleSink): void {
  const message = format === 'json' ? requestOfLine(bytes, place, sink) : bytes;
  if (message === undefined) return;
  const endMs = sink.request(message, place);
  sink.endSection(endMs, bytes.length);
}

/** @returns undefined for an empty line, and for one that is no request. */
function requestOfLine(line: Uint8Array, place: () => string, sink: SampleSink): Uint8Array | undefined {
  if (line.every((byte) => SPACES.includes(byte))) return undefined;
  try {
    return jsonToProto('traces', line);
  } catch (error) {
    if (!(error instanceof PipelineError)) throw error;
    sink.skip(place(), error.message);
    return undefined;
  }
}
