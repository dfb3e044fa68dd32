/** ClickHouse for tests: npm chdb in a child process, used where the optional package is installed. */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

interface Reply {
  id: number;
  text?: string;
  error?: string;
}

/** Whether chdb can be loaded on this machine. It is not loaded here: only the child does that. */
export function hasChdb(): boolean {
  try {
    createRequire(import.meta.url).resolve('chdb');
    return true;
  } catch {
    return false;
  }
}

export class ChdbEngine {
  readonly #child: ChildProcess;
  readonly #directory: string;
  readonly #waiting = new Map<number, { resolve: (text: string) => void; reject: (error: Error) => void }>();
  #nextId = 0;

  private constructor(child: ChildProcess, directory: string) {
    this.#child = child;
    this.#directory = directory;
    child.on('message', ({ id, text, error }: Reply) => {
      const waiter = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (text === undefined) waiter?.reject(new Error(error));
      else waiter?.resolve(text);
    });
    child.on('exit', () => {
      for (const waiter of this.#waiting.values()) waiter.reject(new Error('chdb ended'));
    });
  }

  static async open(): Promise<ChdbEngine> {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-chdb-'));
    const peer = fileURLToPath(new URL(`./chdb.test-peer${extname(import.meta.url)}`, import.meta.url));
    return new ChdbEngine(fork(peer, [join(directory, 'data')]), directory);
  }

  query(sql: string, format = 'TSV'): Promise<string> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ id, sql, format });
    });
  }

  /** Result rows as objects; 64-bit numbers and decimals come as strings, not-a-number and infinities too. */
  async rows(sql: string): Promise<Record<string, unknown>[]> {
    const text = await this.query(
      `${sql} SETTINGS output_format_json_quote_64bit_integers = 1, output_format_json_quote_denormals = 1, output_format_json_map_as_array_of_tuples = 1, output_format_json_named_tuples_as_objects = 0`,
      'JSONEachRow',
    );
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Writes bytes to a file that the engine can read. */
  async file(name: string, chunks: readonly Uint8Array[]): Promise<string> {
    const path = join(this.#directory, name);
    await writeFile(path, Buffer.concat(chunks));
    return path;
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
    await rm(this.#directory, { recursive: true, force: true });
  }
}
