/**
 * Where the items of one encoded export request are: offsets in typed arrays, reused from request to request.
 *
 * Items are spans, log records or data points, numbered in wire order. All offsets are absolute in the buffer that
 * was scanned. Containers (ResourceSpans, ScopeLogs, Metric, ...) are listed when they hold an item: an empty one
 * costs nothing, and no reader meets an empty range.
 * The arrays are replaced when they grow: read them from the index again after a scan, and keep none of them.
 *
 * | level    | arrays                                                                                     |
 * | -------- | ------------------------------------------------------------------------------------------ |
 * | item     | itemStart (its tag), itemBody (its message), itemEnd, itemScope, itemTraceId, itemFlags      |
 * | metric   | metricStart, metricBody, metricEnd, metricScope, metricFirstItem, metricKind, metricData*    |
 * | scope    | scopeBody, scopeEnd (ScopeSpans ...), scopeResource, scopeFirstItem, scopeInfo*, scopeSchema* |
 * | resource | resourceBody, resourceEnd (ResourceSpans ...), resourceFirstScope, resourceInfo*, resourceSchema* |
 */
const FIRST_ITEM_CAPACITY = 1024;
const FIRST_CONTAINER_CAPACITY = 64;
/** A request with more items than this does not keep its arrays for the requests after it. */
const KEPT_ITEM_CAPACITY = 131_072;

/** Item flag: bad by itself (ids, histogram shape), to be left out and counted in partial success. */
export const ITEM_REJECTED = 1;

type Words = Uint32Array<ArrayBuffer>;

function grownWords(words: Words, capacity: number): Words {
  const grown = new Uint32Array(capacity);
  grown.set(words);
  return grown;
}

export class RequestIndex {
  itemCount = 0;
  /** Items among them with ITEM_REJECTED. */
  rejectedCount = 0;
  /** Elements of all repeated fields, for the limit. */
  elementCount = 0;
  /**
   * A singular message (resource, scope, the data of a metric) came in several parts, which protobuf merges.
   * The Info and Data ranges then show the last part only: rewrite with `withoutRejected` before use.
   */
  isFragmented = false;

  /** Offset of the tag of the field that holds the item; the end of the item before it, when they are neighbours. */
  itemStart: Words = new Uint32Array(FIRST_ITEM_CAPACITY);
  /** Offset of the first byte of the item's message; [itemBody, itemEnd) decodes as Span, LogRecord or a data point. */
  itemBody: Words = new Uint32Array(FIRST_ITEM_CAPACITY);
  itemEnd: Words = new Uint32Array(FIRST_ITEM_CAPACITY);
  itemScope: Words = new Uint32Array(FIRST_ITEM_CAPACITY);
  /** Offset of a 16-byte trace id, 0 where the item has none (data points, log records outside a trace). */
  itemTraceId: Words = new Uint32Array(FIRST_ITEM_CAPACITY);
  itemFlags = new Uint8Array(FIRST_ITEM_CAPACITY);

  metricCount = 0;
  metricStart: Words = new Uint32Array(0);
  metricBody: Words = new Uint32Array(0);
  metricEnd: Words = new Uint32Array(0);
  metricScope: Words = new Uint32Array(0);
  metricFirstItem: Words = new Uint32Array(0);
  /** Field number of the data: 5 gauge, 7 sum, 9 histogram, 10 exponential histogram, 11 summary, 0 none. */
  metricKind: Words = new Uint32Array(0);
  /** Message in that field (Gauge, Sum, ...). */
  metricDataBody: Words = new Uint32Array(0);
  metricDataEnd: Words = new Uint32Array(0);

  scopeCount = 0;
  scopeBody: Words = new Uint32Array(0);
  scopeEnd: Words = new Uint32Array(0);
  scopeResource: Words = new Uint32Array(0);
  scopeFirstItem: Words = new Uint32Array(0);
  /** InstrumentationScope message; start = end = 0 when absent. */
  scopeInfoStart: Words = new Uint32Array(0);
  scopeInfoEnd: Words = new Uint32Array(0);
  /** Text of schema_url; start = end = 0 when absent. */
  scopeSchemaStart: Words = new Uint32Array(0);
  scopeSchemaEnd: Words = new Uint32Array(0);

  resourceCount = 0;
  resourceBody: Words = new Uint32Array(0);
  resourceEnd: Words = new Uint32Array(0);
  resourceFirstScope: Words = new Uint32Array(0);
  /** Resource message; start = end = 0 when absent. */
  resourceInfoStart: Words = new Uint32Array(0);
  resourceInfoEnd: Words = new Uint32Array(0);
  resourceSchemaStart: Words = new Uint32Array(0);
  resourceSchemaEnd: Words = new Uint32Array(0);

  /** Items without the rejected ones. */
  get acceptedCount(): number {
    return this.itemCount - this.rejectedCount;
  }

  /** The bytes may not be stored as they are: `withoutRejected` makes the request that may. */
  get needsRewrite(): boolean {
    return this.rejectedCount > 0 || this.isFragmented;
  }

  /** One past the last item of a scope. */
  scopeItemEnd(scope: number): number {
    return scope + 1 < this.scopeCount ? this.scopeFirstItem[scope + 1]! : this.itemCount;
  }

  /** One past the last data point of a metric. */
  metricItemEnd(metric: number): number {
    return metric + 1 < this.metricCount ? this.metricFirstItem[metric + 1]! : this.itemCount;
  }

  reset(): void {
    this.itemCount = 0;
    this.rejectedCount = 0;
    this.elementCount = 0;
    this.isFragmented = false;
    this.metricCount = 0;
    this.scopeCount = 0;
    this.resourceCount = 0;
    if (this.itemStart.length > KEPT_ITEM_CAPACITY) this.#setItemCapacity(FIRST_ITEM_CAPACITY);
    if (this.metricStart.length > KEPT_ITEM_CAPACITY) this.#setMetricCapacity(FIRST_CONTAINER_CAPACITY);
    if (this.scopeBody.length > KEPT_ITEM_CAPACITY) this.#setScopeCapacity(FIRST_CONTAINER_CAPACITY);
    if (this.resourceBody.length > KEPT_ITEM_CAPACITY) this.#setResourceCapacity(FIRST_CONTAINER_CAPACITY);
  }

  /** Appends an item to the newest scope (and metric). */
  addItem(start: number, body: number, end: number, traceId: number, flags: number): void {
    const item = this.itemCount;
    if (item === this.itemStart.length) this.#setItemCapacity(item * 2);
    this.itemStart[item] = start;
    this.itemBody[item] = body;
    this.itemEnd[item] = end;
    this.itemScope[item] = this.scopeCount - 1;
    this.itemTraceId[item] = traceId;
    this.itemFlags[item] = flags;
    if (flags !== 0) this.rejectedCount++;
    this.itemCount = item + 1;
  }

  /** Takes back the items from `itemCount` on: a later member of a oneof replaced them. */
  truncateItems(itemCount: number): void {
    for (let item = itemCount; item < this.itemCount; item++) {
      if (this.itemFlags[item] !== 0) this.rejectedCount--;
    }
    this.itemCount = itemCount;
  }

  /** Opens a metric in the newest scope; its data is set by the scan when it is met. */
  addMetric(start: number, body: number, end: number): number {
    const metric = this.metricCount;
    if (metric === this.metricStart.length) this.#setMetricCapacity(metric * 2 || FIRST_CONTAINER_CAPACITY);
    this.metricStart[metric] = start;
    this.metricBody[metric] = body;
    this.metricEnd[metric] = end;
    this.metricScope[metric] = this.scopeCount - 1;
    this.metricFirstItem[metric] = this.itemCount;
    this.metricKind[metric] = 0;
    this.metricDataBody[metric] = 0;
    this.metricDataEnd[metric] = 0;
    this.metricCount = metric + 1;
    return metric;
  }

  addScope(body: number, end: number): number {
    const scope = this.scopeCount;
    if (scope === this.scopeBody.length) this.#setScopeCapacity(scope * 2 || FIRST_CONTAINER_CAPACITY);
    this.scopeBody[scope] = body;
    this.scopeEnd[scope] = end;
    this.scopeResource[scope] = this.resourceCount - 1;
    this.scopeFirstItem[scope] = this.itemCount;
    this.scopeInfoStart[scope] = 0;
    this.scopeInfoEnd[scope] = 0;
    this.scopeSchemaStart[scope] = 0;
    this.scopeSchemaEnd[scope] = 0;
    this.scopeCount = scope + 1;
    return scope;
  }

  addResource(body: number, end: number): number {
    const resource = this.resourceCount;
    if (resource === this.resourceBody.length) {
      this.#setResourceCapacity(resource * 2 || FIRST_CONTAINER_CAPACITY);
    }
    this.resourceBody[resource] = body;
    this.resourceEnd[resource] = end;
    this.resourceFirstScope[resource] = this.scopeCount;
    this.resourceInfoStart[resource] = 0;
    this.resourceInfoEnd[resource] = 0;
    this.resourceSchemaStart[resource] = 0;
    this.resourceSchemaEnd[resource] = 0;
    this.resourceCount = resource + 1;
    return resource;
  }

  /** Ends the newest metric, which is forgotten when no item came. */
  closeMetric(): void {
    if (this.metricFirstItem[this.metricCount - 1] === this.itemCount) this.metricCount--;
  }

  closeScope(): void {
    if (this.scopeFirstItem[this.scopeCount - 1] === this.itemCount) this.scopeCount--;
  }

  closeResource(): void {
    if (this.resourceFirstScope[this.resourceCount - 1] === this.scopeCount) this.resourceCount--;
  }

  #setItemCapacity(capacity: number): void {
    const kept = Math.min(this.itemCount, capacity);
    this.itemStart = grownWords(this.itemStart.subarray(0, kept), capacity);
    this.itemBody = grownWords(this.itemBody.subarray(0, kept), capacity);
    this.itemEnd = grownWords(this.itemEnd.subarray(0, kept), capacity);
    this.itemScope = grownWords(this.itemScope.subarray(0, kept), capacity);
    this.itemTraceId = grownWords(this.itemTraceId.subarray(0, kept), capacity);
    const flags = new Uint8Array(capacity);
    flags.set(this.itemFlags.subarray(0, kept));
    this.itemFlags = flags;
  }

  #setMetricCapacity(capacity: number): void {
    const kept = this.metricCount;
    this.metricStart = grownWords(this.metricStart.subarray(0, kept), capacity);
    this.metricBody = grownWords(this.metricBody.subarray(0, kept), capacity);
    this.metricEnd = grownWords(this.metricEnd.subarray(0, kept), capacity);
    this.metricScope = grownWords(this.metricScope.subarray(0, kept), capacity);
    this.metricFirstItem = grownWords(this.metricFirstItem.subarray(0, kept), capacity);
    this.metricKind = grownWords(this.metricKind.subarray(0, kept), capacity);
    this.metricDataBody = grownWords(this.metricDataBody.subarray(0, kept), capacity);
    this.metricDataEnd = grownWords(this.metricDataEnd.subarray(0, kept), capacity);
  }

  #setScopeCapacity(capacity: number): void {
    const kept = this.scopeCount;
    this.scopeBody = grownWords(this.scopeBody.subarray(0, kept), capacity);
    this.scopeEnd = grownWords(this.scopeEnd.subarray(0, kept), capacity);
    this.scopeResource = grownWords(this.scopeResource.subarray(0, kept), capacity);
    this.scopeFirstItem = grownWords(this.scopeFirstItem.subarray(0, kept), capacity);
    this.scopeInfoStart = grownWords(this.scopeInfoStart.subarray(0, kept), capacity);
    this.scopeInfoEnd = grownWords(this.scopeInfoEnd.subarray(0, kept), capacity);
    this.scopeSchemaStart = grownWords(this.scopeSchemaStart.subarray(0, kept), capacity);
    this.scopeSchemaEnd = grownWords(this.scopeSchemaEnd.subarray(0, kept), capacity);
  }

  #setResourceCapacity(capacity: number): void {
    const kept = this.resourceCount;
    this.resourceBody = grownWords(this.resourceBody.subarray(0, kept), capacity);
    this.resourceEnd = grownWords(this.resourceEnd.subarray(0, kept), capacity);
    this.resourceFirstScope = grownWords(this.resourceFirstScope.subarray(0, kept), capacity);
    this.resourceInfoStart = grownWords(this.resourceInfoStart.subarray(0, kept), capacity);
    this.resourceInfoEnd = grownWords(this.resourceInfoEnd.subarray(0, kept), capacity);
    this.resourceSchemaStart = grownWords(this.resourceSchemaStart.subarray(0, kept), capacity);
    this.resourceSchemaEnd = grownWords(this.resourceSchemaEnd.subarray(0, kept), capacity);
  }
}
