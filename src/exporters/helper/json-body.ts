import type { ExportBatch } from '../../component/exporter.ts';
import type { Signal } from '../../component/signal.ts';
import { JsonWriter } from '../../otlp/json-write.ts';

const LIST_NAMES: Readonly<Record<Signal, string>> = {
  traces: 'resourceSpans',
  metrics: 'resourceMetrics',
  logs: 'resourceLogs',
};
const LIST_END = Buffer.from(']}');
const COMMA = Buffer.from(',');

/** Writers keep buffers of a request's size; more are made where more bodies are written at once. */
const IDLE_WRITERS_MAX = 2;
const idleWriters: JsonWriter[] = [];

/**
 * One request in OTLP/JSON, UTF-8, that holds all slices. Each is converted by itself, with the event loop between
 * them: other sends of the worker must not wait for a whole batch of text.
 * @param onRefused is told of slices that are no requests, which are left out then.
 * @returns pieces of which each may be overwritten when the next one is asked for.
 * @throws PipelineError OTLP_MALFORMED, permanent, from the iterator; not with `onRefused`.
 */
export async function* jsonPieces(
  signal: Signal,
  slices: Iterable<Uint8Array>,
  onRefused?: (slice: Uint8Array, error: unknown) => void,
): AsyncGenerator<Uint8Array> {
  const listStart = Buffer.from(`{"${LIST_NAMES[signal]}":[`);
  const writer = idleWriters.pop() ?? new JsonWriter();
  let isFirst = true;
  for (const slice of slices) {
    const json = tryWrite(writer, signal, slice, onRefused);
    // A request without resources has no list, or an empty one.
    if (json === undefined || json.length <= listStart.length + LIST_END.length) continue;
    yield isFirst ? listStart : COMMA;
    yield json.subarray(listStart.length, json.length - LIST_END.length);
    isFirst = false;
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (idleWriters.length < IDLE_WRITERS_MAX) idleWriters.push(writer);
  if (isFirst) yield listStart;
  yield LIST_END;
}

function tryWrite(
  writer: JsonWriter,
  signal: Signal,
  slice: Uint8Array,
  onRefused: ((slice: Uint8Array, error: unknown) => void) | undefined,
): Uint8Array | undefined {
  try {
    return writer.write(signal, slice);
  } catch (error) {
    if (onRefused === undefined) throw error;
    onRefused(slice, error);
    return undefined;
  }
}

/** All of it at once. @throws PipelineError OTLP_MALFORMED, permanent. */
export async function jsonBody(batch: Pick<ExportBatch, 'signal' | 'slices'>): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  for await (const piece of jsonPieces(batch.signal, batch.slices)) chunks.push(Buffer.from(piece));
  return chunks;
}
