/** The real program with its embedded ClickHouse on ports of its own, and exact reading of the rows it stored. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ClickHouseClient, createClient } from '@clickhouse/client';
import {
  type EnginePorts,
  EngineProcess,
  engineConfig,
  freePort,
  freePorts,
  until,
} from '../engine-process.ts';

/** A row as JSON values: 64-bit integers and nanoseconds as decimal text, maps as lists of pairs in stored order. */
export type Row = Record<string, unknown>;

export const TABLES = {
  traces: 'otel_traces',
  logs: 'otel_logs',
  gauge: 'otel_metrics_gauge',
  sum: 'otel_metrics_sum',
  histogram: 'otel_metrics_histogram',
  exponential_histogram: 'otel_metrics_exponential_histogram',
  summary: 'otel_metrics_summary',
} as const;
export type Table = keyof typeof TABLES;
export const METRIC_TABLES = ['gauge', 'sum', 'histogram', 'exponential_histogram', 'summary'] as const;

/** Why a test that needs ClickHouse cannot run here, or false. chDB has builds for few platforms. */
export function missingStore(): string | false {
  try {
    const { libchdbPath } = createRequire(import.meta.url)('chdb/libchdb') as { libchdbPath(): string };
    return libchdbPath() === '' ? 'npm package chdb has no library for this platform' : false;
  } catch {
    return 'npm package chdb is not installed';
  }
}

export interface StoredEngineOptions {
  /** Ports to serve on, for clients that were started before the engine. */
  ports?: EnginePorts;
  failpoints?: string;
  flags?: readonly string[];
  /** Also delivers to a JSON file beside the tables, see `file`. */
  writesFile?: boolean;
}

/** Starts on a directory of its own; `stop` ends the engine, its store and the directory. */
export class StoredEngine {
  readonly ports: EnginePorts;
  readonly client: ClickHouseClient;
  readonly #config: string;
  readonly #directory: string;
  readonly #columns = new Map<Table, string>();
  #process: EngineProcess | undefined;

  private constructor(ports: EnginePorts, config: string, client: ClickHouseClient, directory: string) {
    this.ports = ports;
    this.client = client;
    this.#config = config;
    this.#directory = directory;
  }

  static async start(options: StoredEngineOptions = {}): Promise<StoredEngine> {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-stored-'));
    const ports = options.ports ?? (await freePorts());
    const storePort = await freePort();
    const url = `http://127.0.0.1:${storePort}`;
    const config = engineConfig(
      ports,
      {
        clickhouse: {
          endpoint: url,
          database: 'otel',
          ttl: '0s',
          rollup_ttl: '0s',
          sending_queue: QUEUE,
        },
        ...(options.writesFile === true && {
          file: { path: fileIn(directory), sending_queue: QUEUE },
        }),
      },
      { extensions: { embedded_clickhouse: { endpoint: `127.0.0.1:${storePort}`, max_memory: '1GiB' } } },
    );
    try {
      const engine = new StoredEngine(ports, config, createStoreClient(url), directory);
      await engine.startProcess(options);
      return engine;
    } catch (error) {
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** Where the exporter `file` writes, one batch a line. */
  get file(): string {
    return fileIn(this.#directory);
  }

  /** For commands that use the same exporters. */
  get config(): string {
    return this.#config;
  }

  get process(): EngineProcess {
    return this.#process!;
  }

  /** Starts the program again on its directory after `process` has ended. */
  async startProcess(options: Pick<StoredEngineOptions, 'failpoints' | 'flags'> = {}): Promise<void> {
    this.#process = await EngineProcess.start(
      {
        config: this.#config,
        dataDir: join(this.#directory, 'data'),
        failpoints: options.failpoints ?? '',
        flags: options.flags ?? [],
      },
      60_000,
    );
  }

  async stop(): Promise<void> {
    await this.client.close();
    const { code, signal } = await this.process.kill('SIGTERM');
    rmSync(this.#directory, { recursive: true, force: true });
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, this.process.log);
  }

  /** Rows of one service, in no particular order. */
  async rows(table: Table, service: string): Promise<Row[]> {
    const query = `SELECT ${await this.#exactColumns(table)} FROM ${TABLES[table]} WHERE ServiceName = {service:String}`;
    const result = await this.client.query({ query, format: 'JSONEachRow', query_params: { service } });
    return result.json<Row>();
  }

  async count(table: Table, service: string): Promise<number> {
    const query = `SELECT count() FROM ${TABLES[table]} WHERE ServiceName = {service:String}`;
    const result = await this.client.query({
      query,
      format: 'JSONCompactEachRow',
      query_params: { service },
    });
    return Number((await result.json<[string]>())[0]![0]);
  }

  /** Waits until the service has at least this many rows, then returns all of them. */
  async rowsOnceStored(table: Table, service: string, count: number, timeoutMs = 20_000): Promise<Row[]> {
    const what = `${count} rows of ${service} in ${TABLES[table]}`;
    try {
      await until(what, async () => (await this.count(table, service)) >= count, timeoutMs);
    } catch (error) {
      const stored = await this.count(table, service);
      throw new Error(`${(error as Error).message}, ${stored} are there\n${this.process.log}`);
    }
    return this.rows(table, service);
  }

  /** All columns; times as nanoseconds, because the text of a time would depend on a time zone. */
  async #exactColumns(table: Table): Promise<string> {
    const known = this.#columns.get(table);
    if (known !== undefined) return known;
    const result = await this.client.query({
      query:
        'SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = {table:String}',
      format: 'JSONEachRow',
      query_params: { table: TABLES[table] },
    });
    const described = await result.json<{ name: string; type: string }>();
    const columns = described
      .map(({ name, type }) => {
        if (type === 'DateTime64(9)') return `toUnixTimestamp64Nano(\`${name}\`) AS \`${name}\``;
        if (type !== 'Array(DateTime64(9))') return `\`${name}\``;
        return `arrayMap(time -> toUnixTimestamp64Nano(time), \`${name}\`) AS \`${name}\``;
      })
      .join(', ');
    this.#columns.set(table, columns);
    return columns;
  }
}

const QUEUE = { batch: { flush_timeout: '100ms' } };
const fileIn = (directory: string): string => join(directory, 'delivered.json');

function createStoreClient(url: string): ClickHouseClient {
  return createClient({
    url,
    database: 'otel',
    clickhouse_settings: {
      output_format_json_quote_64bit_integers: 1,
      output_format_json_quote_denormals: 1,
      output_format_json_map_as_array_of_tuples: 1,
      output_format_json_named_tuples_as_objects: 0,
    },
  });
}

/** Compares without regard to the order of rows, which no table promises; names the table when they differ. */
export function assertSameRows(actual: readonly Row[], expected: readonly Row[], what: string): void {
  assert.deepEqual(inOrder(actual), inOrder(expected), what);
}

/** Sorted by content; properties of each row by name, as `deepEqual` does not care but the sort does. */
function inOrder(rows: readonly Row[]): Row[] {
  const sorted = rows.map((row) =>
    Object.fromEntries(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1))),
  );
  const keyed = sorted.map((row) => ({ key: JSON.stringify(row), row }));
  return keyed.sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ row }) => row);
}
