/** The database inside this process. The only file that loads chDB. */
import { chmod, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type * as Chdb from 'chdb';
import type { StoreOptions } from '../messages.ts';
import { EngineSession } from './engine-session.ts';
import { SessionPool } from './session-pool.ts';
import { sqlIdentifier } from './sql-tokens.ts';

export interface Engine {
  readonly version: string;
  readonly timezone: string;
  readonly spoolDirectory: string;
  /** Names that a request may set; anything else is an unknown setting. */
  readonly settingNames: ReadonlySet<string>;
  /** Names of output formats by their lower case: the engine takes them in any. */
  readonly formatNames: ReadonlyMap<string, string>;
  readonly querySettings: ReadonlyMap<string, string>;
  /** INSERTs with rows: they never wait behind a query. */
  readonly inserts: SessionPool;
  /** Everything else that may write. */
  readonly queries: SessionPool;
  /** GET requests; a connection cannot leave read-only mode again, so they have connections of their own. */
  readonly readOnlyQueries: SessionPool;
  /** Closes the data directory; only when no request runs. */
  close(): Promise<void>;
}

/** Opens the data directory, which takes its lock, and creates the database. Rejects with what chDB says. */
export async function openEngine(options: StoreOptions): Promise<Engine> {
  const chdb: typeof Chdb = await import('chdb');
  await mkdir(options.path, { recursive: true, mode: 0o750 });
  const connectionArgs = Object.entries(options.engineSettings).map(([name, value]) => `--${name}=${value}`);
  const open = () => new chdb.Session(options.path, { connectionArgs });
  const main = open();
  try {
    // Only now: the lock says that no other process has bodies in there.
    const spoolDirectory = join(options.path, 'request-bodies');
    await emptyDirectory(spoolDirectory);
    const readLines = async (sql: string) => {
      const text = (await main.queryAsync(sql, { format: 'TabSeparatedRaw' })).text();
      return text.split('\n').filter((line) => line !== '');
    };
    await readLines(`CREATE DATABASE IF NOT EXISTS ${sqlIdentifier(options.database)}`);
    const [version, timezone] = await readLines('SELECT arrayJoin([version(), timezone()])');
    const pool = (size: number, isReadOnly: boolean) =>
      new SessionPool(
        () => new EngineSession(open, { isReadOnly, spoolDirectory }),
        size,
        options.waitingMax,
      );
    const inserts = pool(options.insertSessions, false);
    const queries = pool(options.querySessions, false);
    const readOnlyQueries = pool(options.querySessions, true);
    return {
      version: version!,
      timezone: timezone!,
      spoolDirectory,
      settingNames: new Set(await readLines('SELECT name FROM system.settings')),
      formatNames: new Map(
        (await readLines('SELECT name FROM system.formats WHERE is_output')).map((name) => [
          name.toLowerCase(),
          name,
        ]),
      ),
      querySettings: new Map(Object.entries(options.querySettings)),
      inserts,
      queries,
      readOnlyQueries,
      close: async () => {
        for (const each of [inserts, queries, readOnlyQueries]) each.close();
        main.close();
        await chdb.drainPending();
      },
    };
  } catch (error) {
    main.close();
    throw error;
  }
}

async function emptyDirectory(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  const names = await readdir(directory);
  await Promise.all(names.map((name) => rm(join(directory, name), { force: true, recursive: true })));
}
