/** Visits the items of encoded requests with what stands above them. */
import { ItemView, RepeatedCursor } from '../otlp/item-view.ts';
import {
  TAG_REQUEST_RESOURCE_SPANS,
  TAG_RESOURCE_SPANS_RESOURCE,
  TAG_RESOURCE_SPANS_SCOPE_SPANS,
  TAG_SCOPE_SPANS_SCOPE,
  TAG_SCOPE_SPANS_SPANS,
} from '../otlp/tags.ts';

/**
 * Each call gets a message as [start, end); an absent one is empty. A scope comes before its items, and so on.
 * Resources and scopes get besides what holds them with their items, for its schema URL.
 */
export interface RequestVisitor {
  visitResource(bytes: Uint8Array, start: number, end: number, holder: ItemView): void;
  visitScope(bytes: Uint8Array, start: number, end: number, holder: ItemView): void;
  visitItem(bytes: Uint8Array, start: number, end: number): void;
}

/**
 * Walks requests of any signal: their levels have the same field numbers. The items of metrics are metrics, not points.
 *
 * @param requests passed a scan, so that each container has one header at most.
 */
export function walkItems(requests: readonly Uint8Array[], visitor: RequestVisitor): void {
  const header = new ItemView();
  const resources = new RepeatedCursor();
  const scopes = new RepeatedCursor();
  const items = new RepeatedCursor();
  for (const bytes of requests) {
    resources.reset(bytes, 0, bytes.length, TAG_REQUEST_RESOURCE_SPANS);
    while (resources.next()) {
      header.reset(bytes, resources.start, resources.end);
      header.find(TAG_RESOURCE_SPANS_RESOURCE);
      visitor.visitResource(bytes, header.contentStart, header.contentEnd, header);
      scopes.reset(bytes, resources.start, resources.end, TAG_RESOURCE_SPANS_SCOPE_SPANS);
      while (scopes.next()) {
        header.reset(bytes, scopes.start, scopes.end);
        header.find(TAG_SCOPE_SPANS_SCOPE);
        visitor.visitScope(bytes, header.contentStart, header.contentEnd, header);
        items.reset(bytes, scopes.start, scopes.end, TAG_SCOPE_SPANS_SPANS);
        while (items.next()) visitor.visitItem(bytes, items.start, items.end);
      }
    }
  }
}
