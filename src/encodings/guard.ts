/** How codecs of this folder fail, and leave the caller's buffer as it was. */
import { PipelineError } from '../component/errors.ts';
import type { Signal } from '../component/signal.ts';
import type { WireWriter } from '../otlp/wire-writer.ts';
import type { EncodedRecord, RecordDecoder, RecordEncoder } from './encoding.ts';

/** The error of bytes or items that an encoding cannot take. */
export function encodingFailed(what: string, cause?: unknown): PipelineError {
  return new PipelineError('ENCODING_FAILED', what, { permanent: true, cause });
}

/** A decoder whose errors begin with the encoding's name. */
export function recordDecoder(
  signal: Signal,
  encoding: string,
  decode: (record: Uint8Array, out: WireWriter, nowUnixMs: number) => void,
): RecordDecoder {
  return {
    signal,
    encoding,
    decode(record, out, nowUnixMs) {
      const start = out.pos;
      try {
        // A Buffer has another hidden class than a Uint8Array, which costs every reader behind this.
        decode(plainView(record), out, nowUnixMs);
      } catch (error) {
        out.pos = start;
        throw named(encoding, error);
      }
    },
  };
}

/** An encoder whose errors begin with the encoding's name. */
export function recordEncoder(
  signal: Signal,
  encoding: string,
  encode: (requests: readonly Uint8Array[], records: EncodedRecord[]) => number,
): RecordEncoder {
  return {
    signal,
    encoding,
    encode(requests, records) {
      const count = records.length;
      try {
        return encode(requests.map(plainView), records);
      } catch (error) {
        records.length = count;
        throw named(encoding, error);
      }
    },
  };
}

function plainView(bytes: Uint8Array): Uint8Array {
  return bytes.constructor === Uint8Array
    ? bytes
    : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

function named(encoding: string, error: unknown): unknown {
  // Anything else is a fault of ours and must not look like a bad record.
  return error instanceof PipelineError ? encodingFailed(`${encoding}: ${error.message}`, error) : error;
}
