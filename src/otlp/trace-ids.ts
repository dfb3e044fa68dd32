/** Trace ids where they lie in a request. */
import { TRACE_ID_BYTES } from './scan-message.ts';

/** Whether the trace ids at two offsets of one buffer are the same. */
export function isSameTraceId(bytes: Uint8Array, a: number, b: number): boolean {
  // The end first: ids of one sender often begin alike.
  for (let at = TRACE_ID_BYTES - 1; at >= 0; at--) if (bytes[a + at] !== bytes[b + at]) return false;
  return true;
}
