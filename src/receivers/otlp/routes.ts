/** What the request line and headers of OTLP/HTTP and OTLP/gRPC mean. Pure lookups, shared by every server. */
import type { Compression, PayloadEncoding } from '../../component/consumer.ts';
import type { Signal } from '../../component/signal.ts';

/** Full method names of the three collector services (opentelemetry/proto/collector/.../v1/..._service.proto). */
export const GRPC_METHODS: ReadonlyMap<string, Signal> = new Map([
  ['/opentelemetry.proto.collector.trace.v1.TraceService/Export', 'traces'],
  ['/opentelemetry.proto.collector.metrics.v1.MetricsService/Export', 'metrics'],
  ['/opentelemetry.proto.collector.logs.v1.LogsService/Export', 'logs'],
]);

export const CONTENT_TYPE_PROTO = 'application/x-protobuf';
export const CONTENT_TYPE_JSON = 'application/json';

/**
 * Payload encoding that a Content-Type names; parameters such as `; charset=utf-8` do not matter.
 *
 * @returns undefined for a missing or any other type: the answer is then 415.
 */
export function parseContentType(contentType: string): PayloadEncoding | undefined {
  // The two exact spellings cover nearly every request and need no new string.
  if (contentType === CONTENT_TYPE_PROTO) return 'proto';
  if (contentType === CONTENT_TYPE_JSON) return 'json';
  const semicolon = contentType.indexOf(';');
  const mediaType = (semicolon < 0 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase();
  if (mediaType === CONTENT_TYPE_PROTO) return 'proto';
  if (mediaType === CONTENT_TYPE_JSON) return 'json';
  return undefined;
}

/**
 * Compression that a Content-Encoding or grpc-encoding names. A list (`gzip, gzip`) is not supported.
 *
 * @param enabled what the configuration allows beside identity.
 * @returns undefined when there is no decoder for it, `br` among them: its decoder is never to be called.
 */
export function parseCompression(name: string, enabled: ReadonlySet<Compression>): Compression | undefined {
  if (name === '') return 'identity';
  const compression = compressionOf(name.trim().toLowerCase());
  if (compression === undefined || compression === 'identity') return compression;
  return enabled.has(compression) ? compression : undefined;
}

function compressionOf(name: string): Compression | undefined {
  switch (name) {
    case 'identity':
    case 'gzip':
    case 'zstd':
    case 'deflate':
      return name;
    case 'zlib':
      // HTTP's deflate is the zlib format; the Collector takes both names for it.
      return 'deflate';
    default:
      return undefined;
  }
}

const TIMEOUT_UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/**
 * Milliseconds of a `grpc-timeout` header: at most eight digits and a unit (gRPC over HTTP/2, Timeout).
 *
 * @returns Infinity when the header is absent, undefined when it is not a timeout.
 */
export function parseGrpcTimeout(text: string | undefined): number | undefined {
  if (text === undefined) return Infinity;
  const match = /^(\d{1,8})([HMSmun])$/.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * TIMEOUT_UNIT_MS[match[2]!]!;
}
