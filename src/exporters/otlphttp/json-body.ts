import type { ExportBatch } from '../../component/exporter.ts';
import type { Signal } from '../../component/signal.ts';
import { protoToJson } from '../../otlp/proto-to-json.ts';

const LIST_NAMES: Readonly<Record<Signal, string>> = {
  traces: 'resourceSpans',
  metrics: 'resourceMetrics',
  logs: 'resourceLogs',
};
const LIST_END = ']}';

/**
 * The batch as one request in OTLP/JSON, UTF-8. Each slice is converted by itself, with the event loop between them:
 * other sends of the worker must not wait for a whole batch of text.
 * @throws PipelineError OTLP_MALFORMED, permanent.
 */
export async function jsonBody(batch: Pick<ExportBatch, 'signal' | 'slices'>): Promise<Uint8Array[]> {
  const listStart = `{"${LIST_NAMES[batch.signal]}":[`;
  const chunks: Buffer[] = [];
  for (const slice of batch.slices) {
    const json = protoToJson(batch.signal, slice);
    // A request without resources has no list.
    if (!json.startsWith(listStart)) continue;
    const members = json.slice(listStart.length, -LIST_END.length);
    if (members === '') continue;
    chunks.push(Buffer.from(chunks.length === 0 ? listStart + members : `,${members}`));
    await new Promise((resolve) => setImmediate(resolve));
  }
  chunks.push(Buffer.from(chunks.length === 0 ? listStart + LIST_END : LIST_END));
  return chunks;
}
