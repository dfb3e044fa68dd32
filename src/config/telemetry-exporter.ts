/** Where the engine's own metrics and spans are sent: `otlp` or `console` of a periodic reader or a span processor. */
import type { Signal } from '../component/signal.ts';
import { anything, boolean, integer, oneOf, section, string } from './field-kinds.ts';
import { type CheckIssue, defineShape, mapShape, type Shape } from './schema.ts';
import type { OtlpTargetPlan, OwnExporterPlan } from './telemetry-plan.ts';

interface OtlpKeys {
  protocol: 'grpc' | 'http/protobuf';
  endpoint: string | undefined;
  headers: unknown;
  headersList: string | undefined;
  compression: 'gzip' | 'none';
  timeoutMs: number;
  isInsecure: boolean;
  caFile: string | undefined;
  certFile: string | undefined;
  keyFile: string | undefined;
  temporality: 'cumulative' | 'delta' | 'lowmemory';
  histograms: 'explicit_bucket_histogram';
}

/** `headers` as a map, or as a list of maps with name and value; undefined when it is neither. */
function readHeaders(headers: unknown): Record<string, string> | undefined {
  if (headers === undefined || headers === null) return {};
  if (typeof headers !== 'object') return undefined;
  const entries: [unknown, unknown][] = Array.isArray(headers)
    ? headers.map((entry) => [entry?.name, entry?.value])
    : Object.entries(headers);
  const isText = (entry: [unknown, unknown]): entry is [string, string] =>
    typeof entry[0] === 'string' && entry[0] !== '' && typeof entry[1] === 'string';
  return entries.every(isText) ? Object.fromEntries(entries) : undefined;
}

/** `a=1,b=2` with percent encoding in the values; undefined when it is something else. */
function readHeadersList(list: string): Record<string, string> | undefined {
  const pairs = list.split(',').filter((pair) => pair.trim() !== '');
  const entries = pairs.map((pair): [string, string] => {
    const equals = pair.indexOf('=');
    return [pair.slice(0, Math.max(equals, 0)).trim(), pair.slice(equals + 1).trim()];
  });
  try {
    if (entries.some(([name]) => name === '')) return undefined;
    return Object.fromEntries(entries.map(([name, value]) => [name, decodeURIComponent(value)]));
  } catch {
    return undefined;
  }
}

/** With its scheme: an endpoint without one is TLS unless `insecure`. */
function targetUrl({ protocol, endpoint, isInsecure }: OtlpKeys, signal: Signal): string | undefined {
  const written = endpoint ?? (protocol === 'grpc' ? 'localhost:4317' : 'localhost:4318');
  const withScheme = /^[a-z]+:\/\//i.test(written)
    ? written
    : `${isInsecure ? 'http' : 'https'}://${written}`;
  if (!URL.canParse(withScheme)) return undefined;
  const url = new URL(withScheme);
  if (!['http:', 'https:'].includes(url.protocol) || url.host === '') return undefined;
  if (protocol === 'http/protobuf' && url.pathname === '/') url.pathname = `/v1/${signal}`;
  return url.href;
}

function otlpShape(signal: Signal): Shape<OtlpTargetPlan> {
  return mapShape(
    defineShape<OtlpKeys>(
      {
        protocol: oneOf('protocol', {
          values: ['grpc', 'http/protobuf'],
          required: true,
          doc: 'How it is sent.',
        }),
        endpoint: string('endpoint', {
          doc: `URL or host:port; for HTTP \`/v1/${signal}\` is added when it has no path.`,
        }),
        headers: anything('headers', {
          isSecret: true,
          doc: 'Sent with every request: a map, or a list of maps with name and value.',
        }),
        headersList: string('headers_list', { doc: 'The same as one text: `a=1,b=2`; `headers` win.' }),
        compression: oneOf('compression', {
          values: ['gzip', 'none'],
          default: 'none',
          doc: 'Compression of requests.',
        }),
        timeoutMs: integer('timeout', { default: 10_000, min: 1, doc: 'Milliseconds of one attempt.' }),
        isInsecure: boolean('insecure', {
          default: false,
          doc: 'No TLS, for an endpoint without a scheme.',
        }),
        caFile: string('certificate', { doc: 'PEM file of the authorities of the server.' }),
        certFile: string('client_certificate', { doc: 'PEM file of the own certificate.' }),
        keyFile: string('client_key', { doc: 'PEM file of its key.' }),
        temporality: oneOf('temporality_preference', {
          values: ['cumulative', 'delta', 'lowmemory'],
          default: 'cumulative',
          doc: 'Whether sums count from the start or since the last request that arrived; `lowmemory` is `delta` but for figures of the process. Metrics only.',
        }),
        histograms: oneOf('default_histogram_aggregation', {
          values: ['explicit_bucket_histogram'],
          default: 'explicit_bucket_histogram',
          doc: 'Histograms have fixed buckets.',
        }),
      },
      (keys) => checkOtlp(keys, signal),
    ),
    (keys) => ({
      protocol: keys.protocol,
      url: targetUrl(keys, signal)!,
      headers: { ...readHeadersList(keys.headersList ?? ''), ...readHeaders(keys.headers) },
      compression: keys.compression,
      temporality: keys.temporality,
      timeoutMs: keys.timeoutMs,
      caFile: keys.caFile,
      certFile: keys.certFile,
      keyFile: keys.keyFile,
    }),
  );
}

function checkOtlp(keys: OtlpKeys, signal: Signal): CheckIssue[] {
  const issues: CheckIssue[] = [];
  if (targetUrl(keys, signal) === undefined) {
    issues.push({ key: 'endpoint', message: 'expected host:port or a URL with scheme http, https' });
  }
  if (readHeaders(keys.headers) === undefined) {
    issues.push({
      key: 'headers',
      message: 'expected a map of texts, or a list of maps with name and value',
    });
  }
  if (readHeadersList(keys.headersList ?? '') === undefined) {
    issues.push({ key: 'headers_list', message: 'expected a text such as a=1,b=2' });
  }
  if ((keys.certFile === undefined) !== (keys.keyFile === undefined)) {
    issues.push({ key: '', message: 'client_certificate and client_key need each other' });
  }
  return issues;
}

interface ExporterKeys {
  otlp: OtlpTargetPlan | undefined;
  console: Record<never, never> | undefined;
}

export function ownExporterShape(signal: Signal): Shape<OwnExporterPlan> {
  return mapShape(
    defineShape<ExporterKeys>(
      {
        otlp: section('otlp', otlpShape(signal), { optional: true, doc: 'By OTLP.' }),
        console: section('console', defineShape<Record<never, never>>({}), {
          optional: true,
          doc: 'On stdout, a line of OTLP/JSON each time.',
        }),
      },
      ({ otlp, console }) =>
        (otlp === undefined) === (console === undefined)
          ? [{ key: '', message: 'must have either otlp or console' }]
          : [],
    ),
    ({ otlp, console }) => ({ otlp, isConsole: console !== undefined }),
  );
}
