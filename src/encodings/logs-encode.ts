/** Log records as `raw` (Kafka: a record each), `body` and `sumo_ic` (S3: a line each) of the Collector. */
import { ANY_BYTES, ANY_EMPTY, AnyValueView } from '../otlp/any-value-view.ts';
import { ItemView } from '../otlp/item-view.ts';
import * as tags from '../otlp/tags.ts';
import type { EncodedRecord, RecordEncoder } from './encoding.ts';
import { attributeTexts, objectJson, plainText, quoteText, valueJson } from './go-json.ts';
import { encodingFailed, recordEncoder } from './guard.ts';
import { walkItems } from './request-walk.ts';
import { timeText } from './time-text.ts';

const UTF8 = new TextEncoder();
const NOTHING = () => {};
const SUMO_SOURCES = ['_sourceName', '_sourceHost', '_sourceCategory'] as const;

/** Bytes of a body as they are, everything else as JSON, strings included; no record for an empty body. */
export const rawEncoder: RecordEncoder = recordEncoder('logs', 'raw', (requests, records) => {
  let skippedCount = 0;
  visitBodies(requests, (body) => {
    const isBytes = body.kind === ANY_BYTES;
    if (body.kind === ANY_EMPTY || (isBytes && body.start === body.end)) {
      skippedCount++;
      return;
    }
    const value = isBytes ? body.bytes.slice(body.start, body.end) : UTF8.encode(valueJson(body));
    records.push({ key: undefined, value, itemCount: 1 });
  });
  return skippedCount;
});

/** One text for all: each body as text and a line feed. */
export const bodyEncoder: RecordEncoder = recordEncoder('logs', 'body', (requests, records) => {
  const lines: string[] = [];
  visitBodies(requests, (body) => lines.push(plainText(body)));
  pushLines(lines, records);
  return 0;
});

/** A JSON object a line; the resource must say what Sumo Logic files its logs under. */
export const sumoEncoder: RecordEncoder = recordEncoder('logs', 'sumo_ic', (requests, records) => {
  const lines: string[] = [];
  let start = '';
  let fields = '';
  const log = new ItemView();
  walkItems(requests, {
    visitResource: (bytes, from, to) => {
      const json = attributeTexts(bytes, from, to, tags.TAG_RESOURCE_ATTRIBUTES, valueJson);
      const text = attributeTexts(bytes, from, to, tags.TAG_RESOURCE_ATTRIBUTES, plainText);
      start = SUMO_SOURCES.map((key) => `"${key.slice(1)}":${sourceText(text, key)}`).join(',');
      for (const key of SUMO_SOURCES) json.delete(key);
      fields = objectJson(json);
    },
    visitScope: NOTHING,
    visitItem: (bytes, from, to) => {
      const message = attributeTexts(bytes, from, to, tags.TAG_LOG_ATTRIBUTES, valueJson);
      const body = new AnyValueView();
      log.reset(bytes, from, to);
      if (log.find(tags.TAG_LOG_BODY)) body.reset(bytes, log.contentStart, log.contentEnd);
      message.set('log', valueJson(body));
      log.find(tags.TAG_LOG_OBSERVED_TIME_UNIX_NANO);
      const date = timeText(log.lo, log.hi);
      lines.push(`{"date": "${date}",${start},"fields":${fields},"message":${objectJson(message)}}`);
    },
  });
  pushLines(lines, records);
  return 0;
});

function sourceText(texts: ReadonlyMap<string, string>, key: string): string {
  const text = texts.get(key);
  if (text === undefined) throw encodingFailed(`the resource attribute ${key} is missing`);
  return quoteText(text);
}

function visitBodies(requests: readonly Uint8Array[], visit: (body: AnyValueView) => void): void {
  const log = new ItemView();
  const body = new AnyValueView();
  walkItems(requests, {
    visitResource: NOTHING,
    visitScope: NOTHING,
    visitItem: (bytes, start, end) => {
      log.reset(bytes, start, end);
      log.find(tags.TAG_LOG_BODY);
      body.reset(bytes, log.contentStart, log.contentEnd);
      visit(body);
    },
  });
}

function pushLines(lines: readonly string[], records: EncodedRecord[]): void {
  if (lines.length === 0) return;
  records.push({ key: undefined, value: UTF8.encode(`${lines.join('\n')}\n`), itemCount: lines.length });
}
