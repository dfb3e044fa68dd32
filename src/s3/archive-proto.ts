/** Cuts OTLP protobuf: between the fields of export requests back to back, or by the length before each message. */
import { PipelineError } from '../component/errors.ts';
import { compressionOf } from './archive-inflate.ts';
import {
  type ArchiveMessage,
  ELEMENT_BYTES_MAX,
  elementTooLarge,
  MESSAGE_BYTES_WANTED,
  type MessageCutter,
  malformed,
} from './archive-messages.ts';

const WIRE_VARINT = 0;
const WIRE_FIXED64 = 1;
const WIRE_LEN = 2;
const WIRE_FIXED32 = 5;
const VARINT_BYTES_MAX = 10;
const LENGTH_BYTES = 4;
const OPEN_BRACE = 0x7b;

/**
 * Chunks until there is enough for the next step: each byte is copied once, however large an element is. Where messages
 * are cut does not depend on the sizes of chunks, so that the same object gives the same messages each time.
 */
abstract class ChunkCutter implements MessageCutter {
  #pieces: Uint8Array[] = [];
  #haveBytes = 0;
  #needBytes = 1;
  /** Of the first byte that waits, in the content. */
  #offset = 0;

  push(chunk: Uint8Array, out: ArchiveMessage[]): void {
    this.#pieces.push(chunk);
    this.#haveBytes += chunk.length;
    if (this.#haveBytes >= this.#needBytes) this.#step(out, false);
  }

  #step(out: ArchiveMessage[], isLast: boolean): void {
    const bytes = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces);
    const { used, need } = this.cut(bytes, this.#offset, isLast, out);
    if (need > ELEMENT_BYTES_MAX + MESSAGE_BYTES_WANTED) throw elementTooLarge(this.#offset + used);
    const rest = bytes.subarray(used);
    this.#pieces = rest.length === 0 ? [] : [rest];
    this.#haveBytes = rest.length;
    this.#needBytes = need;
    this.#offset += used;
  }

  end(out: ArchiveMessage[]): void {
    if (this.#haveBytes > 0) this.#step(out, true);
    if (this.#haveBytes > 0) throw malformed('the object ends within a message', this.#offset);
  }

  /**
   * @param isLast nothing comes behind the bytes.
   * @returns bytes that are done with, and how many the next step wants from there on.
   */
  protected abstract cut(
    bytes: Uint8Array,
    offset: number,
    isLast: boolean,
    out: ArchiveMessage[],
  ): { used: number; need: number };
}

/** Messages of one type back to back are one message: any number of them is cut between its fields. */
export class ProtoCutter extends ChunkCutter {
  protected override cut(bytes: Uint8Array, offset: number, isLast: boolean, out: ArchiveMessage[]) {
    let runStart = 0;
    let at = 0;
    let need = 0;
    const flush = () => {
      if (at > runStart)
        out.push({ encoding: 'proto', signal: undefined, bytes: bytes.subarray(runStart, at) });
      runStart = at;
    };
    while (at < bytes.length) {
      const end = fieldEnd(bytes, at);
      if (end === BROKEN) {
        flush();
        throw malformed('no protobuf field', offset + at);
      }
      if (end === INCOMPLETE || end > bytes.length) {
        need = end === INCOMPLETE ? bytes.length - runStart + 1 : end - runStart;
        break;
      }
      at = end;
      if (at - runStart >= MESSAGE_BYTES_WANTED) flush();
    }
    if (isLast) flush();
    return { used: runStart, need: Math.max(need, MESSAGE_BYTES_WANTED) };
  }
}

const INCOMPLETE = -1;
const BROKEN = -2;

/** Offset behind the field; it may lie behind the bytes. */
function fieldEnd(bytes: Uint8Array, start: number): number {
  const tag = readVarint(bytes, start);
  if (tag === undefined || tag.value < 8) return tag === undefined ? INCOMPLETE : BROKEN;
  switch (tag.value & 7) {
    case WIRE_VARINT:
      return readVarint(bytes, tag.end)?.end ?? INCOMPLETE;
    case WIRE_FIXED64:
      return tag.end + 8;
    case WIRE_FIXED32:
      return tag.end + 4;
    case WIRE_LEN: {
      const length = readVarint(bytes, tag.end);
      if (length === undefined) return INCOMPLETE;
      return length.value < 0 ? BROKEN : length.end + length.value;
    }
    default:
      return BROKEN;
  }
}

/** The value is -1 for one that is too long to be a varint; undefined when bytes are missing. */
function readVarint(bytes: Uint8Array, start: number): { value: number; end: number } | undefined {
  let value = 0;
  for (let index = 0; index < VARINT_BYTES_MAX; index++) {
    const byte = bytes[start + index];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return { value, end: start + index + 1 };
  }
  return { value: -1, end: start + VARINT_BYTES_MAX };
}

/** What the `file` exporter writes as `format: proto`: each message behind its length, 4 bytes, big end first. */
export class FramedCutter extends ChunkCutter {
  protected override cut(bytes: Uint8Array, offset: number, _isLast: boolean, out: ArchiveMessage[]) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;
    let need = LENGTH_BYTES;
    while (bytes.length - at >= LENGTH_BYTES) {
      need = LENGTH_BYTES + view.getUint32(at);
      if (need > bytes.length - at) break;
      const message = bytes.subarray(at + LENGTH_BYTES, at + need);
      if (compressionOf(message) !== 'none') {
        const reason = `a message at byte ${offset + at} that is compressed by itself: write it without compression`;
        throw new PipelineError('OTLP_UNSUPPORTED_ENCODING', reason, { permanent: true });
      }
      const encoding = message[0] === OPEN_BRACE ? 'json' : 'proto';
      out.push({ encoding, signal: undefined, bytes: message });
      at += need;
      need = LENGTH_BYTES;
    }
    return { used: at, need };
  }
}
