/** Values of Parquet columns, read from wire bytes. */
import { valueText } from '../../otlp/any-value-text.ts';
import { AttributeCursor, ItemView, RepeatedCursor } from '../../otlp/item-view.ts';

export type Cell =
  | string
  | number
  | bigint
  | boolean
  | readonly MapEntry[]
  | readonly Record<string, unknown>[]
  | readonly bigint[]
  | readonly number[];
export interface MapEntry {
  key: string;
  value: string;
}

/** What an item shares with others of its resource and scope. */
export interface Surroundings {
  serviceName: string;
  resourceAttributes: readonly MapEntry[];
  resourceSchemaUrl: string;
  scopeName: string;
  scopeVersion: string;
  scopeAttributes: readonly MapEntry[];
  scopeDroppedCount: number;
  scopeSchemaUrl: string;
}

/** Parquet's times have a sign; nobody's spans are from beyond the year 2262. */
export function signed(nanos: bigint): bigint {
  return BigInt.asIntN(64, nanos);
}

/** Keys of a map are unique in Parquet: of several the first one stays. */
export function attributes(bytes: Uint8Array, start: number, end: number, tag: number): MapEntry[] {
  const cursor = new AttributeCursor();
  cursor.reset(bytes, start, end, tag);
  const entries = new Map<string, string>();
  while (cursor.next()) {
    const key = cursor.keyText();
    if (!entries.has(key)) entries.set(key, valueText(cursor.value));
  }
  return Array.from(entries, ([key, value]) => ({ key, value }));
}

export function structures(
  item: ItemView,
  tag: number,
  read: (element: ItemView) => Record<string, unknown>,
): Record<string, unknown>[] {
  const cursor = new RepeatedCursor();
  cursor.reset(item.bytes, item.start, item.end, tag);
  const element = new ItemView();
  const found: Record<string, unknown>[] = [];
  while (cursor.next()) {
    element.reset(item.bytes, cursor.start, cursor.end);
    found.push(read(element));
  }
  return found;
}
