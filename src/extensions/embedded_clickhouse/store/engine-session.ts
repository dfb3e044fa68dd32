/** One chDB connection that serves requests one after the other, each with settings of its own. */
import type { Session } from 'chdb';
import { sqlIdentifier, sqlString } from './sql-tokens.ts';
import { toStoreError } from './store-error.ts';

/** One statement with everything that a request says about it. */
export interface Job {
  sql: string;
  /** Output format when the statement names none. */
  format: string;
  database: string;
  /** All settings that are not the engine's defaults; the others are put back to theirs. */
  settings: ReadonlyMap<string, string>;
  /** Values of `{name:Type}`, escaped as in the HTTP interface. */
  params: ReadonlyMap<string, string>;
}

export interface JobResult {
  bytes: Uint8Array;
  rowsRead: number;
  bytesRead: number;
}

const DEFAULT_DATABASE = 'default';
/** Parameter names stay in a connection for ever; past this many it is opened again. */
const PARAM_NAMES_MAX = 100;

/**
 * Settings, database and parameters are state of the connection, and only what differs from the previous request
 * is sent, in front of the statement. At most one call at a time.
 */
export class EngineSession {
  readonly #open: () => Session;
  readonly #isReadOnly: boolean;
  readonly #spoolDirectory: string;
  #session: Session;
  /** Name to value of what this connection was set to; undefined when an error left that unknown. */
  #applied = new Map<string, string | undefined>();
  #database = '';
  #paramNames = new Set<string>();
  #isFresh = true;
  #hasFailed = false;

  constructor(open: () => Session, options: { isReadOnly: boolean; spoolDirectory: string }) {
    this.#open = open;
    this.#isReadOnly = options.isReadOnly;
    this.#spoolDirectory = options.spoolDirectory;
    this.#session = open();
  }

  /** Runs a statement to its end; the result is one buffer of private memory. */
  async run(job: Job): Promise<JobResult> {
    await this.#recover();
    try {
      const result = await this.#session.queryAsync(this.#prologue(job) + job.sql, { format: job.format });
      return { bytes: result.bytes(), rowsRead: result.rowsRead, bytesRead: result.bytesRead };
    } catch (error) {
      throw this.#failed(job, error);
    }
  }

  /**
   * Yields a result block by block, each formatted for itself. Ending the iteration early stops the query.
   * Only for SELECT; the engine refuses others.
   */
  async *stream(job: Job): AsyncGenerator<Uint8Array, void, undefined> {
    await this.#recover();
    try {
      const prologue = this.#prologue(job);
      // Streams take a single statement.
      if (prologue !== '') await this.#session.queryAsync(prologue, { format: 'Null' });
      for await (const chunk of this.#session.queryStream(job.sql, { format: job.format })) {
        yield chunk.raw();
      }
    } catch (error) {
      throw this.#failed(job, error);
    }
  }

  /** Forgets everything that requests have left in the connection. */
  renew(): void {
    this.#session.close();
    this.#session = this.#open();
    this.#applied.clear();
    this.#database = '';
    this.#paramNames.clear();
    this.#isFresh = true;
    this.#hasFailed = false;
  }

  close(): void {
    this.#session.close();
  }

  #failed(job: Job, error: unknown): Error {
    this.#hasFailed = true;
    this.#database = '';
    for (const name of job.settings.keys()) this.#applied.set(name, undefined);
    return toStoreError(error, this.#spoolDirectory);
  }

  /**
   * What a failed query had formatted before it failed comes out at the front of the connection's next result:
   * it is fetched here and thrown away.
   */
  async #recover(): Promise<void> {
    if (!this.#hasFailed) return;
    try {
      await this.#session.queryAsync('SELECT 1', { format: 'Null' });
      this.#hasFailed = false;
    } catch {
      // Out of memory, for instance; a new connection has no rest of anything.
      this.renew();
    }
  }

  #prologue(job: Job): string {
    if (this.#mustRenew(job)) this.renew();
    let prologue = '';
    if (this.#isFresh && this.#isReadOnly) prologue += 'SET readonly=2; ';
    this.#isFresh = false;

    const changes: string[] = [];
    for (const [name, value] of job.settings) {
      if (this.#applied.get(name) === value) continue;
      changes.push(`${name}=${sqlString(value)}`);
      this.#applied.set(name, value);
    }
    for (const name of this.#applied.keys()) {
      if (job.settings.has(name)) continue;
      changes.push(`${name}=DEFAULT`);
      this.#applied.delete(name);
    }
    if (changes.length > 0) prologue += `SET ${changes.join(', ')}; `;

    const database = job.database === '' ? DEFAULT_DATABASE : job.database;
    if (this.#database !== database) prologue += `USE ${sqlIdentifier(database)}; `;
    this.#database = database;

    const params = [...job.params].map(([name, value]) => `param_${name}=${sqlString(value)}`);
    for (const name of job.params.keys()) this.#paramNames.add(name);
    if (params.length > 0) prologue += `SET ${params.join(', ')}; `;
    return prologue;
  }

  /** A parameter of an earlier request must not answer for one that is missing in this one. */
  #mustRenew(job: Job): boolean {
    if (this.#paramNames.size > PARAM_NAMES_MAX) return true;
    for (const name of this.#paramNames) {
      if (!job.params.has(name) && new RegExp(`\\{\\s*${name}\\s*:`).test(job.sql)) return true;
    }
    return false;
  }
}
