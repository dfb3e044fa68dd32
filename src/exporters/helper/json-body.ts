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
 * One request in OTLP/JSON, UTF-8, that holds all slices. Each is converted by itself, with the event loop between
 * them: other sends of the worker must not wait for a whole batch of text.
 * @throws PipelineError OTLP_MALFORMED, permanent, from the iterator.
 */
export async function* jsonPieces(signal: Signal, slices: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const listStart = `{"${LIST_NAMES[signal]}":[`;
  let isFirst = true;
  for (const slice of slices) {
    const json = protoToJson(signal, slice);
    // A request without resources has no list.
    if (!json.startsWith(listStart)) continue;
    const members = json.slice(listStart.length, -LIST_END.length);
    if (members === '') continue;
    yield Buffer.from(isFirst ? listStart + members : `,${members}`);
    isFirst = false;
    await new Promise((resolve) => setImmediate(resolve));
  }
  yield Buffer.from(isFirst ? listStart + LIST_END : LIST_END);
}

/** All of it at once. @throws PipelineError OTLP_MALFORMED, permanent. */
export async function jsonBody(batch: Pick<ExportBatch, 'signal' | 'slices'>): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  for await (const piece of jsonPieces(batch.signal, batch.slices)) chunks.push(piece);
  return chunks;
}
