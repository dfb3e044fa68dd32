/** Requests of bounded size, cut from archived objects of any size. */
import { PipelineError } from '../component/errors.ts';
import type { Signal } from '../component/signal.ts';

/** A request of its own. */
export interface ArchiveMessage {
  encoding: 'json' | 'proto';
  /** As the content says; protobuf does not. */
  signal: Signal | undefined;
  /** Private memory, or a view of the chunk that was pushed. */
  bytes: Uint8Array;
}

/** Takes the content of an object in chunks, which it may keep. */
export interface MessageCutter {
  /** @throws PipelineError permanent, with the offset in the content; what came before it is in `out`. */
  push(chunk: Uint8Array, out: ArchiveMessage[]): void;
  /** Behind the last chunk. @throws PipelineError when something is not complete. */
  end(out: ArchiveMessage[]): void;
}

/** Neighbours are handed out together until they have this size. */
export const MESSAGE_BYTES_WANTED = 1024 * 1024;
/** Largest part that cannot be cut: a resource with its items, or a message behind its length. */
export const ELEMENT_BYTES_MAX = 64 * 1024 * 1024;

/** @param offset in the content of the object. */
export function malformed(message: string, offset: number): PipelineError {
  return new PipelineError('OTLP_MALFORMED', `${message} at byte ${offset}`, { permanent: true });
}

export function elementTooLarge(offset: number): PipelineError {
  const message = `more than ${ELEMENT_BYTES_MAX} bytes that belong together at byte ${offset}`;
  return new PipelineError('OTLP_LIMIT_EXCEEDED', message, { permanent: true });
}
