/** Traces whose spans come in three requests, some seconds apart, and a sender that does not give up. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { requestType } from '../otlp-root.ts';

export const TRACES_PER_GROUP = 10;
export const REQUESTS_PER_GROUP = 3;
const SPANS_PER_REQUEST = 2;
export const SPANS_PER_TRACE = REQUESTS_PER_GROUP * SPANS_PER_REQUEST;
/** One in so many has failed, which its last span alone tells. */
const FAILED_ONE_IN = 5;
const STATUS_ERROR = 2;
const RETRY_MS = 100;
const GIVE_UP_MS = 60_000;
const EXPORT = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';

/** Sixteen bytes that look like those of an SDK. */
function traceId(trace: number): Buffer {
  return createHash('md5').update(`trace ${trace}`).digest();
}

/** The request `part` (0 to 2) of a group of traces. */
export function groupRequest(group: number, part: number): Uint8Array {
  const spans = Array.from({ length: TRACES_PER_GROUP * SPANS_PER_REQUEST }, (_, at) => {
    const trace = group * TRACES_PER_GROUP + Math.floor(at / SPANS_PER_REQUEST);
    const span = part * SPANS_PER_REQUEST + (at % SPANS_PER_REQUEST);
    const id = Buffer.alloc(8);
    id.writeUInt32BE(trace + 1, 0);
    id.writeUInt32BE(span, 4);
    const hasFailed = trace % FAILED_ONE_IN === 0 && span === SPANS_PER_TRACE - 1;
    return {
      trace_id: traceId(trace),
      span_id: id,
      name: `span ${span}`,
      start_time_unix_nano: '1760000000000000000',
      end_time_unix_nano: '1760000000100000000',
      ...(hasFailed && { status: { code: STATUS_ERROR } }),
    };
  });
  const type = requestType('traces');
  return type.encode(type.fromObject({ resource_spans: [{ scope_spans: [{ spans }] }] })).finish();
}

/** How often each span is in a file of the exporter `file` with `format: proto`, by `trace/span`. */
export function spansIn(path: string): Map<string, number> {
  const counts = new Map<string, number>();
  const bytes = readFileSync(path);
  for (let at = 0; at + 4 <= bytes.length; ) {
    const end = at + 4 + bytes.readUInt32BE(at);
    // Cut short by the death of its writer, which wrote it again.
    if (end > bytes.length) break;
    const decoded = requestType('traces').decode(bytes.subarray(at + 4, end)) as unknown as {
      resource_spans: { scope_spans: { spans: { span_id: Uint8Array }[] }[] }[];
    };
    for (const { scope_spans } of decoded.resource_spans) {
      for (const { span_id } of scope_spans.flatMap(({ spans }) => spans)) {
        const id = Buffer.from(span_id);
        const key = `${id.readUInt32BE(0) - 1}/${id.readUInt32BE(4)}`;
        counts.set(key, (counts.get(key) ?? 0) + 1);
      }
    }
    at = end;
  }
  return counts;
}

export type Send = (body: Uint8Array) => Promise<boolean>;

/** Answers whether it was acknowledged. */
export function httpSender(port: number): Send {
  return (body) =>
    new Promise((resolve) => {
      const outgoing = httpRequest(
        {
          ...{ port, host: '127.0.0.1', path: '/v1/traces', method: 'POST', timeout: 10_000 },
          headers: { 'content-type': 'application/x-protobuf', 'content-length': body.byteLength },
        },
        (response) => {
          response.resume();
          response.on('end', () => resolve(response.statusCode === 200));
          response.on('error', () => resolve(false));
        },
      );
      outgoing.on('timeout', () => outgoing.destroy());
      outgoing.on('error', () => resolve(false));
      outgoing.end(body);
    });
}

export function grpcSender(port: number): { send: Send; close(): void } {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const send: Send = (body) =>
    new Promise((resolve) => {
      const options = { deadline: Date.now() + 10_000 };
      const raw = (bytes: Buffer): Buffer => bytes;
      client.makeUnaryRequest(EXPORT, raw, raw, Buffer.from(body), new Metadata(), options, (error) =>
        resolve(error === null),
      );
    });
  return { send, close: () => client.close() };
}

/** Sends until it is acknowledged, as an exporter does. @returns how often. @throws Error after a minute. */
export async function sendUntilAcked(send: Send, body: Uint8Array): Promise<number> {
  const deadline = Date.now() + GIVE_UP_MS;
  for (let attempt = 1; ; attempt++) {
    if (await send(body)) return attempt;
    if (Date.now() > deadline) throw new Error(`not acknowledged in ${attempt} attempts`);
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}
