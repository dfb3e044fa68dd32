/** What an archive holds, decoded by libraries that the engine does not use, from the server's disk. */
import * as zlib from 'node:zlib';
import { spanKey } from '../ledger-client.ts';
import { requestType } from '../otlp-root.ts';
import type { S3Server } from './s3-server.ts';

interface DecodedTraces {
  resource_spans?: { scope_spans?: { spans?: { trace_id: Uint8Array }[] }[] }[];
}
interface JsonTraces {
  resourceSpans?: { scopeSpans?: { spans?: { traceId: string }[] }[] }[];
}

/** An object's bytes as they were before compression. */
export function plainObject(store: S3Server, bucket: string, key: string): Buffer {
  const bytes = store.objectBytes(bucket, key);
  if (key.endsWith('.gz')) return zlib.gunzipSync(bytes);
  return key.endsWith('.zst') ? zlib.zstdDecompressSync(bytes) : bytes;
}

function traceIds(key: string, bytes: Buffer): Uint8Array[] {
  if (/\.json(\.|$)/.test(key)) {
    const request = JSON.parse(bytes.toString()) as JsonTraces;
    return (request.resourceSpans ?? [])
      .flatMap(({ scopeSpans = [] }) => scopeSpans.flatMap(({ spans = [] }) => spans))
      .map(({ traceId }) => Buffer.from(traceId, 'hex'));
  }
  const request = requestType('traces').decode(bytes) as unknown as DecodedTraces;
  return (request.resource_spans ?? [])
    .flatMap(({ scope_spans = [] }) => scope_spans.flatMap(({ spans = [] }) => spans))
    .map(({ trace_id }) => trace_id);
}

/** How often each span of a `LedgerClient` is in the objects of a bucket, by `spanKey`. */
export function archivedSpans(store: S3Server, bucket: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const key of store.keysOf(bucket)) {
    for (const id of traceIds(key, plainObject(store, bucket, key))) {
      const span = spanKey(id);
      counts.set(span, (counts.get(span) ?? 0) + 1);
    }
  }
  return counts;
}
