/** What tags of other systems say about a span's kind and status. */
import { ANY_INT, ANY_STRING } from '../otlp/any-value-view.ts';
import * as parts from './span-parts.ts';
import type { TagTable } from './tag-table.ts';
import { TimeWords } from './time-words.ts';

const KINDS: Readonly<Record<string, number>> = {
  client: parts.KIND_CLIENT,
  server: parts.KIND_SERVER,
  producer: parts.KIND_PRODUCER,
  consumer: parts.KIND_CONSUMER,
  internal: parts.KIND_INTERNAL,
};
const WHOLE_NUMBER = /^[+-]?\d+$/;

/** Span kind of a `span.kind` tag. */
export function spanKindOf(text: string): number {
  return Object.hasOwn(KINDS, text) ? KINDS[text]! : parts.KIND_UNSPECIFIED;
}

/** The text as a whole number in the range of int64; undefined when it is none. */
export function wholeNumber(text: string): bigint | undefined {
  if (!WHOLE_NUMBER.test(text)) return undefined;
  const value = BigInt(text.startsWith('+') ? text.slice(1) : text);
  return BigInt.asIntN(64, value) === value ? value : undefined;
}

/**
 * Status code by an HTTP status in a tag; undefined when the tag holds no whole number.
 * 399 counts as an error, as it does in the Collector.
 */
export function statusOfHttpTag(table: TagTable, slot: number, kind: number): number | undefined {
  const status = httpStatus(table, slot);
  if (status === undefined) return undefined;
  if (status >= 400 && status < 500) {
    if (kind === parts.KIND_SERVER) return parts.STATUS_UNSET;
    if (kind === parts.KIND_CLIENT) return parts.STATUS_ERROR;
  }
  return status >= 100 && status < 399 ? parts.STATUS_UNSET : parts.STATUS_ERROR;
}

function httpStatus(table: TagTable, slot: number): number | undefined {
  if (table.kinds[slot] === ANY_INT) {
    const words = new TimeWords();
    words.set(table.los[slot]!, table.his[slot]!);
    return words.signedNumber;
  }
  if (table.kinds[slot] !== ANY_STRING) return undefined;
  const value = wholeNumber(table.text(slot));
  return value === undefined ? undefined : Number(value);
}
