/** Batches to what is written: JSON lines, or messages behind their length. */
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { PipelineError } from '../../component/errors.ts';
import type { Signal } from '../../component/signal.ts';
import { protoToJson } from '../../otlp/proto-to-json.ts';
import { WireReader } from '../../otlp/wire-reader.ts';
import type { FileConfig } from './config.ts';

/** Protobuf bytes that go into one message. Bounds the text in memory; a single larger resource stays whole. */
const MESSAGE_BYTES = 1 << 20;
const LENGTH_BYTES = 4;
const LINE_FEED = 0x0a;

/** Runs of whole resources of about MESSAGE_BYTES; each is a valid request. Views, nothing is copied. */
export function* splitRequest(bytes: Uint8Array): Generator<Uint8Array> {
  const reader = new WireReader(bytes);
  let start = 0;
  while (reader.pos < reader.end) {
    const fieldStart = reader.pos;
    reader.skip(reader.readTag());
    if (reader.pos - start <= MESSAGE_BYTES || fieldStart === start) continue;
    yield bytes.subarray(start, fieldStart);
    start = fieldStart;
  }
  if (start < bytes.length) yield bytes.subarray(start);
}

/** Joins small requests and cuts large ones into messages of about MESSAGE_BYTES. */
export function* groupRequests(slices: readonly Uint8Array[]): Generator<Uint8Array> {
  let group: Uint8Array[] = [];
  let groupBytes = 0;
  for (const slice of slices) {
    for (const part of splitRequest(slice)) {
      if (groupBytes > 0 && groupBytes + part.length > MESSAGE_BYTES) {
        yield Buffer.concat(group);
        group = [];
        groupBytes = 0;
      }
      group.push(part);
      groupBytes += part.length;
    }
  }
  if (groupBytes > 0) yield Buffer.concat(group);
}

type Compress = (bytes: Uint8Array) => Promise<Buffer>;

/** @throws PipelineError START_FAILED when this Node has no zstd. */
function loadZstd(level: number | undefined): Compress {
  const { zstdCompress } = zlib as Partial<Pick<typeof zlib, 'zstdCompress'>>;
  if (typeof zstdCompress !== 'function') {
    throw new PipelineError(
      'START_FAILED',
      `compression: zstd needs Node 22.15 or later, this is ${process.version}`,
      { permanent: true },
    );
  }
  const compress = promisify(zstdCompress) as (
    bytes: Uint8Array,
    options: zlib.ZstdOptions,
  ) => Promise<Buffer>;
  const params = level === undefined ? {} : { [zlib.constants.ZSTD_c_compressionLevel]: level };
  return (bytes) => compress(bytes, { params });
}

export class MessageEncoder {
  readonly #isJson: boolean;
  readonly #compress: Compress | undefined;
  /** Messages stand behind their length; otherwise each is a line. */
  readonly isFramed: boolean;

  /** @throws PipelineError START_FAILED when the compression is not available. */
  constructor(config: Pick<FileConfig, 'format' | 'compression' | 'compressionLevel'>) {
    this.#isJson = config.format === 'json';
    this.#compress = config.compression === undefined ? undefined : loadZstd(config.compressionLevel.level);
    this.isFramed = !this.#isJson || this.#compress !== undefined;
  }

  /**
   * What a batch adds to the file, message by message, made when it is asked for.
   * @throws PipelineError OTLP_MALFORMED when the batch is not protobuf.
   */
  async *encode(signal: Signal, slices: readonly Uint8Array[]): AsyncGenerator<Buffer> {
    for (const message of groupRequests(slices)) {
      if (!this.isFramed) {
        yield Buffer.from(`${singleLine(protoToJson(signal, message))}\n`);
        continue;
      }
      const plain = this.#isJson ? Buffer.from(protoToJson(signal, message)) : message;
      yield frame(this.#compress === undefined ? plain : await this.#compress(plain));
    }
  }
}

/**
 * JSON escapes the control characters of ASCII and no others. The rest of them, and the separators that some readers
 * take for line ends, are escaped too: same document, one line for everybody, nothing that drives a terminal.
 */
function singleLine(json: string): string {
  return json.replace(/[\u007f-\u009f\u2028\u2029]/g, (char) => {
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(LENGTH_BYTES + message.length);
  framed.writeUInt32BE(message.length, 0);
  framed.set(message, LENGTH_BYTES);
  return framed;
}

/** Reads `length` bytes at `position`, fewer at the end of the file. */
export type ReadAt = (position: number, length: number) => Promise<Buffer>;

/** Whether a file of lines ends with one that is complete. */
export async function endsWithLine(readAt: ReadAt, sizeBytes: number): Promise<boolean> {
  if (sizeBytes === 0) return true;
  return (await readAt(sizeBytes - 1, 1))[0] === LINE_FEED;
}

/** Whether the lengths in a file lead to its very end: a message that was cut off makes all behind it unreadable. */
export async function endsWithFrame(readAt: ReadAt, sizeBytes: number): Promise<boolean> {
  let window = Buffer.alloc(0);
  let windowStart = 0;
  let position = 0;
  while (position < sizeBytes) {
    if (position < windowStart || position + LENGTH_BYTES > windowStart + window.length) {
      window = Buffer.from(await readAt(position, MESSAGE_BYTES));
      windowStart = position;
      if (window.length < LENGTH_BYTES) return false;
    }
    position += LENGTH_BYTES + window.readUInt32BE(position - windowStart);
  }
  return position === sizeBytes;
}
