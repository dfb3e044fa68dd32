/** Just enough of HTTP/1.1 to read the answers of an OTLP server: status, body length, chunked bodies. */

const HEADER_END = Buffer.from('\r\n\r\n');
const LINE_END = Buffer.from('\r\n');

export interface HttpResponse {
  readonly status: number;
  readonly body: Buffer;
  readonly isLast: boolean;
  /** Offset behind the response in the parsed bytes. */
  readonly end: number;
}

/** The chunks' bytes and the offset behind the last chunk, or undefined when bytes are missing. */
function readChunked(bytes: Buffer, start: number): { body: Buffer; end: number } | undefined {
  const chunks: Buffer[] = [];
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf(LINE_END, at);
    if (lineEnd < 0) return undefined;
    const chunkBytes = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    const dataStart = lineEnd + 2;
    if (!Number.isFinite(chunkBytes)) throw new Error('response has a chunk without a size');
    if (bytes.length < dataStart + chunkBytes + 2) return undefined;
    if (chunkBytes === 0) return { body: Buffer.concat(chunks), end: dataStart + 2 };
    chunks.push(bytes.subarray(dataStart, dataStart + chunkBytes));
    at = dataStart + chunkBytes + 2;
  }
}

/**
 * Reads one response that starts at `start`.
 * @returns undefined when it is not complete yet.
 * @throws Error when the bytes are no HTTP/1.1 response.
 */
export function readResponse(bytes: Buffer, start: number): HttpResponse | undefined {
  const headerEnd = bytes.indexOf(HEADER_END, start);
  if (headerEnd < 0) return undefined;
  const header = bytes.toString('latin1', start, headerEnd).toLowerCase();
  const status = Number(header.slice(9, 12));
  if (!header.startsWith('http/1.') || !(status >= 100)) throw new Error('answer is not HTTP/1.1');
  const isLast = header.includes('\r\nconnection: close');
  const bodyStart = headerEnd + 4;
  if (header.includes('\r\ntransfer-encoding: chunked')) {
    const chunked = readChunked(bytes, bodyStart);
    return chunked === undefined ? undefined : { status, isLast, ...chunked };
  }
  const lengthAt = header.indexOf('\r\ncontent-length:');
  const bodyBytes = lengthAt < 0 ? 0 : Number.parseInt(header.slice(lengthAt + 17), 10);
  const end = bodyStart + bodyBytes;
  if (bytes.length < end) return undefined;
  return { status, isLast, body: bytes.subarray(bodyStart, end), end };
}
