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
  readonly #onChange: () => void;
  readonly #timer: NodeJS.Timeout;
  #known: string;
  #seen: string;

  /** @param onChange called once a new content has stayed the same for two looks, so that no half-written file is read. */
  constructor(paths: readonly string[], onChange: () => void, lookMs: number = LOOK_MS) {
    this.#paths = paths;
    this.#onChange = onChange;
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
    return hash.digest('hex');
  }
}
