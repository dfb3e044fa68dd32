/** What requests of receivers that read other systems go through before and after the scan. Pipeline workers. */
import { PipelineError } from '../component/errors.ts';
import type { Signal } from '../component/signal.ts';
import type { RecordDecoder } from '../encodings/encoding.ts';
import { writePlainValue } from '../otlp/any-value-write.ts';
import { AttributeSet, FROM_CONSTANTS } from '../otlp/attribute-set.ts';
import { ITEM_KEEP, patchRequest, type RequestEditor } from '../otlp/patch-request.ts';
import { TAG_RESOURCE_ATTRIBUTES } from '../otlp/tags.ts';
import { WireWriter } from '../otlp/wire-writer.ts';
import type { RoutePlan } from './messages.ts';

/**
 * By index of the routes. The decoders are loaded where a route reads records: they are a fifth of a worker's modules.
 * @throws PipelineError INTERNAL for a name that is none: the receiver's configuration was checked for it.
 */
export async function loadDecoders(
  routes: readonly Pick<RoutePlan, 'signal' | 'recordEncoding'>[],
): Promise<(RecordDecoder | undefined)[]> {
  if (routes.every(({ recordEncoding }) => recordEncoding === undefined)) return [];
  const { findDecoder } = await import('../encodings/decoders.ts');
  return routes.map(({ signal, recordEncoding }) => {
    if (recordEncoding === undefined) return undefined;
    const decoder = findDecoder(signal, recordEncoding);
    if (decoder !== undefined) return decoder;
    throw new PipelineError('INTERNAL', `no encoding "${recordEncoding}" of ${signal}`, { permanent: true });
  });
}

/**
 * Reads one record of another system.
 * @param record may view shared memory, which not everything that decodes text takes: it is copied.
 * @returns the request in private memory; empty when the record holds no item.
 * @throws PipelineError permanent.
 */
export function decodeRecord(
  decoder: RecordDecoder | undefined,
  record: Uint8Array,
  nowUnixMs: number,
): Uint8Array {
  if (decoder === undefined) {
    throw new PipelineError('INTERNAL', 'a record without an encoding', { permanent: true });
  }
  const writer = new WireWriter();
  decoder.decode(record.slice(), writer, nowUnixMs);
  return writer.view();
}

const UTF8 = new TextEncoder();

/**
 * Sets attributes on every resource, in place of those with the same keys.
 * @param bytes a request in [start, end) that passed `scanRequest` without rejected items.
 * @param attributes byte strings, as in component/client-context.ts.
 * @returns private memory.
 */
export function withResourceAttributes(
  signal: Signal,
  bytes: Uint8Array,
  start: number,
  end: number,
  attributes: ReadonlyMap<string, string>,
): Uint8Array {
  const editor = new ResourceEditor(bytes, attributes);
  const writer = new WireWriter();
  const itemCount = patchRequest(signal, bytes, start, end, editor, writer);
  return itemCount < 0 ? bytes.slice(start, end) : writer.view();
}

interface Attribute {
  readonly key: Uint8Array;
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly valueEnd: number;
}

class ResourceEditor implements RequestEditor {
  readonly editsResources = true;
  readonly #bytes: Uint8Array;
  readonly #attributes: Attribute[] = [];
  readonly #set: AttributeSet;

  constructor(bytes: Uint8Array, attributes: ReadonlyMap<string, string>) {
    this.#bytes = bytes;
    const constants = new WireWriter(256);
    for (const [name, value] of attributes) {
      const key = UTF8.encode(decodeText(name));
      const keyStart = constants.pos;
      constants.writeRaw(key);
      const keyEnd = constants.pos;
      writePlainValue(constants, decodeText(value));
      this.#attributes.push({ key, keyStart, keyEnd, valueEnd: constants.pos });
    }
    this.#set = new AttributeSet(constants.toBytes(), new WireWriter(16));
  }

  decideItem(): typeof ITEM_KEEP {
    return ITEM_KEEP;
  }

  writeItem(): void {}

  decideResource(start: number, end: number): boolean {
    const set = this.#set;
    set.load(this.#bytes, start, end, TAG_RESOURCE_ATTRIBUTES);
    for (const { key, keyStart, keyEnd, valueEnd } of this.#attributes) {
      const entry = set.find(key);
      if (entry < 0) set.add(keyStart, keyEnd, FROM_CONSTANTS, keyEnd, valueEnd);
      else {
        set.replace(entry, FROM_CONSTANTS, keyEnd, valueEnd);
        set.removeTwins(key, entry);
      }
    }
    return set.isChanged;
  }

  writeResource(writer: WireWriter): void {
    this.#set.write(writer);
  }
}

/** Bytes that are no UTF-8 become replacement characters: attributes are texts. */
function decodeText(byteString: string): string {
  return Buffer.from(byteString, 'latin1').toString();
}
