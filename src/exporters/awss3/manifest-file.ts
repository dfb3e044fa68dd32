/**
 * The text of a manifest: one JSON document, an object a line in the order of the keys, so that it is written and read
 * piece by piece. It follows from the objects alone: whoever writes it of the same objects writes the same bytes.
 */
import { compareKeys } from '../../s3/archive-store.ts';
import type { S3Description, S3Entry } from '../../s3/objects.ts';

export const MANIFEST_VERSION = 1;
const PIECE_CHARS = 64 * 1024;
/** Of one object: its key has 1024 bytes at most. */
const LINE_CHARS_MAX = 16 * 1024;
const OBJECT_START = '{"key":';

/** What is said of an object; keys as in the document. What nobody has noted is not there. */
export interface ManifestObject {
  key: string;
  bytes: number;
  etag: string;
  /** When the store got it, ISO 8601. */
  written: string;
  /** As the store says it, base64. */
  crc32?: string;
  items?: number;
  /** When the oldest of its items arrived, ISO 8601; all of them had arrived when it was written. */
  received_from?: string;
  batch?: string;
}

/** Of the document, before the objects. */
export interface ManifestHead {
  signal: string;
  bucket: string;
  folder: string;
  /** Data that arrived from then on, ISO 8601. */
  from: string;
  /** And before then. */
  until: string;
}

/** Metadata of an object that says what the manifest will say. */
export function objectMetadata(
  batchId: string,
  receivedUnixMs: number,
  itemCount: number | undefined,
): Record<string, string> {
  return {
    // Names of pipelines, which are in it, may have any letter; metadata may not.
    'millrace-batch': encodeURI(batchId),
    'millrace-received-from': new Date(receivedUnixMs).toISOString(),
    ...(itemCount === undefined ? {} : { 'millrace-items': String(itemCount) }),
  };
}

export function manifestObject(entry: S3Entry, description: S3Description | undefined): ManifestObject {
  const { metadata, crc32 } = description ?? { metadata: {} as Record<string, string>, crc32: undefined };
  const items = metadata['millrace-items'];
  const receivedFrom = metadata['millrace-received-from'];
  const batch = metadata['millrace-batch'];
  return {
    ...{ key: entry.key, bytes: entry.sizeBytes, etag: entry.etag },
    written: new Date(entry.modifiedUnixMs).toISOString(),
    ...(crc32 === undefined ? {} : { crc32 }),
    ...(items !== undefined && /^\d{1,15}$/.test(items) ? { items: Number(items) } : {}),
    ...(receivedFrom === undefined ? {} : { received_from: receivedFrom }),
    ...(batch === undefined ? {} : { batch }),
  };
}

/** The document in pieces of about 64 KiB. */
export async function* manifestText(
  head: ManifestHead,
  objects: AsyncIterable<ManifestObject>,
): AsyncGenerator<Uint8Array> {
  const sums = new Sums();
  let text = `${JSON.stringify({ version: MANIFEST_VERSION, ...head }).slice(0, -1)},"objects":[\n`;
  let isFirst = true;
  for await (const object of objects) {
    sums.add(object);
    text += `${isFirst ? '' : ',\n'}${JSON.stringify(object)}`;
    isFirst = false;
    if (text.length < PIECE_CHARS) continue;
    yield Buffer.from(text);
    text = '';
  }
  yield Buffer.from(`${text}\n],${JSON.stringify(sums.text()).slice(1)}\n`);
}

/** What stands behind the objects. */
class Sums {
  #objects = 0;
  #bytes = 0;
  #items = 0;
  #uncounted = 0;
  #from: string | undefined;
  #written: string | undefined;

  add({ bytes, items, received_from, written }: ManifestObject): void {
    this.#objects += 1;
    this.#bytes += bytes;
    if (items === undefined) this.#uncounted += 1;
    else this.#items += items;
    // Times of one form sort as texts.
    if (received_from !== undefined && received_from < (this.#from ?? '~')) this.#from = received_from;
    if (written > (this.#written ?? '')) this.#written = written;
  }

  text(): Record<string, unknown> {
    return {
      object_count: this.#objects,
      objects_without_items: this.#uncounted,
      items: this.#items,
      bytes: this.#bytes,
      received_from: this.#from,
      written: this.#written,
    };
  }
}

/**
 * Objects of a manifest, in their order. What cannot be read ends it: the objects behind are looked at anew.
 */
export async function* manifestObjects(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<ManifestObject, void, void> {
  const decoder = new TextDecoder();
  let text = '';
  let isBehindHead = false;
  for await (const chunk of chunks) {
    text += decoder.decode(chunk, { stream: true });
    const lines = text.split('\n');
    text = lines.pop()!;
    for (const line of lines) {
      if (!isBehindHead) {
        if (!line.startsWith(`{"version":${MANIFEST_VERSION},`)) return;
        isBehindHead = true;
        continue;
      }
      const object = parseObject(line.endsWith(',') ? line.slice(0, -1) : line);
      if (object === undefined) return;
      yield object;
    }
    if (text.length > LINE_CHARS_MAX) return;
  }
}

function parseObject(line: string): ManifestObject | undefined {
  if (!line.startsWith(OBJECT_START)) return undefined;
  try {
    const object = JSON.parse(line) as ManifestObject;
    return typeof object.key === 'string' ? object : undefined;
  } catch {
    return undefined;
  }
}

/** Describes the objects of a listing: what an older manifest says of the same bytes is not asked for again. */
export class ManifestMerge {
  /** The older manifest says something else than the newer one will. */
  isChanged = false;
  objectCount = 0;
  readonly #known: AsyncGenerator<ManifestObject, void, void>;
  readonly #describe: (entry: S3Entry) => Promise<S3Description | undefined>;
  readonly #concurrency: number;
  #next: ManifestObject | undefined;
  #isAtEnd = false;

  /** @param describe undefined for what was deleted meanwhile. */
  constructor(
    known: AsyncGenerator<ManifestObject, void, void>,
    describe: (entry: S3Entry) => Promise<S3Description | undefined>,
    concurrency: number,
  ) {
    this.#known = known;
    this.#describe = describe;
    this.#concurrency = concurrency;
  }

  /** @param pages of a listing in the order of keys. */
  async *objects(pages: AsyncIterable<readonly S3Entry[]>): AsyncGenerator<ManifestObject> {
    try {
      for await (const page of pages) {
        for (let start = 0; start < page.length; start += this.#concurrency) {
          const part = page.slice(start, start + this.#concurrency);
          const known: (ManifestObject | undefined)[] = [];
          for (const entry of part) known.push(await this.#find(entry));
          const objects = await Promise.all(part.map((entry, index) => known[index] ?? this.#look(entry)));
          for (const object of objects) {
            if (object === undefined) continue;
            this.objectCount += 1;
            yield object;
          }
        }
      }
      if ((await this.#peek()) !== undefined) this.isChanged = true;
    } finally {
      await this.#known.return();
    }
  }

  async #look(entry: S3Entry): Promise<ManifestObject | undefined> {
    const description = await this.#describe(entry);
    if (description === undefined) return undefined;
    this.isChanged = true;
    return manifestObject(entry, description);
  }

  async #find({ key, etag, sizeBytes }: S3Entry): Promise<ManifestObject | undefined> {
    for (;;) {
      const next = await this.#peek();
      if (next === undefined) return undefined;
      const order = compareKeys(next.key, key);
      if (order > 0) return undefined;
      this.#next = undefined;
      if (order === 0 && next.etag === etag && next.bytes === sizeBytes) return next;
      this.isChanged = true;
    }
  }

  async #peek(): Promise<ManifestObject | undefined> {
    if (this.#next !== undefined || this.#isAtEnd) return this.#next;
    const { value, done } = await this.#known.next();
    if (done === true) this.#isAtEnd = true;
    else this.#next = value;
    return this.#next;
  }
}
