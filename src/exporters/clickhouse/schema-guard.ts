import { PipelineError } from '../../component/errors.ts';
import type { Logger } from '../../component/settings.ts';
import type { Signal } from '../../component/signal.ts';
import { schemaStatements } from './ddl.ts';
import type { SchemaSettings } from './ddl-table.ts';
import type { Column } from './encode/block-writer.ts';
import type { TableKey } from './encode/encoder.ts';
import type { InsertClient } from './insert-client.ts';
import { isUnknownSetting } from './insert-errors.ts';
import { qualified } from './table-names.ts';

interface DescribedColumn {
  name: string;
  type: string;
  default_type: string;
}

/** Column types that our blocks convert to; a table that deviates otherwise is refused by the column's name. */
const ACCEPTED_TYPES: ReadonlyArray<readonly [ours: RegExp, theirs: RegExp]> = [
  [
    /^(Array\()?(LowCardinality\()?String\)?\)?$/,
    /^(Array\()?(LowCardinality\()?(Nullable\()?(String|FixedString\(\d+\)|Enum(8|16)\(.*\)|UUID)\)*$/,
  ],
  [/^(Array\()?DateTime64\(9\)\)?$/, /^(Array\()?(Nullable\()?(DateTime(64)?)(\(.*\))?\)*$/],
  [
    /Map\(LowCardinality\(String\), String\)/,
    /Map\((LowCardinality\()?String\)?, (LowCardinality\()?String\)*$/,
  ],
  [
    /^(Array\()?(UInt8|UInt32|UInt64|Int32|Bool|Float64)\)?$/,
    /^(Array\()?(Nullable\()?(U?Int(8|16|32|64)|Bool|Float(32|64)|Decimal.*)\)*$/,
  ],
];

/**
 * Keeps tables and what is known of them in step with the server: creates what is missing before the first
 * insert, and knows which columns each table has. Failures are retryable and leave everything to the next call.
 */
export class SchemaGuard {
  readonly #client: InsertClient;
  readonly #settings: SchemaSettings;
  readonly #signal: Signal;
  readonly #createsSchema: boolean;
  readonly #logger: Logger;
  #created = false;
  #columns = new Map<TableKey, ReadonlyMap<string, string>>();
  #pending: Promise<void> | undefined;

  constructor(
    client: InsertClient,
    settings: SchemaSettings,
    signal: Signal,
    createsSchema: boolean,
    logger: Logger,
  ) {
    this.#client = client;
    this.#settings = settings;
    this.#signal = signal;
    this.#createsSchema = createsSchema;
    this.#logger = logger;
  }

  /** Creates what is missing, once. Concurrent calls share one attempt. @throws PipelineError retryable. */
  async ensure(abort: AbortSignal): Promise<void> {
    if (this.#created || !this.#createsSchema) return;
    this.#pending ??= this.#create(abort).finally(() => {
      this.#pending = undefined;
    });
    await this.#pending;
  }

  async #create(abort: AbortSignal): Promise<void> {
    try {
      await this.#run(this.#settings, abort).catch((error: unknown) => {
        if (!isUnknownSetting(error)) throw error;
        return this.#run({ ...this.#settings, isTuned: false }, abort);
      });
    } catch (error) {
      throw keptInQueue(error, 'the schema could not be created');
    }
    this.#created = true;
    this.#logger.info('ClickHouse schema is in place', {
      database: this.#settings.database,
      signal: this.#signal,
    });
  }

  async #run(settings: SchemaSettings, abort: AbortSignal): Promise<void> {
    for (const statement of schemaStatements(settings, this.#signal))
      await this.#client.command(statement, abort);
  }

  /**
   * Those of an encoder's columns that the table has, by the table's own description.
   * @throws PipelineError retryable, naming the first column whose type does not fit.
   */
  async columnsOf(key: TableKey, columns: readonly Column[], abort: AbortSignal): Promise<Column[]> {
    let known = this.#columns.get(key);
    if (known === undefined) {
      known = await this.#describe(key, abort);
      this.#columns.set(key, known);
    }
    const kept: Column[] = [];
    for (const column of columns) {
      const type = known.get(column.name);
      if (type === undefined) continue;
      if (!isAccepted(column.type, type)) {
        throw new PipelineError(
          'EXPORT_UNAVAILABLE',
          `column ${column.name} of table ${this.#settings.tables[key]} has type ${type}, which ${column.type} is not stored in`,
          { permanent: false },
        );
      }
      kept.push(column);
    }
    return kept;
  }

  async #describe(key: TableKey, abort: AbortSignal): Promise<ReadonlyMap<string, string>> {
    const table = qualified(this.#settings.database, this.#settings.tables[key]);
    await this.#warnOfRepeats(key, abort);
    const rows = await this.#client.query<DescribedColumn>(`DESCRIBE TABLE ${table}`, abort);
    const writable = rows.filter(
      (row) => row.default_type !== 'ALIAS' && row.default_type !== 'MATERIALIZED',
    );
    return new Map(writable.map((row) => [row.name, row.type]));
  }

  /** Tables that others created may lack the window that makes a repeated insert harmless. */
  async #warnOfRepeats(key: TableKey, abort: AbortSignal): Promise<void> {
    const { database, tables } = this.#settings;
    // Both names are plain identifiers, checked by the configuration.
    const rows = await this.#client
      .query<{ engine: string; engine_full: string }>(
        `SELECT engine, engine_full FROM system.tables WHERE database = '${database}' AND name = '${tables[key]}'`,
        abort,
      )
      // A user who may insert need not be allowed to look here; the warning is all that is lost.
      .catch((): { engine: string; engine_full: string }[] => []);
    const { engine = '', engine_full: definition = '' } = rows[0] ?? {};
    const isPlain = engine.endsWith('MergeTree') && !/^(Replicated|Shared)/.test(engine);
    if (!isPlain || /non_replicated_deduplication_window = [1-9]/.test(definition)) return;
    this.#logger.warn('a batch that has to be sent again may be stored twice', {
      table: tables[key],
      remedy: 'ALTER TABLE ... MODIFY SETTING non_replicated_deduplication_window = 10000',
    });
  }

  /** The server disagreed with what is known: create and describe again before the next insert. */
  forget(): void {
    this.#created = false;
    this.#columns.clear();
  }
}

function isAccepted(ours: string, theirs: string): boolean {
  return ours === theirs || ACCEPTED_TYPES.some(([own, accepted]) => own.test(ours) && accepted.test(theirs));
}

/** What goes wrong before an insert says nothing about the batch, so it is never permanent. */
function keptInQueue(error: unknown, what: string): PipelineError {
  const text = error instanceof Error ? error.message : String(error);
  return new PipelineError('EXPORT_UNAVAILABLE', `${what}: ${text}`, { permanent: false, cause: error });
}
