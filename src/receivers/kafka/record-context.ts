/** What the engine keeps of a record besides its value: request metadata, and headers that become attributes. */
import {
  CLIENT_CONTEXT_BYTES_MAX,
  type ClientKeys,
  encodeClientContext,
  encodeResourceAttributes,
} from '../../component/client-context.ts';
import type { IHeaders } from '../../kafka/client.ts';

export interface RecordPlace {
  topic: string;
  partition: number;
  offset: number;
}

const NO_METADATA: readonly string[] = [];
const ATTRIBUTE_PREFIX = 'kafka.header.';

export class RecordContext {
  /** Of `header_extraction`: name in the record, name of the attribute as a byte string. */
  readonly #extracted: readonly (readonly [header: string, attribute: string])[];

  /** @param headers names that become attributes. */
  constructor(headers: readonly string[]) {
    this.#extracted = headers.map((name) => [name, byteString(Buffer.from(ATTRIBUTE_PREFIX + name))]);
  }

  /**
   * @param keys what the engine asks for.
   * @param record whose headers are looked at only when somebody asks for them.
   * @returns undefined when there is nothing of it; `too_large` when it is more than the engine carries.
   */
  encode(
    keys: ClientKeys | undefined,
    place: RecordPlace,
    record: { readonly headers: IHeaders | undefined },
  ): Uint8Array | undefined | 'too_large' {
    const names = keys?.metadata ?? NO_METADATA;
    if (names.length === 0 && this.#extracted.length === 0) return undefined;
    const { headers } = record;
    const parts: Uint8Array[] = [];
    if (names.length > 0) {
      const metadata = new Map(names.map((name) => [name, metadataValues(name, place, headers)]));
      const encoded = encodeClientContext(
        { address: undefined, metadata, auth: new Map() },
        { address: false, metadata: names, auth: [] },
      );
      if (encoded !== undefined) parts.push(encoded);
    }
    const attributes = this.#attributes(headers);
    if (attributes !== undefined) parts.push(attributes);
    if (parts.length === 0) return undefined;
    const context = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    return context.byteLength > CLIENT_CONTEXT_BYTES_MAX ? 'too_large' : context;
  }

  /** As in the Collector: names letter for letter, the first of several values, nothing for a header that is not there. */
  #attributes(headers: IHeaders | undefined): Uint8Array | undefined {
    const attributes = new Map<string, string>();
    for (const [header, attribute] of this.#extracted) {
      const [first] = headerValues(headers, header);
      if (first !== undefined) attributes.set(attribute, byteString(first));
    }
    return attributes.size === 0 ? undefined : encodeResourceAttributes(attributes);
  }
}

function metadataValues(
  name: string,
  { topic, partition, offset }: RecordPlace,
  headers: IHeaders | undefined,
): string[] {
  if (name === 'kafka.topic') return [topic];
  if (name === 'kafka.partition') return [String(partition)];
  if (name === 'kafka.offset') return [String(offset)];
  return Object.keys(headers ?? {}).flatMap((header) => {
    return header.toLowerCase() === name ? headerValues(headers, header).map(byteString) : [];
  });
}

/**
 * kafkajs gathers headers in a plain object, where one named `constructor` finds what every object has: it becomes the
 * first of two values.
 */
function headerValues(headers: IHeaders | undefined, name: string): readonly (Buffer | string)[] {
  const value = headers !== undefined && Object.hasOwn(headers, name) ? headers[name] : undefined;
  if (!Array.isArray(value)) return value === undefined ? [] : [value];
  return value.filter((each) => Buffer.isBuffer(each) || typeof each === 'string');
}

/** One character for each byte. */
function byteString(value: Buffer | string): string {
  return (typeof value === 'string' ? Buffer.from(value) : value).toString('latin1');
}
