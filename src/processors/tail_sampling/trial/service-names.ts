/** Services as hashes of their names: the same number in every worker, and small enough for the record of a trace. */
import { ANY_STRING } from '../../../otlp/any-value-view.ts';
import { AttributeCursor } from '../../../otlp/item-view.ts';
import { TAG_RESOURCE_ATTRIBUTES } from '../../../otlp/tags.ts';

const KEY = new TextEncoder().encode('service.name');
/** The highest bit says that the service is that of the root span: those win over all others. */
export const SERVICE_OF_ROOT = 0x8000_0000;
const HASH_MASK = 0x7fff_ffff;
/** A sender with a service name for every request must not fill the memory; the others share one place. */
const SERVICES_MAX = 10_000;
export const SERVICE_OTHER = 1;

interface Known {
  utf8: Uint8Array;
  names: Set<string>;
}

export class ServiceNames {
  readonly #known = new Map<number, Known>();
  readonly #attributes = new AttributeCursor();

  /** Hash of the `service.name` of a Resource message, at most 31 bits; 0 without a name. */
  hashIn(bytes: Uint8Array, start: number, end: number): number {
    const attributes = this.#attributes;
    attributes.reset(bytes, start, end, TAG_RESOURCE_ATTRIBUTES);
    if (!attributes.find(KEY) || attributes.value.kind !== ANY_STRING) return 0;
    const { start: from, end: to } = attributes.value;
    return from === to ? 0 : this.#hashOf(bytes, from, to);
  }

  #hashOf(bytes: Uint8Array, start: number, end: number): number {
    let hash = 0x811c9dc5;
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
    // The two smallest numbers have meanings of their own.
    hash = Math.max((hash ^ (hash >>> 15)) & HASH_MASK, SERVICE_OTHER + 1);
    const known = this.#known.get(hash);
    if (known !== undefined && isSame(known.utf8, bytes, start, end)) return hash;
    if (known === undefined && this.#known.size >= SERVICES_MAX) return SERVICE_OTHER;
    const utf8 = bytes.slice(start, end);
    const name = new TextDecoder().decode(utf8);
    if (known === undefined) this.#known.set(hash, { utf8, names: new Set([name]) });
    else known.names.add(name);
    return hash;
  }

  list(): [number, string[]][] {
    return [...this.#known].map(([hash, { names }]) => [hash, [...names]]);
  }
}

function isSame(utf8: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (utf8.length !== end - start) return false;
  for (let at = 0; at < utf8.length; at++) if (utf8[at] !== bytes[start + at]) return false;
  return true;
}
