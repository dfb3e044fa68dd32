/** What the receiver keeps of the client that sends a request: only what the configuration behind it names. */
import {
  CLIENT_CONTEXT_BYTES_MAX,
  type ClientKeys,
  encodeClientContext,
} from '../../component/client-context.ts';
import { OUTCOME_TOO_LARGE, type RequestOutcome } from '../../component/consumer.ts';
import type { Admission } from './admission.ts';
import type { AuthSource } from './auth-gate.ts';

/** Permanent: the same headers would be too large again. */
export const CLIENT_TOO_LARGE: RequestOutcome = {
  code: OUTCOME_TOO_LARGE,
  itemCount: 0,
  rejectedCount: 0,
  message: `The headers that are kept of a client are larger than ${CLIENT_CONTEXT_BYTES_MAX} bytes.`,
  retryAfterMs: 0,
};

/** Of one request, from its header to its end. */
export class CapturedClient {
  readonly #keys: ClientKeys;
  readonly #address: string | undefined;
  readonly #metadata = new Map<string, readonly string[]>();
  readonly #auth = new Map<string, string>();

  constructor(keys: ClientKeys, source: AuthSource) {
    this.#keys = keys;
    this.#address = keys.address ? printAddress(source.address()) : undefined;
    for (const name of keys.metadata) this.#metadata.set(name, source.values(name));
  }

  /** Whether the attributes of its authentication are asked for. */
  get wantsAuth(): boolean {
    return this.#keys.auth.length > 0;
  }

  authenticated(attributes: Readonly<Record<string, string>>): void {
    for (const name of this.#keys.auth) {
      const value = Object.hasOwn(attributes, name) ? attributes[name] : undefined;
      if (value !== undefined) this.#auth.set(name, value);
    }
  }

  /** @returns undefined when nothing that is named is there; `too_large` when that must be refused. */
  encode(): Uint8Array | undefined | 'too_large' {
    const context = { address: this.#address, metadata: this.#metadata, auth: this.#auth };
    const encoded = encodeClientContext(context, this.#keys);
    return encoded !== undefined && encoded.byteLength > CLIENT_CONTEXT_BYTES_MAX ? 'too_large' : encoded;
  }
}

/** One for each protocol of a receiver. */
export class ClientCapture {
  readonly #admission: Admission;
  readonly #includesMetadata: boolean;
  #asked: ClientKeys | undefined;
  #keys: ClientKeys | undefined;

  /** @param includesMetadata `include_metadata`: without it headers stay here, whoever names them. */
  constructor(admission: Admission, includesMetadata: boolean) {
    this.#admission = admission;
    this.#includesMetadata = includesMetadata;
  }

  /** Looked up with each request: a reload exchanges what stands behind a running receiver. */
  get keys(): ClientKeys | undefined {
    const asked = this.#admission.clientKeys;
    if (asked === this.#asked) return this.#keys;
    this.#asked = asked;
    const kept = asked && { ...asked, metadata: this.#includesMetadata ? asked.metadata : [] };
    const isEmpty = kept === undefined || !(kept.address || kept.metadata.length + kept.auth.length > 0);
    this.#keys = isEmpty ? undefined : kept;
    return this.#keys;
  }
}

/** Values of all lines of a name, in their order. @param lines names and values in turn. */
export function rawHeaderValues(lines: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i + 1 < lines.length; i += 2) {
    if (lines[i]!.length === name.length && lines[i]!.toLowerCase() === name) values.push(lines[i + 1]!);
  }
  return values;
}

/** As one value, the way authenticators get it; undefined when there is none. */
export function joinValues(values: readonly string[]): string | undefined {
  return values.length === 0 ? undefined : values.join(', ');
}

/** An address as Go prints it: an IPv4 client of a socket for both kinds has an IPv4 address, zones are left out. */
export function printAddress(address: string): string {
  const plain = address.split('%', 1)[0]!;
  if (!plain.includes(':')) return plain;
  if (plain.includes('.')) return plain.slice(plain.lastIndexOf(':') + 1);
  if (!URL.canParse(`http://[${plain}]`)) return plain;
  const short = new URL(`http://[${plain}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(short);
  if (mapped === null) return short;
  const [high, low] = [Number.parseInt(mapped[1]!, 16), Number.parseInt(mapped[2]!, 16)];
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
}
