/** Finds the statement of a request in its address and body, without reading rows into memory. */
import { decodedChunks, type RequestBody, resumed } from './body.ts';
import type { StoreRequest } from './request.ts';
import { findInsertHead, type InsertHead } from './statement.ts';
import { CODE_SYNTAX_ERROR, readOnly, StoreError } from './store-error.ts';

/** The engine's default of `max_query_size`. */
const QUERY_BYTES_MAX = 262_144;
/** Whatever a request asks for: statements are held in memory, several times. */
const QUERY_BYTES_LIMIT = 64 * 1024 * 1024;

/** An INSERT with its rows still on the way, or the text of any other statement. */
export type StatementInput =
  | {
      kind: 'insert';
      /** One character a byte, up to the rows. */
      latin1Text: string;
      head: InsertHead;
      rows: AsyncIterable<Uint8Array>;
      /** What the engine has to undo, by the name of its COMPRESSION clause. */
      compression: string;
    }
  | { kind: 'text'; text: string };

/**
 * The statement is the `query` parameter, a line break and the body; either part may be missing. Rows of an
 * INSERT begin where its head ends, wherever that is.
 *
 * @throws StoreError 164 for an INSERT in a read-only request, 62 when a statement is longer than `max_query_size`.
 */
export async function readStatement(request: StoreRequest, body: RequestBody): Promise<StatementInput> {
  const { query } = request;
  const latin1Text = Buffer.from(query).toString('latin1');
  const head = findInsertHead(latin1Text, true);
  if (request.isReadOnly && typeof head === 'object') throw readOnly();
  if (body.message.method !== 'POST') return { kind: 'text', text: query };
  if (typeof head === 'object' && latin1Text.slice(head.dataAt).trim() === '') {
    return { kind: 'insert', latin1Text, head, rows: body.message, compression: body.coding };
  }
  return readFromBody(query === '' ? Buffer.alloc(0) : Buffer.from(`${query}\n`), request, body);
}

async function readFromBody(
  first: Buffer,
  request: StoreRequest,
  body: RequestBody,
): Promise<StatementInput> {
  const queryBytesMax = queryLimit(request);
  const chunks = decodedChunks(body);
  const parts: Uint8Array[] = [first];
  let sizeBytes = first.byteLength;
  let isText = false;
  for (;;) {
    const next = await chunks.next();
    const isComplete = next.done === true;
    if (next.done !== true) {
      parts.push(next.value);
      sizeBytes += next.value.byteLength;
    }
    if (!isText) {
      // Again with each chunk, but of a head that must fit into the limit below.
      const text = Buffer.concat(parts);
      const latin1Text = text.toString('latin1');
      const head = findInsertHead(latin1Text, isComplete);
      if (typeof head === 'object') {
        if (request.isReadOnly) throw readOnly();
        const rows = resumed(text.subarray(head.dataAt), chunks);
        return { kind: 'insert', latin1Text, head, rows, compression: 'none' };
      }
      isText = head === 'none';
    }
    if (sizeBytes > queryBytesMax) {
      const message = `Max query size exceeded: ${sizeBytes} bytes, the maximum is ${queryBytesMax}.`;
      throw new StoreError(CODE_SYNTAX_ERROR, message);
    }
    if (isComplete) return { kind: 'text', text: Buffer.concat(parts).toString() };
  }
}

function queryLimit(request: StoreRequest): number {
  const wanted = Number(request.settings.get('max_query_size'));
  return wanted > 0 ? Math.min(wanted, QUERY_BYTES_LIMIT) : QUERY_BYTES_MAX;
}
