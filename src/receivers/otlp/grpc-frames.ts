/**
 * Length-prefixed messages of gRPC over HTTP/2 (PROTOCOL-HTTP2, Length-Prefixed-Message), read for a unary call:
 *
 *   byte 0      compressed flag, 0 or 1
 *   bytes 1..4  message length, unsigned, big-endian
 *   then that many bytes of message
 *
 * DATA frames cut this anywhere, the prefix included.
 */
import type { BodyAssembler } from './body-assembler.ts';

export const GRPC_PREFIX_BYTES = 5;

/** Why a request stream is not one message. */
export type FrameFault =
  | 'bad_flag'
  | 'too_large'
  /** A second message, or bytes after the first. */
  | 'extra_message'
  /** The stream ended inside the prefix or the message. */
  | 'truncated'
  /** The stream ended without a message. */
  | 'no_message'
  /** The bound over all connections is reached: the only fault that a retry may cure. */
  | 'no_memory';

/** Reads one message into an assembler, which the caller releases. After a fault nothing more may be pushed. */
export class GrpcFrameReader {
  readonly #body: BodyAssembler;
  readonly #messageBytesMax: number;
  #prefixBytes = 0;
  #flag = 0;
  #messageBytes = 0;
  #missingBytes = 0;

  constructor(body: BodyAssembler, messageBytesMax: number) {
    this.#body = body;
    this.#messageBytesMax = messageBytesMax;
  }

  /** The compressed flag of the message; valid once the prefix was read. */
  get isCompressed(): boolean {
    return this.#flag === 1;
  }

  /** Length of the message as sent, in bytes; valid once the prefix was read. */
  get messageBytes(): number {
    return this.#messageBytes;
  }

  /** @param chunk bytes of the stream in order; kept when large, see BodyAssembler. */
  push(chunk: Uint8Array): FrameFault | undefined {
    let offset = 0;
    while (this.#prefixBytes < GRPC_PREFIX_BYTES && offset < chunk.byteLength) {
      const fault = this.#readPrefixByte(chunk[offset]!);
      if (fault !== undefined) return fault;
      offset += 1;
    }
    if (offset === chunk.byteLength) return undefined;
    const availableBytes = chunk.byteLength - offset;
    if (availableBytes > this.#missingBytes) return 'extra_message';
    this.#missingBytes -= availableBytes;
    return this.#body.append(offset === 0 ? chunk : chunk.subarray(offset), true) ? undefined : 'no_memory';
  }

  /** The client has sent everything. */
  end(): FrameFault | undefined {
    if (this.#prefixBytes === 0) return 'no_message';
    return this.#prefixBytes < GRPC_PREFIX_BYTES || this.#missingBytes > 0 ? 'truncated' : undefined;
  }

  #readPrefixByte(byte: number): FrameFault | undefined {
    if (this.#prefixBytes === 0) {
      if (byte > 1) return 'bad_flag';
      this.#flag = byte;
    } else {
      // Not a shift: the length is unsigned, and one over 2^31 must not become negative.
      this.#messageBytes = this.#messageBytes * 256 + byte;
    }
    this.#prefixBytes += 1;
    if (this.#prefixBytes < GRPC_PREFIX_BYTES) return undefined;
    if (this.#messageBytes > this.#messageBytesMax) return 'too_large';
    this.#missingBytes = this.#messageBytes;
    return undefined;
  }
}

/** @returns `message` with its prefix, uncompressed. */
export function frameMessage(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(GRPC_PREFIX_BYTES + message.byteLength);
  new DataView(frame.buffer).setUint32(1, message.byteLength);
  frame.set(message, GRPC_PREFIX_BYTES);
  return frame;
}

/**
 * A text for the `grpc-message` trailer: UTF-8, with everything but printable ASCII and with `%` itself
 * percent-encoded (PROTOCOL-HTTP2, Status-Message).
 */
export function encodeGrpcMessage(text: string): string {
  if (/^[\x20-\x24\x26-\x7e]*$/.test(text)) return text;
  let encoded = '';
  for (const byte of new TextEncoder().encode(text)) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}
