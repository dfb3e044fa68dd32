/**
 * Notices when configuration files change. It looks at them instead of asking the system for events: that works for
 * links that are swapped (Kubernetes), editors that replace the file, and file systems without events.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const LOOK_MS = 500;

/** Paths among `--config` values; the others cannot change while the process runs. */
export function configFiles(configs: readonly string[]): string[] {
  return configs.flatMap((source) => {
    if (source.startsWith('file:')) return [source.slice('file:'.length)];
    return /^[A-Za-z][A-Za-z0-9+.-]+:/.test(source) ? [] : [source];
  });
}

export class FileWatch {
  readonly #paths: readonly string[];
  readonly #referenced: () => readonly string[];
  readonly #onChange: () => void;
  readonly #timer: NodeJS.Timeout;
  /** Referenced files that the digests are of. */
  #list: string;
  #known: string;
  #seen: string;

  /**
   * @param onChange called once a new content has stayed the same for two looks, so that no half-written file is read.
   * @param referenced files that the configuration named when it was read last; their absence is a change like others.
   */
  constructor(
    paths: readonly string[],
    onChange: () => void,
    referenced: () => readonly string[] = () => [],
    lookMs: number = LOOK_MS,
  ) {
    this.#paths = paths;
    this.#onChange = onChange;
    this.#referenced = referenced;
    this.#list = referenced().join('\0');
    this.#known = this.#digest() ?? '';
    this.#seen = this.#known;
    this.#timer = setInterval(() => this.#look(), lookMs).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = this.#digest();
    // A file that is away for a moment is being replaced; one that stays away is no configuration to go over to.
    if (now === undefined) return;
    const list = this.#referenced().join('\0');
    // The configuration was read a moment ago and names other files: their contents are known to it.
    if (list !== this.#list) {
      this.#list = list;
      this.#known = now;
    }
    if (now !== this.#known && now === this.#seen) {
      this.#known = now;
      this.#onChange();
    }
    this.#seen = now;
  }

  #digest(): string | undefined {
    const hash = createHash('sha256');
    try {
      for (const path of this.#paths) hash.update(readFileSync(path)).update('\0');
    } catch {
      return undefined;
    }
    for (const path of this.#referenced()) hash.update(contentOf(path)).update('\0');
    return hash.digest('hex');
  }
}

function contentOf(path: string): Uint8Array | string {
  try {
    return readFileSync(path);
  } catch (error) {
    return `cannot be read: ${(error as NodeJS.ErrnoException).code}`;
  }
}
