/** The resources of a request, each as a request of its own without a copy, with its attributes at hand. */
import { scalarText } from '../../otlp/any-value-text.ts';
import { AttributeCursor } from '../../otlp/item-view.ts';
import { FieldCursor } from '../../otlp/levels.ts';
import {
  TAG_REQUEST_RESOURCE_SPANS,
  TAG_RESOURCE_ATTRIBUTES,
  TAG_RESOURCE_SPANS_RESOURCE,
} from '../../otlp/tags.ts';
import { decodeUtf8 } from '../../otlp/wire-reader.ts';

export interface ResourceGroup {
  /** A request with this one ResourceSpans, ResourceLogs or ResourceMetrics; a view. */
  request: Uint8Array;
  /** The Resource message; a view, empty when there is none. */
  resource: Uint8Array;
}

export function* resourceGroups(slices: readonly Uint8Array[]): Generator<ResourceGroup> {
  for (const slice of slices) {
    const cursor = new FieldCursor(slice, 0, slice.length);
    while (cursor.next()) {
      if (cursor.tag !== TAG_REQUEST_RESOURCE_SPANS) continue;
      const { fieldStart, contentStart, fieldEnd } = cursor;
      const inner = new FieldCursor(slice, contentStart, fieldEnd);
      let resource = slice.subarray(0, 0);
      while (inner.next()) {
        if (inner.tag === TAG_RESOURCE_SPANS_RESOURCE)
          resource = slice.subarray(inner.contentStart, inner.fieldEnd);
      }
      yield { request: slice.subarray(fieldStart, fieldEnd), resource };
    }
  }
}

/** Text of a resource attribute: strings as they are, numbers and booleans printed; undefined for anything else. */
export function attributeText(resource: Uint8Array, name: string): string | undefined {
  const cursor = new AttributeCursor();
  cursor.reset(resource, 0, resource.length, TAG_RESOURCE_ATTRIBUTES);
  let found: string | undefined;
  while (cursor.next()) {
    if (decodeUtf8(resource, cursor.keyStart, cursor.keyEnd) !== name) continue;
    found ??= scalarText(cursor.value);
  }
  return found;
}
