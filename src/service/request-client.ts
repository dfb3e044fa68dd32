/** The client context of the request that a pipeline worker has in hand, and what each log keeps of it. */
import {
  type ClientContext,
  type ClientKeys,
  decodeClientContext,
  encodeClientContext,
  NO_CLIENT_CONTEXT,
} from '../component/client-context.ts';

/** Contexts that are kept decoded, encoded bytes: clients send many requests, and there are few clients. */
const KNOWN_BYTES_MAX = 256 << 10;

interface Known {
  readonly context: ClientContext;
  /** By log; null when the log keeps nothing of it. */
  readonly stored: (Uint8Array | null | undefined)[];
}

export class RequestClient {
  readonly #keysByLog: readonly (ClientKeys | undefined)[];
  readonly #known = new Map<string, Known>();
  #knownBytes = 0;
  #current: Known | undefined;

  /** @param keysByLog what exporters of each log ask for. */
  constructor(keysByLog: readonly (ClientKeys | undefined)[]) {
    this.#keysByLog = keysByLog;
  }

  /** Bytes [start, end), which may lie in shared memory and may go when the call returns; none: no context. */
  begin(bytes: Uint8Array, start: number, end: number): void {
    this.#current = undefined;
    if (start === end) return;
    const key = Buffer.from(bytes.subarray(start, end)).toString('latin1');
    this.#current = this.#known.get(key) ?? this.#learn(key);
  }

  get context(): ClientContext {
    return this.#current?.context ?? NO_CLIENT_CONTEXT;
  }

  /** What a record of the log keeps; undefined when that is nothing. */
  storedFor(log: number): Uint8Array | undefined {
    const current = this.#current;
    const keys = this.#keysByLog[log];
    if (current === undefined || keys === undefined) return undefined;
    let stored = current.stored[log];
    if (stored === undefined) {
      stored = encodeClientContext(current.context, keys) ?? null;
      current.stored[log] = stored;
    }
    return stored ?? undefined;
  }

  #learn(key: string): Known {
    const known = { context: decodeClientContext(Buffer.from(key, 'latin1')), stored: [] };
    // Header values can change with every request, and then remembering them is of no use.
    if (this.#knownBytes + key.length > KNOWN_BYTES_MAX) {
      this.#known.clear();
      this.#knownBytes = 0;
    }
    this.#knownBytes += key.length;
    this.#known.set(key, known);
    return known;
  }
}
