/**
 * The same requests once into ClickHouse's own tables and once into Parquet objects on a real S3 server: ClickHouse reads
 * from both the same rows, to the nanosecond, and takes objects of points back into the tables.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Signal } from '../../component/signal.ts';
import { type EnginePorts, EngineProcess, engineConfig, freePorts, until } from '../engine-process.ts';
import { RequestGenerator } from '../generators.ts';
import { fivePoints } from '../services/five-points.ts';
import { S3Server } from '../services/s3-server.ts';
import { METRIC_TABLES, missingStore, StoredEngine, TABLES, type Table } from '../services/stored-engine.ts';

const BUCKET = 'archive';
const ITEMS = 200;
const REQUESTS = 5;
/** Columns of the tables that objects do not have: their engine computes them. */
const isArchived = (name: string) => !/^(TimestampTime|TimestampDate|__)/.test(name);

class ParquetBed {
  readonly #store: S3Server;
  readonly #stored: StoredEngine;
  readonly #ports: EnginePorts;

  private constructor(store: S3Server, stored: StoredEngine, ports: EnginePorts) {
    this.#store = store;
    this.#stored = stored;
    this.#ports = ports;
  }

  static async start(t: TestContext): Promise<ParquetBed> {
    const store = await S3Server.start({ buckets: [BUCKET] });
    const directory = mkdtempSync(join(tmpdir(), 'millrace-s3-parquet-'));
    const ports = await freePorts();
    const exporter = {
      s3uploader: { endpoint: store.endpoint, s3_force_path_style: true, s3_bucket: BUCKET },
      marshaler: 'parquet',
    };
    const engine = await EngineProcess.start({
      config: engineConfig(ports, { awss3: exporter }),
      dataDir: join(directory, 'data'),
      env: store.environment,
    });
    const stored = await StoredEngine.start();
    t.after(async () => {
      await engine.kill();
      await stored.stop();
      await store.stop();
      rmSync(directory, { recursive: true, force: true });
    });
    return new ParquetBed(store, stored, ports);
  }

  /** To both engines. */
  async send(signal: Signal, body: Uint8Array): Promise<void> {
    for (const port of [this.#ports.http, this.#stored.ports.http]) {
      const answer = await fetch(`http://127.0.0.1:${port}/v1/${signal}`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-protobuf' },
        body: new Uint8Array(body),
      });
      assert.equal(answer.status, 200, await answer.text());
    }
  }

  async rows(query: string): Promise<unknown[]> {
    const result = await this.#stored.client.query({ query, format: 'JSONCompactEachRow' });
    return result.json();
  }

  command(query: string): Promise<unknown> {
    return this.#stored.client.command({ query });
  }

  /** The objects whose names begin with this, as a table function of ClickHouse. */
  archive(name: string): string {
    const { endpoint, keys } = this.#store;
    return `s3('${endpoint}/${BUCKET}/**/${name}_*.parquet', '${keys.accessKeyId}', '${keys.secretAccessKey}', 'Parquet')`;
  }

  /** All columns that both have, each as text: maps in the order of their keys, times in nanoseconds. */
  async select(table: Table): Promise<string> {
    const columns = (await this.rows(`DESCRIBE TABLE ${TABLES[table]}`)) as [string, string][];
    const texts = columns
      .filter(([name]) => isArchived(name))
      .map(([name, type]) => {
        if (type.startsWith('DateTime64')) return `toString(toUnixTimestamp64Nano(\`${name}\`))`;
        if (type.startsWith('Array(DateTime64'))
          return `toString(arrayMap(t -> toUnixTimestamp64Nano(t), \`${name}\`))`;
        if (type.startsWith('Array(Map')) return `toString(arrayMap(m -> mapSort(m), \`${name}\`))`;
        return type.startsWith('Map') ? `toString(mapSort(\`${name}\`))` : `toString(\`${name}\`)`;
      });
    assert(texts.length > 10, texts.join());
    return texts.join(', ');
  }

  async hasAll(table: Table, name: string, count: number): Promise<boolean> {
    const counted = async (source: string) =>
      Number(((await this.rows(`SELECT count() FROM ${source}`)) as [[string]])[0][0]);
    if ((await counted(TABLES[table])) !== count) return false;
    if (!this.#store.keysOf(BUCKET).some((key) => key.includes(`/${name}_`))) return false;
    return (await counted(this.archive(name))) === count;
  }

  /** Waits for all rows in both places and compares them. */
  async compare(table: Table, name: string, count: number): Promise<void> {
    await until(`all rows of ${name}`, () => this.hasAll(table, name, count));
    const columns = await this.select(table);
    const expected = await this.rows(`SELECT ${columns} FROM ${TABLES[table]} ORDER BY ALL`);
    assert.deepEqual(await this.rows(`SELECT ${columns} FROM ${this.archive(name)} ORDER BY ALL`), expected);
  }
}

test('ClickHouse reads the rows of its tables from Parquet objects', {
  timeout: 180_000,
  skip: missingStore(),
}, async (t) => {
  const bed = await ParquetBed.start(t);
  for (const signal of ['traces', 'logs'] as const) {
    const generator = new RequestGenerator({ signal, itemsPerRequest: ITEMS, seed: 11 });
    for (let sequence = 0; sequence < REQUESTS; sequence++)
      await bed.send(signal, generator.next(sequence, Date.now()));
    await bed.compare(signal, signal, ITEMS * REQUESTS);
  }
  for (let sequence = 0; sequence < REQUESTS; sequence++)
    await bed.send('metrics', fivePoints({ metrics: ITEMS, seed: sequence }));
  for (const table of METRIC_TABLES) {
    const name = `metrics_${table}`;
    await bed.compare(table, name, ITEMS * REQUESTS);
    const columns = await bed.select(table);
    const before = await bed.rows(`SELECT ${columns} FROM ${TABLES[table]} ORDER BY ALL`);
    await bed.command(`TRUNCATE TABLE ${TABLES[table]}`);
    await bed.command(`INSERT INTO ${TABLES[table]} SELECT * FROM ${bed.archive(name)}`);
    assert.deepEqual(await bed.rows(`SELECT ${columns} FROM ${TABLES[table]} ORDER BY ALL`), before);
  }
});
