/** Writes a list of Zipkin v2 spans as JSON, members and names in the form of Zipkin's Go library. */
import { quoteText, sortedKeys } from './go-json.ts';
import type { ZipkinEndpoint, ZipkinSpan } from './zipkin-model.ts';

const SHORT_TRACE_ID = '0000000000000000';

export function zipkinJson(spans: readonly ZipkinSpan[]): string {
  return `[${spans.map(spanJson).join(',')}]`;
}

function spanJson(span: ZipkinSpan): string {
  const members: string[] = [];
  if (span.startMicros) members.push(`"timestamp":${span.startMicros}`);
  if (span.durationMicros !== 0) members.push(`"duration":${span.durationMicros}`);
  const traceId = hexOf(span.traceId);
  members.push(`"traceId":"${traceId.startsWith(SHORT_TRACE_ID) ? traceId.slice(16) : traceId}"`);
  members.push(`"id":"${hexOf(span.id)}"`);
  if (span.parentId !== undefined) members.push(`"parentId":"${hexOf(span.parentId)}"`);
  if (span.name !== '') members.push(`"name":${quoteText(lowerText(span.name))}`);
  if (span.kind !== '') members.push(`"kind":"${span.kind}"`);
  if (span.localEndpoint !== undefined) members.push(`"localEndpoint":${endpointJson(span.localEndpoint)}`);
  if (span.remoteEndpoint !== undefined) {
    members.push(`"remoteEndpoint":${endpointJson(span.remoteEndpoint)}`);
  }
  const annotations = span.annotations.map(
    ({ micros, value }) => `{"timestamp":${micros},"value":${quoteText(value)}}`,
  );
  if (annotations.length > 0) members.push(`"annotations":[${annotations.join(',')}]`);
  const tags = sortedKeys(span.tags).map((key) => `${quoteText(key)}:${quoteText(span.tags.get(key)!)}`);
  if (tags.length > 0) members.push(`"tags":{${tags.join(',')}}`);
  return `{${members.join(',')}}`;
}

function endpointJson({ serviceName, ipv4, ipv6, port }: ZipkinEndpoint): string {
  const members: string[] = [];
  if (serviceName !== '') members.push(`"serviceName":${quoteText(lowerText(serviceName))}`);
  if (ipv4 !== '') members.push(`"ipv4":"${ipv4}"`);
  if (ipv6 !== '') members.push(`"ipv6":"${ipv6}"`);
  if (port !== 0) members.push(`"port":${port}`);
  return `{${members.join(',')}}`;
}

function hexOf(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}

/** Letter by letter, as Go does it: no letter becomes two, and none looks at its neighbours. */
function lowerText(text: string): string {
  let lower = '';
  for (const letter of text) {
    const small = letter.toLowerCase();
    lower += String.fromCodePoint(small.codePointAt(0)!);
  }
  return lower;
}
