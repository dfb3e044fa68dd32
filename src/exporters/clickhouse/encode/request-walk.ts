import * as tags from '../../../otlp/tags.ts';
import { lengthEnd, skipField, skipVarint, WireReader } from '../../../otlp/wire-reader.ts';

// The three signals share the numbers of these fields, which is what lets one walk serve them all.
const RESOURCE_ITEMS = tags.TAG_REQUEST_RESOURCE_SPANS;
const RESOURCE = tags.TAG_RESOURCE_SPANS_RESOURCE;
const SCOPE_ITEMS = tags.TAG_RESOURCE_SPANS_SCOPE_SPANS;
const RESOURCE_SCHEMA_URL = tags.TAG_RESOURCE_SPANS_SCHEMA_URL;
const SCOPE = tags.TAG_SCOPE_SPANS_SCOPE;
const ITEMS = tags.TAG_SCOPE_SPANS_SPANS;
const SCOPE_SCHEMA_URL = tags.TAG_SCOPE_SPANS_SCHEMA_URL;

/** Where the messages around the current items lie. An absent one is an empty range at 0. */
export interface Origin {
  resourceAt: number;
  resourceEnd: number;
  resourceUrlAt: number;
  resourceUrlEnd: number;
  scopeAt: number;
  scopeEnd: number;
  scopeUrlAt: number;
  scopeUrlEnd: number;
}

/** What an encoder does at each point of a request. */
export interface ItemVisitor {
  /** One span, log record or metric: the message in [pos, end). */
  visitItem(wire: Uint8Array, pos: number, end: number): void;
  /** All items of a scope were visited; its fields may stand behind them on the wire. */
  endScope(wire: Uint8Array, origin: Origin): void;
  /** All scopes of a resource were visited. */
  endResource(wire: Uint8Array, origin: Origin): void;
}

/** Start of the content of a length-delimited field whose length prefix is at `pos`. */
export function contentStart(wire: Uint8Array, pos: number, end: number): number {
  return wire[pos]! < 128 ? pos + 1 : skipVarint(wire, pos, end);
}

const reader = new WireReader(new Uint8Array(0));

/** Offset behind the field at `pos`, whatever it is. */
export function skipUnknown(wire: Uint8Array, pos: number, end: number): number {
  reader.reset(wire, pos, end);
  const tag = reader.readTag();
  return skipField(wire, tag, reader.pos, end, 0);
}

/** Visits all items of one Export<Signal>ServiceRequest. @throws PipelineError OTLP_MALFORMED, permanent. */
export function walkRequest(wire: Uint8Array, visitor: ItemVisitor): void {
  const end = wire.length;
  let pos = 0;
  while (pos < end) {
    if (wire[pos] !== RESOURCE_ITEMS) {
      pos = skipUnknown(wire, pos, end);
      continue;
    }
    const next = lengthEnd(wire, pos + 1, end);
    walkResource(wire, contentStart(wire, pos + 1, end), next, visitor);
    pos = next;
  }
}

function walkResource(wire: Uint8Array, from: number, end: number, visitor: ItemVisitor): void {
  const origin: Origin = {
    resourceAt: 0,
    resourceEnd: 0,
    resourceUrlAt: 0,
    resourceUrlEnd: 0,
    scopeAt: 0,
    scopeEnd: 0,
    scopeUrlAt: 0,
    scopeUrlEnd: 0,
  };
  let pos = from;
  while (pos < end) {
    const tag = wire[pos]!;
    if (tag !== SCOPE_ITEMS && tag !== RESOURCE && tag !== RESOURCE_SCHEMA_URL) {
      pos = skipUnknown(wire, pos, end);
      continue;
    }
    const start = contentStart(wire, pos + 1, end);
    const next = lengthEnd(wire, pos + 1, end);
    if (tag === SCOPE_ITEMS) walkScope(wire, start, next, visitor, origin);
    else if (tag === RESOURCE) {
      origin.resourceAt = start;
      origin.resourceEnd = next;
    } else {
      origin.resourceUrlAt = start;
      origin.resourceUrlEnd = next;
    }
    pos = next;
  }
  visitor.endResource(wire, origin);
}

function walkScope(wire: Uint8Array, from: number, end: number, visitor: ItemVisitor, origin: Origin): void {
  origin.scopeAt = origin.scopeEnd = origin.scopeUrlAt = origin.scopeUrlEnd = 0;
  let pos = from;
  while (pos < end) {
    const tag = wire[pos]!;
    if (tag !== ITEMS && tag !== SCOPE && tag !== SCOPE_SCHEMA_URL) {
      pos = skipUnknown(wire, pos, end);
      continue;
    }
    const start = contentStart(wire, pos + 1, end);
    const next = lengthEnd(wire, pos + 1, end);
    if (tag === ITEMS) visitor.visitItem(wire, start, next);
    else if (tag === SCOPE) {
      origin.scopeAt = start;
      origin.scopeEnd = next;
    } else {
      origin.scopeUrlAt = start;
      origin.scopeUrlEnd = next;
    }
    pos = next;
  }
  visitor.endScope(wire, origin);
}
