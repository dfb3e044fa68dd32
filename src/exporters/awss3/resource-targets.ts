/** Parts of a batch by where resources want to go: prefix and bucket from resource attributes. */
import { valueText } from '../../otlp/any-value-text.ts';
import { AttributeCursor } from '../../otlp/item-view.ts';
import * as tags from '../../otlp/tags.ts';
import { decodeUtf8, WireReader } from '../../otlp/wire-reader.ts';
import type { ResourceTargetsConfig } from './config.ts';
import { safePrefix } from './key-text.ts';

/** Of one batch. A sender who invents names must not turn every item into an object; the rest goes where it goes without. */
const TARGETS_MAX = 100;

// The three signals share the numbers of these fields.
const RESOURCE_ITEMS = tags.TAG_REQUEST_RESOURCE_SPANS;
const RESOURCE = tags.TAG_RESOURCE_SPANS_RESOURCE;
const RESOURCE_ATTRIBUTES = tags.TAG_RESOURCE_ATTRIBUTES;

export interface ResourceTarget {
  /** undefined: the configured one. */
  bucket: string | undefined;
  /** undefined: the configured one. */
  prefix: string | undefined;
  /** Runs of resources; each is a valid request. Views of the batch. */
  slices: Uint8Array[];
}

export interface TargetCounts {
  /** Resources that asked for a bucket which is not allowed. */
  refusedBuckets: number;
  /** Resources whose target was one too many. */
  foldedTargets: number;
}

export interface SplitBatch extends TargetCounts {
  targets: ResourceTarget[];
}

/** Same batch, same parts, in the order of their first resources. @throws PipelineError OTLP_MALFORMED. */
export function splitByResource(slices: readonly Uint8Array[], config: ResourceTargetsConfig): SplitBatch {
  const split = new TargetSplit(config);
  for (const slice of slices) split.add(slice);
  return split.result;
}

class TargetSplit {
  readonly result: SplitBatch = { targets: [], refusedBuckets: 0, foldedTargets: 0 };
  readonly #config: ResourceTargetsConfig;
  readonly #byName = new Map<string, ResourceTarget>();
  readonly #attributes = new AttributeCursor();

  constructor(config: ResourceTargetsConfig) {
    this.#config = config;
  }

  add(slice: Uint8Array): void {
    const reader = new WireReader(slice);
    let run: ResourceTarget | undefined;
    let runStart = 0;
    while (reader.pos < reader.end) {
      const start = reader.pos;
      const tag = reader.readTag();
      if (tag !== RESOURCE_ITEMS) {
        // Unknown fields stay with the run around them.
        reader.skip(tag);
        continue;
      }
      const sizeBytes = reader.readLength();
      const target = this.#targetOf(slice, reader.pos, reader.pos + sizeBytes);
      reader.pos += sizeBytes;
      if (run !== undefined && run !== target) {
        run.slices.push(slice.subarray(runStart, start));
        runStart = start;
      }
      run = target;
    }
    run?.slices.push(slice.subarray(runStart));
  }

  #targetOf(bytes: Uint8Array, start: number, end: number): ResourceTarget {
    const { bucketAttribute, prefixAttribute, allowedBuckets } = this.#config;
    const texts = this.#attributeTexts(bytes, start, end);
    const asked = texts.get(bucketAttribute);
    const isAllowed = asked !== undefined && allowedBuckets.includes(asked);
    if (asked !== undefined && asked !== '' && !isAllowed) this.result.refusedBuckets += 1;
    const prefix = safePrefix(texts.get(prefixAttribute) ?? '');
    return this.#find(isAllowed ? asked : undefined, prefix);
  }

  #find(bucket: string | undefined, prefix: string | undefined): ResourceTarget {
    const name = `${bucket ?? ''}\n${prefix ?? ''}`;
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    if (this.#byName.size >= TARGETS_MAX && name !== '\n') {
      this.result.foldedTargets += 1;
      return this.#find(undefined, undefined);
    }
    const target: ResourceTarget = { bucket, prefix, slices: [] };
    this.#byName.set(name, target);
    this.result.targets.push(target);
    return target;
  }

  #attributeTexts(bytes: Uint8Array, start: number, end: number): Map<string, string> {
    const { bucketAttribute, prefixAttribute } = this.#config;
    const texts = new Map<string, string>();
    const reader = new WireReader(bytes, start, end);
    while (reader.pos < reader.end) {
      const tag = reader.readTag();
      if (tag !== RESOURCE) {
        reader.skip(tag);
        continue;
      }
      const sizeBytes = reader.readLength();
      const attributes = this.#attributes;
      attributes.reset(bytes, reader.pos, reader.pos + sizeBytes, RESOURCE_ATTRIBUTES);
      while (attributes.next()) {
        const key = decodeUtf8(bytes, attributes.keyStart, attributes.keyEnd);
        // As everywhere: of attributes with the same key the first one counts.
        if (key === '' || texts.has(key)) continue;
        if (key === bucketAttribute || key === prefixAttribute) texts.set(key, valueText(attributes.value));
      }
      reader.pos += sizeBytes;
    }
    return texts;
  }
}
