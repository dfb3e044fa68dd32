/** Requests through the Go Collector's Kafka exporter: src/encodings writes the same records, mostly to the byte. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { findEncoder } from '../../encodings/encoders.ts';
import type { EncodedRecord } from '../../encodings/encoding.ts';
import { foreignType } from '../foreign-protos.ts';
import { sayableRequest } from '../foreign-requests.ts';
import type { Message } from '../otlp-arbitraries.ts';
import { EncodingsBed, type TopicRecord } from '../services/encodings-bed.ts';
import { installPrograms } from '../services/programs.ts';

const REQUESTS = 100;
const ENCODINGS = {
  traces: ['jaeger_proto', 'jaeger_json', 'zipkin_json', 'zipkin_proto'],
  logs: ['raw'],
} as const;

test('the Collector writes the same records in every encoding', { timeout: 600_000 }, async (t) => {
  const programs = await installPrograms();
  const bed = await EncodingsBed.start(programs, {}, ENCODINGS);
  t.after(() => bed.stop());
  const seed = Date.now() % 2 ** 31;
  t.diagnostic(`seed ${seed}`);
  for (const signal of ['traces', 'logs'] as const) {
    const requests = fc.sample(sayableRequest(signal), { seed, numRuns: REQUESTS });
    for (const request of requests) await bed.post(signal, request);
    for (const encoding of ENCODINGS[signal]) {
      await t.test(`${signal} as ${encoding}`, async () => {
        const records: EncodedRecord[] = [];
        // One request is one batch for the Collector, so that lists are comparable.
        for (const request of requests) findEncoder(signal, encoding)!.encode([request], records);
        const theirs = await bed.written(signal, encoding, records.length);
        assert.equal(theirs.length, records.length);
        for (const [at, record] of records.entries()) {
          assert.deepEqual(readable(encoding, ours(record)), readable(encoding, theirs[at]!), `record ${at}`);
        }
      });
    }
  }
});

function ours(record: EncodedRecord): TopicRecord {
  return {
    key: record.key === undefined ? undefined : Buffer.from(record.key).toString(),
    value: Buffer.from(record.value),
  };
}

/** The record itself where its bytes are defined, as text where it is text. */
function readable(encoding: string, { key, value }: TopicRecord): unknown {
  if (encoding === 'zipkin_proto') return { key, value: zipkinSpans(value) };
  return { key, value: encoding === 'jaeger_proto' ? value.toString('hex') : value.toString() };
}

/** Maps have no order in protobuf. The Collector writes a parent of zeros for a root, and IPv4 addresses as IPv6 ones. */
function zipkinSpans(value: Buffer): unknown {
  const type = foreignType('zipkin.ListOfSpans');
  const { spans } = type.toObject(type.decode(value), { longs: String, bytes: String }) as {
    spans: Message[];
  };
  return spans.map(({ parent_id: parent, local_endpoint: local, remote_endpoint: remote, ...rest }) => ({
    ...rest,
    parent: parent === 'AAAAAAAAAAA=' ? undefined : parent,
    local: endpoint(local as Message | undefined),
    remote: endpoint(remote as Message | undefined),
  }));
}

function endpoint(message: Message | undefined): Message | undefined {
  if (message?.ipv4 === undefined) return message;
  return {
    ...message,
    ipv4: Buffer.from(message.ipv4 as string, 'base64')
      .subarray(-4)
      .join('.'),
  };
}
