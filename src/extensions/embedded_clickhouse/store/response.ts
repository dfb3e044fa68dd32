/** Answers in ClickHouse's shape: headers, compression, and errors before or inside a result. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Transform, Writable } from 'node:stream';
import { createBrotliCompress, createDeflate, createGzip, constants as zlibConstants } from 'node:zlib';
import type { Engine } from './engine.ts';
import type { ResponseEncoding } from './request.ts';
import type { StoreError } from './store-error.ts';

/** An error within so much of the result still gets a status of its own. */
const HELD_BYTES_MAX = 1024 * 1024;

/** Rows and bytes of one statement, and its start on the monotonic clock. */
export interface Progress {
  readRows: number;
  readBytes: number;
  writtenRows: number;
  writtenBytes: number;
  resultBytes: number;
  startedMs: number;
}

/** Collects a result up to HELD_BYTES_MAX, then streams it with the client's backpressure. */
export class ResultWriter {
  readonly #response: ServerResponse;
  readonly #encoding: ResponseEncoding | undefined;
  readonly #finishHeaders: () => void;
  readonly #engine: Engine;
  readonly #exceptionTag = randomUUID().replaceAll('-', '').slice(0, 16);
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #output: Writable | undefined;

  /** @param finishHeaders sets the headers that are known last, just before they are sent. */
  constructor(
    response: ServerResponse,
    options: { encoding: ResponseEncoding | undefined; engine: Engine; finishHeaders: () => void },
  ) {
    this.#response = response;
    this.#encoding = options.encoding;
    this.#engine = options.engine;
    this.#finishHeaders = options.finishHeaders;
  }

  /** Takes ownership of the bytes. Rejects when the client has gone. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.#output === undefined) {
      this.#held.push(bytes);
      this.#heldBytes += bytes.byteLength;
      if (this.#heldBytes < HELD_BYTES_MAX) return;
      this.#response.setHeader('X-ClickHouse-Exception-Tag', this.#exceptionTag);
      await this.#startStream();
      return;
    }
    await writeTo(this.#output, this.#response, bytes);
  }

  async end(): Promise<void> {
    if (this.#output === undefined && (this.#encoding === undefined || this.#heldBytes === 0)) {
      this.#finishHeaders();
      this.#response.setHeader('Content-Length', this.#heldBytes);
      this.#response.end(this.#held.length === 1 ? this.#held[0] : Buffer.concat(this.#held));
      return;
    }
    if (this.#output === undefined) await this.#startStream();
    this.#output!.end();
  }

  /** The status when nothing was sent yet, otherwise a block at the end of the result that clients look for. */
  fail(error: StoreError): void {
    if (this.#output === undefined) {
      sendError(this.#response, error, this.#engine.version);
      return;
    }
    const text = error.bodyText(this.#engine.version);
    const tag = this.#exceptionTag;
    const block = `\r\n__exception__\r\n${tag}\r\n${text}${Buffer.byteLength(text)} ${tag}\r\n__exception__\r\n`;
    this.#output.end(block);
  }

  async #startStream(): Promise<void> {
    this.#finishHeaders();
    this.#output = this.#response;
    if (this.#encoding !== undefined) {
      this.#response.setHeader('Content-Encoding', this.#encoding);
      const encoder = createEncoder(this.#encoding);
      encoder.pipe(this.#response);
      this.#output = encoder;
    }
    const held = this.#held;
    this.#held = [];
    for (const bytes of held) await writeTo(this.#output, this.#response, bytes);
  }
}

async function writeTo(output: Writable, response: ServerResponse, bytes: Uint8Array): Promise<void> {
  if (response.destroyed) throw new Error('the client has closed the connection');
  if (output.write(bytes)) return;
  const abort = new AbortController();
  const onClose = () => abort.abort();
  response.once('close', onClose);
  try {
    await once(output, 'drain', { signal: abort.signal });
  } finally {
    response.removeListener('close', onClose);
  }
}

/** Fast settings: the other side is on this machine most of the time. */
function createEncoder(encoding: ResponseEncoding): Transform {
  if (encoding === 'gzip') return createGzip({ level: 1 });
  if (encoding === 'deflate') return createDeflate({ level: 1 });
  return createBrotliCompress({ params: { [zlibConstants.BROTLI_PARAM_QUALITY]: 1 } });
}

export function sendError(response: ServerResponse, error: StoreError, version: string): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const body = Buffer.from(error.bodyText(version));
  response.writeHead(error.status, {
    'Content-Type': 'text/plain; charset=UTF-8',
    'Content-Length': body.byteLength,
    'X-ClickHouse-Exception-Code': error.code,
    ...(error.status === 503 ? { 'Retry-After': 1 } : {}),
  });
  response.end(body);
}

/** The `X-ClickHouse-Summary` header: counters as strings. */
export function summaryText(progress: Progress, nowMs: number): string {
  return JSON.stringify({
    read_rows: String(progress.readRows),
    read_bytes: String(progress.readBytes),
    written_rows: String(progress.writtenRows),
    written_bytes: String(progress.writtenBytes),
    total_rows_to_read: '0',
    result_rows: String(progress.writtenRows),
    result_bytes: String(progress.resultBytes),
    elapsed_ns: String(Math.round((nowMs - progress.startedMs) * 1e6)),
  });
}

const CONTENT_TYPES: readonly (readonly [RegExp, string])[] = [
  [/^JSON.*EachRow|^NDJSON|^JSONLines/i, 'application/x-ndjson; charset=UTF-8'],
  [/^JSON/i, 'application/json; charset=UTF-8'],
  [/^CSV/i, 'text/csv; charset=UTF-8'],
  [/^(TSV|TabSeparated)/i, 'text/tab-separated-values; charset=UTF-8'],
  [
    /^(Native|RowBinary|Arrow|Parquet|ORC|Avro|MsgPack|Protobuf|CapnProto|RawBLOB|BSON)/i,
    'application/octet-stream',
  ],
  [/^XML/i, 'application/xml; charset=UTF-8'],
];

export function contentType(format: string): string {
  return CONTENT_TYPES.find(([pattern]) => pattern.test(format))?.[1] ?? 'text/plain; charset=UTF-8';
}
