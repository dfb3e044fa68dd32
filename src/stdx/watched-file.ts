/** A small text file that is read again when it changes: tokens, passwords. */
import { open } from 'node:fs/promises';

/** Larger is no list of secrets but a mistake, and would be read every second. */
const FILE_BYTES_MAX = 1024 * 1024;
/** Reading beats watching: mounted secrets are exchanged by moving symbolic links, which watchers miss. */
const READ_INTERVAL_MS = 1000;

export class WatchedFile {
  readonly path: string;
  readonly #intervalMs: number;
  #text: string | undefined;
  #failure = '';
  #timer: NodeJS.Timeout | undefined;
  #isReading = false;

  constructor(path: string, intervalMs = READ_INTERVAL_MS) {
    this.path = path;
    this.#intervalMs = intervalMs;
  }

  /**
   * @param changed gets every new text; what it throws counts as a failure, and the old text stays.
   * @param failed gets the reason once for each new failure; it never holds what is in the file.
   * @returns the text of now.
   * @throws Error that names the file when it cannot be read.
   */
  async start(changed: (text: string) => void, failed: (reason: string) => void): Promise<string> {
    this.#text = await readSmall(this.path);
    this.#timer = setInterval(() => void this.#read(changed, failed), this.#intervalMs);
    this.#timer.unref();
    return this.#text;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #read(changed: (text: string) => void, failed: (reason: string) => void): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      const text = await readSmall(this.path);
      if (text === this.#text || this.#timer === undefined) return;
      changed(text);
      this.#text = text;
      this.#failure = '';
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.#failure) failed(message);
      this.#failure = message;
    } finally {
      this.#isReading = false;
    }
  }
}

async function readSmall(path: string): Promise<string> {
  try {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      if (size > FILE_BYTES_MAX) throw new Error(`larger than ${FILE_BYTES_MAX} bytes`);
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Error(`cannot read ${path}: ${code ?? message}`);
  }
}
