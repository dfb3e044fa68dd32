/**
 * The items of a request by trace: for each trace a request with its spans or log records, framed again with their
 * headers and otherwise copied as they are. Typed arrays from request to request; nothing is decoded.
 */
import { FieldCursor, isChildTag, LEVEL_RESOURCE, LEVEL_SCOPE } from '../../otlp/levels.ts';
import { scanRequest } from '../../otlp/scan.ts';
import { TRACE_ID_BYTES } from '../../otlp/scan-message.ts';
import { scanStoredSpans } from '../../otlp/scan-stored.ts';
import { TAG_REQUEST_RESOURCE_SPANS, TAG_RESOURCE_SPANS_SCOPE_SPANS } from '../../otlp/tags.ts';
import { isSameTraceId } from '../../otlp/trace-ids.ts';
import { varint32Bytes, WireWriter } from '../../otlp/wire-writer.ts';
import { RequestIndex } from '../../pdata/request-index.ts';

const KEY_BYTES = 32;
const NONE = -1;
/** Hexadecimal digits of a byte, as the two bytes that a key has of it. */
const HEX = Uint8Array.from({ length: 512 }, (_, at) =>
  (at >> 1)
    .toString(16)
    .padStart(2, '0')
    .charCodeAt(at & 1),
);

export interface TraceGroup {
  /** The trace id in 32 hexadecimal digits; undefined for log records without one. Own memory. */
  key: Uint8Array | undefined;
  /** One request; valid until the next group is asked for. */
  request: Uint8Array;
}

export class TraceGroups {
  readonly #signal: 'traces' | 'logs';
  readonly #index = new RequestIndex();
  readonly #writer = new WireWriter(65_536);
  /** By group: its first item and its last one so far. */
  #first = new Int32Array(1024);
  #last = new Int32Array(1024);
  /** By item: the next one of its group. */
  #next = new Int32Array(1024);
  /** Open addressing by trace id: group + 1. */
  #slots = new Int32Array(4096);
  #groupCount = 0;
  /** By resource and by scope: its fields that are no children; undefined until somebody needs them. */
  #resourceHeads: (Uint8Array | undefined)[] = [];
  #scopeHeads: (Uint8Array | undefined)[] = [];

  constructor(signal: 'traces' | 'logs') {
    this.#signal = signal;
  }

  /** Traces in the order of their first items. @throws PipelineError OTLP_MALFORMED for bytes that were never scanned. */
  *groups(stored: Uint8Array): Generator<TraceGroup> {
    // A Buffer has another hidden class than a Uint8Array: one class keeps the loops monomorphic.
    const bytes = new Uint8Array(stored.buffer, stored.byteOffset, stored.length);
    this.#scan(bytes);
    this.#resourceHeads = new Array(this.#index.resourceCount);
    this.#scopeHeads = new Array(this.#index.scopeCount);
    this.#link(bytes);
    for (let group = 0; group < this.#groupCount; group++) {
      this.#writer.reset();
      this.#writeGroup(bytes, this.#first[group]!);
      yield { key: this.#keyOf(bytes, this.#first[group]!), request: this.#writer.view() };
    }
  }

  #scan(bytes: Uint8Array): void {
    const isPlain = this.#signal === 'traces' && scanStoredSpans(bytes, 0, bytes.length, this.#index);
    if (!isPlain) scanRequest(this.#signal, bytes, 0, bytes.length, this.#index);
  }

  /** Chains the items of each trace. */
  #link(bytes: Uint8Array): void {
    const { itemCount } = this.#index;
    this.#prepare(itemCount);
    const { itemTraceId } = this.#index;
    const mask = this.#slots.length - 1;
    for (let item = 0; item < itemCount; item++) {
      const id = itemTraceId[item]!;
      let slot = hashOfId(bytes, id) & mask;
      let group = this.#slots[slot]! - 1;
      while (group !== NONE && !isSameId(bytes, itemTraceId[this.#first[group]!]!, id)) {
        slot = (slot + 1) & mask;
        group = this.#slots[slot]! - 1;
      }
      this.#next[item] = NONE;
      if (group === NONE) {
        group = this.#groupCount++;
        this.#slots[slot] = group + 1;
        this.#first[group] = item;
      } else this.#next[this.#last[group]!] = item;
      this.#last[group] = item;
    }
  }

  #prepare(itemCount: number): void {
    if (this.#next.length < itemCount) {
      const capacity = 2 ** Math.ceil(Math.log2(itemCount));
      this.#first = new Int32Array(capacity);
      this.#last = new Int32Array(capacity);
      this.#next = new Int32Array(capacity);
      this.#slots = new Int32Array(capacity * 4);
    } else this.#slots.fill(0);
    this.#groupCount = 0;
  }

  #keyOf(bytes: Uint8Array, item: number): Uint8Array | undefined {
    const id = this.#index.itemTraceId[item]!;
    if (id === 0) return undefined;
    const key = new Uint8Array(KEY_BYTES);
    for (let at = 0; at < TRACE_ID_BYTES; at++) {
      const byte = bytes[id + at]!;
      key[at * 2] = HEX[byte * 2]!;
      key[at * 2 + 1] = HEX[byte * 2 + 1]!;
    }
    return key;
  }

  /** Items in a row that share a scope share its frame. */
  #writeGroup(bytes: Uint8Array, first: number): void {
    const { itemScope, itemStart, itemEnd, scopeResource } = this.#index;
    const writer = this.#writer;
    for (let item = first; item !== NONE; ) {
      const scope = itemScope[item]!;
      let itemBytes = 0;
      let end = item;
      for (; end !== NONE && itemScope[end] === scope; end = this.#next[end]!)
        itemBytes += itemEnd[end]! - itemStart[end]!;
      const resource = scopeResource[scope]!;
      const resourceHead = this.#resourceHead(bytes, resource);
      const scopeHead = this.#scopeHead(bytes, scope);
      const scopeBytes = scopeHead.length + itemBytes;
      const resourceBytes = resourceHead.length + 1 + varint32Bytes(scopeBytes) + scopeBytes;
      writer.writeVarint32(TAG_REQUEST_RESOURCE_SPANS);
      writer.writeVarint32(resourceBytes);
      writer.writeRaw(resourceHead);
      writer.writeVarint32(TAG_RESOURCE_SPANS_SCOPE_SPANS);
      writer.writeVarint32(scopeBytes);
      writer.writeRaw(scopeHead);
      for (; item !== end; item = this.#next[item]!) writer.writeRaw(bytes, itemStart[item]!, itemEnd[item]!);
    }
  }

  #resourceHead(bytes: Uint8Array, resource: number): Uint8Array {
    const { resourceBody, resourceEnd } = this.#index;
    this.#resourceHeads[resource] ??= headOf(
      bytes,
      resourceBody[resource]!,
      resourceEnd[resource]!,
      LEVEL_RESOURCE,
    );
    return this.#resourceHeads[resource]!;
  }

  #scopeHead(bytes: Uint8Array, scope: number): Uint8Array {
    const { scopeBody, scopeEnd } = this.#index;
    this.#scopeHeads[scope] ??= headOf(bytes, scopeBody[scope]!, scopeEnd[scope]!, LEVEL_SCOPE);
    return this.#scopeHeads[scope]!;
  }
}

/** The fields of a container that are no children: resource, scope, schema_url, and those that nobody knows. */
function headOf(bytes: Uint8Array, start: number, end: number, level: number): Uint8Array {
  const cursor = new FieldCursor(bytes, start, end);
  const fields: Uint8Array[] = [];
  while (cursor.next()) {
    if (!isChildTag(level, cursor.tag)) fields.push(bytes.subarray(cursor.fieldStart, cursor.fieldEnd));
  }
  return fields.length === 1 ? fields[0]! : new Uint8Array(Buffer.concat(fields));
}

/** Ids are random, at least in their last bytes; 0 stands for no id. */
function hashOfId(bytes: Uint8Array, id: number): number {
  if (id === 0) return 0;
  const low = bytes[id + 12]! | (bytes[id + 13]! << 8) | (bytes[id + 14]! << 16) | (bytes[id + 15]! << 24);
  const high = bytes[id + 8]! | (bytes[id + 9]! << 8) | (bytes[id + 10]! << 16) | (bytes[id + 11]! << 24);
  const mixed = Math.imul(low ^ Math.imul(high, 0x85eb_ca6b), 0x9e37_79b1);
  return mixed ^ (mixed >>> 15);
}

/** An offset of 0: no id. */
function isSameId(bytes: Uint8Array, a: number, b: number): boolean {
  return a === 0 || b === 0 ? a === b : isSameTraceId(bytes, a, b);
}
