/**
 * What lies in the rings between the main thread and a pipeline worker.
 *
 * ```
 * request: uint32 request id | uint16 route | uint8 encoding | uint8 compression | uint32 decoded bytes max |
 *          uint32 dispatches | float64 received (monotonic ms) | float64 received (unix ms) |
 *          [uint32 context bytes | client context of component/client-context.ts, when encoding has bit 7] | body
 * ack:     uint32 request id | uint32 outcome code | uint32 items | uint32 rejected | uint32 retry after ms |
 *          uint32 message bytes | message (UTF-8)
 * ```
 * Little endian. `route` indexes the plan's routes; `dispatches` counts workers that were given the frame.
 */
import { CLIENT_CONTEXT_BYTES_MAX } from '../component/client-context.ts';
import { COMPRESSIONS, type OutcomeCode, type RawRequest, REQUEST_ENCODINGS } from '../component/consumer.ts';
import { assert } from '../stdx/assert.ts';

export const REQUEST_META_BYTES = 32;
/** Bit of the encoding byte: a client context stands before the body. */
const HAS_CONTEXT = 0x80;
const CONTEXT_HEAD_BYTES = 4;
/** Most that a frame has before the body. */
export const REQUEST_HEAD_BYTES_MAX = REQUEST_META_BYTES + CONTEXT_HEAD_BYTES + CLIENT_CONTEXT_BYTES_MAX;
export const ACK_META_BYTES = 24;
/** Texts for clients are ours and short; longer ones are cut. */
export const ACK_MESSAGE_BYTES_MAX = 256;

/** Reusable writer of request metadata: the first part of a frame. */
export class RequestMetaWriter {
  readonly #bytes = new Uint8Array(REQUEST_HEAD_BYTES_MAX);
  readonly #plain = this.#bytes.subarray(0, REQUEST_META_BYTES);
  readonly #view = new DataView(this.#bytes.buffer);

  /** @returns what stands before the body, a view that the next call overwrites. */
  write(
    requestId: number,
    route: number,
    request: RawRequest,
    monotonicMs: number,
    unixMs: number,
  ): Uint8Array {
    const view = this.#view;
    view.setUint32(0, requestId, true);
    view.setUint16(4, route, true);
    view.setUint8(6, REQUEST_ENCODINGS.indexOf(request.encoding));
    view.setUint8(7, COMPRESSIONS.indexOf(request.compression));
    view.setUint32(8, request.decodedBytesMax, true);
    view.setUint32(12, 1, true);
    view.setFloat64(16, monotonicMs, true);
    view.setFloat64(24, unixMs, true);
    return request.context === undefined ? this.#plain : this.#withContext(request.context);
  }

  #withContext(context: Uint8Array): Uint8Array {
    assert(context.byteLength <= CLIENT_CONTEXT_BYTES_MAX, 'the receiver refuses larger contexts');
    this.#view.setUint8(6, this.#view.getUint8(6) | HAS_CONTEXT);
    this.#view.setUint32(REQUEST_META_BYTES, context.byteLength, true);
    this.#bytes.set(context, REQUEST_META_BYTES + CONTEXT_HEAD_BYTES);
    return this.#bytes.subarray(0, REQUEST_META_BYTES + CONTEXT_HEAD_BYTES + context.byteLength);
  }
}

/** Metadata of the frame last read; fields are overwritten by the next read. */
export class RequestMeta {
  requestId = 0;
  route = 0;
  encoding = 0;
  compression = 0;
  decodedBytesMax = 0;
  dispatches = 0;
  receivedMonotonicMs = 0;
  receivedUnixMs = 0;
  /** 0: the request has no client context. */
  contextBytes = 0;
  /** Where the context would start in the frame; the body follows it. */
  contextOffset = REQUEST_META_BYTES;

  /** Where the body starts in the frame. */
  get bodyOffset(): number {
    return this.contextOffset + this.contextBytes;
  }

  /** @param view over the whole ring data that the frame lies in. */
  read(view: DataView, offset: number): void {
    this.requestId = view.getUint32(offset, true);
    this.route = view.getUint16(offset + 4, true);
    const encoding = view.getUint8(offset + 6);
    this.encoding = encoding & ~HAS_CONTEXT;
    this.contextBytes = 0;
    this.contextOffset = REQUEST_META_BYTES;
    if (encoding >= HAS_CONTEXT) {
      this.contextBytes = view.getUint32(offset + REQUEST_META_BYTES, true);
      this.contextOffset = REQUEST_META_BYTES + CONTEXT_HEAD_BYTES;
    }
    this.compression = view.getUint8(offset + 7);
    this.decodedBytesMax = view.getUint32(offset + 8, true);
    this.dispatches = view.getUint32(offset + 12, true);
    this.receivedMonotonicMs = view.getFloat64(offset + 16, true);
    this.receivedUnixMs = view.getFloat64(offset + 24, true);
  }
}

/** Counts one more dispatch in the metadata of a frame copied out of a dead worker's ring. */
export function countDispatch(frame: Uint8Array): number {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const dispatches = view.getUint32(12, true) + 1;
  view.setUint32(12, dispatches, true);
  return dispatches;
}

/** Request id of a frame. */
export function frameRequestId(frame: Uint8Array): number {
  return new DataView(frame.buffer, frame.byteOffset, frame.byteLength).getUint32(0, true);
}

export interface AckFields {
  requestId: number;
  code: OutcomeCode;
  itemCount: number;
  rejectedCount: number;
  retryAfterMs: number;
  message: string;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Reusable writer of acks. */
export class AckWriter {
  readonly bytes = new Uint8Array(ACK_META_BYTES + ACK_MESSAGE_BYTES_MAX);
  readonly #view = new DataView(this.bytes.buffer);

  /** @returns the ack, a view that the next call overwrites. */
  write(ack: AckFields): Uint8Array {
    const view = this.#view;
    let messageBytes = 0;
    if (ack.message.length > 0) {
      messageBytes = encoder.encodeInto(ack.message, this.bytes.subarray(ACK_META_BYTES)).written;
    }
    view.setUint32(0, ack.requestId, true);
    view.setUint32(4, ack.code, true);
    view.setUint32(8, ack.itemCount, true);
    view.setUint32(12, ack.rejectedCount, true);
    view.setUint32(16, ack.retryAfterMs, true);
    view.setUint32(20, messageBytes, true);
    return this.bytes.subarray(0, ACK_META_BYTES + messageBytes);
  }
}

/** @param bytes one ack frame, possibly in shared memory. */
export function readAck(bytes: Uint8Array, view: DataView, start: number, end: number): AckFields {
  const messageBytes = view.getUint32(start + 20, true);
  assert(start + ACK_META_BYTES + messageBytes === end, 'ack frame torn');
  return {
    requestId: view.getUint32(start, true),
    code: view.getUint32(start + 4, true) as OutcomeCode,
    itemCount: view.getUint32(start + 8, true),
    rejectedCount: view.getUint32(start + 12, true),
    retryAfterMs: view.getUint32(start + 16, true),
    message: messageBytes === 0 ? '' : decoder.decode(bytes.slice(start + ACK_META_BYTES, end)),
  };
}
