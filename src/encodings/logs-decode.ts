/**
 * Records that are one log record: `raw`, `text`, `text_<charset>` and `json` of the Collector's Kafka receiver.
 * What is known of the record is its body and, but for `raw`, when it was seen.
 */
import { Double, type PlainValue, writePlainValue } from '../otlp/any-value-write.ts';
import { writeTime } from '../otlp/encode-common.ts';
import * as tags from '../otlp/tags.ts';
import type { WireWriter } from '../otlp/wire-writer.ts';
import { findCharset } from './charset.ts';
import type { RecordDecoder } from './encoding.ts';
import { encodingFailed, recordDecoder } from './guard.ts';

const TEXT_PREFIX = 'text_';
/** A map takes three levels of messages, of which a request may have 100 together with what stands above its values. */
export const VALUE_DEPTH_MAX = 28;

export const rawDecoder: RecordDecoder = recordDecoder('logs', 'raw', (record, out) => {
  writeLog(out, undefined, () => out.writeBytesField(tags.TAG_ANY_BYTES_VALUE, record));
});

export const jsonDecoder: RecordDecoder = recordDecoder('logs', 'json', (record, out, nowUnixMs) => {
  const body = parseJson(record);
  if (body === null || typeof body !== 'object' || Array.isArray(body)) {
    throw encodingFailed('the record is not a JSON object');
  }
  writeLog(out, nowUnixMs, () => writePlainValue(out, withDoubles(body)));
});

/** The decoder of `text` or `text_<charset>`; undefined for other names and for charsets that nobody knows here. */
export function textDecoder(encoding: string): RecordDecoder | undefined {
  if (encoding !== 'text' && !encoding.startsWith(TEXT_PREFIX)) return undefined;
  const charset = findCharset(encoding === 'text' ? 'utf-8' : encoding.slice(TEXT_PREFIX.length));
  if (charset === undefined) return undefined;
  return recordDecoder('logs', encoding, (record, out, nowUnixMs) => {
    writeLog(out, nowUnixMs, () => {
      if (charset === 'bytes') out.writeBytesField(tags.TAG_ANY_STRING_VALUE, record);
      else out.writeStringField(tags.TAG_ANY_STRING_VALUE, charset(record));
    });
  });
}

const UTF8 = new TextDecoder('utf-8');

/** @throws PipelineError ENCODING_FAILED when the record is not JSON. */
export function parseJson(record: Uint8Array): PlainValue {
  try {
    return JSON.parse(UTF8.decode(record)) as PlainValue;
  } catch (error) {
    throw encodingFailed(`the record is not JSON: ${(error as Error).message}`);
  }
}

/** The same with all numbers as doubles, which is what a parser without a schema makes of them in the Collector. */
export function withDoubles(value: PlainValue, depth = 0): PlainValue {
  if (depth > VALUE_DEPTH_MAX) throw encodingFailed('values are nested too deeply');
  if (typeof value === 'number') return new Double(value);
  if (value === null || typeof value !== 'object' || value instanceof Double) return value;
  if (Array.isArray(value)) return value.map((item) => withDoubles(item, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withDoubles(item, depth + 1)]));
}

function writeLog(out: WireWriter, observedUnixMs: number | undefined, writeBody: () => void): void {
  const resource = out.beginMessage(tags.TAG_REQUEST_RESOURCE_SPANS, 3);
  const scope = out.beginMessage(tags.TAG_RESOURCE_LOGS_SCOPE_LOGS, 3);
  const log = out.beginMessage(tags.TAG_SCOPE_LOGS_LOG_RECORDS, 3);
  const body = out.beginMessage(tags.TAG_LOG_BODY, 2);
  writeBody();
  out.endMessage(body);
  if (observedUnixMs !== undefined) writeTime(out, tags.TAG_LOG_OBSERVED_TIME_UNIX_NANO, observedUnixMs);
  out.endMessage(log);
  out.endMessage(scope);
  out.endMessage(resource);
}
