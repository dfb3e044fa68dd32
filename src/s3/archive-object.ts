/** Reads archived objects: stored bytes, decompression, requests. Memory does not depend on the size of an object. */
import { PipelineError } from '../component/errors.ts';
import { compressionOf, inflate } from './archive-inflate.ts';
import { JsonCutter } from './archive-json.ts';
import type { ArchiveMessage, MessageCutter } from './archive-messages.ts';
import { type ArchiveFormat, parseArchiveName } from './archive-name.ts';
import { FramedCutter, ProtoCutter } from './archive-proto.ts';

const OPEN_BRACE = 0x7b;
/** A line feed is no space here: protobuf requests begin with it. */
const JSON_STARTS: readonly number[] = [OPEN_BRACE, 0x20, 0x09, 0x0d, 0xef];
/** Field 1 of every export request, a message. */
const TAG_RESOURCE = 0x0a;
/** High byte of the length before a message of less than 64 MiB. */
const FRAME_START_MAX = 3;
const UNREADABLE: Partial<Record<ArchiveFormat, string>> = {
  body: 'text of log bodies alone (marshaler body): nothing else of the records is in it',
  parquet: 'Parquet: read it with ClickHouse or DuckDB; requests cannot be made of it again',
};

/**
 * Requests in an object, in their order.
 * @param chunks the stored bytes.
 * @param bytesMax of the content after decompression.
 * @throws PipelineError permanent when the rest of the object cannot be read: what came before was handed out. Errors
 * of `chunks` pass.
 */
export async function* readArchiveObject(
  key: string,
  chunks: AsyncIterable<Uint8Array>,
  bytesMax: number,
): AsyncGenerator<ArchiveMessage> {
  const { format } = parseArchiveName(key);
  const reason = format === undefined ? undefined : UNREADABLE[format];
  if (reason !== undefined) throw unsupported(reason);
  const peeked = await peek(chunks);
  if (peeked === undefined) return;
  const out: ArchiveMessage[] = [];
  let cutter: MessageCutter | undefined;
  let failure: unknown;
  try {
    for await (const chunk of inflate(peeked.chunks, compressionOf(peeked.head), bytesMax)) {
      if (chunk.length === 0) continue;
      cutter ??= cutterFor(chunk, format);
      try {
        cutter.push(chunk, out);
      } catch (error) {
        failure = error;
        break;
      }
      yield* out.splice(0);
    }
    if (failure === undefined) cutter?.end(out);
  } catch (error) {
    failure = error;
  }
  yield* out;
  if (failure !== undefined) throw failure;
}

function unsupported(message: string): PipelineError {
  return new PipelineError('OTLP_UNSUPPORTED_ENCODING', message, { permanent: true });
}

/** undefined for an empty object. */
async function peek(
  chunks: AsyncIterable<Uint8Array>,
): Promise<{ head: Uint8Array; chunks: AsyncIterable<Uint8Array> } | undefined> {
  const iterator = chunks[Symbol.asyncIterator]();
  let head: Uint8Array = new Uint8Array(0);
  while (head.length < 4) {
    const { done, value } = await iterator.next();
    if (done === true) break;
    head = head.length === 0 ? value : Buffer.concat([head, value]);
  }
  if (head.length === 0) return undefined;
  async function* whole(): AsyncGenerator<Uint8Array> {
    try {
      yield head;
      for (;;) {
        const { done, value } = await iterator.next();
        if (done === true) return;
        yield value;
      }
    } finally {
      await iterator.return?.();
    }
  }
  return { head, chunks: whole() };
}

function cutterFor(head: Uint8Array, format: ArchiveFormat | undefined): MessageCutter {
  const [first] = head as unknown as [number];
  if (JSON_STARTS.includes(first) || (format === 'json' && first === TAG_RESOURCE)) return new JsonCutter();
  if (first === TAG_RESOURCE) return new ProtoCutter();
  if (first <= FRAME_START_MAX) return new FramedCutter();
  throw unsupported('neither OTLP/JSON nor OTLP protobuf');
}
