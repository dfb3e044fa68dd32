/** Reads what the `file` exporter wrote with `format: proto`: the outside view of what was delivered. */
import { readFileSync } from 'node:fs';
import { spanKey } from './ledger-client.ts';
import { requestType } from './otlp-root.ts';

interface DecodedTraces {
  resource_spans: { scope_spans: { spans: { trace_id: Uint8Array }[] }[] }[];
}

/** How often each span was delivered, by `spanKey`. A message cut short by a crash of the writer is skipped. */
export function deliveredSpans(path: string): Map<string, number> {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map();
    throw error;
  }
  const counts = new Map<string, number>();
  for (let at = 0; at + 4 <= bytes.length; ) {
    const end = at + 4 + bytes.readUInt32BE(at);
    if (end > bytes.length) break;
    const request = requestType('traces').decode(bytes.subarray(at + 4, end)) as unknown as DecodedTraces;
    for (const { scope_spans } of request.resource_spans) {
      for (const { spans } of scope_spans) for (const { trace_id } of spans) count(counts, spanKey(trace_id));
    }
    at = end;
  }
  return counts;
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
