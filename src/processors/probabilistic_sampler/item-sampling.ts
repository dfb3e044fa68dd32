import type { ProcessorRequest } from '../../component/processor.ts';
import type { WireWriter } from '../../otlp/wire-writer.ts';

export const TRACE_ID_BYTES = 16;

/** Reads, decides and rewrites the items of one signal; `update` and `write` are about the item decided last. */
export interface ItemSampling {
  begin(request: ProcessorRequest): void;
  /** @returns whether the item with its message in [start, end) stays; the sampler knows why. */
  decide(item: number, start: number, end: number): boolean;
  /** Notes the decision in the kept item. @returns whether that changes it. */
  update(): boolean;
  /** Writes the changed message. */
  write(writer: WireWriter): void;
}

/** Whether there is an id that is not all zero, which means the same as none. */
export function isTraceIdAt(bytes: Uint8Array, at: number): boolean {
  if (at === 0) return false;
  for (let byte = at; byte < at + TRACE_ID_BYTES; byte++) if (bytes[byte] !== 0) return true;
  return false;
}
