import { PipelineError } from '../../component/errors.ts';
import type { ExportBatch, Exporter } from '../../component/exporter.ts';
import type { ComponentSettings } from '../../component/settings.ts';
import type { Signal } from '../../component/signal.ts';
import type { SchemaSettings } from './ddl-table.ts';
import { BlockWriter } from './encode/block-writer.ts';
import type { EncodedTable, SignalEncoder } from './encode/encoder.ts';
import { releaseView } from './encode/wire-view.ts';
import { InsertClient, type InsertClientOptions } from './insert-client.ts';
import { isSchemaError } from './insert-errors.ts';
import { SchemaGuard } from './schema-guard.ts';
import { qualified, quoted } from './table-names.ts';

/** Encoders kept for the next batch; more are made when more batches are in flight at once. */
const IDLE_ENCODERS_MAX = 2;
const SCHEMA_RETRY_FIRST_MS = 250;
const SCHEMA_RETRY_LAST_MS = 10_000;

export interface ClickhouseExporterOptions {
  client: InsertClientOptions;
  schema: SchemaSettings;
  createsSchema: boolean;
  signal: Signal;
  createEncoder: () => SignalEncoder;
}

/** Memory of one batch on its way: columns and the writers of its blocks. */
interface Lease {
  encoder: SignalEncoder;
  writers: BlockWriter[];
}

/** One signal to its tables. Several batches may be in flight; each holds its own buffers. */
export class ClickhouseExporter implements Exporter {
  readonly #settings: ComponentSettings;
  readonly #options: ClickhouseExporterOptions;
  readonly #idle: Lease[] = [];
  readonly #stop = new AbortController();
  #client: InsertClient | undefined;
  #schema: SchemaGuard | undefined;
  #schemaTimer: NodeJS.Timeout | undefined;

  constructor(settings: ComponentSettings, options: ClickhouseExporterOptions) {
    this.#settings = settings;
    this.#options = options;
  }

  /**
   * Loads the client and begins to create the schema. A server that does not answer is no reason to stop:
   * what arrives is on disk, and the schema is created when the server appears.
   */
  async start(): Promise<void> {
    const { schema, signal, createsSchema } = this.#options;
    try {
      this.#client = await InsertClient.open(this.#options.client);
    } catch (cause) {
      const text = cause instanceof Error ? cause.message : String(cause);
      throw new PipelineError('START_FAILED', `${this.#settings.id}: ${text}`, { permanent: true, cause });
    }
    this.#schema = new SchemaGuard(this.#client, schema, signal, createsSchema, this.#settings.logger);
    this.#createSchemaSoon(0, SCHEMA_RETRY_FIRST_MS);
  }

  #createSchemaSoon(waitMs: number, nextWaitMs: number): void {
    if (this.#stop.signal.aborted || !this.#options.createsSchema) return;
    this.#schemaTimer = setTimeout(() => {
      this.#schema?.ensure(this.#stop.signal).catch((error: unknown) => {
        if (this.#stop.signal.aborted) return;
        this.#settings.logger.warn('ClickHouse is not ready; data waits in the log', {
          error: error instanceof Error ? error.message : String(error),
        });
        this.#createSchemaSoon(nextWaitMs, Math.min(nextWaitMs * 2, SCHEMA_RETRY_LAST_MS));
      });
    }, waitMs);
    // The exporter's worker lives by its log, not by this attempt.
    this.#schemaTimer.unref();
  }

  async export(batch: ExportBatch, signal: AbortSignal): Promise<void> {
    const schema = this.#schema;
    const client = this.#client;
    if (schema === undefined || client === undefined) {
      throw new PipelineError('SHUTTING_DOWN', `${this.#settings.id} is not running`, { permanent: false });
    }
    await schema.ensure(signal);
    const lease = this.#idle.pop() ?? { encoder: this.#options.createEncoder(), writers: [] };
    const tables = lease.encoder.encode(batch.slices).filter((table) => table.rowCount > 0);
    releaseView();
    const results = await Promise.allSettled(
      tables.map((table, index) =>
        this.#insert(client, schema, table, writerOf(lease, index), batch.batchId, signal),
      ),
    );
    const errors = results
      .filter((result) => result.status === 'rejected')
      .map((result) => result.reason as unknown);
    // After a failure a dying socket may still hold views of the buffers, so these are left to the collector.
    if (errors.length === 0) this.#giveBack(lease);
    else throw this.#mostRetryable(errors);
  }

  async #insert(
    client: InsertClient,
    schema: SchemaGuard,
    encoded: EncodedTable,
    writer: BlockWriter,
    batchId: string,
    signal: AbortSignal,
  ): Promise<void> {
    const columns = await schema.columnsOf(encoded.table, encoded.columns, signal);
    const sent = writer.appendBlock(columns, encoded.rowCount);
    const { database, tables } = this.#options.schema;
    const names = sent.map((column) => quoted(column.name)).join(', ');
    const statement = `INSERT INTO ${qualified(database, tables[encoded.table])} (${names}) FORMAT Native`;
    await client.insert(statement, writer.chunks, `${batchId}:${encoded.table}`, signal);
  }

  /** A batch with one retryable part is sent again as a whole; parts that were stored are recognised by token. */
  #mostRetryable(errors: readonly unknown[]): unknown {
    if (errors.some(isSchemaError)) this.#schema?.forget();
    return errors.find((error) => error instanceof PipelineError && !error.permanent) ?? errors[0];
  }

  #giveBack(lease: Lease): void {
    if (this.#idle.length >= IDLE_ENCODERS_MAX) return;
    lease.encoder.reset();
    for (const writer of lease.writers) writer.reset();
    this.#idle.push(lease);
  }

  async shutdown(_deadlineMs: number): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#schemaTimer);
    const client = this.#client;
    this.#client = undefined;
    this.#schema = undefined;
    this.#idle.length = 0;
    await client?.close();
  }
}

function writerOf(lease: Lease, index: number): BlockWriter {
  const writer = lease.writers[index] ?? new BlockWriter();
  lease.writers[index] = writer;
  return writer;
}
