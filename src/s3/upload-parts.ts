/** The parts of an upload: filled from chunks, sent side by side, their memory used again. */
import { abortableChunks } from './abortable-chunks.ts';

/** On their way at a time; one more is being filled. */
const PARTS_IN_FLIGHT = 2;

export interface PartRequest {
  /** From 1. */
  partNumber: number;
  /** Valid until the sender settles. */
  bytes: Uint8Array;
  /** Aborted when the upload is over, for whatever reason. */
  signal: AbortSignal;
}

export interface UploadedParts<P> {
  parts: P[];
  sizeBytes: number;
}

/**
 * New memory for each part would be garbage that is collected late: the heap sees only the small objects around it.
 *
 * @param chunks each may be overwritten when the next one is asked for.
 * @param send its first failure ends the other parts and the chunks, and is what this rejects with.
 * @returns what `send` gave, in the order of the parts.
 */
export async function uploadParts<P>(
  chunks: AsyncIterable<Uint8Array>,
  partBytes: number,
  signal: AbortSignal,
  send: (part: PartRequest) => Promise<P>,
): Promise<UploadedParts<P>> {
  const ending = new AbortController();
  const onAbort = () => ending.abort(abortError());
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  const line = new PartLine<P>(partBytes, ending, send);
  try {
    for await (const chunk of abortableChunks(chunks, ending.signal)) await line.add(chunk);
    return await line.finish();
  } catch (error) {
    // What fails after the first failure fails because of it.
    ending.abort(error);
    await line.settled();
    throw ending.signal.reason;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

class PartLine<P> {
  readonly #partBytes: number;
  readonly #ending: AbortController;
  readonly #send: (part: PartRequest) => Promise<P>;
  readonly #parts: P[] = [];
  readonly #inFlight = new Set<Promise<void>>();
  readonly #free: Buffer[] = [];
  #open: Buffer;
  #openBytes = 0;
  #partCount = 0;
  #sizeBytes = 0;

  constructor(partBytes: number, ending: AbortController, send: (part: PartRequest) => Promise<P>) {
    this.#partBytes = partBytes;
    this.#ending = ending;
    this.#send = send;
    this.#open = Buffer.allocUnsafeSlow(partBytes);
  }

  async add(chunk: Uint8Array): Promise<void> {
    for (let from = 0; from < chunk.byteLength; ) {
      const count = Math.min(chunk.byteLength - from, this.#partBytes - this.#openBytes);
      this.#open.set(chunk.subarray(from, from + count), this.#openBytes);
      this.#openBytes += count;
      from += count;
      if (this.#openBytes === this.#partBytes) await this.#start();
    }
  }

  async finish(): Promise<UploadedParts<P>> {
    if (this.#openBytes > 0) await this.#start();
    await Promise.all(this.#inFlight);
    this.#ending.signal.throwIfAborted();
    return { parts: this.#parts, sizeBytes: this.#sizeBytes };
  }

  /** Resolves when nobody reads the parts any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#inFlight);
  }

  /** Sends the open part, and waits until another one may be filled. */
  async #start(): Promise<void> {
    const [buffer, index] = [this.#open, this.#partCount++];
    const bytes = buffer.subarray(0, this.#openBytes);
    this.#sizeBytes += bytes.byteLength;
    const part = this.#send({ partNumber: index + 1, bytes, signal: this.#ending.signal })
      .then(
        (sent) => {
          this.#parts[index] = sent;
          this.#free.push(buffer);
        },
        (error: unknown) => this.#ending.abort(error),
      )
      .finally(() => this.#inFlight.delete(part));
    this.#inFlight.add(part);
    if (this.#inFlight.size >= PARTS_IN_FLIGHT) await Promise.race(this.#inFlight);
    this.#ending.signal.throwIfAborted();
    this.#open = this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#partBytes);
    this.#openBytes = 0;
  }
}

function abortError(): Error {
  const error = new Error('the attempt is over');
  error.name = 'AbortError';
  return error;
}
