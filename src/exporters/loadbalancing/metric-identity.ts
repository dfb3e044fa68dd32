/**
 * The routing keys `resource` and `streamID`: texts around a hash of what makes a resource or a series what it is, as the
 * Collector's package of metric identities has them (contrib 0.158).
 *
 * | key        | hashed                                                                                      |
 * | ---------- | ------------------------------------------------------------------------------------------- |
 * | `resource` | attributes of the resource                                                                  |
 * | `streamID` | that, scope: name, version, attributes; metric: name, unit, kind; attributes of the point   |
 */
import { ItemView, RepeatedCursor } from '../../otlp/item-view.ts';
import {
  METRIC_EXPONENTIAL_HISTOGRAM,
  METRIC_GAUGE,
  METRIC_HISTOGRAM,
  METRIC_SUM,
  METRIC_SUMMARY,
  POINT_ATTRIBUTES_TAGS,
} from '../../otlp/metric-kinds.ts';
import {
  TAG_EXP_HISTOGRAM_AGGREGATION_TEMPORALITY,
  TAG_HISTOGRAM_AGGREGATION_TEMPORALITY,
  TAG_METRIC_NAME,
  TAG_METRIC_UNIT,
  TAG_RESOURCE_ATTRIBUTES,
  TAG_SCOPE_ATTRIBUTES,
  TAG_SCOPE_NAME,
  TAG_SCOPE_VERSION,
  TAG_SUM_AGGREGATION_TEMPORALITY,
  TAG_SUM_IS_MONOTONIC,
} from '../../otlp/tags.ts';
import type { RequestIndex } from '../../pdata/request-index.ts';
import { attributesHash } from '../helper/attributes-hash.ts';
import { Fnv1a64 } from './fnv1a-64.ts';
import { type HashRing, textKeyHash } from './hash-ring.ts';

/** By number of the field in Metric: how the Collector numbers kinds. */
const KIND_BYTES: Readonly<Record<number, number>> = {
  [METRIC_GAUGE]: 1,
  [METRIC_SUM]: 2,
  [METRIC_HISTOGRAM]: 3,
  [METRIC_EXPONENTIAL_HISTOGRAM]: 4,
  [METRIC_SUMMARY]: 5,
};

/** Series come again with every request, so what was hashed is kept; further ones, and long ones, are hashed each time. */
const KNOWN_MAX = 16_384;
const KNOWN_BYTES_MAX = 1024;

export class MetricIdentity {
  readonly #known = new Map<string, Uint8Array>();
  readonly #view = new ItemView();
  readonly #fields = new RepeatedCursor();
  readonly #ofResource = new Fnv1a64();
  readonly #ofScope = new Fnv1a64();
  readonly #ofMetric = new Fnv1a64();
  readonly #ofPoint = new Fnv1a64();

  resourceOwner(bytes: Uint8Array, index: RequestIndex, resource: number, ring: HashRing): number {
    this.#openResource(bytes, index, resource);
    return ring.ownerOf(textKeyHash(`resource/${this.#ofResource.hex()}`));
  }

  byStream(bytes: Uint8Array, index: RequestIndex, ring: HashRing, owners: Int16Array): void {
    let scope = -1;
    let resource = -1;
    for (let metric = 0; metric < index.metricCount; metric++) {
      if (index.metricScope[metric] !== scope) {
        scope = index.metricScope[metric]!;
        if (index.scopeResource[scope] !== resource) {
          resource = index.scopeResource[scope]!;
          this.#openResource(bytes, index, resource);
        }
        this.#openScope(bytes, index, scope);
      }
      this.#openMetric(bytes, index, metric);
      const tag = POINT_ATTRIBUTES_TAGS[index.metricKind[metric]!]!;
      const end = index.metricItemEnd(metric);
      for (let item = index.metricFirstItem[metric]!; item < end; item++) {
        const hash = this.#ofPoint;
        hash.follow(this.#ofMetric);
        this.#addAttributes(hash, bytes, index.itemBody[item]!, index.itemEnd[item]!, tag);
        owners[item] = ring.ownerOf(textKeyHash(`stream/${hash.hex()}`));
      }
    }
  }

  #openResource(bytes: Uint8Array, index: RequestIndex, resource: number): void {
    const [start, end] = [index.resourceInfoStart[resource]!, index.resourceInfoEnd[resource]!];
    this.#ofResource.reset();
    this.#addAttributes(this.#ofResource, bytes, start, end, TAG_RESOURCE_ATTRIBUTES);
  }

  #openScope(bytes: Uint8Array, index: RequestIndex, scope: number): void {
    const [start, end] = [index.scopeInfoStart[scope]!, index.scopeInfoEnd[scope]!];
    const hash = this.#ofScope;
    hash.follow(this.#ofResource);
    this.#view.reset(bytes, start, end);
    this.#addText(hash, TAG_SCOPE_NAME);
    this.#addText(hash, TAG_SCOPE_VERSION);
    this.#addAttributes(hash, bytes, start, end, TAG_SCOPE_ATTRIBUTES);
  }

  #openMetric(bytes: Uint8Array, index: RequestIndex, metric: number): void {
    const hash = this.#ofMetric;
    const view = this.#view;
    const kind = index.metricKind[metric]!;
    hash.follow(this.#ofScope);
    view.reset(bytes, index.metricBody[metric]!, index.metricEnd[metric]!);
    this.#addText(hash, TAG_METRIC_NAME);
    this.#addText(hash, TAG_METRIC_UNIT);
    view.reset(bytes, index.metricDataBody[metric]!, index.metricDataEnd[metric]!);
    const isHistogram = kind === METRIC_HISTOGRAM || kind === METRIC_EXPONENTIAL_HISTOGRAM;
    const isMonotonic = isHistogram || (kind === METRIC_SUM && view.int32(TAG_SUM_IS_MONOTONIC) !== 0);
    hash.addByte(KIND_BYTES[kind] ?? 0);
    hash.addByte(isMonotonic ? 1 : 0);
    hash.addByte(this.#temporality(kind));
  }

  #temporality(kind: number): number {
    if (kind === METRIC_SUM) return this.#view.int32(TAG_SUM_AGGREGATION_TEMPORALITY) & 0xff;
    if (kind === METRIC_HISTOGRAM) return this.#view.int32(TAG_HISTOGRAM_AGGREGATION_TEMPORALITY) & 0xff;
    if (kind !== METRIC_EXPONENTIAL_HISTOGRAM) return 0;
    return this.#view.int32(TAG_EXP_HISTOGRAM_AGGREGATION_TEMPORALITY) & 0xff;
  }

  #addText(hash: Fnv1a64, tag: number): void {
    if (this.#view.find(tag)) hash.add(this.#view.bytes, this.#view.contentStart, this.#view.contentEnd);
  }

  #addAttributes(hash: Fnv1a64, bytes: Uint8Array, start: number, end: number, tag: number): void {
    const attributes = this.#hashed(bytes, start, end, tag);
    hash.add(attributes, 0, attributes.length);
  }

  #hashed(bytes: Uint8Array, start: number, end: number, tag: number): Uint8Array {
    const fields = this.#fields;
    fields.reset(bytes, start, end, tag);
    let text = '';
    while (fields.next()) {
      const part = Buffer.from(bytes.buffer, bytes.byteOffset + fields.start, fields.end - fields.start);
      text += `${part.length}:${part.toString('latin1')}`;
    }
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    const made = attributesHash(bytes, start, end, tag);
    if (text.length <= KNOWN_BYTES_MAX && this.#known.size < KNOWN_MAX) this.#known.set(text, made);
    return made;
  }
}
