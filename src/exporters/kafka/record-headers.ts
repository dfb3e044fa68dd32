/** Headers of records: those of the configuration and of the client, and the one that tells repetitions. */
import type { ClientContext } from '../../component/client-context.ts';
import { encodeHeaders, varintBytes, writeVarint } from '../../kafka/record-batch.ts';
import type { KafkaExporterConfig } from './config.ts';

const ZERO = 0x30;

/** The headers of the records of one batch: the same but for the number of the record behind the batch id. */
export class BatchHeaders {
  readonly #fixed: Buffer;
  readonly #idHead: Buffer | undefined;
  readonly #idText: Buffer;

  /** @param idHeader name; empty: records do not say which batch they are from. */
  constructor(fixed: readonly (readonly [string, Uint8Array])[], idHeader: string, batchId: string) {
    const hasId = idHeader !== '';
    const encoded = encodeHeaders(fixed);
    const countBytes = varintBytes(fixed.length);
    const count = Buffer.alloc(varintBytes(fixed.length + 1));
    writeVarint(count, 0, fixed.length + 1);
    this.#fixed = hasId ? Buffer.concat([count, encoded.subarray(countBytes)]) : encoded;
    this.#idText = Buffer.from(`${batchId}/`);
    if (!hasId) return;
    const name = Buffer.from(idHeader);
    this.#idHead = Buffer.alloc(varintBytes(name.length) + name.length);
    name.copy(this.#idHead, writeVarint(this.#idHead, 0, name.length));
  }

  /** Of the headers of record `index`. */
  sizeBytes(index: number): number {
    if (this.#idHead === undefined) return this.#fixed.length;
    const valueBytes = this.#idText.length + digitsOf(index);
    return this.#fixed.length + this.#idHead.length + varintBytes(valueBytes) + valueBytes;
  }

  /** @returns the offset behind them. */
  write(target: Uint8Array, at: number, index: number): number {
    target.set(this.#fixed, at);
    let end = at + this.#fixed.length;
    if (this.#idHead === undefined) return end;
    target.set(this.#idHead, end);
    const digits = digitsOf(index);
    end = writeVarint(target, end + this.#idHead.length, this.#idText.length + digits);
    target.set(this.#idText, end);
    end += this.#idText.length + digits;
    for (let rest = index, digit = 1; digit <= digits; digit++, rest = Math.floor(rest / 10))
      target[end - digit] = ZERO + (rest % 10);
    return end;
  }
}

function digitsOf(value: number): number {
  let digits = 1;
  for (let rest = Math.floor(value / 10); rest > 0; rest = Math.floor(rest / 10)) digits++;
  return digits;
}

/** Every value of a header of the client is a header of the record, in their order. */
export function fixedHeaders(
  config: KafkaExporterConfig,
  client: ClientContext | undefined,
): (readonly [string, Uint8Array])[] {
  const headers: (readonly [string, Uint8Array])[] = Object.entries(config.recordHeaders).map(
    ([name, value]) => [name, Buffer.from(value)],
  );
  for (const name of config.includeMetadataKeys) {
    for (const value of client?.metadata.get(name.toLowerCase()) ?? []) {
      headers.push([name, Buffer.from(value, 'latin1')]);
    }
  }
  return headers;
}
