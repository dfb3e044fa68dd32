/** How far a receiver is in its objects, and the file that says so. */
import { readFile } from 'node:fs/promises';
import { replaceFile } from '../../stdx/replace-file.ts';

const VERSION = 1;

/** Messages of one object on their way. */
export class ObjectProgress {
  readonly key: string;
  /** All messages are handed out. */
  isRead = false;
  #handedOut: number;
  /** Messages from the first one on that are on disk. */
  #stored: number;
  readonly #storedBehind = new Set<number>();

  /** @param stored messages from the first one on that were stored before a restart. */
  constructor(key: string, stored: number) {
    this.key = key;
    this.#handedOut = stored;
    this.#stored = stored;
  }

  get stored(): number {
    return this.#stored;
  }

  get isDone(): boolean {
    return this.isRead && this.#stored === this.#handedOut;
  }

  /** @returns the number of the message. */
  handOut(): number {
    return this.#handedOut++;
  }

  /** The message is on disk, or was given up. */
  settle(number: number): void {
    this.#storedBehind.add(number);
    while (this.#storedBehind.delete(this.#stored)) this.#stored++;
  }
}

export interface StoredPosition {
  /** Everything up to this key is on disk. */
  after: string;
  /** Of the first object behind it: its key, and messages from the first one on that are. */
  key: string;
  messages: number;
  /** The end of the range was reached. */
  isFinished: boolean;
}

export const START: StoredPosition = { after: '', key: '', messages: 0, isFinished: false };

/** Replaced as a whole; a file of another configuration counts as none. */
export class PositionFile {
  readonly #path: string;
  readonly #fingerprint: string;
  #writing: Promise<void> = Promise.resolve();

  /** @param fingerprint of everything that decides what is read. */
  constructor(path: string, fingerprint: string) {
    this.#path = path;
    this.#fingerprint = fingerprint;
  }

  async read(): Promise<StoredPosition> {
    const text = await readFile(this.#path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
    const stored = parse(text);
    if (stored === undefined || stored.fingerprint !== this.#fingerprint) return START;
    const { after, key, messages, isFinished } = stored;
    return { after, key, messages, isFinished };
  }

  /** On disk when it resolves, behind the calls before it. */
  write(position: StoredPosition): Promise<void> {
    const text = JSON.stringify({ version: VERSION, fingerprint: this.#fingerprint, ...position });
    this.#writing = this.#writing.catch(() => undefined).then(() => replaceFile(this.#path, text));
    return this.#writing;
  }
}

function parse(text: string): (StoredPosition & { fingerprint: string }) | undefined {
  try {
    const stored = JSON.parse(text) as Partial<
      StoredPosition & { version: number; fingerprint: string }
    > | null;
    const isWhole =
      stored?.version === VERSION && typeof stored.after === 'string' && Number.isInteger(stored.messages);
    return isWhole ? (stored as StoredPosition & { fingerprint: string }) : undefined;
  } catch {
    return undefined;
  }
}
