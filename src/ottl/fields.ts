/** What a path reads: where the field is and of which type, so that the compiler can choose how to read it. */
import { HOLDER_ITEM, type Holder, type OttlCursor } from './cursor.ts';
import type { Value } from './value.ts';

export const OTTL_CONTEXTS = [
  'resource',
  'scope',
  'span',
  'spanevent',
  'metric',
  'datapoint',
  'log',
] as const;
export type OttlContext = (typeof OTTL_CONTEXTS)[number];

/** Tag by the type of the metric (POINT_*); a type without one has no such field, and the path is nil. */
export type PointTags = Readonly<Record<number, number>>;

interface FieldBase {
  /** Paths below it, such as `string` of an id. */
  readonly members?: Fields;
}

/** A singular field of a message of the cursor, or of a message in its field `outer`. */
interface PlacedField extends FieldBase {
  readonly holder: Holder;
  readonly tag: number | PointTags;
  readonly outer?: number;
}

export type Field =
  /** int64 of a varint or fixed field: `width` of its wire type, 32-bit ones signed or not. */
  | (PlacedField & { readonly type: 'int'; readonly width: 32 | 64; readonly isUnsigned: boolean })
  | (PlacedField & { readonly type: 'time' })
  | (PlacedField & { readonly type: 'float' })
  | (PlacedField & { readonly type: 'bool' })
  | (PlacedField & { readonly type: 'text' })
  /** Absent or of another size: all zero. */
  | (PlacedField & { readonly type: 'id'; readonly sizeBytes: 8 | 16 })
  | (PlacedField & { readonly type: 'any' })
  /** Attributes of a message of the cursor, which keys reach into. */
  | (FieldBase & { readonly type: 'attributes'; readonly holder: Holder })
  /** Anything that is made for the occasion. */
  | (FieldBase & { readonly type: 'computed'; readonly read: (cursor: OttlCursor) => Value })
  /** `trace_state`, which one key may look into. */
  | (FieldBase & { readonly type: 'trace_state' })
  /** The scratch map, which nothing in a condition writes to. */
  | (FieldBase & { readonly type: 'cache' })
  /** Known and not there yet. */
  | (FieldBase & { readonly type: 'unsupported' });

export type Fields = Readonly<Record<string, Field>>;

export const int32 = (holder: Holder, tag: number | PointTags): Field => ({
  type: 'int',
  holder,
  tag,
  width: 32,
  isUnsigned: false,
});
export const uint32 = (holder: Holder, tag: number | PointTags): Field => ({
  type: 'int',
  holder,
  tag,
  width: 32,
  isUnsigned: true,
});
export const int64 = (holder: Holder, tag: number | PointTags): Field => ({
  type: 'int',
  holder,
  tag,
  width: 64,
  isUnsigned: false,
});
export const time = (holder: Holder, tag: number | PointTags): Field => ({ type: 'time', holder, tag });
export const float = (holder: Holder, tag: number | PointTags): Field => ({ type: 'float', holder, tag });
export const text = (holder: Holder, tag: number): Field => ({ type: 'text', holder, tag });
export const attributes = (holder: Holder): Field => ({ type: 'attributes', holder });
export const computed = (read: (cursor: OttlCursor) => Value, members?: Fields): Field =>
  members === undefined ? { type: 'computed', read } : { type: 'computed', read, members };

export function id(tag: number, sizeBytes: 8 | 16): Field {
  const place = { holder: HOLDER_ITEM, tag } as const;
  return {
    ...{ type: 'id', ...place, sizeBytes },
    members: { string: computed((cursor) => hexOf(idBytes(cursor, tag, sizeBytes))) },
  };
}

/** A copy of an id of the item; all zero when it is unset. */
export function idBytes(cursor: OttlCursor, tag: number, sizeBytes: number): Uint8Array {
  const table = cursor.table(HOLDER_ITEM);
  const start = table.start(tag);
  if (table.end(tag) - start !== sizeBytes) return new Uint8Array(sizeBytes);
  return cursor.bytes.slice(start, start + sizeBytes);
}

export function hexOf(bytes: Uint8Array): string {
  let hex = '';
  for (const byte of bytes) hex += (byte < 16 ? '0' : '') + byte.toString(16);
  return hex;
}
