/** Standard streams as outputs that are waited for. */
import { PipelineError } from '../../component/errors.ts';

/** Characters that are handed to a stream at once. */
const CHUNK_CHARS = 32 * 1024;

export class TextOutput {
  readonly #streams: readonly NodeJS.WritableStream[];
  /** What a stream has not taken yet, even when the batch it belongs to was given up. */
  #pending: Promise<Error | undefined> = Promise.resolve(undefined);

  constructor(streams: readonly NodeJS.WritableStream[]) {
    this.#streams = streams;
  }

  /**
   * Writes lines in chunks, each after the stream took the one before: a paused terminal holds one chunk in memory.
   * @throws PipelineError retryable when a stream fails or the signal aborts; part of the lines may be out by then.
   */
  async writeLines(lines: Iterable<string>, signal: AbortSignal): Promise<void> {
    let chunk = '';
    for (const line of lines) {
      chunk += `${line}\n`;
      if (chunk.length < CHUNK_CHARS) continue;
      await this.#write(chunk, signal);
      chunk = '';
    }
    if (chunk !== '') await this.#write(chunk, signal);
  }

  async #write(text: string, signal: AbortSignal): Promise<void> {
    for (const stream of this.#streams) {
      await unlessAborted(this.#pending, signal);
      this.#pending = new Promise((resolve) => {
        stream.write(text, (error) => resolve(error ?? undefined));
      });
      const error = await unlessAborted(this.#pending, signal);
      if (error !== undefined) {
        const message = `the output cannot be written: ${error.message}`;
        throw new PipelineError('EXPORT_UNAVAILABLE', message, { permanent: false, cause: error });
      }
    }
  }
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      reject(new PipelineError('EXPORT_TIMEOUT', 'the output takes nothing', { permanent: false }));
    };
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
