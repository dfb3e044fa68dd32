import * as tags from '../../../otlp/tags.ts';
import { skipField, WireReader } from '../../../otlp/wire-reader.ts';
import { appendAnyValue, findKeyValue, keyValue } from './any-value.ts';
import type { Column } from './block-writer.ts';
import { ByteSink } from './byte-sink.ts';
import { IntColumn } from './columns.ts';
import { LowCardinalityColumn } from './low-cardinality.ts';
import { MapColumn } from './map-column.ts';
import { contentStart, type Origin, skipUnknown } from './request-walk.ts';

const RESOURCE_ATTRIBUTES = tags.TAG_RESOURCE_ATTRIBUTES;
const SCOPE_NAME = tags.TAG_SCOPE_NAME;
const SCOPE_VERSION = tags.TAG_SCOPE_VERSION;
const SCOPE_ATTRIBUTES = tags.TAG_SCOPE_ATTRIBUTES;
const SCOPE_DROPPED = tags.TAG_SCOPE_DROPPED_ATTRIBUTES_COUNT;
const SERVICE_NAME = new TextEncoder().encode('service.name');

/** Which of the columns a table has. Traces have none of the optional ones in the Collector's tables. */
export interface OriginOptions {
  hasSchemaUrls: boolean;
  hasScopeAttributes: boolean;
  hasScopeDroppedCount: boolean;
}

/**
 * Columns that say where an item comes from. They are encoded once per scope or resource, when its number
 * of rows is known, and repeated by copy.
 */
export class OriginColumns {
  readonly columns: readonly Column[];
  readonly #options: OriginOptions;
  readonly #serviceName = new LowCardinalityColumn('ServiceName');
  readonly #resourceAttributes = new MapColumn('ResourceAttributes');
  readonly #resourceSchemaUrl = new LowCardinalityColumn('ResourceSchemaUrl');
  readonly #scopeName = new LowCardinalityColumn('ScopeName');
  readonly #scopeVersion = new LowCardinalityColumn('ScopeVersion');
  readonly #scopeSchemaUrl = new LowCardinalityColumn('ScopeSchemaUrl');
  readonly #scopeAttributes = new MapColumn('ScopeAttributes');
  readonly #scopeDropped = new IntColumn('ScopeDroppedAttrCount', 'UInt32');
  readonly #reader = new WireReader(new Uint8Array(0));
  readonly #serviceText = new ByteSink();
  #scopeRows = 0;
  #resourceRows = 0;

  constructor(options: OriginOptions) {
    this.#options = options;
    this.columns = [
      this.#serviceName,
      this.#resourceAttributes,
      this.#scopeName,
      this.#scopeVersion,
      ...(options.hasSchemaUrls ? [this.#resourceSchemaUrl, this.#scopeSchemaUrl] : []),
      ...(options.hasScopeAttributes ? [this.#scopeAttributes] : []),
      ...(options.hasScopeDroppedCount ? [this.#scopeDropped] : []),
    ];
  }

  reset(): void {
    this.#scopeRows = 0;
    this.#resourceRows = 0;
  }

  /** Completes the scope's columns for the rows since the last scope. @param rowCount rows of the whole block. */
  endScope(wire: Uint8Array, origin: Origin, rowCount: number): void {
    const times = rowCount - this.#scopeRows;
    if (times === 0) return;
    this.#scopeRows = rowCount;
    const { scopeAt, scopeEnd } = origin;
    let nameAt = 0,
      nameEnd = 0,
      versionAt = 0,
      versionEnd = 0,
      droppedCount = 0;
    if (this.#options.hasScopeAttributes) this.#scopeAttributes.beginRepeatedRow();
    for (let pos = scopeAt; pos < scopeEnd; ) {
      const tag = wire[pos]!;
      const next = tag > 127 ? skipUnknown(wire, pos, scopeEnd) : skipField(wire, tag, pos + 1, scopeEnd, 0);
      if (tag === SCOPE_NAME) {
        nameAt = contentStart(wire, pos + 1, scopeEnd);
        nameEnd = next;
      } else if (tag === SCOPE_VERSION) {
        versionAt = contentStart(wire, pos + 1, scopeEnd);
        versionEnd = next;
      } else if (tag === SCOPE_ATTRIBUTES && this.#options.hasScopeAttributes) {
        this.#scopeAttributes.appendKeyValue(wire, contentStart(wire, pos + 1, scopeEnd), next);
      } else if (tag === SCOPE_DROPPED) {
        this.#reader.reset(wire, pos + 1, scopeEnd);
        droppedCount = this.#reader.readVarint32();
      }
      pos = next;
    }
    this.#scopeName.appendRepeated(wire, nameAt, nameEnd - nameAt, times);
    this.#scopeVersion.appendRepeated(wire, versionAt, versionEnd - versionAt, times);
    if (this.#options.hasScopeAttributes) this.#scopeAttributes.endRepeatedRow(times);
    if (this.#options.hasScopeDroppedCount) this.#scopeDropped.appendRepeated(droppedCount, times);
    if (this.#options.hasSchemaUrls) {
      this.#scopeSchemaUrl.appendRepeated(
        wire,
        origin.scopeUrlAt,
        origin.scopeUrlEnd - origin.scopeUrlAt,
        times,
      );
    }
  }

  /** Completes the resource's columns for the rows since the last resource. */
  endResource(wire: Uint8Array, origin: Origin, rowCount: number): void {
    const times = rowCount - this.#resourceRows;
    if (times === 0) return;
    this.#resourceRows = rowCount;
    const { resourceAt, resourceEnd } = origin;
    let serviceAt = 0,
      serviceEnd = 0;
    this.#resourceAttributes.beginRepeatedRow();
    for (let pos = resourceAt; pos < resourceEnd; ) {
      const tag = wire[pos]!;
      const next =
        tag > 127 ? skipUnknown(wire, pos, resourceEnd) : skipField(wire, tag, pos + 1, resourceEnd, 0);
      if (tag === RESOURCE_ATTRIBUTES) {
        const start = contentStart(wire, pos + 1, resourceEnd);
        this.#resourceAttributes.appendKeyValue(wire, start, next);
        findKeyValue(wire, start, next);
        // The first one names the service when a resource repeats the key, as a look-up in the Collector does.
        if (serviceEnd === 0 && isServiceName(wire, keyValue.keyAt, keyValue.keyEnd)) {
          serviceAt = keyValue.valueAt;
          serviceEnd = keyValue.valueEnd;
        }
      }
      pos = next;
    }
    this.#resourceAttributes.endRepeatedRow(times);
    this.#appendServiceName(wire, serviceAt, serviceEnd, times);
    if (this.#options.hasSchemaUrls) {
      this.#resourceSchemaUrl.appendRepeated(
        wire,
        origin.resourceUrlAt,
        origin.resourceUrlEnd - origin.resourceUrlAt,
        times,
      );
    }
  }

  #appendServiceName(wire: Uint8Array, pos: number, end: number, times: number): void {
    const text = this.#serviceText;
    text.reset();
    appendAnyValue(text, wire, pos, end);
    const from = contentStart(text.bytes, 0, text.pos);
    this.#serviceName.appendRepeated(text.bytes, from, text.pos - from, times);
  }
}

function isServiceName(wire: Uint8Array, from: number, end: number): boolean {
  if (end - from !== SERVICE_NAME.length) return false;
  for (let i = 0; i < SERVICE_NAME.length; i++) {
    if (wire[from + i] !== SERVICE_NAME[i]) return false;
  }
  return true;
}
