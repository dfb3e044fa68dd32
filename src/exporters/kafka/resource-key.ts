/** Record keys from resource attributes, as the Collector's exporter makes them, so that both agree on partitions. */
import { TAG_RESOURCE_ATTRIBUTES } from '../../otlp/tags.ts';
import { attributesHash } from '../helper/attributes-hash.ts';

/** Resources come again with every request, so their keys are kept; more kinds than this are computed each time. */
const KNOWN_MAX = 4096;

export class ResourceKeys {
  readonly #known = new Map<string, Uint8Array>();

  /** @param resource a Resource message. @returns memory that is never changed. */
  keyOf(resource: Uint8Array): Uint8Array {
    const text = Buffer.from(resource.buffer, resource.byteOffset, resource.length).toString('latin1');
    let key = this.#known.get(text);
    if (key === undefined) {
      key = resourceKey(resource);
      if (this.#known.size < KNOWN_MAX) this.#known.set(text, key);
    }
    return key;
  }
}

export function resourceKey(resource: Uint8Array): Uint8Array {
  return attributesHash(resource, 0, resource.length, TAG_RESOURCE_ATTRIBUTES);
}
