/** Parquet files of requests, read by DuckDB. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import type { ParquetTable } from './parquet-columns.ts';
import { createParquetMarshal } from './parquet-file.ts';

/** Rows of a query over the file, as JSON values; `FILE` in the query stands for it. */
export interface ParquetFile {
  lists(sql: string): Promise<unknown[][]>;
  objects(sql: string): Promise<Record<string, unknown>[]>;
}

export class ParquetBed {
  readonly #directory = mkdtempSync(join(tmpdir(), 'millrace-parquet-'));
  readonly #connection: DuckDBConnection;
  #files = 0;

  private constructor(connection: DuckDBConnection) {
    this.#connection = connection;
  }

  static async open(t: TestContext): Promise<ParquetBed> {
    const bed = new ParquetBed(await (await DuckDBInstance.create(':memory:')).connect());
    t.after(() => {
      bed.#connection.closeSync();
      rmSync(bed.#directory, { recursive: true, force: true });
    });
    return bed;
  }

  /** @returns undefined when the requests have no items of this table. */
  async write(table: ParquetTable, requests: readonly Uint8Array[]): Promise<ParquetFile | undefined> {
    const marshal = await createParquetMarshal(table);
    let path: string | undefined;
    for await (const piece of marshal(requests)) {
      assert.equal(path, undefined);
      path = join(this.#directory, `rows-${this.#files++}.parquet`);
      writeFileSync(path, piece);
    }
    if (path === undefined) return undefined;
    const read = (sql: string) => this.#connection.runAndReadAll(sql.replace('FILE', `'${path}'`));
    return {
      lists: async (sql) => (await read(sql)).getRowsJson(),
      objects: async (sql) => (await read(sql)).getRowObjectsJson() as Record<string, unknown>[],
    };
  }
}
