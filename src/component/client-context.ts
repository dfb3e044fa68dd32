/**
 * What is known of the client that sent a request: its headers, its address, what authentication found out. Only what
 * some component of the configuration names is kept; the rest never leaves the receiver.
 *
 * Encoded (in frames between threads, and in records of the log), entries in the order of a `ClientKeys`, all numbers
 * little-endian; nothing but the named entries that the request had:
 *
 * ```
 * uint8 kind | uint16 name bytes | uint16 value count | name | value count times (uint16 value bytes | value)
 * ```
 * Kinds: 1 address (no name), 2 metadata, 3 auth, 4 resource (written into the request by the pipeline worker, never
 * stored). Texts are byte strings: one character for each byte (latin1), which
 * is how headers lie on the wire.
 */
import { PipelineError } from './errors.ts';

/** Largest encoded context; a request with more is refused, because what it would cost on disk has to be bounded. */
export const CLIENT_CONTEXT_BYTES_MAX = 8192;

const KIND_ADDRESS = 1;
const KIND_METADATA = 2;
const KIND_AUTH = 3;
const KIND_RESOURCE = 4;
const ENTRY_HEAD_BYTES = 5;

/** Which parts of a client context somebody wants. */
export interface ClientKeys {
  readonly address: boolean;
  /** Names of headers, lower case, ascending. */
  readonly metadata: readonly string[];
  /** Names of attributes that authenticators give, ascending. */
  readonly auth: readonly string[];
}

/** Byte strings throughout. */
export interface ClientContext {
  /** IP address without a port; undefined when it is not known or not wanted. */
  readonly address: string | undefined;
  /** By lower-case name; one value for each header line, at least one. */
  readonly metadata: ReadonlyMap<string, readonly string[]>;
  readonly auth: ReadonlyMap<string, string>;
  /** Attributes that the receiver wants on every resource of the request; absent when there are none. */
  readonly resource?: ReadonlyMap<string, string>;
}

export const NO_CLIENT_CONTEXT: ClientContext = {
  address: undefined,
  metadata: new Map(),
  auth: new Map(),
};

/** What `from_context` of a processor names. */
export type ContextSource =
  | { readonly kind: 'address' }
  | { readonly kind: 'metadata'; readonly name: string }
  | { readonly kind: 'auth'; readonly name: string };

/** `client.address`, `auth.NAME`, `metadata.NAME`; anything else is the name of a header. */
export function parseContextSource(text: string): ContextSource {
  if (text === 'client.address') return { kind: 'address' };
  if (text.startsWith('auth.')) return { kind: 'auth', name: text.slice('auth.'.length) };
  const name = text.startsWith('metadata.') ? text.slice('metadata.'.length) : text;
  return { kind: 'metadata', name: name.toLowerCase() };
}

/** All values of a source, undefined when the request had none. */
export function contextValues(context: ClientContext, source: ContextSource): readonly string[] | undefined {
  if (source.kind === 'metadata') return context.metadata.get(source.name);
  const value = source.kind === 'auth' ? context.auth.get(source.name) : context.address;
  return value === undefined ? undefined : [value];
}

export function clientKeys(sources: readonly ContextSource[]): ClientKeys {
  const names = (kind: 'metadata' | 'auth') =>
    sources.flatMap((source) => (source.kind === kind ? [source.name] : []));
  return {
    address: sources.some(({ kind }) => kind === 'address'),
    metadata: sorted(names('metadata')),
    auth: sorted(names('auth')),
  };
}

/** @returns undefined when nobody wants anything. */
export function mergeClientKeys(all: readonly (ClientKeys | undefined)[]): ClientKeys | undefined {
  const given = all.filter((keys) => keys !== undefined);
  const merged = {
    address: given.some(({ address }) => address),
    metadata: sorted(given.flatMap(({ metadata }) => metadata)),
    auth: sorted(given.flatMap(({ auth }) => auth)),
  };
  return merged.address || merged.metadata.length + merged.auth.length > 0 ? merged : undefined;
}

/** The same for the same keys, and for no others. */
export function printClientKeys({ address, metadata, auth }: ClientKeys): string {
  return JSON.stringify([address, metadata, auth]);
}

function sorted(names: readonly string[]): string[] {
  return [...new Set(names)].sort();
}

/**
 * Encodes what the keys name; equal parts give equal bytes.
 * @returns undefined when the context has none of it.
 */
export function encodeClientContext(context: ClientContext, keys: ClientKeys): Uint8Array | undefined {
  const entries: Entry[] = [];
  if (keys.address && context.address !== undefined) entries.push([KIND_ADDRESS, '', [context.address]]);
  for (const name of keys.metadata) {
    const values = context.metadata.get(name);
    if (values !== undefined && values.length > 0) entries.push([KIND_METADATA, name, values]);
  }
  for (const name of keys.auth) {
    const value = context.auth.get(name);
    if (value !== undefined) entries.push([KIND_AUTH, name, [value]]);
  }
  return encodeEntries(entries);
}

/** To stand behind the bytes of an encoded context, or alone. @returns undefined when there are none. */
export function encodeResourceAttributes(attributes: ReadonlyMap<string, string>): Uint8Array | undefined {
  return encodeEntries([...attributes].map(([name, value]): Entry => [KIND_RESOURCE, name, [value]]));
}

type Entry = [kind: number, name: string, values: readonly string[]];

function encodeEntries(entries: readonly Entry[]): Uint8Array | undefined {
  if (entries.length === 0) return undefined;
  let sizeBytes = 0;
  for (const [, name, values] of entries) {
    sizeBytes += ENTRY_HEAD_BYTES + name.length;
    for (const value of values) sizeBytes += 2 + value.length;
  }
  const bytes = Buffer.alloc(sizeBytes);
  let at = 0;
  for (const [kind, name, values] of entries) {
    at = bytes.writeUInt8(kind, at);
    at = bytes.writeUInt16LE(name.length & 0xffff, at);
    at = bytes.writeUInt16LE(values.length & 0xffff, at);
    at += bytes.write(name, at, 'latin1');
    for (const value of values) {
      at = bytes.writeUInt16LE(value.length & 0xffff, at);
      at += bytes.write(value, at, 'latin1');
    }
  }
  // Lengths beyond 16 bits were cut above: whoever encodes refuses what is larger than CLIENT_CONTEXT_BYTES_MAX.
  return bytes;
}

/** All of a context. @returns undefined when there is nothing in it. */
export function encodeWholeContext(context: ClientContext): Uint8Array | undefined {
  const { address, metadata, auth } = context;
  const keys = {
    address: address !== undefined,
    metadata: sorted([...metadata.keys()]),
    auth: sorted([...auth.keys()]),
  };
  return encodeClientContext(context, keys);
}

/** @throws PipelineError INTERNAL for bytes that no encoder wrote. */
export function decodeClientContext(encoded: Uint8Array): ClientContext {
  const bytes = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength);
  let address: string | undefined;
  const metadata = new Map<string, readonly string[]>();
  const auth = new Map<string, string>();
  const resource = new Map<string, string>();
  let at = 0;
  const take = (count: number): number => {
    if (at + count > bytes.byteLength) {
      throw new PipelineError('INTERNAL', 'a client context is cut off', { permanent: true });
    }
    at += count;
    return at - count;
  };
  const takeText = (count: number): string => {
    const start = take(count);
    return bytes.toString('latin1', start, start + count);
  };
  while (at < bytes.byteLength) {
    const kind = bytes.readUInt8(take(1));
    const nameBytes = bytes.readUInt16LE(take(2));
    const valueCount = bytes.readUInt16LE(take(2));
    const name = takeText(nameBytes);
    const values: string[] = [];
    for (let value = 0; value < valueCount; value++) values.push(takeText(bytes.readUInt16LE(take(2))));
    // An entry of a kind that a later program wrote is stepped over.
    if (kind === KIND_ADDRESS) address = values[0];
    else if (kind === KIND_METADATA) metadata.set(name, values);
    else if (kind === KIND_AUTH && values[0] !== undefined) auth.set(name, values[0]);
    else if (kind === KIND_RESOURCE && values[0] !== undefined) resource.set(name, values[0]);
  }
  return resource.size === 0 ? { address, metadata, auth } : { address, metadata, auth, resource };
}
