/** Which backend each item of a request belongs to: keys as the Collector's loadbalancing exporter makes them. */
import type { Signal } from '../../component/signal.ts';
import { valueText } from '../../otlp/any-value-text.ts';
import { ANY_STRING, AnyValueView } from '../../otlp/any-value-view.ts';
import { AttributeCursor, ItemView } from '../../otlp/item-view.ts';
import { POINT_ATTRIBUTES_TAGS } from '../../otlp/metric-kinds.ts';
import { scanRequest } from '../../otlp/scan.ts';
import { TRACE_ID_BYTES } from '../../otlp/scan-message.ts';
import {
  TAG_LOG_ATTRIBUTES,
  TAG_LOG_BODY,
  TAG_LOG_SEVERITY_TEXT,
  TAG_METRIC_NAME,
  TAG_RESOURCE_ATTRIBUTES,
  TAG_SCOPE_ATTRIBUTES,
  TAG_SPAN_ATTRIBUTES,
  TAG_SPAN_KIND,
  TAG_SPAN_NAME,
} from '../../otlp/tags.ts';
import { isSameTraceId } from '../../otlp/trace-ids.ts';
import { decodeUtf8 } from '../../otlp/wire-reader.ts';
import { RequestIndex } from '../../pdata/request-index.ts';
import type { Prng } from '../../stdx/prng.ts';
import type { RoutingKey } from './config.ts';
import { type HashRing, hexKeyHash, keyHash, textKeyHash } from './hash-ring.ts';
import { MetricIdentity } from './metric-identity.ts';

/** Of items that belong nowhere: data points of a resource without `service.name`. */
export const NO_BACKEND = -1;

const SERVICE = ['service.name'];
const RANDOM_KEYS = 0x1_0000_0000;
const SPAN_KINDS = ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'];
export class Router {
  readonly #signal: Signal;
  readonly #key: RoutingKey;
  readonly #attributes: readonly string[];
  readonly #prng: Prng;
  readonly #index = new RequestIndex();
  readonly #cursor = new AttributeCursor();
  readonly #view = new ItemView();
  readonly #value = new AnyValueView();
  readonly #identity = new MetricIdentity();

  /** @param attributes of the key `attributes`, in the order of the configuration. */
  constructor(signal: Signal, key: RoutingKey, attributes: readonly string[], prng: Prng) {
    this.#signal = signal;
    this.#key = key;
    this.#attributes = signal === 'traces' && key === 'service' ? SERVICE : attributes;
    this.#prng = prng;
  }

  /** For each item of a stored request the number of its backend, or NO_BACKEND. */
  ownersOf(slice: Uint8Array, ring: HashRing): Int16Array {
    // A Buffer has another hidden class than a Uint8Array: one class keeps the loops monomorphic.
    const bytes = new Uint8Array(slice.buffer, slice.byteOffset, slice.length);
    scanRequest(this.#signal, bytes, 0, bytes.length, this.#index);
    const owners = new Int16Array(this.#index.itemCount);
    if (this.#key === 'traceID') this.#byTraceId(bytes, ring, owners);
    else if (this.#key === 'metric') this.#byMetricName(bytes, ring, owners);
    else if (this.#key === 'streamID') this.#identity.byStream(bytes, this.#index, ring, owners);
    else if (this.#key === 'resource') this.#byResource(bytes, ring, owners);
    else if (this.#key === 'service' && this.#signal !== 'traces') this.#byServiceName(bytes, ring, owners);
    else this.#byAttributes(bytes, ring, owners);
    return owners;
  }

  #byTraceId(bytes: Uint8Array, ring: HashRing, owners: Int16Array): void {
    const { itemTraceId, itemCount } = this.#index;
    // The Collector hashes the bytes of a span's trace id, and the hexadecimal digits of a log record's.
    const isHex = this.#signal === 'logs';
    let before = 0;
    for (let item = 0; item < itemCount; item++) {
      const at = itemTraceId[item]!;
      if (at === 0 || isAllZero(bytes, at)) {
        owners[item] = ring.ownerOf(this.#prng.nextInt(RANDOM_KEYS));
        before = 0;
        continue;
      }
      if (before !== 0 && isSameTraceId(bytes, before, at)) owners[item] = owners[item - 1]!;
      else {
        const end = at + TRACE_ID_BYTES;
        owners[item] = ring.ownerOf(isHex ? hexKeyHash(bytes, at, end) : keyHash(bytes, at, end));
      }
      before = at;
    }
  }

  #byMetricName(bytes: Uint8Array, ring: HashRing, owners: Int16Array): void {
    const index = this.#index;
    for (let metric = 0; metric < index.metricCount; metric++) {
      this.#view.reset(bytes, index.metricBody[metric]!, index.metricEnd[metric]!);
      const isNamed = this.#view.find(TAG_METRIC_NAME);
      const { contentStart, contentEnd } = this.#view;
      const owner = ring.ownerOf(isNamed ? keyHash(bytes, contentStart, contentEnd) : keyHash(bytes, 0, 0));
      owners.fill(owner, index.metricFirstItem[metric]!, index.metricItemEnd(metric));
    }
  }

  #byResource(bytes: Uint8Array, ring: HashRing, owners: Int16Array): void {
    const index = this.#index;
    for (let resource = 0; resource < index.resourceCount; resource++) {
      const owner = this.#identity.resourceOwner(bytes, index, resource, ring);
      owners.fill(owner, ...this.#itemRange(resource));
    }
  }

  /** The bare name. Without one log records have an empty key, and metrics belong nowhere. */
  #byServiceName(bytes: Uint8Array, ring: HashRing, owners: Int16Array): void {
    const index = this.#index;
    for (let resource = 0; resource < index.resourceCount; resource++) {
      const hasName = this.#findAttribute(bytes, ...this.#resourceRange(resource), 'service.name');
      const { value } = this.#cursor;
      const name = hasName && value.kind === ANY_STRING ? value.text() : '';
      const owner = hasName || this.#signal === 'logs' ? ring.ownerOf(textKeyHash(name)) : NO_BACKEND;
      owners.fill(owner, ...this.#itemRange(resource));
    }
  }

  #byAttributes(bytes: Uint8Array, ring: HashRing, owners: Int16Array): void {
    const index = this.#index;
    for (let resource = 0; resource < index.resourceCount; resource++) {
      const [from, to] = this.#itemRange(resource);
      const texts = this.#attributes.map((name) =>
        this.#attributeText(bytes, ...this.#resourceRange(resource), name),
      );
      if (texts.every((text) => text !== undefined))
        owners.fill(this.#ownerOf(this.#attributes, texts, ring), from, to);
      else if (this.#signal === 'traces') this.#bySpanAttributes(bytes, ring, owners, texts, from, to);
      else this.#byItemAttributes(bytes, ring, owners, texts, from, to);
    }
  }

  /** Spans of a trace in a resource go by the first of them, as the Collector takes them apart by trace before. */
  #bySpanAttributes(
    bytes: Uint8Array,
    ring: HashRing,
    owners: Int16Array,
    ofResource: readonly (string | undefined)[],
    from: number,
    to: number,
  ): void {
    const { itemTraceId, itemScope, itemBody, itemEnd } = this.#index;
    const ofTrace = new Map<string, number>();
    for (let item = from; item < to; item++) {
      const at = itemTraceId[item]!;
      const trace = Buffer.from(bytes.buffer, bytes.byteOffset + at, TRACE_ID_BYTES).toString('latin1');
      let owner = ofTrace.get(trace);
      if (owner === undefined) {
        const texts = ofResource.map((text, number) => {
          const name = this.#attributes[number]!;
          if (text !== undefined) return text;
          const ofScope = this.#attributeText(bytes, ...this.#scopeRange(itemScope[item]!), name);
          if (ofScope !== undefined) return ofScope;
          return this.#spanText(bytes, itemBody[item]!, itemEnd[item]!, name);
        });
        owner = this.#ownerOf(this.#attributes, texts, ring);
        ofTrace.set(trace, owner);
      }
      owners[item] = owner;
    }
  }

  #spanText(bytes: Uint8Array, start: number, end: number, name: string): string | undefined {
    this.#view.reset(bytes, start, end);
    if (name === 'span.kind') return SPAN_KINDS[this.#view.int32(TAG_SPAN_KIND)] ?? '';
    if (name === 'span.name') return this.#view.text(TAG_SPAN_NAME);
    return this.#attributeText(bytes, start, end, TAG_SPAN_ATTRIBUTES, name);
  }

  /** Log records and data points go by themselves. What the resource has stands in front, then what the scope has. */
  #byItemAttributes(
    bytes: Uint8Array,
    ring: HashRing,
    owners: Int16Array,
    ofResource: readonly (string | undefined)[],
    from: number,
    to: number,
  ): void {
    const index = this.#index;
    const inResource = this.#attributes.filter((_, number) => ofResource[number] !== undefined);
    const head = keyText(
      inResource,
      ofResource.filter((text) => text !== undefined),
    );
    const pending = this.#attributes.filter((_, number) => ofResource[number] === undefined);
    let scope = -1;
    let scopeHead = '';
    let ofItems: string[] = [];
    let metric = 0;
    for (let item = from; item < to; item++) {
      if (index.itemScope[item] !== scope) {
        scope = index.itemScope[item]!;
        const texts = pending.map((name) => this.#attributeText(bytes, ...this.#scopeRange(scope), name));
        const inScope = pending.filter((_, number) => texts[number] !== undefined);
        scopeHead =
          head +
          keyText(
            inScope,
            texts.filter((text) => text !== undefined),
          );
        ofItems = pending.filter((_, number) => texts[number] === undefined);
      }
      if (this.#signal === 'metrics') while (index.metricItemEnd(metric) <= item) metric += 1;
      const kind = this.#signal === 'metrics' ? index.metricKind[metric]! : 0;
      const texts = ofItems.map((name) => this.#itemText(bytes, item, name, kind));
      owners[item] = ring.ownerOf(textKeyHash(scopeHead + keyText(ofItems, texts)));
    }
  }

  #itemText(bytes: Uint8Array, item: number, name: string, metricKind: number): string | undefined {
    const start = this.#index.itemBody[item]!;
    const end = this.#index.itemEnd[item]!;
    if (this.#signal === 'metrics')
      return this.#attributeText(bytes, start, end, POINT_ATTRIBUTES_TAGS[metricKind]!, name);
    this.#view.reset(bytes, start, end);
    if (name === 'log.severity') return this.#view.text(TAG_LOG_SEVERITY_TEXT);
    if (name !== 'log.body') return this.#attributeText(bytes, start, end, TAG_LOG_ATTRIBUTES, name);
    if (!this.#view.find(TAG_LOG_BODY)) return '';
    this.#value.reset(bytes, this.#view.contentStart, this.#view.contentEnd);
    return valueText(this.#value);
  }

  #ownerOf(names: readonly string[], texts: readonly (string | undefined)[], ring: HashRing): number {
    return ring.ownerOf(textKeyHash(keyText(names, texts)));
  }

  #resourceRange(resource: number): [number, number, number] {
    const { resourceInfoStart, resourceInfoEnd } = this.#index;
    return [resourceInfoStart[resource]!, resourceInfoEnd[resource]!, TAG_RESOURCE_ATTRIBUTES];
  }

  #scopeRange(scope: number): [number, number, number] {
    return [this.#index.scopeInfoStart[scope]!, this.#index.scopeInfoEnd[scope]!, TAG_SCOPE_ATTRIBUTES];
  }

  #itemRange(resource: number): [number, number] {
    const { resourceFirstScope, resourceCount, scopeFirstItem, itemCount } = this.#index;
    const from = scopeFirstItem[resourceFirstScope[resource]!]!;
    if (resource + 1 === resourceCount) return [from, itemCount];
    return [from, scopeFirstItem[resourceFirstScope[resource + 1]!]!];
  }

  /** The first of that name, left in the cursor. */
  #findAttribute(bytes: Uint8Array, start: number, end: number, tag: number, name: string): boolean {
    const cursor = this.#cursor;
    cursor.reset(bytes, start, end, tag);
    while (cursor.next()) if (decodeUtf8(bytes, cursor.keyStart, cursor.keyEnd) === name) return true;
    return false;
  }

  #attributeText(
    bytes: Uint8Array,
    start: number,
    end: number,
    tag: number,
    name: string,
  ): string | undefined {
    return this.#findAttribute(bytes, start, end, tag, name) ? valueText(this.#cursor.value) : undefined;
  }
}

function keyText(names: readonly string[], texts: readonly (string | undefined)[]): string {
  return names.map((name, number) => `${name}=${texts[number] ?? ''}|`).join('');
}

function isAllZero(bytes: Uint8Array, start: number): boolean {
  for (let at = start; at < start + TRACE_ID_BYTES; at++) if (bytes[at] !== 0) return false;
  return true;
}
